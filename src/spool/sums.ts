/**
 * What folders hold, added up for `/admin/stats` and for the ledger.
 *
 * @module
 */
import type { Home } from "./home.ts";

/** What some folders hold. */
export interface Sums {
  readonly bytes: number;
  readonly segments: number;
  readonly batches: number;
  readonly records: number;
  readonly backlogBatches: number;
  readonly backlogRecords: number;
  readonly replayBatches: number;
  readonly replayRecords: number;
  readonly oldestMs: number;
}

/** Of no folder. */
export const emptySums: Sums = {
  bytes: 0,
  segments: 0,
  batches: 0,
  records: 0,
  backlogBatches: 0,
  backlogRecords: 0,
  replayBatches: 0,
  replayRecords: 0,
  oldestMs: Infinity,
};

/** Adds a folder to `sums`, and returns them. */
export function addUp(sums: { -readonly [Name in keyof Sums]: Sums[Name] }, home: Home): Sums {
  sums.bytes += home.bytes;
  sums.segments += home.segments.length;
  for (const segment of home.segments) {
    sums.batches += segment.batches - segment.doneBatches;
    sums.records += segment.records - segment.doneRecords;
    sums.backlogBatches += segment.backlogBatches;
    sums.backlogRecords += segment.backlogRecords;
    if (segment.earlier) {
      sums.replayBatches += segment.batches - segment.doneBatches;
      sums.replayRecords += segment.records - segment.doneRecords;
    }
    if (segment.doneBatches < segment.batches) sums.oldestMs = Math.min(sums.oldestMs, segment.oldestMs);
  }
  return sums;
}

/** Records in a folder that are not settled. */
export function recordsOf(home: Home): number {
  return addUp({ ...emptySums }, home).records;
}
