/**
 * Apache Kafka itself, in KRaft combined mode: every node is broker and controller, formatted in a fresh
 * directory, on free ports of the loopback interface.
 *
 * The settings differ from Kafka's defaults where the defaults are made for data centres and would make a test
 * wait: failures are noticed within seconds, caches and threads are few.
 *
 * @module
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { randomBytes } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "node:net";
import { type Certificates, makeCertificates } from "./certificates.ts";
import { classpath, javaProgram, type KafkaVersion } from "./classpath.ts";
import { describe } from "./kcat.ts";
import { NetworkProxy } from "./network_proxy.ts";
import { type GuardedProcess, run, spawnGuarded, until } from "./processes.ts";
import { freePorts } from "../../support/free_port.ts";

/**
 * Further ways into the brokers, beside plain text: TLS, TLS with client certificate, SASL, SASL over TLS, and plain
 * text through a network that can fail.
 */
export type ListenerName = "tls" | "mtls" | "sasl" | "sasl_tls" | "proxied";

/**
 * User and password of the SASL listeners, for PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512. (kcat of Debian 12 knows
 * PLAIN only: SCRAM of librdkafka 2.0 repeats a nonce that brokers of today check.)
 */
export const saslUser = { username: "corndog", password: "corndog-secret" } as const;

/** What a cluster shall be. */
export interface ApacheOptions {
  readonly brokers: 1 | 3;
  readonly version: KafkaVersion;
  /** server.properties over those of this harness. */
  readonly properties: Readonly<Record<string, string>>;
  readonly listeners: readonly ListenerName[];
  /** System properties of the brokers' JVMs. */
  readonly jvm: Readonly<Record<string, string>>;
}

/** A running cluster of Apache Kafka. */
export interface ApacheCluster {
  /** `host:port` of every broker's plain-text listener. */
  readonly addresses: readonly string[];
  /** Bootstrap address of a further listener. */
  bootstrapOf(listener: ListenerName): string;
  /** Present if a TLS listener was asked for. */
  readonly certificates: Certificates | undefined;
  /** The network of the proxied listener, per broker; empty without that. */
  readonly networks: readonly NetworkProxy[];
  /** SIGKILL. Resolves when the process is gone. */
  kill(index: number): Promise<void>;
  /** SIGTERM: moves leaders away where others are left. Resolves when the process is gone. */
  terminate(index: number): Promise<void>;
  /** Starts it again on its directory and ports; resolves when the cluster lists it. */
  restart(index: number): Promise<void>;
  /** SIGSTOP: connections stay open and nothing answers. */
  pause(index: number): void;
  continue(index: number): void;
  /** Ends all of it and removes the directories. */
  stop(): Promise<void>;
}

const protocols: Readonly<Record<ListenerName, string>> = {
  tls: "SSL",
  mtls: "SSL",
  sasl: "SASL_PLAINTEXT",
  sasl_tls: "SASL_SSL",
  proxied: "PLAINTEXT",
};

/** How long a broker may take to be listed by its cluster, on a busy machine with two cores. */
const startDeadlineMs = 90_000;
/** A broker that ends by itself while it starts, or comes to nothing for so long, is started so often. */
const restartsMax = 3;
const restartDeadlineMs = 30_000;
/** How long a broker may take to end after SIGTERM before it is killed. */
const stopDeadlineMs = 15_000;

interface Node {
  readonly id: number;
  readonly directory: string;
  readonly ports: Readonly<Record<"plain" | "controller" | ListenerName, number>>;
  network: NetworkProxy | undefined;
  process: GuardedProcess | undefined;
}

