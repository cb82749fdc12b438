/**
 * The Produce request and its answer, version 7 (the first with zstd, the last that kafkajs knows).
 *
 *     Request  => size:i32 header body
 *       header => api_key:i16=0 api_version:i16=7 correlation_id:i32 client_id:string
 *       body   => transactional_id:nullable_string=null acks:i16=-1 timeout_ms:i32 [topic]
 *       topic  => name:string [partition]
 *       partition => index:i32 records_size:i32 records
 *
 *     Answer   => [topic] throttle_time_ms:i32
 *       topic  => name:string [partition]
 *       partition => index:i32 error_code:i16 base_offset:i64 log_append_time:i64 log_start_offset:i64
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

/** The number of the Produce API and the version written here. */
export const produceApi = { key: 0, version: 7 } as const;

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
  write(correlationId: number, parts: readonly RequestPart[]): Buffer[] {
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
      if (isFirst) this.#requestStart(correlationId, topics);
      if (opensTopic) writer.string(part.topic).int32(countPartitions(parts, index));
      writer.int32(part.partition).int32(part.end - part.at);
      views.push(this.#bytes.subarray(start, part.end));
      size += part.end - start;
    }
    this.#writer.from(views[0].byteOffset - this.#bytes.byteOffset).int32(size);
    return views;
  }

  #requestStart(correlationId: number, topics: number): void {
    this.#writer
      .int32(0)
      .int16(produceApi.key)
      .int16(produceApi.version)
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
}

/** A read answer, or why it could not be read. */
export type ProduceAnswer =
  | { readonly ok: true; readonly partitions: readonly PartitionAnswer[]; readonly throttleMs: number }
  | { readonly ok: false; readonly fault: string };

/** Bytes of one partition in an answer. */
const partitionAnswerBytes = 4 + 2 + 8 + 8 + 8;
/** Fewest bytes of one topic in an answer. */
const topicAnswerBytesMin = 2 + 4;

/** Reads the answer behind its correlation id. Never throws and never reads past the payload. */
export function readProduceAnswer(payload: Buffer): ProduceAnswer {
  const partitions: PartitionAnswer[] = [];
  const end = payload.length;
  if (end < 8) return { ok: false, fault: "answer too short" };
  let at = 4;
  const topics = payload.readInt32BE(0);
  if (topics < 0 || topics > (end - at) / topicAnswerBytesMin) {
    return { ok: false, fault: "impossible topic count" };
  }
  for (let topicIndex = 0; topicIndex < topics; topicIndex++) {
    if (at + 2 > end) return { ok: false, fault: "cut in a topic" };
    const nameBytes = payload.readInt16BE(at);
    at += 2;
    if (nameBytes < 0 || at + nameBytes + 4 > end) return { ok: false, fault: "cut in a topic name" };
    const topic = payload.toString("latin1", at, at + nameBytes);
    at += nameBytes;
    const count = payload.readInt32BE(at);
    at += 4;
    if (count < 0 || count > (end - at) / partitionAnswerBytes) {
      return { ok: false, fault: "impossible partition count" };
    }
    for (let index = 0; index < count; index++, at += partitionAnswerBytes) {
      partitions.push({ topic, partition: payload.readInt32BE(at), errorCode: payload.readInt16BE(at + 4) });
    }
  }
  if (at + 4 !== end) return { ok: false, fault: "wrong length" };
  return { ok: true, partitions, throttleMs: payload.readInt32BE(at) };
}
