/**
 * A sink on a fake cluster with a real kernel: makes batches, keeps account of what became of each.
 *
 * @module
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { codec, openBatch } from "../../../src/batch/decode.ts";
import { type BatchOutcome, type ClosedBatch, headroomBytes } from "../../../src/batch/record_batch.ts";
import type { KafkaConfig } from "../../../src/config/config.ts";
import { createKafkaSink, type KafkaSink } from "../../../src/kafka/kafka_sink.ts";
import { createKernel } from "../../../src/kernel/instance.ts";
import { batchHeaderBytes } from "../../../src/kernel/kernel.ts";
import { FakeClock } from "./fake_clock.ts";
import { FakeCluster } from "./fake_cluster.ts";

/** Extents of the arena, one per batch. */
const slotBytes = 2048;
const slots = 1024;

/** A configuration with quick limits. */
export function kafkaConfig(changes: Partial<KafkaConfig> = {}): KafkaConfig {
  return {
    brokers: ["broker-1:9092"],
    clientId: "corndog",
    topic: "logs",
    compression: { codec: "none" },
    lingerMs: 5,
    batchBytesMax: 1024,
    topicWaitMs: 5000,
    requestTimeoutMs: 10_000,
    topicFault: "dead_letter",
    parkedBytesMax: 65_536,
    timestamp: "receive",
    topicsAllow: ["*"],
    topicsMax: 100,
    ...changes,
  };
}

/** What a test starts from. */
export interface Stage {
  readonly brokers?: number;
  readonly seed?: number;
  readonly config?: Partial<KafkaConfig>;
}

