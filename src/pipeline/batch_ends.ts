/**
 * What becomes of batches that the sink is done with: counted, answered for, forgotten by the spool, and their memory
 * given back, which wakes the streams that wait for it.
 *
 * @module
 */
import { setImmediate } from "node:timers";
import type { Batcher } from "../batch/batcher.ts";
import { settleReceipts } from "../batch/receipt.ts";
import type { BatchOutcome, ClosedBatch } from "../batch/record_batch.ts";
import { flightKind } from "../observe/flight.ts";
import { counter, type CounterRow } from "../observe/row.ts";
import type { LatencyRows } from "../observe/stage_latency.ts";
import type { BatchWaits } from "./batch_waits.ts";
import type { Intake } from "./intake.ts";
import type { Letters } from "./letters.ts";
import type { SpoolStage } from "./spool_stage.ts";
import type { TopicCounts } from "./topic_counts.ts";

/** The stages that have to know. */
export interface EndingStages {
  readonly batches: BatchWaits;
  readonly batcher: Batcher;
  readonly letters: Letters;
  readonly intake: Intake;
  /** Missing where nothing is kept on the disk. */
  readonly spool: SpoolStage | undefined;
}

/** The ends of one worker's batches. */
export class BatchEnds {
  readonly #counters: CounterRow;
  readonly #topics: TopicCounts;
  readonly #latency: LatencyRows;
  #stages!: EndingStages;
  #wakePending = false;
  #bytesDone = 0;

  constructor(counters: CounterRow, topics: TopicCounts, latency: LatencyRows) {
    this.#counters = counters;
    this.#topics = topics;
    this.#latency = latency;
  }

  /** Joins the stages, which know of each other only when all are made. Before that no batch ends. */
  join(stages: EndingStages): void {
    this.#stages = stages;
  }

  /** Bytes of batches that are done with, since the start. */
  get bytesDone(): number {
    return this.#bytesDone;
  }

  /** The sink has come to its end with a batch. */
  settled(batch: ClosedBatch, outcome: BatchOutcome): void {
    const { batches, letters, spool } = this.#stages;
    batches.end(batch, flightKind[outcome.kind === "delivered" ? "batch delivered" : "batch rejected"]);
    if (letters.settled(batch, outcome)) return;
    const delivered = batch.count - (outcome.kind === "delivered" ? outcome.refused ?? 0 : 0);
    this.#counters.add(counter.delivered, delivered);
    this.#counters.add(counter.in_flight, -delivered);
    this.#topics.delivered(batch.topic, delivered);
    if (spool?.isReplayed(batch) !== true) {
      this.#latency.receiveToAck.record(performance.now() - batch.openedAtMs, delivered);
    }
    settleReceipts(batch, outcome);
    spool?.settled(batch, "delivered");
    this.#counters.publish();
    this.release(batch);
  }

  /** Nobody needs the memory of a batch any more. */
  release(batch: ClosedBatch): void {
    const { batcher, spool } = this.#stages;
    if (spool !== undefined) {
      spool.released(batch);
      return;
    }
    const bytes = batch.end - batch.at;
    batcher.release(batch);
    this.freed(bytes);
  }

  /** So many bytes of memory are free again. */
  freed(bytes: number): void {
    this.#bytesDone += bytes;
    this.#stages.letters.wake();
    this.wakeSoon();
  }

  /** Wakes the streams that wait. Not at once: a sink may settle several batches in one go, or from inside `send`. */
  wakeSoon(): void {
    const { intake } = this.#stages;
    if (this.#wakePending || intake.waiting.connections === 0) return;
    this.#wakePending = true;
    setImmediate(() => {
      this.#wakePending = false;
      intake.wake();
    });
  }
}
