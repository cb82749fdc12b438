/**
 * The Kafka that tests talk to. Test files import this module only.
 *
 * `sharedKafka()` is the cluster of the whole test run: started once by `test/run.sh` (or once per test process if
 * a file is run by itself), or the one named in KAFKA_BROKERS. Nobody may harm it; topics get unique names.
 * `startKafka()` is a cluster of the test's own that it may kill, pause and configure.
 *
 * Where there is no Java, librdkafka's mock cluster serves what it can. A test says what it needs:
 *
 *     test("deliver() survives a leader's death", { skip: needs.ownRealBroker }, async () => {
 *       await using kafka = await startKafka({ brokers: 3 });
 *       const topic = await kafka.createTopic("logs", { partitions: 6, replicas: 3 });
 *       await kafka.kill(0);
 *       const records = await kafka.readUntil(topic, 1000);
 *     });
 *
 * @module
 */
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { spawnSync } from "node:child_process";
import process from "node:process";
import { type ListenerName, saslUser, startApache } from "./apache.ts";
import type { Certificates } from "./certificates.ts";
import { javaProgram, type KafkaVersion } from "./classpath.ts";
import { type ClusterView, describe, type KafkaRecord, readAll, readUntil } from "./kcat.ts";
import { startMock } from "./mock.ts";
import type { NetworkProxy } from "./network_proxy.ts";
import { createTopic, deleteTopic, growTopic, moveReplicas } from "./topics.ts";

export { type KafkaRecord, saslUser };
export { values } from "./kcat.ts";

/** Apache Kafka started here, librdkafka's mock cluster, or a cluster that was there already. */
export type KafkaKind = "apache" | "mock" | "existing";

/** What `startKafka` shall start. */
export interface KafkaOptions {
  /** Default 1. Three replicate with `min.insync.replicas=2`. */
  readonly brokers?: 1 | 3;
  /** Release line; default the newest. */
  readonly version?: KafkaVersion;
  /** server.properties over those of the harness. */
  readonly properties?: Readonly<Record<string, string>>;
  /** Listeners beside the plain-text one. */
  readonly listeners?: readonly ListenerName[];
  /** System properties of the brokers' JVMs. */
  readonly jvm?: Readonly<Record<string, string>>;
}

/** A topic to create. */
export interface TopicOptions {
  /** Default 1. */
  readonly partitions?: number;
  /** Default: one on each broker. */
  readonly replicas?: number;
  /** The brokers of each partition, by index, the leader first; instead of `partitions` and `replicas` (real Kafka). */
  readonly assignment?: readonly (readonly number[])[];
  /** Topic configuration, `min.insync.replicas` and so on. */
  readonly config?: Readonly<Record<string, string>>;
  /** True to use the name as it is; default is to make it unique. */
  readonly exactName?: boolean;
}

/** A cluster and what tests do with it. Brokers count from 0. */
export interface Kafka extends AsyncDisposable {
  readonly kind: KafkaKind;
  /** `host:port` of each broker, plain text. */
  readonly addresses: readonly string[];
  /** The same, joined with commas. */
  readonly bootstrap: string;
  /** Bootstrap address of a further listener. */
  bootstrapOf(listener: ListenerName): string;
  /** Of the TLS listeners, if there are any. */
  readonly certificates: Certificates | undefined;
  /** Of the proxied listener: what lies between it and each broker. */
  readonly networks: readonly NetworkProxy[];
  /** Creates a topic, waits for its leaders, returns its name. */
  createTopic(name: string, options?: TopicOptions): Promise<string>;
  /** Puts a partition's replicas on these brokers (by index): its leader moves if it is not among them (real Kafka). */
  moveReplicas(topic: string, partition: number, brokers: readonly number[]): Promise<void>;
  /** Raises its number of partitions (real Kafka). */
  growTopic(topic: string, partitions: number): Promise<void>;
  deleteTopic(topic: string): Promise<void>;
  /** Metadata, of one topic or all. */
  describe(topic?: string): Promise<ClusterView>;
  /** All records of a topic, CRCs checked. */
  readAll(topic: string): Promise<KafkaRecord[]>;
  /** Waits until the topic has `count` records, then returns all. */
  readUntil(topic: string, count: number, deadlineMs?: number): Promise<KafkaRecord[]>;
  /** SIGKILL (mock: connections closed, no new ones). */
  kill(broker: number): Promise<void>;
  /** SIGTERM, and waits for the end. */
  terminate(broker: number): Promise<void>;
  /** Starts a broker that was killed, on the same port and data. */
  restart(broker: number): Promise<void>;
  /** SIGSTOP: connections stay open, nothing answers. */
  pause(broker: number): void;
  continue(broker: number): void;
  /** Ends an own cluster; does nothing to the shared one. */
  stop(): Promise<void>;
}

