/**
 * From what was written to the `Config` in force: paths absolute, listeners whole, secrets read, and everything
 * looked at that no single key can know: listeners that collide, keys that need each other, files that must exist.
 *
 * @module
 */
import type { Config } from "./config.ts";
import type { Problem } from "./explain.ts";
import { formatSize } from "./fields.ts";
import { tryRead } from "./files.ts";
import { Findings, type ResolveContext } from "./findings.ts";
import { resolveKafka } from "./resolve_kafka.ts";
import { resolveSpool } from "./resolve_spool.ts";
import { resolveFrameBytesMax, resolveListeners } from "./resolve_listen.ts";
import type { WrittenConfig } from "./schema.ts";
import { isLoopback } from "../core/loopback.ts";
import { formatHostPort } from "./units.ts";
import type { Path } from "./yaml.ts";

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

class Resolver {
  readonly #written: WrittenConfig;
  readonly #context: ResolveContext;
  readonly #findings = new Findings();

  constructor(written: WrittenConfig, context: ResolveContext) {
    this.#written = written;
    this.#context = context;
  }

  run(): Resolved {
    const { file, dead_letter: deadLetter, limits } = this.#written;
    const { absolute, dataDir, cores } = this.#context;
    const workers = this.#written.workers === "auto" ? Math.max(1, cores) : this.#written.workers;
    if (limits.memory / workers > workerMemoryMax) {
      this.#findings.fault(
        ["limits", "memory"],
        `${workers} worker(s) can hold ${
          formatSize(workers * workerMemoryMax)
        } at most; write less or raise workers`,
      );
    }
    const sink = this.#sink();
    this.#checkDeadLetterTopic();
    const spool = resolveSpool(this.#written, sink, workers, this.#context, this.#findings);
    const config: Resolved["config"] = {
      file: this.#context.file,
      dialect: this.#context.dialect,
      listen: resolveListeners(this.#written, spool, this.#context, this.#findings),
      frameBytesMax: resolveFrameBytesMax(this.#written, this.#findings),
      admin: this.#admin(),
      sink,
      fileSink: {
        dir: file.dir === undefined ? dataDir : absolute(file.dir),
        rotateBytes: file.rotate,
        keep: file.keep,
      },
      kafka: resolveKafka(this.#written, this.#context, this.#findings),
      spool,
      deadLetter: {
        file: deadLetter.file === undefined ? `${dataDir}/dead_letter.ndjson` : absolute(deadLetter.file),
        bytesMax: deadLetter.bytes_max,
        ...(deadLetter.topic === undefined ? {} : { topic: deadLetter.topic }),
      },
      limits: {
        memoryBytes: limits.memory,
        connections: limits.connections,
        connectionsPerPeer: limits.connections_per_peer,
        idleMs: limits.idle,
        handshakeMs: limits.handshake,
        partialMs: limits.partial,
      },
      workers,
      io: this.#written.io,
      statsd: this.#written.metrics.statsd,
      log: this.#written.log,
      drainTimeoutMs: this.#written.drain_timeout,
    };
    return { config, faults: this.#findings.faults, warnings: this.#findings.warnings };
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
        this.#findings.fault(
          ["admin", "token_file"],
          `${tokenFile} ${read.problem}; make it: (umask 077; openssl rand -hex 32 > ${tokenFile})`,
        );
      } else if (read.text.trim() === "") {
        this.#findings.fault(
          ["admin", "token_file"],
          `${tokenFile} is empty; make a token: (umask 077; openssl rand -hex 32 > ${tokenFile})`,
        );
      }
      return { hostname, port, tokenFile };
    }
    if (!isLoopback(hostname)) {
      const reach = `${formatHostPort(admin.listen)} is reached from other machines`;
      // A hotdog.yml has no key for a token and must start all the same; the API itself refuses other machines.
      if (this.#context.dialect === "hotdog") {
        this.#findings.warn(
          ["admin", "listen"],
          `${reach}, but has no token, so only /stats, /metrics, /healthz and /readyz are answered; give one with CORNDOG_ADMIN_TOKEN_FILE`,
        );
      } else {this.#findings.fault(
          ["admin", "listen"],
          `${reach}; write token_file beside it or listen on 127.0.0.1:${port}`,
        );}
    }
    return { hostname, port };
  }

  /** Lines must not mix with letters, or a reader of the topic could not tell what was refused. */
  #checkDeadLetterTopic(): void {
    const { kafka, dead_letter: { topic } } = this.#written;
    if (topic === undefined) return;
    const path: Path = ["dead_letter", "topic"];
    if (topic === kafka.topic) {
      this.#findings.fault(path, `is kafka.topic, where delivered lines go; write a topic of its own`);
    }
    const sink = this.#written.sink ?? (kafka.brokers === undefined ? "file" : "kafka");
    if (sink !== "kafka") {
      this.#findings.warn(path, `the sink is ${sink}, so dead letters go to the file alone`);
    }
  }

  #sink(): Config["sink"] {
    const { sink, kafka } = this.#written;
    if (sink === undefined) return kafka.brokers === undefined ? "file" : "kafka";
    if (sink === "kafka" && kafka.brokers === undefined) {
      const cure = this.#context.dialect === "hotdog"
        ? "write bootstrap.servers"
        : "write brokers: [kafka-1:9092]";
      this.#findings.fault(["kafka", "brokers"], `no broker is named; ${cure} or set KAFKA_BROKER`);
    }
    if (sink !== "kafka" && kafka.brokers !== undefined) {
      this.#findings.warn(["kafka", "brokers"], `the sink is ${sink}, so nothing is sent to Kafka`);
    }
    return sink;
  }
}
