/**
 * What the spool's stage is made of, and what it tells of itself.
 *
 * @module
 */
import type { ClosedBatch } from "../batch/record_batch.ts";
import type { CounterRow } from "../observe/row.ts";
import type { Sink } from "../sink/sink.ts";
import type { Durability, SpoolStats } from "../spool/spool.ts";
import type { WorkerLog } from "./protocol.ts";
import type { SpoolMemory } from "./read_back.ts";

/** What the stage joins. */
export interface SpoolStageParts {
  readonly durability: Durability;
  readonly sink: Sink;
  readonly memory: SpoolMemory;
  readonly counters: CounterRow;
  /** Bytes of memory that the sink's batches may take. */
  readonly sinkBytesMax: () => number;
  /** Bytes of the records of the largest batch that there may ever be. */
  readonly recordBytesMax: () => number;
  /** The stage became able to take more at once. */
  wants(): void;
  /** The disk alone has a batch from now on. */
  gaveUp?(batch: ClosedBatch): void;
  /** Memory was given back, `bytes` of batches. */
  freed(bytes: number): void;
  /** False: no batch is held for a prompt sink. */
  readonly holds?: boolean;
  /** A batch of an earlier session goes to the sink. */
  replayed(batch: ClosedBatch): void;
  readonly log: WorkerLog;
  /** Monotonic milliseconds. */
  nowMs(): number;
}

/** Counts of a stage, for `/admin/stats`. */
export interface SpoolStageStats {
  /** Bytes and batches that the sink holds, of at most so many. */
  readonly sinkBytes: number;
  readonly sinkBytesMax: number;
  readonly sinkBatches: number;
  /** Batches that were given up and read back since the start. */
  readonly givenUp: number;
  readonly readBack: number;
  /** Batches that passed a disk by that took nothing. */
  readonly passedBy: number;
  /** Batches that the disk has and that wait in memory for a place. */
  readonly held: number;
}

/** What one worker tells about its spool. */
export type SpoolReport = SpoolStats & SpoolStageStats;