/** What `test/kafka/harness/serve.ts` hands to test processes, as JSON in TEST_KAFKA. */
export interface ServedKafka {
  readonly kind: "apache" | "mock";
  readonly single: ServedCluster;
  readonly cluster: ServedCluster;
}

/** One served cluster. */
export interface ServedCluster {
  readonly addresses: readonly string[];
  readonly listeners: Readonly<Partial<Record<ListenerName, string>>>;
  readonly certificates?: Certificates;
}

const served = process.env.TEST_KAFKA ? JSON.parse(process.env.TEST_KAFKA) as ServedKafka : undefined;
const existing = process.env.KAFKA_BROKERS;
const ownKind = served?.kind ??
  (process.env.TEST_KAFKA_KIND ? chosenKind(process.env.TEST_KAFKA_KIND) : kindToStart());
const sharedKind = existing ? "existing" : ownKind;

/** What test/run.sh found to be possible. */
function chosenKind(kind: string): "apache" | "mock" | undefined {
  return kind === "apache" || kind === "mock" ? kind : undefined;
}

function kindToStart(): "apache" | "mock" | undefined {
  const runs = (program: string, ...args: string[]): boolean =>
    spawnSync(program, args, { stdio: "ignore" }).status === 0;
  if (!runs("kcat", "-V")) return undefined; // nothing could be read back
  if (runs(javaProgram(), "-version") && runs("mvn", "--version")) return "apache";
  return existsSync("/usr/include/librdkafka/rdkafka_mock.h") && runs("cc", "--version") ? "mock" : undefined;
}

/**
 * Skip reasons for `{ skip: needs.… }`; `false` where the test can run.
 * `broker`: sharedKafka() gives something that speaks the protocol. `realBroker`: and it is a Kafka.
 * `ownBroker`: startKafka() gives something that can be killed and restarted. `ownRealBroker`: and it is a Kafka,
 * with replication, properties, TLS, SASL, pause.
 */
export const needs = {
  broker: sharedKind === undefined ? "needs a Kafka broker" : false,
  realBroker: sharedKind !== "apache" && sharedKind !== "existing" ? "needs a real Kafka broker" : false,
  ownBroker: ownKind === undefined ? "needs a Kafka broker of its own" : false,
  ownRealBroker: ownKind !== "apache" ? "needs a real Kafka broker of its own" : false,
} as const;

/** A cluster of the caller's own. `stop()` it, or `await using`. */
export async function startKafka(options: KafkaOptions = {}): Promise<Kafka> {
  const { brokers = 1, version = "4", properties = {}, listeners = [], jvm = {} } = options;
  if (ownKind === "mock") {
    if (version !== "4" || Object.keys(properties).length > 0 || listeners.length > 0) {
      throw new Error(
        "The mock cluster has no versions, properties or listeners: the test needs ownRealBroker",
      );
    }
    return await mockKafka(brokers);
  }
  const cluster = await startApache({ brokers, version, properties, listeners, jvm });
  return {
    ...readers("apache", cluster.addresses),
    certificates: cluster.certificates,
    networks: cluster.networks,
    bootstrapOf: cluster.bootstrapOf,
    kill: cluster.kill,
    terminate: cluster.terminate,
    restart: cluster.restart,
    pause: cluster.pause,
    continue: cluster.continue,
    stop: cluster.stop,
    [Symbol.asyncDispose]: cluster.stop,
  };
}

let ownShared: { 1?: Promise<Kafka>; 3?: Promise<Kafka> } = {};

/** The cluster of the test run with one broker or three. An existing cluster serves as both. */
export async function sharedKafka(brokers: 1 | 3 = 1): Promise<Kafka> {
  if (existing) {
    const view = await describe(existing);
    return untouchable("existing", { addresses: view.brokers.map((broker) => broker.name), listeners: {} });
  }
  if (served !== undefined) return untouchable(served.kind, brokers === 1 ? served.single : served.cluster);
  // A file run by itself: its cluster ends with the process, see processes.ts.
  const own = await (ownShared[brokers] ??= startKafka(sharedOptions(brokers)));
  return { ...own, stop: () => Promise.resolve(), [Symbol.asyncDispose]: () => Promise.resolve() };
}

