/**
 * Reads a `hotdog.yml`: a file whose top is `global:` (hotdog's src/settings.rs and README).
 *
 * In: its value. Out: the same configuration as it would be written in `corndog.yml`, and where each part came
 * from, so that faults name hotdog's keys and lines. It promises that a file that hotdog runs, runs; what has no
 * meaning here is named in a warning. It refuses what would change what is delivered or who may read it.
 *
 * @module
 */
import type { Problem } from "./explain.ts";
import { kindOf } from "./fields.ts";
import { translateKafkaConf } from "./hotdog_kafka.ts";
import type { Path } from "./yaml.ts";

/** A hotdog file in corndog's words. */
export interface Translation {
  /** As `corndog.yml` would say it, without rules. */
  readonly document: Record<string, unknown>;
  /** Which path of the hotdog file each path of `document` comes from. */
  readonly moved: readonly (readonly [to: Path, from: Path])[];
  readonly faults: readonly Problem[];
  readonly warnings: readonly Problem[];
}

type Map_ = Readonly<Record<string, unknown>>;

/** True if a document is a hotdog.yml. */
export function isHotdog(value: unknown): value is Map_ {
  return isMap(value) && Object.hasOwn(value, "global");
}

/** Translates a hotdog file. */
export function translateHotdog(file: Map_): Translation {
  return new Translator().run(file);
}

/** Names `path` as the hotdog file does. */
export function originalPath(path: Path, moved: Translation["moved"]): Path {
  let best: readonly [Path, Path] | undefined;
  for (const [to, from] of moved) {
    if (
      to.every((step, index) => String(step) === String(path[index])) &&
      (best === undefined || to.length > best[0].length)
    ) {
      best = [to, from];
    }
  }
  if (best === undefined) return path;
  // Below a translated value the names are ours; the file has nothing there.
  return best[1];
}

