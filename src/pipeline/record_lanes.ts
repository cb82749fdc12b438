/**
 * Which lane a record goes into: the partition that a rule names, the one that its key says, or any.
 *
 * A key needs the topic's partitions. While they are not known, its records gather in a lane of their own
 * (`partitionByKey`), which the sink divides later; that lane closes before the first record goes past it, so that
 * the records of a key stay in order.
 *
 * @module
 */
import type { Buffer } from "node:buffer";
import type { Batcher } from "../batch/batcher.ts";
import type { Lane } from "../batch/lane.ts";
import { partitionByKey } from "../batch/record_batch.ts";
import { partitionOfKey } from "../kafka/partitioner.ts";
import { batchHeaderBytes } from "../kernel/kernel.ts";
import type { Sink } from "../sink/sink.ts";

/** What is asked of a sink about topics; one without partitions and limits answers neither. */
export type TopicFacts = Pick<Sink, "partitionsOf" | "batchBytesMaxOf">;

/** Smaller records are not looked at: Kafka's default limit is 1 MiB, and the sink sorts out what is too large yet. */
const checkedBytesMin = 4096;

/** Chooses lanes for one worker. */
export class RecordLanes {
  readonly #batcher: Batcher;
  readonly #bytes: Uint8Array;
  readonly #facts: TopicFacts;
  readonly #isPacked: boolean;
  /** Topics with a lane whose records have a key and no partition. */
  readonly #undivided = new Set<string>();

  /** `isPacked`: batches are compressed, so that nobody knows before what a record will need. */
  constructor(batcher: Batcher, bytes: Uint8Array | Buffer, facts: TopicFacts, isPacked: boolean) {
    this.#batcher = batcher;
    this.#bytes = bytes;
    this.#facts = facts;
    this.#isPacked = isPacked;
  }

  /** The lane of a record with the key at [keyAt, keyAt + keyLength); length -1: none. */
  of(topic: string, partition: number, keyAt: number, keyLength: number): Lane {
    const facts = this.#facts;
    if (partition >= 0 || keyLength < 0 || facts.partitionsOf === undefined) {
      return this.#batcher.lane(topic, partition);
    }
    const partitions = facts.partitionsOf(topic);
    if (partitions === 0) {
      this.#undivided.add(topic);
      return this.#batcher.lane(topic, partitionByKey);
    }
    if (this.#undivided.delete(topic)) this.#batcher.close(this.#batcher.lane(topic, partitionByKey));
    return this.#batcher.lane(topic, partitionOfKey(this.#bytes, keyAt, keyLength, partitions));
  }

  /** The limit in bytes that a record with `bytes` of key, value and headers breaks; undefined where it may go. */
  limitBrokenBy(topic: string, bytes: number): number | undefined {
    if (bytes < checkedBytesMin || this.#isPacked) return undefined;
    const limit = this.#facts.batchBytesMaxOf?.(topic) ?? Infinity;
    return batchHeaderBytes + bytes > limit ? limit : undefined;
  }
}

/** Lanes by nothing but what rules name, for sinks without partitions. */
export function plainLanes(batcher: Batcher, bytes: Uint8Array): RecordLanes {
  return new RecordLanes(batcher, bytes, {}, false);
}
