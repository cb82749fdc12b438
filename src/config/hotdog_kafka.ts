/**
 * librdkafka's names (`global.kafka.conf` of a hotdog.yml) in corndog's words.
 *
 * The names and their meaning are those of librdkafka's CONFIGURATION.md. A name without meaning here is ignored
 * with a warning that names it; a login or encryption that corndog does not have is a fault, because to go on
 * without it would send lines where or as nobody asked.
 *
 * @module
 */
import type { Problem } from "./explain.ts";
import { kindOf } from "./fields.ts";
import type { Path } from "./yaml.ts";

/** The `kafka` section that a `conf` amounts to. */
export interface KafkaTranslation {
  readonly kafka: Record<string, unknown>;
  readonly moved: readonly (readonly [to: Path, from: Path])[];
  readonly faults: readonly Problem[];
  readonly warnings: readonly Problem[];
}

/** Names that mean one key here, whose value is text or a number as it is. */
const plainNames: Readonly<Record<string, { readonly to: readonly string[]; readonly unit?: string }>> = {
  "bootstrap.servers": { to: ["brokers"] },
  "metadata.broker.list": { to: ["brokers"] },
  "client.id": { to: ["client_id"] },
  "queue.buffering.max.ms": { to: ["linger"], unit: "ms" },
  "linger.ms": { to: ["linger"], unit: "ms" },
  "request.timeout.ms": { to: ["request_timeout"], unit: "ms" },
  "sasl.username": { to: ["sasl", "username"] },
  "sasl.password": { to: ["sasl", "password"] },
  "sasl.oauthbearer.token.endpoint.url": { to: ["sasl", "token_endpoint"] },
  "sasl.oauthbearer.client.id": { to: ["sasl", "client_id"] },
  "sasl.oauthbearer.client.secret": { to: ["sasl", "client_secret"] },
  "sasl.oauthbearer.scope": { to: ["sasl", "scope"] },
  "sasl.oauthbearer.extensions": { to: ["sasl", "extensions"] },
  "ssl.ca.location": { to: ["tls", "ca"] },
  "ssl.certificate.location": { to: ["tls", "cert"] },
  "ssl.key.location": { to: ["tls", "key"] },
};

/** Names that are read together with others. */
const combinedNames: ReadonlySet<string> = new Set([
  "security.protocol",
  "sasl.mechanism",
  "sasl.mechanisms",
  "sasl.oauthbearer.method",
  "enable.ssl.certificate.verification",
  "batch.size",
  "message.max.bytes",
  "compression.codec",
  "compression.type",
  "compression.level",
  "acks",
  "request.required.acks",
]);

/** Names that hold here in another way: why the value does not matter. */
const otherwise: Readonly<Record<string, string>> = {
  "message.timeout.ms": "corndog keeps trying until a line is delivered",
  "delivery.timeout.ms": "corndog keeps trying until a line is delivered",
  "message.send.max.retries": "corndog keeps trying until a line is delivered",
  "retries": "corndog keeps trying until a line is delivered",
  "queue.buffering.max.messages": "corndog bounds its memory in bytes (limits.memory)",
  "queue.buffering.max.kbytes": "corndog bounds its memory in bytes (limits.memory)",
  "batch.num.messages": "corndog bounds a batch in bytes (kafka.batch_max)",
};

const securityProtocols: Readonly<Record<string, { readonly tls: boolean; readonly sasl: boolean }>> = {
  plaintext: { tls: false, sasl: false },
  ssl: { tls: true, sasl: false },
  sasl_plaintext: { tls: false, sasl: true },
  sasl_ssl: { tls: true, sasl: true },
};

/** Bytes of a batch that is smaller than what a line may have: the default `frame_max` and its record's overhead. */
const batchBytesMin = 128 * 1024;
/** corndog's own default of `kafka.batch_max`. */
const batchBytesDefault = 512 * 1024;
const batchBytesMax = 64 * 1024 * 1024;

/** Translates a `conf` map that stands at `at`. */
export function translateKafkaConf(conf: Readonly<Record<string, unknown>>, at: Path): KafkaTranslation {
  return new ConfTranslator(conf, at).run();
}

class ConfTranslator {
  readonly #values = new Map<string, string>();
  readonly #at: Path;
  readonly #kafka: Record<string, unknown> = {};
  readonly #moved: (readonly [Path, Path])[] = [];
  readonly #faults: Problem[] = [];
  readonly #warnings: Problem[] = [];

  constructor(conf: Readonly<Record<string, unknown>>, at: Path) {
    this.#at = at;
    for (const [name, value] of Object.entries(conf)) {
      if (["string", "number", "boolean"].includes(typeof value)) this.#values.set(name, String(value));
      else this.#fault(name, `wants text, but ${kindOf(value)} is written here`);
    }
  }

