/**
 * What people write in `corndog.yml`: every key, its kind, its bounds, its default and a sentence about it.
 *
 * The schema reads sizes, times and addresses into numbers; `resolve.ts` makes the `Config` of it. The JSON Schema
 * for editors (`corndog schema`) is generated from here. Rules are not in it: they come from several files and have
 * a schema of their own (src/rules/schema.ts).
 *
 * @module
 */
import * as v from "valibot";
import { choice, count, duration, readText, section, size, text } from "./fields.ts";
import { kafkaSchema, readTopic } from "./schema_kafka.ts";
import { listenSchema } from "./schema_listen.ts";
import { logSchema } from "./schema_log.ts";
import { spoolSchema } from "./schema_spool.ts";
import { quote, readHostPort } from "./units.ts";
import { wants } from "./fields.ts";

/** Most listeners; every worker binds all of them. */
const listenersMax = 100;
/** Most worker threads. */
export const workersMax = 256;

const mebibyte = 1024 * 1024;
const gibibyte = 1024 * mebibyte;
const dayMs = 86_400_000;

/** The keys of `corndog.yml` without `rules` and `tests`. */
export const configEntries = {
  listen: v.optional(
    v.pipe(
      v.array(listenSchema, wants("a list of listeners (- syslog: tcp://0.0.0.0:1514)")),
      v.description("Where lines come in"),
      v.minLength(1, "has no listener; write at least one or remove the key for syslog on 127.0.0.1:1514"),
      v.maxLength(listenersMax, `has more than ${listenersMax} listeners`),
    ),
  ),
  admin: v.optional(
    section("The admin API and the dashboard", {
      listen: v.optional(
        readText(
          "host:port; anything but loopback needs a token",
          (input) => readHostPort(input, "127.0.0.1:8585", true),
        ),
        "127.0.0.1:8585",
      ),
      token_file: v.optional(text("File with the token that callers send; relative to this file")),
    }),
  ),
  sink: v.optional(
    choice("Where lines go; kafka where kafka.brokers is written, else file", [
      "kafka",
      "file",
      "stdout",
      "blackhole",
    ]),
  ),
  file: v.optional(
    section("sink: file, one folder of NDJSON per topic", {
      dir: v.optional(
        text(
          "Folder; relative to this file. Default: ./corndog-data where corndog is started, or $STATE_DIRECTORY",
        ),
      ),
      rotate: v.optional(
        size("Size at which a new file is begun", { min: 1024, max: 1024 * gibibyte }),
        "64MiB",
      ),
      keep: v.optional(
        count("Finished files kept per topic and worker; 0 keeps all of them", { min: 0, max: 1_000_000 }),
        0,
      ),
    }),
    {},
  ),
  kafka: v.optional(kafkaSchema, {}),
  spool: v.optional(spoolSchema),
  dead_letter: v.optional(
    section("Where lines go that cannot be delivered", {
      topic: v.optional(
        readText(
          "Kafka topic for them, used while Kafka takes it; what it cannot take goes to the file",
          readTopic,
        ),
      ),
      file: v.optional(
        text(
          "NDJSON file; relative to this file. Default: ./corndog-data/dead_letter.ndjson where corndog is started, or in $STATE_DIRECTORY",
        ),
      ),
      bytes_max: v.optional(
        size("Most bytes of that file; then corndog stops reading", { min: 64 * 1024, max: 1024 * gibibyte }),
        "1GiB",
      ),
    }),
    {},
  ),
  limits: v.optional(
    section("Bounds", {
      memory: v.optional(
        size(
          "Memory that corndog aims to stay within; a sixteenth of it holds batches, at least 8MiB per worker",
          { min: 16 * mebibyte, max: 64 * gibibyte },
        ),
        "256MiB",
      ),
      connections: v.optional(count("Most connections at once", { min: 1, max: 1_000_000 }), 10_000),
      connections_per_peer: v.optional(
        count("Most connections at once of one sender, an IPv4 address or an IPv6 /64", {
          min: 1,
          max: 65_535,
        }),
        1000,
      ),
      handshake: v.optional(
        duration("Time for a TLS handshake, and for a PROXY header", { min: 100, max: 600_000 }),
        "10s",
      ),
      partial: v.optional(
        duration(
          "A connection whose unfinished line is older is closed, and what came of the line is forwarded; 0 never",
          { min: 0, max: dayMs },
        ),
        "1m",
      ),
      idle: v.optional(
        duration("A connection that is silent for so long is closed; 0 never", { min: 0, max: 7 * dayMs }),
        "10m",
      ),
    }),
    {},
  ),
  workers: v.optional(
    v.pipe(
      v.union([v.string(), v.number()], wants("auto or a number")),
      v.description("Worker threads; auto: one per core"),
      v.rawTransform<string | number, "auto" | number>(({ dataset, addIssue, NEVER }) => {
        if (dataset.value === "auto") return "auto";
        const value = typeof dataset.value === "number" || /^\d{1,4}$/.test(dataset.value)
          ? Number(dataset.value)
          : NaN;
        if (Number.isInteger(value) && value >= 1 && value <= workersMax) return value;
        addIssue({
          message: `${quote(dataset.value)} is not a number of workers; write auto or 1 to ${workersMax}`,
        });
        return NEVER;
      }),
    ),
    "auto",
  ),
  io: v.optional(
    choice(
      "How syslog over plain TCP is read: by the runtime (native), through io_uring on Linux 6.1 or later " +
        "(uring; native, with a warning, where that is not permitted), or what is faster here (auto)",
      ["auto", "native", "uring"],
    ),
    "auto",
  ),
  metrics: v.optional(
    section("Metrics that are pushed", {
      statsd: v.optional(
        readText("StatsD address, host:port (UDP)", (input) => readHostPort(input, "127.0.0.1:8125")),
      ),
    }),
    {},
  ),
  log: v.optional(logSchema, {}),
  drain_timeout: v.optional(
    duration("How long a stop may wait for lines to be delivered", { min: 0, max: dayMs }),
    "30s",
  ),
} as const;

/** `corndog.yml` without its rules. */
export const configSchema = section("Configuration of corndog", configEntries);

/** The configuration as written, read: sizes are bytes, times milliseconds, defaults applied key by key. */
export type WrittenConfig = v.InferOutput<typeof configSchema>;
