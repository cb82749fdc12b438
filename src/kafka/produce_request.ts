/**
 * The Produce request and its answer, versions 7 (the first with zstd) and 8 (the first that names bad records; the
 * last without flexible fields). The request is the same in both.
 *
 *     Request  => size:i32 header body
 *       header => api_key:i16=0 api_version:i16 correlation_id:i32 client_id:string
 *       body   => transactional_id:nullable_string=null acks:i16=-1 timeout_ms:i32 [topic]
 *       topic  => name:string [partition]
 *       partition => index:i32 records_size:i32 records
 *
 *     Answer   => [topic] throttle_time_ms:i32
 *       topic  => name:string [partition]
 *       partition => index:i32 error_code:i16 base_offset:i64 log_append_time:i64 log_start_offset:i64
 *                    (v8) [record_error] error_message:nullable_string
 *       record_error => batch_index:i32 message:nullable_string
 *
 * Nothing is copied: what precedes a batch on the wire is written into the headroom that lies in front of it
 * in memory, so that each batch leaves as one view, head first.
 *
 *     | headroom ....... [header body-start] [topic] [partition] | batch ............ |   first batch
 *     | headroom ............................ [topic] [partition] | batch ............ |   first of its topic
 *     | headroom .................................... [partition] | batch ............ |   the others
 *
 * @module
 */
import type { Buffer } from "node:buffer";
import { headroomBytes } from "../batch/record_batch.ts";
import { invariant } from "../core/invariant.ts";

/** The number of the Produce API and the versions written here. */
export const produceApi = { key: 0, versionMin: 7, versionMax: 8 } as const;

/** acks=all: the answer comes when all in-sync replicas have the records. */
const acksAll = -1;
/** Fixed bytes of header and body-start: size, key, version, correlation id, two strings' lengths, acks, timeout, topic count. */
const requestStartBytes = 4 + 2 + 2 + 4 + 2 + 2 + 2 + 4 + 4;
/** Name length and partition count of a topic. */
const topicStartBytes = 2 + 4;
/** Index and size of a partition. */
const partitionStartBytes = 4 + 4;
/** Kafka's own limit of a topic name. */
export const topicNameBytesMax = 249;

/** A longer client id would leave no room for a topic name in front of a batch. */
export const clientIdBytesMax = headroomBytes - requestStartBytes - topicStartBytes - partitionStartBytes -
  topicNameBytesMax;

/** What goes into every request of a producer. */
export interface RequestHead {
  readonly clientId: Uint8Array;
  /** How long the broker may wait for its replicas. */
  readonly timeoutMs: number;
}

/** One batch of a request: bytes [at, end) of the memory. */
export interface RequestPart {
  readonly topic: Uint8Array;
  readonly partition: number;
  readonly at: number;
  readonly end: number;
}

/** Writes big-endian fields at a moving place of one memory. */
class HeadWriter {
  #at = 0;
  readonly #view: DataView;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  from(at: number): this {
    this.#at = at;
    return this;
  }

  int16(value: number): this {
    this.#view.setInt16(this.#at, value);
    this.#at += 2;
    return this;
  }

  int32(value: number): this {
    this.#view.setInt32(this.#at, value);
    this.#at += 4;
    return this;
  }

  string(value: Uint8Array): this {
    this.int16(value.length);
    this.#bytes.set(value, this.#at);
    this.#at += value.length;
    return this;
  }
}

/** Writes Produce requests into one memory. */
export class ProduceWriter {
  readonly #bytes: Buffer;
  readonly #writer: HeadWriter;
  readonly #head: RequestHead;

  /** `memory` is the whole memory in which the batches lie. */
  constructor(memory: Buffer, head: RequestHead) {
    invariant(head.clientId.length <= clientIdBytesMax, "client id leaves room for a topic name");
    this.#bytes = memory;
    this.#writer = new HeadWriter(memory);
    this.#head = head;
  }

