/**
 * A sink on a fake cluster with a real kernel: makes batches, keeps account of what became of each.
 *
 * @module
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
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
  readonly sent: ClosedBatch[] = [];
  /** Those that named a partition. */
  readonly addressed = new Set<ClosedBatch>();
  readonly events: { event: string; fields: Readonly<Record<string, unknown>> }[] = [];
  wants = 0;
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
        wants: () => void this.wants++,
      },
    });
  }

  /** Closes a batch of these values and gives it to the sink. */
  send(topic: string, values: readonly string[], partition = -1): ClosedBatch {
    const kernel = this.#kernel;
    const slot = this.#free.shift();
    assert.ok(slot !== undefined, "the arena has room");
    const at = kernel.arenaAt + slot * slotBytes + headroomBytes;
    let end = at + batchHeaderBytes;
    values.forEach((value, index) => {
      const length = Buffer.from(value).copy(kernel.bytes, kernel.scratchAt);
      end = kernel.encodeRecord(end, index, 0, 0, -1, kernel.scratchAt, length, 0, 0);
    });
    assert.ok(end <= at - headroomBytes + slotBytes, "the batch fits its slot");
    const batch: ClosedBatch = {
      topic,
      partition,
      at,
      end,
      count: values.length,
      rawBytes: end - at - batchHeaderBytes,
      attributes: 0,
      baseTimestampMs: 1_700_000_000_000,
      maxTimestampMs: 1_700_000_000_000,
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
