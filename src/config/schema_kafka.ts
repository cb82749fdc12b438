/**
 * The `kafka` section: brokers, topics, batches, TLS and SASL.
 *
 * @module
 */
import * as v from "valibot";
import { choice, count, duration, flag, list, readText, section, size, text, wants } from "./fields.ts";
import { saslSchema } from "./schema_sasl.ts";
import { formatHostPort, quote, type Read, readHostPort } from "./units.ts";

/** Longest topic name (Kafka: org.apache.kafka.common.internals.Topic). */
const topicLengthMax = 249;
/** Kafka's port where a broker names none. */
const kafkaPort = 9092;
/** More bootstrap addresses help nobody. */
const brokersMax = 100;
/** Patterns of allowed topics; each is tried for each new topic. */
const topicPatternsMax = 1000;

const codecs = ["none", "auto", "zstd", "gzip", "lz4", "snappy"] as const;

/** Compression as written, `zstd:3`. */
export interface Compression {
  readonly codec: typeof codecs[number];
  readonly level?: number;
}

const tlsClientSchema = section("TLS to the brokers", {
  ca: v.optional(text("Certificates that sign the brokers' ones, PEM file; the system's where missing")),
  cert: v.optional(text("Client certificate, PEM file")),
  key: v.optional(text("Private key of the client certificate, PEM file")),
  verify: v.optional(flag("false trusts any broker: for tests only"), true),
});

const tlsFlag = flag("true: TLS with the system's certificates");

/** `tls: true` or `tls: { ca: … }`. */
const kafkaTlsSchema = v.lazy((
  input,
): v.GenericSchema<unknown, boolean | v.InferOutput<typeof tlsClientSchema>> =>
  typeof input === "object" && input !== null ? tlsClientSchema : tlsFlag
);

const topicsSchema = section("What a line may choose as topic", {
  allow: v.optional(
    list("Topics that a line may choose; * stands for any characters", readTopicPattern, topicPatternsMax),
  ),
  max: v.optional(
    count("Most different topics; each has batches of its own", { min: 1, max: 100_000 }),
    1000,
  ),
});

/** The `kafka` section. */
export const kafkaSchema = section("Where records go", {
  brokers: v.optional(list("Brokers to begin with, host:port", readBroker, brokersMax)),
  topic: v.optional(readText("Topic of lines that no rule forwards", readTopic), "logs"),
  client_id: v.optional(text("Name that brokers log and set quotas for"), "corndog"),
  acks: v.optional(
    v.pipe(
      v.union([v.picklist(["all"]), v.literal(-1), v.literal("-1")], (issue) => acksMessage(issue.input)),
      v.description("all: a line counts as delivered when all in-sync replicas have it"),
    ),
    "all",
  ),
  compression: v.optional(
    readText(
      "How batches are compressed: none, zstd, gzip, lz4 or snappy, with a level after a colon where it has levels: zstd:3. auto: zstd, but not while the processors are the limit",
      readCompression,
    ),
    "auto",
  ),
  linger: v.optional(duration("How long a batch waits for more lines", { min: 0, max: 60_000 }), "5ms"),
  batch_max: v.optional(size("Most bytes of one batch", { min: 1024, max: 64 * 1024 * 1024 }), "512KiB"),
  request_timeout: v.optional(
    duration("How long a broker may take to answer", { min: 100, max: 600_000 }),
    "30s",
  ),
  topic_wait: v.optional(
    duration("How long a topic may be unknown to the cluster before its lines go to the dead letter", {
      min: 0,
      max: 86_400_000,
    }),
    "30s",
  ),
  topic_fault: v.optional(
    choice(
      "Lines for a topic that is unknown for longer than topic_wait, or may not be written to: dead_letter, or park " +
        "to keep them until the topic works again",
      ["dead_letter", "park"],
    ),
    "dead_letter",
  ),
  parked_max: v.optional(
    size(
      "Most bytes that each worker keeps in memory for a parked topic; lines beyond go to the dead letter",
      {
        min: 0,
        max: 1024 * 1024 * 1024,
      },
    ),
    "4MiB",
  ),
  timestamp: v.optional(
    choice(
      "Time of a record: receive, or event for the message's own time if that is at most 7 days before and 10 " +
        "minutes after its receipt",
      ["receive", "event"],
    ),
    "receive",
  ),
  topics: v.optional(topicsSchema, {}),
  tls: v.optional(kafkaTlsSchema, false),
  sasl: v.optional(saslSchema),
});

/** Reads `host:port`; the port may be missing. */
export function readBroker(input: string): Read<string> {
  const withPort = /^(?:[A-Za-z0-9_.-]+|\[[0-9a-f:.]+\])$/i.test(input) ? `${input}:${kafkaPort}` : input;
  const scheme = /^[a-z_]+:\/\//i.exec(input)?.[0];
  if (scheme !== undefined) {
    return {
      ok: false,
      message: `${quote(input)} is a URL; write ${
        input.slice(scheme.length)
      } (TLS and SASL have keys of their own)`,
    };
  }
  const read = readHostPort(withPort, "kafka-1:9092");
  return read.ok ? { ok: true, value: formatHostPort(read.value) } : read;
}

/** Reads a topic name by Kafka's rules. */
export function readTopic(input: string): Read<string> {
  if (/^[A-Za-z0-9._-]+$/.test(input) && input.length <= topicLengthMax && input !== "." && input !== "..") {
    return { ok: true, value: input };
  }
  return {
    ok: false,
    message: `${
      quote(input)
    } is not a topic name; Kafka takes letters, digits, ".", "_" and "-", at most ${topicLengthMax}`,
  };
}

function readTopicPattern(input: string): Read<string> {
  if (/^[A-Za-z0-9._*-]{1,249}$/.test(input)) return { ok: true, value: input };
  return {
    ok: false,
    message: `${
      quote(input)
    } is not a topic pattern; write letters, digits, ".", "_", "-" and * for any of them`,
  };
}

/** Levels that each codec knows; the codec's own default where none is written. */
const levels: Readonly<Record<string, { readonly min: number; readonly max: number }>> = {
  gzip: { min: 1, max: 9 },
  zstd: { min: 1, max: 19 },
};

/** Reads `none`, `auto`, `lz4`, `snappy`, `gzip`, `gzip:6`, `zstd`, `zstd:3`. */
export function readCompression(input: string): Read<Compression> {
  const [, name, digits] = /^([a-z0-9]+)(?::(\d{1,3}))?$/i.exec(input.trim()) ?? [];
  const codec = codecs.find((known) => known === name);
  if (codec === undefined) {
    return {
      ok: false,
      message: `${quote(input)} is not a compression; write auto, zstd, gzip, lz4, snappy or none`,
    };
  }
  if (digits === undefined) return { ok: true, value: { codec } };
  const bounds = levels[codec];
  if (bounds === undefined) return { ok: false, message: `${codec} has no levels; write ${codec}` };
  const level = Number(digits);
  if (level < bounds.min || level > bounds.max) {
    return {
      ok: false,
      message: `${codec} has no level ${level}; write ${codec}:${bounds.min} to ${codec}:${bounds.max}`,
    };
  }
  return { ok: true, value: { codec, level } };
}

function acksMessage(input: unknown): string {
  if (typeof input === "object") return wants("all")({ input });
  return `${
    quote(input)
  } would lose lines when a broker fails; write all (it is the default) or remove the key`;
}
