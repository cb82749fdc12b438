/**
 * Makes a closed batch ready for a segment: the head of its record is written into the kernel's memory, in front of
 * its records, so that both go to the disk in one piece and nothing is copied.
 *
 *     headroom (512)                     header's place (61)     records
 *     ………………| head of the spool's record …………………………………………………| …………………|
 *            └ written by `stamp`, anew for each try; where the batch is sent, Kafka's heads go there instead
 *
 * @module
 */
import type { SpooledBatch } from "./spool.ts";
import { invariant } from "../core/invariant.ts";
import { batchHeaderBytes } from "../kernel/kernel.ts";
import type { SpoolClock } from "./clock.ts";
import { headAt, headBytesMin, topicBytesMax, TopicNames, writeHead } from "./format.ts";
import type { Pending } from "./group_commit.ts";
import type { HeldBatch } from "./held_batch.ts";
import type { SpoolMemory } from "./reader.ts";

/** Stamps batches of one memory. */
export class Stamper {
  readonly #memory: SpoolMemory;
  readonly #clock: SpoolClock;
  readonly #view: DataView;
  readonly #checksum: (at: number, length: number) => number;
  readonly #names = new TopicNames();

  constructor(memory: SpoolMemory, clock: SpoolClock) {
    const { bytes } = memory;
    this.#memory = memory;
    this.#clock = clock;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#checksum = (at, length) => memory.crc32c(at, length);
  }

  /** A batch on its way to the disk. */
  pending(held: HeldBatch, committed: (spooled: SpooledBatch) => void): Pending {
    const { batch, recordBytes } = held;
    const { count, rawBytes, partition, baseTimestampMs, maxTimestampMs, attributes } = batch;
    const topic = this.#names.bytesOf(batch.topic);
    invariant(topic.length <= topicBytesMax, "a topic has a name that Kafka takes");
    const headBytes = headBytesMin + topic.length;
    const start = headAt(batch.at, headBytes);
    const fields = { recordBytes, count, rawBytes, partition, baseTimestampMs, maxTimestampMs, attributes };
    return {
      held,
      committed,
      sinceMs: this.#clock.monoMs(),
      topic: batch.topic,
      headBytes,
      recordBytes,
      count,
      timestampMs: baseTimestampMs,
      stamp: (segmentId, index, groupPlace) => {
        const recordCrc = batch.recordsCrc ??= this.#checksum(batch.at + batchHeaderBytes, recordBytes);
        const head = { ...fields, groupPlace, segmentId, index, recordCrc };
        writeHead(this.#view, start, head, topic, this.#checksum);
        return this.#memory.bytes.subarray(start, batch.end);
      },
    };
  }
}
