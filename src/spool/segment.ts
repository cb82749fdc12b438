/**
 * One segment in memory: what is in the file, and the state of each of its batches, a byte per batch.
 *
 * The bytes of the file are the business of `segment_writer.ts` and `home.ts`; here is what the spool counts.
 *
 * @module
 */
import { invariant } from "../core/invariant.ts";
import type { Trailer } from "./format.ts";
import type { SegmentIndex } from "./segment_index.ts";

/** States of a batch in a segment. `gone` is missing or damaged: nobody will get it any more. */
export const batchState = { backlog: 0, live: 1, settled: 2, gone: 3 } as const;

const statesStart = 64;

/** What is known of a segment when it comes into being. */
export interface SegmentFacts {
  readonly number: number;
  readonly id: number;
  /** An earlier session wrote it. */
  readonly earlier: boolean;
  /** Bytes of batches and header: where the next batch would go. */
  readonly end: number;
  /** Bytes of the file. */
  readonly fileBytes: number;
  /** Batches, missing ones included. */
  readonly batches: number;
  readonly records: number;
  /** Receive time of the oldest batch, epoch ms; Infinity while there is none. */
  readonly oldestMs: number;
  /** Undefined while it lies in the file alone; then `trailer` says where. */
  readonly index: SegmentIndex | undefined;
  readonly trailer: Trailer | undefined;
  /** It takes no more batches. */
  readonly ended: boolean;
}

/** One segment. Fields belong to `home.ts` and the writer; others only read. */
export class Segment {
  readonly number: number;
  readonly id: number;
  readonly earlier: boolean;
  end: number;
  fileBytes: number;
  batches: number;
  records: number;
  oldestMs: number;
  index: SegmentIndex | undefined;
  ended: boolean;
  /** Where the index stands in the file, so that it may be forgotten here. */
  trailer: Trailer | undefined;
  /** Batches that lie on the disk alone and wait to be read. */
  backlogBatches = 0;
  backlogRecords = 0;
  liveBatches = 0;
  /** Batches and records that are settled or gone. */
  doneBatches = 0;
  doneRecords = 0;
  #states: Uint8Array;
  /** A bit per batch that is done, as the cursor keeps it. */
  #done: Uint8Array;

  constructor(facts: SegmentFacts) {
    this.number = facts.number;
    this.id = facts.id;
    this.earlier = facts.earlier;
    this.end = facts.end;
    this.fileBytes = facts.fileBytes;
    this.batches = facts.batches;
    this.records = facts.records;
    this.oldestMs = facts.oldestMs;
    this.index = facts.index;
    this.ended = facts.ended;
    this.trailer = facts.trailer;
    this.backlogBatches = facts.batches;
    this.backlogRecords = facts.records;
    this.#states = new Uint8Array(Math.max(statesStart, facts.batches));
    this.#done = new Uint8Array(Math.ceil(this.#states.length / 8));
  }

  /** Nobody needs the file any more. */
  get complete(): boolean {
    return this.ended && this.doneBatches === this.batches;
  }

  /** Forgets an index that stands in the file. */
  forgetIndex(): void {
    if (this.trailer !== undefined && this.ended) this.index = undefined;
  }

  stateOf(batch: number): number {
    return this.#states[batch]!;
  }

  /** The first batch from `from` on that lies on the disk alone; -1 where there is none. */
  nextBacklog(from: number): number {
    const batch = this.#states.indexOf(batchState.backlog, from);
    return batch < this.batches ? batch : -1;
  }

  /** Counts a batch that was committed now; it is live. */
  add(records: number, timestampMs: number): void {
    if (this.batches === this.#states.length) {
      const states = new Uint8Array(this.batches * 2);
      states.set(this.#states);
      this.#states = states;
      const done = new Uint8Array(Math.ceil(states.length / 8));
      done.set(this.#done);
      this.#done = done;
    }
    this.#states[this.batches++] = batchState.live;
    this.records += records;
    this.liveBatches++;
    this.oldestMs = Math.min(this.oldestMs, timestampMs);
  }

  /** Moves a batch of `records` records to another state. */
  move(batch: number, to: number, records: number): void {
    const from = this.#states[batch]!;
    invariant(from < batchState.settled && from !== to, "a batch that is done stays done");
    if (from === batchState.backlog) {
      this.backlogBatches--;
      this.backlogRecords -= records;
    } else this.liveBatches--;
    if (to === batchState.backlog) {
      this.backlogBatches++;
      this.backlogRecords += records;
    } else if (to === batchState.live) this.liveBatches++;
    else {
      this.doneBatches++;
      this.doneRecords += records;
      this.#markDone(batch);
    }
    this.#states[batch] = to;
  }

  /** Batches that a scan did not find are gone. Before anything else is done with an earlier session's segment. */
  loseMissing(): void {
    for (let batch = 0; batch < this.batches; batch++) {
      if (!this.index!.has(batch)) this.move(batch, batchState.gone, 0);
    }
  }

  /** Batches that are done now, a bit each, the first in the lowest bit; an own array. */
  doneBits(): Uint8Array {
    return this.#done.slice(0, Math.ceil(this.batches / 8));
  }

  /**
   * What a cursor said about the batches of an earlier session: these are done (undefined: all of them) and had
   * `records` records. With the index at hand the records are counted anew.
   */
  restore(bits: Uint8Array | undefined, records: number): void {
    let done = 0;
    let counted = 0;
    for (let batch = 0; batch < this.batches; batch++) {
      if (bits !== undefined && (bits[batch >>> 3]! >>> (batch & 7) & 1) === 0) continue;
      if (this.#states[batch] !== batchState.backlog) continue;
      this.#states[batch] = batchState.settled;
      this.#markDone(batch);
      counted += this.index?.count(batch) ?? 0;
      done++;
    }
    let settled = this.index === undefined ? Math.min(records, this.backlogRecords) : counted;
    if (done === this.backlogBatches) settled = this.backlogRecords;
    this.doneBatches += done;
    this.doneRecords += settled;
    this.backlogBatches -= done;
    this.backlogRecords -= settled;
  }

  #markDone(batch: number): void {
    this.#done[batch >>> 3]! |= 1 << (batch & 7);
  }
}