class Translator {
  readonly #document: Record<string, unknown> = { sink: "kafka" };
  readonly #moved: (readonly [Path, Path])[] = [
    [["listen"], ["global", "listen"]],
    [["admin"], ["global", "status"]],
    [["kafka"], ["global", "kafka"]],
    [["kafka", "brokers"], ["global", "kafka", "conf", "bootstrap.servers"]],
  ];
  readonly #faults: Problem[] = [];
  readonly #warnings: Problem[] = [];

  run(file: Map_): Translation {
    for (const key of Object.keys(file)) {
      if (!["global", "rules", "tests"].includes(key)) this.#ignored([key]);
    }
    const global = this.#map(file, ["global"], true);
    for (const key of Object.keys(global)) {
      if (!["listen", "status", "kafka", "metrics"].includes(key)) this.#ignored(["global", key]);
    }
    const listen = this.#map(global, ["global", "listen"], isMap(file["global"]));
    if (isMap(global["listen"])) this.#listen(listen);
    this.#status(global);
    const kafka = this.#map(global, ["global", "kafka"], isMap(file["global"]));
    if (isMap(global["kafka"])) this.#kafka(kafka);
    this.#metrics(this.#map(global, ["global", "metrics"], false));
    return { document: this.#document, moved: this.#moved, faults: this.#faults, warnings: this.#warnings };
  }

  #listen(listen: Map_): void {
    const at: Path = ["global", "listen"];
    this.#onlyKeys(listen, at, ["address", "port", "tls"]);
    const address = this.#address(listen, at);
    if (address === undefined) return;
    const entry: Record<string, unknown> = {};
    const tls = listen["tls"];
    if (tls !== null && tls !== undefined) {
      const files = this.#map(listen, [...at, "tls"], false);
      this.#onlyKeys(files, [...at, "tls"], ["cert", "key", "ca"]);
      // hotdog checks a client certificate that is sent, and takes clients without one (AllowAnyAnonymousOrAuthenticated).
      entry["tls"] = {
        ...pick(files, ["cert", "key", "ca"]),
        ...(files["ca"] == null ? {} : { client: "request" }),
      };
      for (const key of ["cert", "key", "ca"]) {
        this.#moved.push([["listen", 0, "tls", key], [...at, "tls", key]]);
      }
    }
    entry["syslog"] = `${entry["tls"] === undefined ? "tcp" : "tls"}://${address}`;
    this.#document["listen"] = [entry];
    this.#moved.push([["listen", 0, "syslog"], [...at, "port"]], [["listen", 0, "tls"], [
      ...at,
      "tls",
    ]]);
  }

  #status(global: Map_): void {
    const at: Path = ["global", "status"];
    this.#moved.push([["admin", "listen"], [...at, "port"]]);
    if (global["status"] === undefined || global["status"] === null) return;
    const status = this.#map(global, at, false);
    this.#onlyKeys(status, at, ["address", "port"]);
    const address = this.#address(status, at);
    if (address !== undefined) this.#document["admin"] = { listen: address };
  }

  #kafka(kafka: Map_): void {
    const at: Path = ["global", "kafka"];
    this.#onlyKeys(kafka, at, ["buffer", "timeout_ms", "conf", "topic"]);
    if (kafka["buffer"] != null) {
      this.#warn(
        [...at, "buffer"],
        "counts messages; corndog bounds its memory in bytes (limits.memory) and stops reading when it is full, it does not discard; ignored",
      );
    }
    if (kafka["timeout_ms"] != null) {
      this.#warn([...at, "timeout_ms"], "corndog starts without Kafka and connects when it can; ignored");
    }
    const conf = translateKafkaConf(this.#map(kafka, [...at, "conf"], false), [...at, "conf"]);
    this.#faults.push(...conf.faults);
    this.#warnings.push(...conf.warnings);
    this.#moved.push(...conf.moved);
    this.#moved.push([["kafka", "topic"], [...at, "topic"]]);
    if (kafka["topic"] == null) {
      this.#fault([...at, "topic"], "this key is missing: the topic of lines that no rule forwards");
    }
    this.#document["kafka"] = {
      ...conf.kafka,
      ...pick(kafka, ["topic"]),
      topics: { allow: ["*"] },
    };
    const message =
      "lines may choose any topic, as in hotdog; a corndog.yml bounds that with kafka.topics.allow";
    this.#warnings.push({ path: at, at: "key", message });
  }

  #metrics(metrics: Map_): void {
    const at: Path = ["global", "metrics"];
    this.#onlyKeys(metrics, at, ["statsd"]);
    const statsd = metrics["statsd"];
    if (statsd === undefined || statsd === null) return;
    // hotdog's README tells people without StatsD to write an invalid address here.
    if (typeof statsd !== "string" || !/^[^\s:]+:[1-9]\d{0,4}$/.test(statsd)) {
      this.#warn(
        [...at, "statsd"],
        `${kindOf(statsd)} is no StatsD address (host:port); no metrics are pushed`,
      );
      return;
    }
    this.#document["metrics"] = { statsd };
    this.#moved.push([["metrics", "statsd"], [...at, "statsd"]]);
  }

  /** `address` and `port` of a map, as `host:port`. */
  #address(map: Map_, at: Path): string | undefined {
    const { address, port } = map;
    if (typeof address !== "string" || address === "") {
      this.#fault(
        [...at, "address"],
        address === undefined
          ? "this key is missing: the address to listen on"
          : `wants an address such as '127.0.0.1', but ${kindOf(address)} is written here`,
      );
    }
    const number = typeof port === "string" && /^\d{1,5}$/.test(port) ? Number(port) : port;
    if (typeof number !== "number" || !Number.isInteger(number) || number < 0 || number > 65535) {
      this.#fault(
        [...at, "port"],
        port === undefined
          ? "this key is missing: the port to listen on"
          : `wants a port from 0 to 65535, but ${kindOf(port)} is written here`,
      );
      return undefined;
    }
    if (typeof address !== "string" || address === "") return undefined;
    return address.includes(":") && !address.startsWith("[")
      ? `[${address}]:${number}`
      : `${address}:${number}`;
  }

  #map(parent: Map_, path: Path, required: boolean): Map_ {
    const value = parent[String(path.at(-1))];
    if (isMap(value)) return value;
    if (value === undefined || value === null) {
      if (required) this.#fault(path, "this key is missing");
    } else {
      this.#fault(path, `wants a map (key: value), but ${kindOf(value)} is written here`);
    }
    return {};
  }

  #onlyKeys(map: Map_, at: Path, known: readonly string[]): void {
    for (const key of Object.keys(map)) if (!known.includes(key)) this.#ignored([...at, key]);
  }

  #ignored(path: Path): void {
    this.#warnings.push({ path, at: "key", message: "hotdog knows no such key; ignored" });
  }

  #warn(path: Path, message: string): void {
    this.#warnings.push({ path, at: "value", message });
  }

  #fault(path: Path, message: string): void {
    this.#faults.push({ path, at: "value", message });
  }
}

function isMap(value: unknown): value is Map_ {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function pick(map: Map_, keys: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(
    keys.filter((key) => map[key] !== undefined && map[key] !== null).map((key) => [key, map[key]]),
  );
}
