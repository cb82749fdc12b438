/**
 * When one worker may sleep between its reads: what of its stages would be late if it did.
 *
 * @module
 */
import { setImmediate } from "node:timers";
import type { Batcher } from "../batch/batcher.ts";
import type { Sink } from "../sink/sink.ts";
import type { BatchWaits } from "./batch_waits.ts";
import type { Intake } from "./intake.ts";
import { ReadPacing } from "./read_pacing.ts";
import type { SpoolStage } from "./spool_stage.ts";
import type { Submissions } from "./submissions.ts";

/** The stages that are asked. */
export interface PacedStages {
  isDraining(): boolean;
  readonly batches: Pick<BatchWaits, "beforeSink">;
  /** Missing where nothing is kept on the disk. */
  readonly spool: Pick<SpoolStage, "readsBack"> | undefined;
  readonly sink: Pick<Sink, "hungry">;
  readonly submissions: Pick<Submissions, "open">;
  readonly intake: Pick<Intake, "waiting">;
}

/**
 * True while nothing is between the intake and the sink, in either direction of the disk, the sink wants more, and
 * nobody waits for an answer or for room.
 */
export function mayPause({ isDraining, batches, spool, sink, submissions, intake }: PacedStages): boolean {
  return !isDraining() && batches.beforeSink === 0 && spool?.readsBack !== true && sink.hungry &&
    submissions.open === 0 && intake.waiting.connections === 0;
}

/** The pacing of the reads of a worker with these stages; `lingerMs` is the age at which a batch is closed. */
export function createPacing(stages: PacedStages, batcher: Batcher, lingerMs: number): ReadPacing {
  const never = new Int32Array(new SharedArrayBuffer(4));
  return new ReadPacing({
    lingerMs,
    nowMs: () => performance.now(),
    sleep: (ms) => void Atomics.wait(never, 0, 0, ms),
    soon: setImmediate,
    after: queueMicrotask,
    mayPause: () => mayPause(stages),
    closeDue: (earlyMs) => batcher.closeDue(earlyMs),
    dueMs: () => batcher.dueMs,
    waitedSince: (sinceMs) => batcher.waitedSinceMs = sinceMs,
  });
}