  /**
   * Writes the heads of one request and returns its views in order. Parts of one topic lie side by side, no
   * partition comes twice. The batches themselves are not touched.
   */
  write(correlationId: number, version: number, parts: readonly RequestPart[]): Buffer[] {
    invariant(parts.length > 0, "a request has a batch");
    const views: Buffer[] = [];
    const topics = countTopics(parts);
    let size = -4;
    for (let index = 0; index < parts.length; index++) {
      const part = parts[index];
      const isFirst = index === 0;
      const opensTopic = isFirst || parts[index - 1].topic !== part.topic;
      const start = part.at - partitionStartBytes - (opensTopic ? topicStartBytes + part.topic.length : 0) -
        (isFirst ? requestStartBytes + this.#head.clientId.length : 0);
      invariant(part.at - start <= headroomBytes, "request head fits the headroom");
      const writer = this.#writer.from(start);
      if (isFirst) this.#requestStart(correlationId, version, topics);
      if (opensTopic) writer.string(part.topic).int32(countPartitions(parts, index));
      writer.int32(part.partition).int32(part.end - part.at);
      views.push(this.#bytes.subarray(start, part.end));
      size += part.end - start;
    }
    this.#writer.from(views[0].byteOffset - this.#bytes.byteOffset).int32(size);
    return views;
  }

  #requestStart(correlationId: number, version: number, topics: number): void {
    this.#writer
      .int32(0)
      .int16(produceApi.key)
      .int16(version)
      .int32(correlationId)
      .string(this.#head.clientId)
      .int16(-1)
      .int16(acksAll)
      .int32(this.#head.timeoutMs)
      .int32(topics);
  }
}

function countTopics(parts: readonly RequestPart[]): number {
  let count = 1;
  for (let index = 1; index < parts.length; index++) {
    if (parts[index].topic !== parts[index - 1].topic) count++;
  }
  return count;
}

function countPartitions(parts: readonly RequestPart[], from: number): number {
  let to = from + 1;
  while (to < parts.length && parts[to].topic === parts[from].topic) to++;
  return to - from;
}

/** What the broker said about one batch. */
export interface PartitionAnswer {
  readonly topic: string;
  readonly partition: number;
  readonly errorCode: number;
  /** Records that the broker found fault with, by their index in the batch; empty where it named none. */
  readonly badRecords: readonly number[];
  /** The broker's own words, if it has any. */
  readonly message: string | undefined;
}

/** A read answer, or why it could not be read. */
export type ProduceAnswer =
  | { readonly ok: true; readonly partitions: readonly PartitionAnswer[]; readonly throttleMs: number }
  | { readonly ok: false; readonly fault: string };

/** Offset, append time and start offset: nobody asks for them. */
const offsetsBytes = 8 + 8 + 8;
/** Fewest bytes of one topic, of one partition and of one record error in an answer. */
const bytesMin = { topic: 2 + 4, partition: 4 + 2 + offsetsBytes, recordError: 4 + 2 } as const;
/** Words of a broker that are kept. */
const messageLengthMax = 300;

const noRecords: readonly number[] = [];

/** Reads the answer behind its correlation id. Never throws and never reads past the payload. */
export function readProduceAnswer(payload: Buffer, version: number): ProduceAnswer {
  const reader = new AnswerReader(payload);
  const partitions: PartitionAnswer[] = [];
  for (let topics = reader.count("topic", bytesMin.topic); topics > 0; topics--) {
    const topic = reader.string("topic name") ?? "";
    for (let left = reader.count("partition", bytesMin.partition); left > 0; left--) {
      partitions.push(readPartition(reader, topic, version));
    }
  }
  const throttleMs = reader.int32();
  if (reader.fault === undefined && reader.left !== 0) reader.fail("wrong length");
  return reader.fault === undefined
    ? { ok: true, partitions, throttleMs }
    : { ok: false, fault: reader.fault };
}

function readPartition(reader: AnswerReader, topic: string, version: number): PartitionAnswer {
  const partition = reader.int32();
  const errorCode = reader.int16();
  reader.skip(offsetsBytes);
  if (version < 8) return { topic, partition, errorCode, badRecords: noRecords, message: undefined };
  const errors = reader.count("record error", bytesMin.recordError);
  const badRecords: number[] = [];
  let said: string | undefined;
  for (let index = 0; index < errors; index++) {
    badRecords.push(reader.int32());
    said = reader.string("record error") ?? said;
  }
  const message = (reader.string("error message") ?? said)?.slice(0, messageLengthMax);
  return { topic, partition, errorCode, badRecords: errors === 0 ? noRecords : badRecords, message };
}

/** Reads fields at a moving place; after a fault every field is 0 and every count too. */
class AnswerReader {
  fault: string | undefined = undefined;
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  fail(fault: string): void {
    this.fault ??= fault;
  }

  skip(bytes: number): boolean {
    if (bytes > this.left) this.fail("answer too short");
    if (this.fault !== undefined) return false;
    this.#at += bytes;
    return true;
  }

  int16(): number {
    return this.skip(2) ? this.#bytes.readInt16BE(this.#at - 2) : 0;
  }

  int32(): number {
    return this.skip(4) ? this.#bytes.readInt32BE(this.#at - 4) : 0;
  }

  /** The length of an array whose items have at least `bytesMin` bytes. */
  count(what: string, itemBytesMin: number): number {
    const count = this.int32();
    if (count >= 0 && count <= this.left / itemBytesMin) return count;
    this.fail(`impossible ${what} count`);
    return 0;
  }

  /** Null where there is none. */
  string(what: string): string | null {
    const length = this.int16();
    if (length === -1) return null;
    if (length < -1) this.fail(`impossible ${what} length`);
    return this.skip(length) ? this.#bytes.toString("utf8", this.#at - length, this.#at) : "";
  }
}