/** Formats and starts a cluster; resolves when it lists all its brokers. */
export async function startApache(options: ApacheOptions): Promise<ApacheCluster> {
  const home = mkdtempSync(join(tmpdir(), "corndog-kafka-"));
  const jars = await classpath(options.version);
  const needsTls = options.listeners.some((listener) => protocols[listener].endsWith("SSL"));
  const certificates = needsTls ? await makeCertificates(home) : undefined;
  const nodes = await layOut(home, options);
  const addresses = nodes.map((node) => `127.0.0.1:${node.ports.plain}`);
  const launch = async (node: Node): Promise<void> => {
    node.process = await spawnGuarded({
      argv: [
        javaProgram(),
        ...javaFlags,
        ...Object.entries(options.jvm).map(([name, value]) => `-D${name}=${value}`),
        "-cp",
        jars,
        "kafka.Kafka",
        join(node.directory, "server.properties"),
      ],
      logFile: join(node.directory, "broker.log"),
      directory: home,
      talks: false,
    });
  };
  const end = async (node: Node, signal: "SIGTERM" | "SIGKILL"): Promise<void> => {
    const running = node.process;
    if (running === undefined) return;
    running.signal("SIGCONT"); // a stopped process does not act on SIGTERM
    running.signal(signal);
    const timer = setTimeout(() => running.signal("SIGKILL"), stopDeadlineMs);
    await running.ended;
    clearTimeout(timer);
  };
  const stop = async (): Promise<void> => {
    // The data is thrown away: nobody needs leaders moved, and a quorum that dissolves cannot agree to it.
    await Promise.all(nodes.map((node) => end(node, nodes.length === 1 ? "SIGTERM" : "SIGKILL")));
    await Promise.all(nodes.map((node) => node.network?.close()));
    rmSync(home, { recursive: true, force: true, maxRetries: 3 });
  };

  try {
    // Kafka's own ids never begin with "-" either: the tool would take it for an option.
    const clusterId = `A${randomBytes(16).toString("base64url").slice(1)}`;
    if (options.listeners.includes("proxied")) {
      for (const node of nodes) node.network = await NetworkProxy.open(node.ports.proxied);
    }
    for (const node of nodes) writeProperties(node, nodes, options, certificates);
    await Promise.all(nodes.map((node) => format(node, jars, clusterId, options)));
    await Promise.all(nodes.map(launch));
    await listed(nodes, nodes.map((node) => node.id));
  } catch (error) {
    const logs = nodes.map((node) => tail(join(node.directory, "broker.log"))).join("\n");
    await stop();
    throw new Error(`Cannot start Apache Kafka: ${error instanceof Error ? error.message : error}\n${logs}`, {
      cause: error,
    });
  }
  return {
    addresses,
    certificates,
    networks: nodes.flatMap((node) => node.network ?? []),
    bootstrapOf: (listener) => nodes.map((node) => `127.0.0.1:${advertisedPort(node, listener)}`).join(","),
    kill: (index) => end(nodes[index]!, "SIGKILL"),
    terminate: (index) => end(nodes[index]!, "SIGTERM"),
    async restart(index) {
      const node = nodes[index]!;
      for (let tries = 1;; tries++) {
        await end(node, "SIGKILL");
        await launch(node);
        try {
          return await listed(nodes, [node.id], restartDeadlineMs);
        } catch (cause) {
          // A controller that is starved takes a broker for its own predecessor, until the broker gives up.
          if (tries < restartsMax) continue;
          const log = tail(join(node.directory, "broker.log"));
          throw new Error(`Cannot restart broker ${node.id}: ${cause}\n${log}`, { cause });
        }
      }
    },
    pause: (index) => nodes[index]!.process?.signal("SIGSTOP"),
    continue: (index) => nodes[index]!.process?.signal("SIGCONT"),
    stop,
  };
}

/** Small and quick to start: one compiler, one collector thread, shared classes where the JVM has them. */
const javaFlags = [
  "-Xms96m",
  "-Xmx384m",
  "-XX:TieredStopAtLevel=1",
  "-XX:+UseSerialGC",
  "-Xshare:auto",
  "-Djava.awt.headless=true",
  "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
  "-Dorg.slf4j.simpleLogger.showDateTime=true",
];

async function layOut(home: string, options: ApacheOptions): Promise<Node[]> {
  const names = ["plain", "controller", "tls", "mtls", "sasl", "sasl_tls", "proxied"] as const;
  const ports = await freePorts(options.brokers * names.length);
  return Array.from({ length: options.brokers }, (_, index) => {
    const directory = join(home, `broker-${index}`);
    mkdirSync(directory);
    const own = names.map((name, i) => [name, ports[index * names.length + i]!] as const);
    const nodePorts = Object.fromEntries(own) as Node["ports"];
    return { id: index + 1, directory, ports: nodePorts, network: undefined, process: undefined };
  });
}

function advertisedPort(node: Node, listener: ListenerName): number {
  return listener === "proxied" ? node.network!.port : node.ports[listener];
}

