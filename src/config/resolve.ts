/**
 * From what was written to the `Config` in force: paths absolute, listeners whole, secrets read, and everything
 * looked at that no single key can know: listeners that collide, keys that need each other, files that must exist.
 *
 * @module
 */
import type { Config, KafkaConfig, SyslogListen, TlsServer } from "./config.ts";
import { checkTlsFiles, type TlsFiles } from "./certificates.ts";
import type { Environment } from "./environment.ts";
import type { Problem } from "./explain.ts";
import { formatSize } from "./fields.ts";
import { type Files, tryRead } from "./files.ts";
import type { WrittenConfig } from "./schema.ts";
import { resolveSasl } from "./secrets.ts";
import { formatHostPort, isLoopback } from "./units.ts";
import type { Path } from "./yaml.ts";

/** What resolving needs besides the written configuration. */
export interface ResolveContext {
  readonly file: string | undefined;
  readonly dialect: Config["dialect"];
  readonly files: Files;
  readonly env: Environment;
  /** Makes a written path absolute. */
  readonly absolute: (path: string) => string;
  /** Absolute folder for data where none is written. */
  readonly dataDir: string;
  readonly cores: number;
  readonly nowMs: number;
}

/** The configuration without its rules, and what was found on the way. */
export interface Resolved {
  readonly config: Omit<Config, "rules">;
  readonly faults: readonly Problem[];
  readonly warnings: readonly Problem[];
}

/** A WebAssembly memory ends at 4 GiB; tables, input and rendered values need their part of it. */
const workerMemoryMax = 3 * 1024 ** 3;

/** Resolves a configuration. The result is usable only where there are no faults. */
export function resolve(written: WrittenConfig, context: ResolveContext): Resolved {
  return new Resolver(written, context).run();
}

type WrittenListen = NonNullable<WrittenConfig["listen"]>[number];

class Resolver {
  readonly #written: WrittenConfig;
  readonly #context: ResolveContext;
  readonly #faults: Problem[] = [];
  readonly #warnings: Problem[] = [];

  constructor(written: WrittenConfig, context: ResolveContext) {
    this.#written = written;
    this.#context = context;
  }

  run(): Resolved {
    const { file, deadLetter, limits } = {
      file: this.#written.file,
      deadLetter: this.#written.dead_letter,
      limits: this.#written.limits,
    };
    const { absolute, dataDir, cores } = this.#context;
    const workers = this.#written.workers === "auto" ? Math.max(1, cores) : this.#written.workers;
    if (limits.memory / workers > workerMemoryMax) {
      this.#fault(
        ["limits", "memory"],
        `${workers} worker(s) can hold ${
          formatSize(workers * workerMemoryMax)
        } at most; write less or raise workers`,
      );
    }
    const config: Resolved["config"] = {
      file: this.#context.file,
      dialect: this.#context.dialect,
      listen: this.#listeners(),
      frameBytesMax: this.#frameBytesMax(),
      admin: this.#admin(),
      sink: this.#sink(),
      fileSink: {
        dir: file.dir === undefined ? dataDir : absolute(file.dir),
        rotateBytes: file.rotate,
        keep: file.keep,
      },
      kafka: this.#kafka(),
      deadLetter: {
        file: deadLetter.file === undefined ? `${dataDir}/dead_letter.ndjson` : absolute(deadLetter.file),
        bytesMax: deadLetter.bytes_max,
      },
      limits: { memoryBytes: limits.memory, connections: limits.connections, idleMs: limits.idle },
      workers,
      statsd: this.#written.metrics.statsd,
      drainTimeoutMs: this.#written.drain_timeout,
    };
    return { config, faults: this.#faults, warnings: this.#warnings };
  }