/** One sink and its surroundings. */
export class BenchSink {
  readonly clock: FakeClock;
  readonly cluster: FakeCluster;
  readonly sink: KafkaSink;
  readonly outcomes = new Map<ClosedBatch, BatchOutcome>();
  /** Values that were refused out of divided batches, with the reason. */
  readonly refused: { value: string; reason: string; message: string }[] = [];
  /** Part of the batches that divisions get no memory for. */
  memoryScarcity = 0;
  readonly sent: ClosedBatch[] = [];
  /** Those that named a partition. */
  readonly addressed = new Set<ClosedBatch>();
  readonly events: { event: string; fields: Readonly<Record<string, unknown>> }[] = [];
  wants = 0;
  /** Topics that were parked and worked again. */
  readonly parked: string[] = [];
  /** Called in `settled`, as a pipeline would. */
  onSettled: (batch: ClosedBatch) => void = () => {};
  readonly #kernel = createKernel({
    frameBytesMax: 4096,
    pieceBytes: 4096,
    rowsMax: 64,
    scratchBytes: 4096,
    arenaBytes: slotBytes * slots,
  });
  readonly #free = Array.from({ length: slots }, (_, index) => index);

  constructor({ brokers = 1, seed = 1, config = {} }: Stage = {}) {
    this.clock = new FakeClock(seed);
    this.cluster = new FakeCluster(this.clock, brokers);
    this.sink = createKafkaSink({
      kernel: this.#kernel,
      config: kafkaConfig(config),
      clock: this.clock,
      carrier: this.cluster,
      log: (event, fields) => this.events.push({ event, fields }),
      events: {
        settled: (batch, outcome) => {
          assert.ok(!this.outcomes.has(batch), "a batch is settled once");
          this.outcomes.set(batch, outcome);
          // The owner may write here from now on.
          this.#kernel.bytes.fill(0xee, batch.at - headroomBytes, batch.end);
          this.#free.push((batch.at - headroomBytes - this.#kernel.arenaAt) / slotBytes);
          this.onSettled(batch);
        },
        refused: (part, { reason, message }, watch) => {
          for (const value of this.valuesOf(part)) this.refused.push({ value, reason, message });
          this.clock.after(1, () => {
            watch.released();
            this.clock.after(1, () => watch.settled());
          });
        },
        parked: (topic, isParked) => void this.parked.push(`${topic} ${isParked}`),
        wants: () => void this.wants++,
      },
      memory: {
        reserve: (recordBytes) => {
          if (
            headroomBytes + batchHeaderBytes + recordBytes > slotBytes ||
            this.clock.random() < this.memoryScarcity
          ) return 0;
          const slot = this.#free.shift();
          return slot === undefined ? 0 : this.#kernel.arenaAt + slot * slotBytes + headroomBytes;
        },
        free: (at) => {
          const start = at - headroomBytes;
          this.#kernel.bytes.fill(0xee, start, start + slotBytes);
          this.#free.push((start - this.#kernel.arenaAt) / slotBytes);
        },
      },
    });
  }

  /** The values of a batch as it lies in memory. */
  valuesOf(batch: ClosedBatch): string[] {
    const opened = openBatch(this.#kernel.bytes, batch);
    assert.ok(opened.ok);
    const values: string[] = [];
    while (opened.records.next()) values.push(Buffer.from(opened.records.value()!).toString());
    assert.ok(opened.records.done);
    return values;
  }

  get slotsTotal(): number {
    return slots;
  }

  /** Slots that nobody holds. */
  get slotsFree(): number {
    return this.#free.length;
  }

  /** Closes a batch of these values and gives it to the sink. */
  send(
    topic: string,
    values: readonly string[],
    partition = -1,
    more: { keyOf?: (value: string) => string; codec?: "gzip" | "zstd" } = {},
  ): ClosedBatch {
    const kernel = this.#kernel;
    const slot = this.#free.shift();
    assert.ok(slot !== undefined, "the arena has room");
    const at = kernel.arenaAt + slot * slotBytes + headroomBytes;
    let end = at + batchHeaderBytes;
    values.forEach((value, index) => {
      const length = Buffer.from(value).copy(kernel.bytes, kernel.scratchAt);
      const key = more.keyOf?.(value);
      const keyAt = kernel.scratchAt + length;
      const keyLength = key === undefined ? -1 : Buffer.from(key).copy(kernel.bytes, keyAt);
      end = kernel.encodeRecord(end, index, index, keyAt, keyLength, kernel.scratchAt, length, 0, 0);
    });
    const rawBytes = end - at - batchHeaderBytes;
    if (more.codec !== undefined) {
      const raw = kernel.bytes.slice(at + batchHeaderBytes, end);
      const packed = more.codec === "gzip" ? gzipSync(raw) : zstdCompressSync(raw);
      kernel.bytes.set(packed, at + batchHeaderBytes);
      end = at + batchHeaderBytes + packed.length;
    }
    assert.ok(end <= at - headroomBytes + slotBytes, "the batch fits its slot");
    const batch: ClosedBatch = {
      topic,
      partition,
      at,
      end,
      count: values.length,
      rawBytes,
      attributes: more.codec === undefined ? 0 : codec[more.codec],
      baseTimestampMs: 1_700_000_000_000,
      maxTimestampMs: 1_700_000_000_000 + values.length - 1,
      openedAtMs: this.clock.nowMs(),
    };
    this.sent.push(batch);
    if (partition >= 0) this.addressed.add(batch);
    this.sink.send(batch);
    return batch;
  }

  /** Lets time pass until every batch is settled; fails if that takes longer. */
  async settled(withinMs = 60_000): Promise<void> {
    const isDone = await this.clock.until(() => this.outcomes.size === this.sent.length, withinMs);
    assert.ok(isDone, `${this.sent.length - this.outcomes.size} batches are not settled: ${this.describe()}`);
  }

  /** Starts, and lets the first connection be made. */
  async started(): Promise<this> {
    this.sink.start();
    assert.ok(
      await this.clock.until(() => this.sink.status().ready, 10_000),
      `not ready: ${this.describe()}`,
    );
    return this;
  }

  describe(): string {
    return JSON.stringify(this.sink.status());
  }

  outcomeOf(batch: ClosedBatch): string {
    const outcome = this.outcomes.get(batch);
    return outcome === undefined ? "none" : outcome.kind === "delivered" ? "delivered" : outcome.reason;
  }
}