  run(): KafkaTranslation {
    for (const [name, value] of this.#values) {
      const plain = plainNames[name];
      if (plain !== undefined) {
        this.#set(plain.to, plain.unit === undefined ? value : `${value}${plain.unit}`, name);
      } else if (Object.hasOwn(otherwise, name)) this.#warn(name, `${otherwise[name]}; ignored`);
      else if (!combinedNames.has(name)) {
        this.#warn(name, "this librdkafka setting has no meaning here; ignored");
      }
    }
    this.#security();
    this.#batches();
    this.#compression();
    this.#acks();
    return { kafka: this.#kafka, moved: this.#moved, faults: this.#faults, warnings: this.#warnings };
  }

  #security(): void {
    const written = this.#values.get("security.protocol") ?? "plaintext";
    const protocol = securityProtocols[written.toLowerCase()];
    if (protocol === undefined) {
      this.#fault(
        "security.protocol",
        `"${written}" is not one of: plaintext, ssl, sasl_plaintext, sasl_ssl`,
      );
      return;
    }
    const verify = this.#values.get("enable.ssl.certificate.verification");
    if (verify !== undefined) {
      this.#set(["tls", "verify"], verify.toLowerCase(), "enable.ssl.certificate.verification");
    }
    if (!protocol.tls) delete this.#kafka["tls"];
    else this.#kafka["tls"] ??= true;
    this.#moved.push([["kafka", "tls"], [...this.#at, "security.protocol"]]);
    if (!protocol.sasl) {
      // librdkafka takes no notice of user and password without a sasl protocol either.
      delete this.#kafka["sasl"];
      return;
    }
    const name = this.#values.has("sasl.mechanism") ? "sasl.mechanism" : "sasl.mechanisms";
    const mechanism = this.#values.get(name)?.toLowerCase();
    this.#moved.push([["kafka", "sasl"], [...this.#at, "security.protocol"]]);
    const isTokenless = mechanism === "oauthbearer" &&
      this.#values.get("sasl.oauthbearer.method")?.toLowerCase() !== "oidc";
    if (mechanism === undefined || mechanism === "gssapi" || isTokenless) {
      const what = mechanism === undefined
        ? "GSSAPI, librdkafka's default,"
        : isTokenless
        ? "OAUTHBEARER without sasl.oauthbearer.method: oidc"
        : mechanism.toUpperCase();
      this.#fault(
        name,
        `${what} is not a login that corndog has; use PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER with OIDC`,
      );
      delete this.#kafka["sasl"];
    } else {
      this.#set(["sasl", "mechanism"], mechanism, name);
    }
  }

  #batches(): void {
    const size = this.#bytes("batch.size");
    const request = this.#bytes("message.max.bytes");
    if (size === undefined && request === undefined) return;
    const name = size !== undefined && size <= (request ?? size) ? "batch.size" : "message.max.bytes";
    const wanted = Math.min(size ?? batchBytesDefault, request ?? Infinity);
    const bytes = Math.min(Math.max(wanted, batchBytesMin), batchBytesMax);
    if (bytes !== wanted) {
      this.#warn(
        name,
        `${wanted} bytes are ${
          wanted < bytes ? "less" : "more"
        } than a batch may have here; ${bytes} is used`,
      );
    }
    this.#set(["batch_max"], bytes, name);
  }

  #compression(): void {
    const name = this.#values.has("compression.codec") ? "compression.codec" : "compression.type";
    const codec = this.#values.get(name)?.toLowerCase();
    const level = this.#values.get("compression.level");
    if (codec === undefined) {
      // As librdkafka has it: who reads these topics may know no other.
      this.#kafka.compression = "none";
      return;
    }
    const hasLevels = codec === "gzip" || codec === "zstd";
    const leveled = hasLevels && level !== undefined && level !== "-1";
    if (level !== undefined && level !== "-1" && codec === "lz4") {
      this.#warn("compression.level", `lz4 has no levels here; ${level} is ignored`);
    }
    this.#set(["compression"], leveled ? `${codec}:${level}` : codec, name);
  }

  #acks(): void {
    for (const name of ["acks", "request.required.acks"]) {
      const value = this.#values.get(name);
      if (value !== undefined && value !== "-1" && value !== "all") {
        this.#warn(
          name,
          `${value} would lose lines when a broker fails; corndog waits for all in-sync replicas`,
        );
      }
    }
  }

  #bytes(name: string): number | undefined {
    const value = this.#values.get(name);
    if (value === undefined) return undefined;
    if (/^\d{1,15}$/.test(value)) return Number(value);
    this.#fault(name, `"${value}" is not a number of bytes`);
    return undefined;
  }

  #set(to: readonly string[], value: unknown, name: string): void {
    const [first, second] = to as [string, string?];
    if (second === undefined) this.#kafka[first] = value;
    else {this.#kafka[first] = {
        ...this.#kafka[first] as Record<string, unknown> | undefined,
        [second]: value,
      };}
    this.#moved.push([["kafka", ...to], [...this.#at, name]]);
  }

  #warn(name: string, message: string): void {
    this.#warnings.push({ path: [...this.#at, name], at: "key", message });
  }

  #fault(name: string, message: string): void {
    this.#faults.push({ path: [...this.#at, name], at: "value", message });
  }
}
