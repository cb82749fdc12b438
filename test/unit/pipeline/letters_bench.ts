/**
 * Letters with a real batcher and a real file, and a sink that does what the test says.
 *
 * @module
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers";
import { Batcher } from "../../../src/batch/batcher.ts";
import { openBatch } from "../../../src/batch/decode.ts";
import type { BatchOutcome, ClosedBatch } from "../../../src/batch/record_batch.ts";
import type { RecordHeader } from "../../../src/batch/record_reader.ts";
import { createKernel } from "../../../src/kernel/instance.ts";
import { ledgerOf } from "../../../src/observe/ledger.ts";
import { counter, CounterRow, CounterRowReader, createCounterRows } from "../../../src/observe/row.ts";
import { LetterTopic } from "../../../src/pipeline/letter_topic.ts";
import { Letters } from "../../../src/pipeline/letters.ts";
import { TopicCounts } from "../../../src/pipeline/topic_counts.ts";
import { until } from "../../support/until.ts";
import { DeadLetter, type Letter } from "../../../src/sink/dead_letter.ts";

/** The dead-letter topic. */
export const deadTopic = "dead";

/** A record that reached Kafka. */
export interface Delivered {
  readonly topic: string;
  readonly key: string | undefined;
  readonly value: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** One worker's way into the dead letter. */
export class LettersBench implements AsyncDisposable {
  readonly dir = mkdtempSync(join(tmpdir(), "corndog-letters-"));
  readonly path = join(this.dir, "dead.ndjson");
  readonly kernel = createKernel({
    frameBytesMax: 4096,
    pieceBytes: 4096,
    rowsMax: 16,
    scratchBytes: 16 * 1024,
    arenaBytes: 256 * 1024,
  });
  readonly rows = createCounterRows(1);
  readonly counters = new CounterRow(this.rows, 0);
  readonly #reader = new CounterRowReader(this.rows, 0);
  readonly sent: ClosedBatch[] = [];
  readonly delivered: Delivered[] = [];
  readonly events: string[] = [];
  readonly batcher: Batcher;
  readonly deadLetter: DeadLetter;
  readonly letters: Letters;
  readonly topics = new TopicCounts();
  /** Topics of the batches that are done with, in order. */
  readonly done: string[] = [];
  nowMs = 1_000_000;
  isReady = true;

  constructor(options: { topic?: boolean; fileBytesMax?: number } = {}) {
    this.batcher = new Batcher({
      kernel: this.kernel,
      batchBytesMax: 16 * 1024,
      lingerMs: 1_000_000,
      lanesMax: 8,
      sink: { hungry: true, status: () => ({ ready: true }) },
      timers: { nowMs: () => 0, set: () => 0, clear: () => {} },
      emit: (batch) => this.sent.push(batch),
    });
    this.deadLetter = new DeadLetter({
      path: this.path,
      bytesMax: options.fileBytesMax ?? 1 << 30,
      memory: this.kernel.bytes,
      room: () => {},
    });
    this.letters = new Letters({
      deadLetter: this.deadLetter,
      topic: options.topic === false ? undefined : {
        lane: new LetterTopic(deadTopic, this.kernel, this.batcher),
        ready: () => this.isReady,
        log: (event) => this.events.push(event),
        nowMs: () => this.nowMs,
      },
      counters: this.counters,
      topics: this.topics,
      release: (batch) => {
        this.kernel.bytes.fill(0xee, batch.at, batch.end);
        this.batcher.release(batch);
        this.letters.wake();
      },
      done: ({ topic }) => this.done.push(topic),
    });
  }

  /** The sink cannot deliver, for long enough to be believed. */
  outage(): void {
    this.isReady = false;
    this.letters.wake();
    this.nowMs += 3500;
  }

  /** A refused line, as the placer gives it. */
  write(value: string, more: Partial<Letter> = {}): ReturnType<Letters["write"]> {
    const wait = this.letters.write({
      timeMs: 1_767_323_045_678,
      reason: "rule_failed",
      message: "why",
      kind: "line",
      value: Buffer.from(value),
      ...more,
    });
    if (wait === undefined) this.counters.add(counter.received, 1);
    return wait;
  }

  /** A line that goes its ordinary way; false: no room. */
  forward(topic: string, value: string, key?: string): boolean {
    const { scratchAt, bytes } = this.kernel;
    const valueBytes = Buffer.from(value);
    const keyBytes = key === undefined ? undefined : Buffer.from(key);
    bytes.set(valueBytes, scratchAt);
    if (keyBytes !== undefined) bytes.set(keyBytes, scratchAt + valueBytes.length);
    const taken = this.batcher.append(
      this.batcher.lane(topic),
      1_767_323_045_678,
      scratchAt + valueBytes.length,
      keyBytes?.length ?? -1,
      scratchAt,
      valueBytes.length,
      0,
      0,
    );
    if (!taken) return false;
    this.counters.add(counter.received, 1);
    this.counters.add(counter.in_flight, 1);
    return true;
  }

  /** Settles the oldest batch as `outcome` says; false: there is none. */
  settle(outcome: (batch: ClosedBatch) => BatchOutcome = () => ({ kind: "delivered" })): boolean {
    const batch = this.sent.shift();
    if (batch === undefined) return false;
    const result = outcome(batch);
    if (result.kind === "delivered") this.#read(batch);
    if (!this.letters.settled(batch, result)) {
      this.counters.add(counter.delivered, batch.count);
      this.counters.add(counter.in_flight, -batch.count);
      this.batcher.release(batch);
      this.letters.wake();
    }
    this.ledger();
    return true;
  }

  /** The ledger, which has to balance. */
  ledger(): ReturnType<typeof ledgerOf> & { topic: number; file: number } {
    this.counters.publish();
    const row = this.#reader.read();
    const ledger = ledgerOf(row);
    const [topic, file] = [row[counter.dead_lettered_topic]!, row[counter.dead_lettered_file]!];
    assert.equal(ledger.balanced, true, JSON.stringify(ledger));
    assert.equal(topic + file, ledger.dead_lettered, "each dead letter is in one place");
    return { ...ledger, topic, file };
  }

  /** Settles all, until nothing is in flight. */
  async finish(outcome?: (batch: ClosedBatch) => BatchOutcome): Promise<void> {
    await until(
      "the end of all lines",
      async () => {
        this.batcher.closeAll();
        while (this.settle(outcome));
        await new Promise((resolve) => setImmediate(resolve));
        return this.ledger().in_flight === 0 || undefined;
      },
      20_000,
      0,
    );
  }

  /** The file's lines. */
  lines(): Record<string, unknown>[] {
    if (!existsSync(this.path)) return [];
    return readFileSync(this.path, "utf8").split("\n").filter((line) => line !== "").map((line) =>
      JSON.parse(line)
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.letters.close();
    rmSync(this.dir, { recursive: true });
  }

  #read(batch: ClosedBatch): void {
    const opened = openBatch(this.kernel.bytes, batch);
    assert.ok(opened.ok);
    const { records } = opened;
    while (records.next()) {
      const key = records.key();
      this.delivered.push({
        topic: batch.topic,
        key: key === null ? undefined : Buffer.from(key).toString(),
        value: Buffer.from(records.value()!).toString(),
        headers: headersOf(records.headers()),
      });
    }
    assert.equal(records.fault, undefined);
  }
}

function headersOf(headers: readonly RecordHeader[]): Record<string, string> {
  return Object.fromEntries(headers.map(({ name, value }) => [name, Buffer.from(value!).toString()]));
}
