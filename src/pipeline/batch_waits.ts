/**
 * Closed batches in the table of waits: for the disk, for Kafka's acknowledgement, for another sink; and in the flight
 * recorder. A batch that its stage has forgotten is found here.
 *
 * @module
 */
import type { ClosedBatch } from "../batch/record_batch.ts";
import { flightKind, type FlightRecorder } from "../observe/flight.ts";
import type { Latencies } from "../observe/stage_latency.ts";
import {
  stage,
  type StageName,
  stageNames,
  type StageTable,
  type Waiting,
  type WaitingView,
} from "../observe/stage_table.ts";
import type { Sink } from "../sink/sink.ts";

/** What the books of batches join. */
export interface BatchWaitsParts {
  readonly waits: StageTable;
  readonly flight: FlightRecorder;
  readonly sink: Sink;
  /** How long batches are open. */
  readonly filled?: Latencies;
  /** Monotonic milliseconds; `performance.now()` unless said otherwise. */
  readonly nowMs?: () => number;
}

/** A batch that waits. */
export class WaitingBatch implements Waiting {
  readonly batch: ClosedBatch;
  slot = -1;
  stage: number;
  readonly closedAtMs: number;
  readonly #owner: BatchWaits;

  constructor(owner: BatchWaits, batch: ClosedBatch, stageNumber: number, closedAtMs: number) {
    this.#owner = owner;
    this.batch = batch;
    this.stage = stageNumber;
    this.closedAtMs = closedAtMs;
  }

  isHeld(): boolean {
    return this.#owner.isHeld(this);
  }

  describe(): WaitingView {
    const { topic, partition, count, at, end } = this.batch;
    const broker = this.#owner.brokerOf(this.batch);
    return {
      kind: "batch",
      topic,
      ...(partition < 0 ? {} : { partition }),
      ...(broker === undefined ? {} : { broker }),
      lines: count,
      bytes: end - at,
    };
  }
}

/** The sink, with the batches that it is given in the table. `number` is the stage that it is. */
export function watchedSink(sink: Sink, batches: BatchWaits, number: number): Sink {
  const { partitionsOf, batchBytesMaxOf, stalls, giveBack, troubles } = sink;
  return {
    name: sink.name,
    get hungry() {
      return sink.hungry;
    },
    start: () => sink.start(),
    send(batch) {
      batches.begin(batch, number);
      sink.send(batch);
    },
    status: () => sink.status(),
    ...(troubles === undefined ? {} : { troubles: () => sink.troubles!() }),
    ...(partitionsOf === undefined ? {} : { partitionsOf: (topic: string) => sink.partitionsOf!(topic) }),
    ...(batchBytesMaxOf === undefined
      ? {}
      : { batchBytesMaxOf: (topic: string) => sink.batchBytesMaxOf!(topic) }),
    ...(stalls === undefined ? {} : { stalls: (topic: string) => sink.stalls!(topic) }),
    ...(giveBack === undefined
      ? {}
      : { giveBack: (...wish: Parameters<typeof giveBack>) => sink.giveBack!(...wish) }),
    close: () => sink.close(),
  };
}

/** The batches of one worker. */
export class BatchWaits {
  readonly #parts: BatchWaitsParts;
  readonly #waiting = new Map<ClosedBatch, WaitingBatch>();
  readonly #nowMs: () => number;
  /** What the sink had at the scan that is at work. */
  #held: ReadonlySet<ClosedBatch> | undefined;
  #beforeSink = 0;

  constructor(parts: BatchWaitsParts) {
    this.#parts = parts;
    this.#nowMs = parts.nowMs ?? (() => performance.now());
  }

  /** Batches that are closed and have not come to the sink: they are packed, or wait for the disk. */
  get beforeSink(): number {
    return this.#beforeSink;
  }

  /** A batch was closed. */
  closed({ openedAtMs, count }: ClosedBatch): void {
    this.#parts.filled?.record(this.#nowMs() - openedAtMs, count);
  }

  /** A batch begins to wait, or waits for something else now. */
  begin(batch: ClosedBatch, stageNumber: number): void {
    const nowMs = this.#nowMs();
    let waiting = this.#waiting.get(batch);
    if (waiting === undefined) {
      waiting = new WaitingBatch(this, batch, stageNumber, nowMs);
      this.#waiting.set(batch, waiting);
      const { count, at, end, openedAtMs } = batch;
      this.#parts.flight.record(flightKind["batch filled"], openedAtMs, nowMs - openedAtMs, count, end - at);
    } else {
      this.#parts.waits.leave(waiting.slot, nowMs, batch.count);
      if (isBeforeSink(waiting.stage)) this.#beforeSink--;
      waiting.stage = stageNumber;
    }
    if (isBeforeSink(stageNumber)) this.#beforeSink++;
    if (batch.receipts !== undefined) this.#moved(batch, stageNames[stageNumber]);
    // Kafka may be away for hours, and a disk be full: these waits have no end of their own.
    waiting.slot = this.#parts.waits.enter(stageNumber, waiting, nowMs, Infinity);
  }

  /** A batch waits no more; `kind` says what became of it. */
  end(batch: ClosedBatch, kind: number): void {
    const waiting = this.#waiting.get(batch);
    if (waiting === undefined) return;
    this.#waiting.delete(batch);
    if (isBeforeSink(waiting.stage)) this.#beforeSink--;
    if (batch.receipts !== undefined) this.#moved(batch, undefined);
    const nowMs = this.#nowMs();
    this.#parts.waits.leave(waiting.slot, nowMs, batch.count);
    const { closedAtMs } = waiting;
    this.#parts.flight.record(kind, closedAtMs, nowMs - closedAtMs, batch.count, batch.end - batch.at);
  }

  /** Looks at what the sink has, for the scan that follows. */
  lookAtSink(): void {
    this.#held = this.#waiting.size === 0 ? undefined : this.#parts.sink.held?.();
  }

  /** True while its stage knows the batch. Sinks that cannot tell are believed. */
  isHeld({ batch, stage: number }: WaitingBatch): boolean {
    return number !== stage.kafka || this.#held === undefined || this.#held.has(batch);
  }

  /** Tells who traces lines of the batch. */
  #moved(batch: ClosedBatch, to: StageName | undefined): void {
    const broker = to === undefined ? this.brokerOf(batch) : undefined;
    for (const receipt of batch.receipts!) receipt.moved(to, batch, broker);
  }

  brokerOf(batch: ClosedBatch): string | undefined {
    return this.#parts.sink.brokerOf?.(batch);
  }
}

function isBeforeSink(stageNumber: number): boolean {
  return stageNumber === stage.compress || stageNumber === stage.spool;
}