/** Ends what `sharedKafka` started in this process. Only serve.ts has a reason to wait for it. */
export async function stopShared(): Promise<void> {
  const all = await Promise.all(Object.values(ownShared));
  ownShared = {};
  await Promise.all(all.map((kafka) => kafka.stop()));
}

/** The shared single broker has every kind of listener; the shared cluster has plain text. */
export function sharedOptions(brokers: 1 | 3): KafkaOptions {
  return brokers === 1 && ownKind === "apache"
    ? { listeners: ["tls", "mtls", "sasl", "sasl_tls"] }
    : { brokers };
}

/** A topic name that no other test uses. */
export function uniqueTopic(name: string): string {
  return `${name}-${randomBytes(5).toString("hex")}`;
}

/** What only needs a bootstrap address. */
type Shared =
  | "kind"
  | "addresses"
  | "bootstrap"
  | "createTopic"
  | "moveReplicas"
  | "growTopic"
  | "deleteTopic"
  | "describe"
  | "readAll"
  | "readUntil";

function readers(
  kind: KafkaKind,
  addresses: readonly string[],
): Pick<Kafka, Shared> {
  const bootstrap = addresses.join(",");
  return {
    kind,
    addresses,
    bootstrap,
    async createTopic(
      name,
      { partitions = 1, replicas = addresses.length, config = {}, exactName = false, assignment } = {},
    ) {
      const topic = exactName ? name : uniqueTopic(name);
      const ids = assignment?.map((brokers) => brokers.map((broker) => broker + 1));
      await createTopic(addresses, topic, partitions, replicas, config, ids);
      return topic;
    },
    moveReplicas: (topic, partition, brokers) =>
      moveReplicas(addresses, topic, partition, brokers.map((broker) => broker + 1)),
    growTopic: (topic, partitions) => growTopic(addresses, topic, partitions),
    deleteTopic: (topic) => deleteTopic(addresses, topic),
    describe: (topic) => describe(bootstrap, topic),
    readAll: (topic) => readAll(bootstrap, topic),
    readUntil: (topic, count, deadlineMs) => readUntil(bootstrap, topic, count, deadlineMs),
  };
}

function untouchable(kind: KafkaKind, cluster: ServedCluster): Kafka {
  const refuse = (): never => {
    throw new Error("The shared cluster is everybody's: use startKafka()");
  };
  return {
    ...readers(kind, cluster.addresses),
    certificates: cluster.certificates,
    networks: [],
    bootstrapOf(listener) {
      const address = cluster.listeners[listener];
      if (address === undefined) throw new Error(`The shared cluster has no listener "${listener}"`);
      return address;
    },
    // The mock's topics are made by its own process; it creates them when they are first asked for.
    ...(kind === "mock"
      ? { createTopic: (name, options) => autoCreate(cluster.addresses, name, options) }
      : {}),
    kill: refuse,
    terminate: refuse,
    restart: refuse,
    pause: refuse,
    continue: refuse,
    stop: () => Promise.resolve(),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

async function mockKafka(brokers: number): Promise<Kafka> {
  const cluster = await startMock(brokers);
  const refuse = (): never => {
    throw new Error("The mock cluster cannot do this: the test needs ownRealBroker");
  };
  return {
    ...readers("mock", cluster.addresses),
    certificates: undefined,
    networks: [],
    bootstrapOf: refuse,
    async createTopic(name, { partitions = 1, replicas = brokers, exactName = false } = {}) {
      const topic = exactName ? name : uniqueTopic(name);
      await cluster.createTopic(topic, partitions, replicas);
      return topic;
    },
    kill: cluster.down,
    terminate: cluster.down,
    restart: cluster.up,
    pause: refuse,
    continue: refuse,
    stop: cluster.stop,
    [Symbol.asyncDispose]: cluster.stop,
  };
}

/** The shared mock creates what is asked for, with its default of four partitions. */
async function autoCreate(
  addresses: readonly string[],
  name: string,
  options: TopicOptions = {},
): Promise<string> {
  const topic = options.exactName ? name : uniqueTopic(name);
  await describe(addresses.join(","), topic, { "allow.auto.create.topics": "true" });
  return topic;
}
