/**
 * One batch that the pipeline has, and where it stands in the spool.
 *
 * @module
 */
import type { ClosedBatch } from "../batch/record_batch.ts";
import { batchHeaderBytes } from "../kernel/kernel.ts";
import type { Home } from "./home.ts";
import type { Segment } from "./segment.ts";
import type { SpooledBatch } from "./spool.ts";

/** Where a batch lies. */
export interface Place {
  readonly home: Home;
  readonly segment: Segment;
  readonly batch: number;
}

/** The spool's side of a `SpooledBatch`. */
export class HeldBatch implements SpooledBatch {
  readonly batch: ClosedBatch;
  readonly replayed: boolean;
  state: SpooledBatch["state"];
  /** Undefined while it is pending. */
  place: Place | undefined;

  constructor(batch: ClosedBatch, place: Place | undefined, replayed: boolean) {
    this.batch = batch;
    this.place = place;
    this.replayed = replayed;
    this.state = place === undefined ? "pending" : "live";
  }

  /** Bytes of its records in memory and on the disk. */
  get recordBytes(): number {
    return this.batch.end - this.batch.at - batchHeaderBytes;
  }
}
