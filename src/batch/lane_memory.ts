/**
 * The memory of open batches: where a lane's batch begins, how it grows, and what it gives back.
 *
 * An extent begins with the size that the lane's last batch needed and doubles in place, else by moving while the
 * batch is small, so that thousands of slow topics cost 16 KiB each and a fast one gets full batches.
 *
 * @module
 */
import { invariant } from "../core/invariant.ts";
import { batchHeaderBytes, type Kernel } from "../kernel/kernel.ts";
import { Arena } from "./arena.ts";
import type { Lane } from "./lane.ts";
import { type ClosedBatch, headroomBytes } from "./record_batch.ts";

/** Connections go on reading when this share of the arena is free again; a few large batches, not one. */
const roomyShare = 1 / 4;

/** What came of growing: "close" means that a new batch does better, "no_room" that nothing fits anywhere now. */
export type Growth = "grown" | "close" | "no_room";

/** The arena of one worker, in terms of lanes and batches. */
export class LaneMemory {
  readonly #bytes: Uint8Array;
  readonly #arena: Arena;
  readonly #batchBytesMax: number;

  /** `largestBytes`: the records of the largest batch that there may ever be. */
  constructor(kernel: Kernel, batchBytesMax: number, largestBytes: number) {
    this.#bytes = kernel.bytes;
    this.#arena = new Arena(kernel.arenaAt, kernel.sizes.arenaBytes);
    this.#batchBytesMax = batchBytesMax;
    invariant(extentBytes(largestBytes) <= this.#arena.bytesTotal, "the arena holds the largest batch");
  }

  get bytesTotal(): number {
    return this.#arena.bytesTotal;
  }

  get bytesUsed(): number {
    return this.#arena.bytesUsed;
  }

  get bytesHighWater(): number {
    return this.#arena.bytesHighWater;
  }

  /** True while enough is free that connections which found no room should try again. */
  get roomy(): boolean {
    return this.bytesTotal - this.bytesUsed >= this.bytesTotal * roomyShare;
  }

  /** Gives a lane an extent for a new batch whose first record needs `need` bytes. False: no room. */
  begin(lane: Lane, need: number): boolean {
    // While memory is scarce a guess must not reserve what others need.
    const scarce = this.bytesUsed * 2 > this.bytesTotal;
    const expected = scarce ? 0 : Math.min(lane.bytesLast + (lane.bytesLast >>> 2), this.#batchBytesMax);
    let extent = this.#arena.allocate(extentBytes(Math.max(expected, need)));
    if (extent === 0 && expected > need) extent = this.#arena.allocate(extentBytes(need));
    if (extent === 0) return false;
    lane.at = extent + headroomBytes;
    lane.end = lane.at + batchHeaderBytes;
    this.#setLimit(lane, need, Math.max(this.#batchBytesMax, need));
    return true;
  }

  /** Doubles the extent of an open batch, so that `need` more bytes fit: in place, else by moving what is not yet half a batch. */
  grow(lane: Lane, need: number): Growth {
    const extent = lane.at - headroomBytes;
    const used = lane.end - lane.at - batchHeaderBytes;
    const wanted = Math.min(Math.max(used * 2, used + need), this.#batchBytesMax);
    if (
      this.#arena.extend(extent, extentBytes(wanted)) || this.#arena.extend(extent, extentBytes(used + need))
    ) {
      this.#setLimit(lane, need, this.#batchBytesMax);
      return "grown";
    }
    if (used * 2 >= this.#batchBytesMax) return "close";
    const moved = this.#arena.allocate(extentBytes(wanted));
    if (moved === 0) return this.#fits(need) ? "close" : "no_room";
    this.#bytes.copyWithin(moved + headroomBytes, lane.at, lane.end);
    this.#arena.free(extent);
    lane.end += moved - extent;
    lane.at += moved - extent;
    this.#setLimit(lane, need, this.#batchBytesMax);
    return "grown";
  }

  /** Gives back what lies behind the batch's end. */
  trim(batch: ClosedBatch): void {
    this.#arena.trim(batch.at - headroomBytes, batch.end - batch.at + headroomBytes);
  }

  /** Gives back all of a batch. */
  release(batch: ClosedBatch): void {
    this.#arena.free(batch.at - headroomBytes);
  }

  /** An extent for a batch of so many bytes of records that comes from elsewhere: where its header goes, 0 for no room. */
  reserve(records: number): number {
    const extent = this.#arena.allocate(extentBytes(records));
    return extent === 0 ? 0 : extent + headroomBytes;
  }

  /** Bytes that the batch whose header is at `at` takes of the arena: of a small one many times its own. */
  bytesOf(at: number): number {
    return this.#arena.bytesOf(at - headroomBytes);
  }

  /** Gives back what `reserve` gave, or a batch whose header is at `at`. */
  free(at: number): void {
    this.#arena.free(at - headroomBytes);
  }

  #fits(need: number): boolean {
    const extent = this.#arena.allocate(extentBytes(need));
    if (extent === 0) return false;
    this.#arena.free(extent);
    return true;
  }

  /** Records may go to the end of the extent, but there are at most `bytesMax` of them. */
  #setLimit(lane: Lane, need: number, bytesMax: number): void {
    const extent = lane.at - headroomBytes;
    lane.limit = Math.min(extent + this.#arena.bytesOf(extent), lane.at + batchHeaderBytes + bytesMax);
    invariant(lane.limit - lane.end >= need, "the extent holds what it was made for");
  }
}

/** Bytes of an extent whose batch holds `records` bytes of records. */
function extentBytes(records: number): number {
  return headroomBytes + batchHeaderBytes + records;
}
