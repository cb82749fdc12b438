/**
 * Feeds a Kafka sink with batches, keeps account of what became of them, and reads topics back.
 *
 * @module
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import {
  anyPartition,
  type BatchOutcome,
  type ClosedBatch,
  headroomBytes,
} from "../../src/batch/record_batch.ts";
import type { KafkaConfig } from "../../src/config/config.ts";
import type { KafkaCarrier } from "../../src/kafka/carrier.ts";
import type { KafkaClock } from "../../src/kafka/clock.ts";
import { createKafkaSink, type KafkaSink } from "../../src/kafka/kafka_sink.ts";
import { createKernel } from "../../src/kernel/instance.ts";
import { batchHeaderBytes, type Kernel } from "../../src/kernel/kernel.ts";
import { until } from "../support/until.ts";
import type { Kafka } from "./harness/kafka.ts";

/** Bytes of a slot of the arena: one batch. */
const slotBytes = 128 * 1024;
const slots = 64;
/** Bytes of a numbered record. */
const valueBytes = 200;

/** A record to send. */
export interface FedRecord {
  readonly value: string;
  readonly key?: string;
  /** As they stand in a record. */
  readonly headers?: Buffer;
  readonly timestampMs?: number;
}

/** A sink, and a source of numbered records for it. */
export class Feed {
  readonly sink: KafkaSink;
  readonly events: string[] = [];
  readonly outcomes: { batch: ClosedBatch; outcome: BatchOutcome }[] = [];
  delivered = 0;
  rejected = 0;
  given = 0;
  #next = 0;
  #whenFree: () => void = () => {};
  readonly #kernel: Kernel;
  readonly #free: number[];

  constructor(
    brokers: string,
    topic: string,
    changes: Partial<KafkaConfig> = {},
    carrierOf?: (config: KafkaConfig) => KafkaCarrier,
    clock?: KafkaClock,
  ) {
    const config: KafkaConfig = {
      brokers: brokers.split(","),
      clientId: "producer-test",
      topic,
      compression: { codec: "none" },
      lingerMs: 5,
      batchBytesMax: 65536,
      topicWaitMs: 3000,
      requestTimeoutMs: 10_000,
      topicFault: "dead_letter",
      parkedBytesMax: 65_536,
      timestamp: "receive",
      topicsAllow: ["*"],
      topicsMax: 10,
      ...changes,
    };
    this.#kernel = createKernel({ arenaBytes: slotBytes * slots });
    this.#free = Array.from({ length: slots }, (_, slot) => this.#kernel.arenaAt + slot * slotBytes);
    this.sink = createKafkaSink({
      kernel: this.#kernel,
      config,
      ...(clock === undefined ? {} : { clock }),
      ...(carrierOf === undefined ? {} : { carrier: carrierOf(config) }),
      log: (event) => void this.events.push(event),
      events: {
        settled: (batch, outcome) => {
          this.outcomes.push({ batch, outcome });
          if (outcome.kind === "delivered") this.delivered += batch.count - (outcome.refused ?? 0);
          else this.rejected += batch.count;
          this.#free.push(batch.at - headroomBytes);
          this.#whenFree();
        },
        refused: (part, refusal, watch) => {
          this.outcomes.push({ batch: part, outcome: refusal });
          this.rejected += part.count;
          watch.released();
          watch.settled();
        },
        wants: () => {},
      },
    });
    this.sink.start();
  }

  /** Sends `records` records in batches of `perBatch`; waits while the arena is full. */
  async send(topic: string, records: number, perBatch = 300, bytes = valueBytes): Promise<void> {
    for (let left = records; left > 0; left -= perBatch) {
      while (this.#free.length === 0) await new Promise<void>((resolve) => this.#whenFree = resolve);
      this.#batch(topic, Math.min(left, perBatch), bytes);
    }
  }

  #batch(topic: string, count: number, bytes: number): void {
    this.give(topic, Array.from({ length: count }, () => ({ value: `${this.#next++} `.padEnd(bytes, "x") })));
  }

  /** Sends these records as one batch. */
  give(topic: string, records: readonly FedRecord[], partition = anyPartition): void {
    const kernel = this.#kernel;
    const { scratchAt, bytes } = kernel;
    const at = this.#free.shift()! + headroomBytes;
    const baseTimestampMs = records[0].timestampMs ?? Date.now();
    let maxTimestampMs = baseTimestampMs;
    let end = at + batchHeaderBytes;
    for (const [index, { value, key, headers, timestampMs = baseTimestampMs }] of records.entries()) {
      const length = Buffer.from(value).copy(bytes, scratchAt);
      const keyAt = scratchAt + length;
      const keyLength = key === undefined ? -1 : Buffer.from(key).copy(bytes, keyAt);
      const headersAt = keyAt + Math.max(0, keyLength);
      const headersLength = headers === undefined ? 0 : headers.copy(bytes, headersAt);
      const delta = timestampMs - baseTimestampMs;
      maxTimestampMs = Math.max(maxTimestampMs, timestampMs);
      end = kernel.encodeRecord(
        end,
        index,
        delta,
        keyAt,
        keyLength,
        scratchAt,
        length,
        headersAt,
        headersLength,
      );
    }
    this.given += records.length;
    this.sink.send({
      topic,
      partition,
      at,
      end,
      count: records.length,
      rawBytes: end - at - batchHeaderBytes,
      attributes: 0,
      baseTimestampMs,
      maxTimestampMs,
      openedAtMs: performance.now(),
    });
  }

  async settled(deadlineMs = 120_000): Promise<void> {
    const isSettled = () => this.delivered + this.rejected === this.given;
    await eventually(`all batches settled: ${JSON.stringify(this.sink.status())}`, isSettled, deadlineMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.sink.close();
  }
}

/** Every number below `records` once, ascending in each partition. */
export async function checkTopic(kafka: Kafka, topic: string, records: number): Promise<void> {
  const lastOf = new Map<number, number>();
  const seen = new Uint8Array(records);
  for (const { partition, value } of await kafka.readUntil(topic, records)) {
    const number = Number.parseInt(Buffer.from(value!).toString("latin1"), 10);
    assert.ok(number > (lastOf.get(partition) ?? -1), `order in partition ${partition} at ${number}`);
    lastOf.set(partition, number);
    seen[number]++;
  }
  assert.equal(seen.findIndex((count) => count !== 1), -1, "every record is in the topic once");
}

/** Polls until it holds. */
export async function eventually(
  what: string,
  holds: () => boolean | Promise<boolean>,
  deadlineMs: number,
): Promise<void> {
  await until(what, async () => await holds() || undefined, deadlineMs);
}