function writeProperties(
  node: Node,
  nodes: readonly Node[],
  options: ApacheOptions,
  certificates: Certificates | undefined,
): void {
  const copies = String(nodes.length);
  const listenersOn = (portOf: (name: ListenerName) => number): string[] => [
    `PLAIN://127.0.0.1:${node.ports.plain}`,
    ...options.listeners.map((name) => `${name.toUpperCase()}://127.0.0.1:${portOf(name)}`),
  ];
  const listeners = listenersOn((name) => node.ports[name]);
  const properties: Record<string, string> = {
    "process.roles": "broker,controller",
    "node.id": String(node.id),
    "controller.quorum.voters": nodes.map(({ id, ports }) => `${id}@127.0.0.1:${ports.controller}`).join(","),
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAIN",
    "listeners": [...listeners, `CONTROLLER://127.0.0.1:${node.ports.controller}`].join(","),
    "advertised.listeners": listenersOn((name) => advertisedPort(node, name)).join(","),
    "listener.security.protocol.map": [
      "PLAIN:PLAINTEXT",
      "CONTROLLER:PLAINTEXT",
      ...options.listeners.map((name) => `${name.toUpperCase()}:${protocols[name]}`),
    ].join(","),
    "log.dirs": join(node.directory, "data"),
    "auto.create.topics.enable": "false",
    "default.replication.factor": copies,
    "min.insync.replicas": nodes.length === 1 ? "1" : "2",
    "offsets.topic.replication.factor": copies,
    "offsets.topic.num.partitions": "1",
    "transaction.state.log.replication.factor": copies,
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": copies,
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    // A dead broker loses its leaderships within three seconds instead of nine.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    "initial.broker.registration.timeout.ms": "20000",
    "controller.quorum.election.timeout.ms": "500",
    "controller.quorum.fetch.timeout.ms": "1000",
    "replica.lag.time.max.ms": "5000",
    "replica.fetch.wait.max.ms": "100",
    "num.network.threads": "2",
    "num.io.threads": "2",
    "num.replica.fetchers": "1",
    "background.threads": "2",
    "log.cleaner.threads": "1",
    "log.cleaner.dedupe.buffer.size": "2097152",
    "log.segment.delete.delay.ms": "1000",
    ...tlsProperties(options, certificates),
    ...saslProperties(options),
    ...options.properties,
  };
  const text = Object.entries(properties).map(([name, value]) => `${name}=${value}\n`).join("");
  writeFileSync(join(node.directory, "server.properties"), text);
}

function tlsProperties(
  options: ApacheOptions,
  certificates: Certificates | undefined,
): Record<string, string> {
  if (certificates === undefined) return {};
  return {
    "ssl.keystore.type": "PEM",
    "ssl.keystore.location": certificates.keyStoreFile,
    "ssl.truststore.type": "PEM",
    "ssl.truststore.location": certificates.caFile,
    ...(options.listeners.includes("mtls") ? { "listener.name.mtls.ssl.client.auth": "required" } : {}),
  };
}

function saslProperties(options: ApacheOptions): Record<string, string> {
  const { username, password } = saslUser;
  const sasl = options.listeners.filter((name) => protocols[name].startsWith("SASL"));
  if (sasl.length === 0) return {};
  const properties: Record<string, string> = {
    "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
  };
  for (const name of sasl) {
    const prefix = `listener.name.${name}`;
    properties[`${prefix}.plain.sasl.jaas.config`] =
      `org.apache.kafka.common.security.plain.PlainLoginModule required user_${username}="${password}";`;
    for (const scram of ["scram-sha-256", "scram-sha-512"]) {
      properties[`${prefix}.${scram}.sasl.jaas.config`] =
        "org.apache.kafka.common.security.scram.ScramLoginModule required;";
    }
  }
  return properties;
}

async function format(node: Node, jars: string, clusterId: string, options: ApacheOptions): Promise<void> {
  const { username, password } = saslUser;
  const scram = options.listeners.some((name) => protocols[name].startsWith("SASL"))
    ? ["SCRAM-SHA-256", "SCRAM-SHA-512"].flatMap((
      kind,
    ) => ["--add-scram", `${kind}=[name=${username},password=${password}]`])
    : [];
  await run([
    ...[javaProgram(), ...javaFlags, "-cp", jars, "kafka.tools.StorageTool", "format"],
    ...["--cluster-id", clusterId, "--config", join(node.directory, "server.properties"), ...scram],
  ]);
}

/**
 * Resolves when the cluster lists these brokers, and has a leader for every partition where it has but one broker; throws
 * at once if one of them ended.
 */
async function listed(
  nodes: readonly Node[],
  ids: readonly number[],
  deadlineMs = startDeadlineMs,
): Promise<void> {
  const waited = nodes.filter((node) => ids.includes(node.id));
  const bootstrap = waited.map((node) => `127.0.0.1:${node.ports.plain}`).join(",");
  const dead = (): Node | undefined => waited.find((node) => node.process?.alive !== true);
  await until(`brokers ${ids.join(", ")} are listed`, deadlineMs, async () => {
    if (dead() !== undefined) return true;
    if (!(await Promise.all(waited.map((node) => accepts(node.ports.plain)))).every(Boolean)) {
      return undefined;
    }
    const { brokers, topics } = await describe(bootstrap);
    if (!ids.every((id) => brokers.some((broker) => broker.id === id))) return undefined;
    const leaderless = nodes.length === 1 &&
      topics.some(({ partitions }) => partitions.some(({ leader }) => leader === -1));
    return leaderless ? undefined : true;
  });
  const ended = dead();
  if (ended !== undefined) throw new Error(`Broker ${ended.id} ended by itself`);
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => (socket.destroy(), resolve(true)));
    socket.once("error", () => resolve(false));
  });
}

function tail(file: string): string {
  try {
    return readFileSync(file, "utf8").split("\n").slice(-20).join("\n");
  } catch {
    return "";
  }
}