  #listeners(): SyslogListen[] {
    const entries = this.#written.listen;
    if (entries === undefined) return defaultListen;
    const taken = new Map<string, number>();
    return entries.map((entry, index) => {
      const { transport, hostname, port, path } = entry.syslog;
      const name = transport === "unix"
        ? path
        : `${transport === "udp" ? "udp" : "tcp"} ${formatHostPort({ hostname, port })}`;
      const first = taken.get(name);
      if (first !== undefined && (port !== 0 || transport === "unix")) {
        this.#fault(
          ["listen", index, "syslog"],
          `the listener before (listen.${first}) has this address; remove one of them`,
        );
      } else taken.set(name, index);
      if (transport === "udp" && entry.framing !== undefined) {
        this.#fault(["listen", index, "framing"], "a datagram is one line; remove the key");
      }
      const tls = this.#listenTls(entry, index);
      return {
        kind: "syslog",
        transport,
        hostname,
        port,
        path,
        framing: entry.framing ?? "auto",
        ...(tls === undefined ? {} : { tls }),
      };
    });
  }

  #listenTls(entry: WrittenListen, index: number): TlsServer | undefined {
    const at: Path = ["listen", index, "tls"];
    if (entry.syslog.transport !== "tls") {
      if (entry.tls !== undefined) {
        const { hostname, port } = entry.syslog;
        const cure = entry.syslog.transport === "tcp"
          ? `write syslog: tls://${formatHostPort({ hostname, port })} or remove it`
          : "remove it";
        this.#fault(at, `certificates are for tls:// listeners; ${cure}`);
      }
      return undefined;
    }
    if (entry.tls === undefined) {
      this.#fault(at, "this key is missing; a tls:// listener needs tls: { cert: FILE, key: FILE }");
      return undefined;
    }
    const { absolute } = this.#context;
    const { cert, key, ca } = entry.tls;
    const client = entry.tls.client ?? (ca === undefined ? "none" : "require");
    if (client !== "none" && ca === undefined) {
      this.#fault(
        [...at, "client"],
        `client: ${client} needs ca, the certificates that may sign client certificates`,
      );
    }
    if (client === "none" && ca !== undefined) {
      this.#warn([...at, "ca"], "client certificates are not asked for (client: none), so ca is not used");
    }
    const files = {
      cert: absolute(cert),
      key: absolute(key),
      ca: ca === undefined ? undefined : absolute(ca),
    };
    this.#checkTls(files, at);
    return {
      certFile: files.cert,
      keyFile: files.key,
      ...(files.ca === undefined ? {} : { caFile: files.ca }),
      client,
    };
  }

  #frameBytesMax(): number {
    const entries = this.#written.listen ?? [];
    const [first] = entries;
    if (first === undefined) return 64 * 1024;
    entries.forEach((entry, index) => {
      if (entry.frame_max !== first.frame_max) {
        this.#fault(
          ["listen", index, "frame_max"],
          `this version has one frame_max for all listeners; write ${
            formatSize(first.frame_max)
          } as in listen.0 (64KiB where it is not written)`,
        );
      }
    });
    if (this.#written.kafka.batch_max < first.frame_max) {
      this.#fault(
        ["kafka", "batch_max"],
        `${formatSize(this.#written.kafka.batch_max)} cannot hold a line of frame_max (${
          formatSize(first.frame_max)
        }); raise it or lower frame_max`,
      );
    }
    return first.frame_max;
  }

  #admin(): Config["admin"] {
    const { admin } = this.#written;
    if (admin === undefined) {
      return this.#context.dialect === "hotdog" ? undefined : { hostname: "127.0.0.1", port: 8585 };
    }
    const { hostname, port } = admin.listen;
    if (admin.token_file !== undefined) {
      const tokenFile = this.#context.absolute(admin.token_file);
      const read = tryRead(this.#context.files, tokenFile);
      if (!read.ok) {
        this.#fault(
          ["admin", "token_file"],
          `${tokenFile} ${read.problem}; make it: openssl rand -hex 32 > ${tokenFile}`,
        );
      } else if (read.text.trim() === "") {
        this.#fault(
          ["admin", "token_file"],
          `${tokenFile} is empty; make a token: openssl rand -hex 32 > ${tokenFile}`,
        );
      }
      return { hostname, port, tokenFile };
    }
    if (!isLoopback(hostname)) {
      const reach = `${formatHostPort(admin.listen)} is reached from other machines`;
      // A hotdog.yml has no key for a token and must start all the same; the API itself refuses other machines.
      if (this.#context.dialect === "hotdog") {
        this.#warn(
          ["admin", "listen"],
          `${reach}, but has no token, so requests from there are refused; give one with CORNDOG_ADMIN_TOKEN_FILE`,
        );
      } else {this.#fault(
          ["admin", "listen"],
          `${reach}; write token_file beside it or listen on 127.0.0.1:${port}`,
        );}
    }
    return { hostname, port };
  }

  #sink(): Config["sink"] {
    const { sink, kafka } = this.#written;
    if (sink === undefined) return kafka.brokers === undefined ? "file" : "kafka";
    if (sink === "kafka" && kafka.brokers === undefined) {
      const cure = this.#context.dialect === "hotdog"
        ? "write bootstrap.servers"
        : "write brokers: [kafka-1:9092]";
      this.#fault(["kafka", "brokers"], `no broker is named; ${cure} or set KAFKA_BROKER`);
    }
    if (sink !== "kafka" && kafka.brokers !== undefined) {
      this.#warn(["kafka", "brokers"], `the sink is ${sink}, so nothing is sent to Kafka`);
    }
    return sink;
  }

  #kafka(): KafkaConfig {
    const { kafka } = this.#written;
    const { absolute } = this.#context;
    const tls = this.#kafkaTls(kafka.tls);
    const sasl = kafka.sasl === undefined
      ? undefined
      : resolveSasl(kafka.sasl, { ...this.#context, absolute }, this.#faults);
    if (sasl?.mechanism === "plain" && tls === undefined) {
      this.#warn(
        ["kafka", "sasl", "mechanism"],
        "plain without TLS sends the password readable over the network; write tls: true",
      );
    }
    return {
      brokers: kafka.brokers ?? [],
      clientId: kafka.client_id,
      topic: kafka.topic,
      compression: kafka.compression,
      lingerMs: kafka.linger,
      batchBytesMax: kafka.batch_max,
      topicWaitMs: kafka.topic_wait,
      requestTimeoutMs: kafka.request_timeout,
      topicsAllow: kafka.topics.allow ?? [...new Set(["logs-*", kafka.topic])],
      topicsMax: kafka.topics.max,
      ...(tls === undefined ? {} : { tls }),
      ...(sasl === undefined ? {} : { sasl }),
    };
  }

  #kafkaTls(written: WrittenConfig["kafka"]["tls"]): KafkaConfig["tls"] {
    if (written === false) return undefined;
    if (written === true) return { verify: true };
    const at: Path = ["kafka", "tls"];
    const { absolute } = this.#context;
    const { ca, cert, key, verify } = written;
    if ((cert === undefined) !== (key === undefined)) {
      const [has, lacks] = cert === undefined ? ["key", "cert"] : ["cert", "key"];
      this.#fault([...at, lacks!], `this key is missing; ${has} needs ${lacks} beside it`);
    }
    if (!verify) this.#warn([...at, "verify"], "any broker is trusted, whoever it is; use it for tests only");
    const files: TlsFiles = {
      ca: ca === undefined ? undefined : absolute(ca),
      cert: cert === undefined ? undefined : absolute(cert),
      key: key === undefined ? undefined : absolute(key),
    };
    this.#checkTls(files, at);
    return {
      ...(files.ca === undefined ? {} : { caFile: files.ca }),
      ...(files.cert === undefined ? {} : { certFile: files.cert }),
      ...(files.key === undefined ? {} : { keyFile: files.key }),
      verify,
    };
  }

  #checkTls(files: TlsFiles, at: Path): void {
    for (const { key, message, warning } of checkTlsFiles(this.#context.files, files, this.#context.nowMs)) {
      (warning ? this.#warnings : this.#faults).push({ path: [...at, key], at: "value", message });
    }
  }

  #fault(path: Path, message: string): void {
    this.#faults.push({ path, at: "value", message });
  }

  #warn(path: Path, message: string): void {
    this.#warnings.push({ path, at: "value", message });
  }
}

/** Where the embedded default listens: this machine only. */
const defaultListen: SyslogListen[] = [
  { kind: "syslog", transport: "tcp", hostname: "127.0.0.1", port: 1514, path: "", framing: "auto" },
  { kind: "syslog", transport: "udp", hostname: "127.0.0.1", port: 1514, path: "", framing: "auto" },
];
