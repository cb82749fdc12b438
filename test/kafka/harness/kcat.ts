/**
 * Reads clusters back through kcat, that is librdkafka: a client that nobody here wrote, so that a mistake in our
 * own encoding cannot hide behind the same mistake in our decoding. Every CRC is checked (`check.crcs`).
 *
 * @module
 */
import { run, until } from "./processes.ts";

/** One record as the broker gave it. */
export interface KafkaRecord {
  readonly partition: number;
  readonly offset: number;
  /** Epoch milliseconds. */
  readonly timestampMs: number;
  readonly key: Uint8Array | undefined;
  readonly value: Uint8Array | undefined;
  /** `name=value,name=value` as kcat prints them; empty without headers. */
  readonly headers: string;
}

/** What the cluster says of itself. */
export interface ClusterView {
  readonly brokers: readonly { readonly id: number; readonly name: string }[];
  readonly topics: readonly {
    readonly topic: string;
    readonly partitions: readonly {
      readonly partition: number;
      readonly leader: number;
      readonly replicas: readonly { readonly id: number }[];
      readonly isrs: readonly { readonly id: number }[];
    }[];
  }[];
}

/** Settings of librdkafka, `name=value`. */
export type ClientSettings = Readonly<Record<string, string>>;

/** Metadata of the whole cluster, or of one topic. */
export async function describe(
  bootstrap: string,
  topic?: string,
  settings: ClientSettings = {},
): Promise<ClusterView> {
  const only = topic === undefined ? [] : ["-t", topic];
  const out = await run(["kcat", "-b", bootstrap, "-L", "-J", "-m", "3", ...only, ...flags(settings)]);
  return JSON.parse(new TextDecoder().decode(out)) as ClusterView;
}

/** Everything that the topic holds now, partition by partition. */
export async function readAll(
  bootstrap: string,
  topic: string,
  settings: ClientSettings = {},
): Promise<KafkaRecord[]> {
  const checked = { "check.crcs": "true", "allow.auto.create.topics": "false", ...settings };
  const out = await run([
    ...["kcat", "-b", bootstrap, "-C", "-t", topic, "-o", "beginning", "-e", "-q"],
    ...["-f", `%p %o %T %K %S\\n%k%s%h${mark}`, ...flags(checked)],
  ]);
  return [...records(out)];
}

/** Reads until at least `count` records are there; throws with the count found when the deadline passes. */
export async function readUntil(
  bootstrap: string,
  topic: string,
  count: number,
  deadlineMs = 20_000,
  settings: ClientSettings = {},
): Promise<KafkaRecord[]> {
  let found: KafkaRecord[] = [];
  try {
    return await until(`${count} records in topic "${topic}"`, deadlineMs, async () => {
      found = await readAll(bootstrap, topic, settings);
      return found.length >= count ? found : undefined;
    });
  } catch (error) {
    throw new Error(`Topic "${topic}" has ${found.length} records after ${deadlineMs} ms, not ${count}`, {
      cause: error,
    });
  }
}

/** The values as text, in the order read. */
export function values(records: readonly KafkaRecord[]): string[] {
  return records.map((record) => new TextDecoder().decode(record.value ?? new Uint8Array()));
}

/** Ends each record in kcat's output; the header text before it has no length of its own. */
const mark = "\x1e\x1e\n";
const markBytes = new TextEncoder().encode(mark);

function flags(settings: ClientSettings): string[] {
  return Object.entries(settings).flatMap(([name, value]) => ["-X", `${name}=${value}`]);
}

function* records(out: Uint8Array): Generator<KafkaRecord> {
  const text = new TextDecoder();
  let at = 0;
  while (at < out.length) {
    const head = out.indexOf(0x0a, at);
    const [partition, offset, timestampMs, keyLength, valueLength] = text.decode(out.subarray(at, head))
      .split(" ").map(Number);
    const keyAt = head + 1;
    const valueAt = keyAt + Math.max(0, keyLength!);
    const headersAt = valueAt + Math.max(0, valueLength!);
    const end = endOfRecord(out, headersAt);
    yield {
      partition: partition!,
      offset: offset!,
      timestampMs: timestampMs!,
      key: keyLength! < 0 ? undefined : out.subarray(keyAt, valueAt),
      value: valueLength! < 0 ? undefined : out.subarray(valueAt, headersAt),
      headers: text.decode(out.subarray(headersAt, end)),
    };
    at = end + markBytes.length;
  }
}

function endOfRecord(out: Uint8Array, from: number): number {
  for (let at = out.indexOf(markBytes[0]!, from); at >= 0; at = out.indexOf(markBytes[0]!, at + 1)) {
    if (markBytes.every((byte, i) => out[at + i] === byte)) return at;
  }
  throw new Error("kcat ended in the middle of a record");
}
