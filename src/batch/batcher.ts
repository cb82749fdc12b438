/**
 * Turns rows and records into closed record batches, one open batch ("lane") per topic.
 *
 * In: rows of the kernel's frame table, or single records by their offsets in kernel memory. Out: `ClosedBatch`es,
 * through `emit`, each in an extent of the arena that the receiver gives back with `release`. Nothing is dropped
 * here: what finds no room is not taken, and the caller turns that into backpressure.
 *
 * A batch closes when
 *  - the next record would make it larger than `batchBytesMax` (a record that is larger by itself travels alone);
 *  - it is `lingerMs` old and the sink is hungry; while the sink is busy it grows instead, since a request that
 *    waits in a queue gains nothing from being early, but at most `lingerBusyFactor` times as long;
 *  - memory ran out and the sink is hungry; or the caller says so (`close`, `closeAll`).
 * While the sink cannot deliver at all, batches close only when they are full.
 *
 * Memory: an extent begins with the size that the lane's last batch needed and doubles in place, by moving, or not
 * at all, so that thousands of slow topics cost 16 KiB each and a fast one gets full batches.
 *
 * Hot path: `append` and `appendRows` allocate objects only when a batch closes. They may call `emit`, which may
 * `release` at once, but must not append.
 *
 * @module
 */
import { invariant } from "../core/invariant.ts";
import { batchHeaderBytes, framePart, frameRowBytes, type Kernel, recordBytesMax } from "../kernel/kernel.ts";
import { Arena } from "./arena.ts";
import { Lane, LaneTable, OpenLanes } from "./lane.ts";
import { type ClosedBatch, headroomBytes } from "./record_batch.ts";

/** How long a due batch may keep growing while the sink is merely busy, in lingers. */
export const lingerBusyFactor = 20;

/** Connections go on reading when this share of the arena is free again; a few large batches, not one. */
const roomyShare = 1 / 4;

/** A batch spans less than 12 days, so that timestamp deltas fit any integer they pass through; a clock that is set may jump by decades. */
const timestampDeltaMax = 2 ** 30;

/** The clock and the one timer of a batcher. */
export interface BatchTimers {
  /** Monotonic milliseconds, `performance.now()`. */
  nowMs(): number;
  /** Calls back once, after `delayMs`. */
  set(callback: () => void, delayMs: number): unknown;
  clear(timer: unknown): void;
}

/** What the batcher asks of the sink; every `Sink` can answer. */
export interface SinkAppetite {
  /** A batch given now would go out at once. */
  readonly hungry: boolean;
  status(): { readonly ready: boolean };
}

/** What a batcher is made of. */
export interface BatcherOptions {
  readonly kernel: Kernel;
  /** Bytes of the records of one batch, uncompressed. */
  readonly batchBytesMax: number;
  readonly lingerMs: number;
  /** Lanes that are remembered; those with an open batch included. */
  readonly lanesMax: number;
  readonly sink: SinkAppetite;
  readonly timers: BatchTimers;
  /** Takes a closed batch; `release` it when nobody reads its bytes any more. */
  emit(batch: ClosedBatch): void;
}

/** What `/admin/stats` shows of a batcher. */
export interface BatcherStats {
  readonly lanes: number;
  readonly lanesOpen: number;
  readonly recordsOpen: number;
  readonly bytesOpen: number;
  readonly arenaBytes: number;
  readonly arenaBytesUsed: number;
  readonly arenaBytesHighWater: number;
  /** How often something found no room. */
  readonly noRoom: number;
}

/** The open batches of one worker. */
export class Batcher {
  readonly #kernel: Kernel;
  readonly #arena: Arena;
  readonly #lanes: LaneTable;
  readonly #open = new OpenLanes();
  readonly #batchBytesMax: number;
  readonly #recordBytesMax: number;
  readonly #lingerMs: number;
  readonly #lingerBusyMs: number;
  readonly #sink: SinkAppetite;
  readonly #timers: BatchTimers;
  readonly #emit: (batch: ClosedBatch) => void;
  #timer: unknown = undefined;
  #timerDueMs = 0;
  #noRoom = 0;

  constructor(options: BatcherOptions) {
    const { kernel } = options;
    const { arenaBytes, frameBytesMax, scratchBytes } = kernel.sizes;
    this.#kernel = kernel;
    this.#arena = new Arena(kernel.arenaAt, arenaBytes);
    this.#lanes = new LaneTable(options.lanesMax);
    this.#batchBytesMax = options.batchBytesMax;
    // The largest record there can be: a whole frame as value, and a scratch full of key and headers.
    this.#recordBytesMax = recordBytesMax(0, frameBytesMax, scratchBytes);
    this.#lingerMs = options.lingerMs;
    this.#lingerBusyMs = Math.max(options.lingerMs, 1) * lingerBusyFactor;
    this.#sink = options.sink;
    this.#timers = options.timers;
    this.#emit = options.emit;
    invariant(options.lanesMax > 0, "there may be at least one lane");
    invariant(
      extentBytes(Math.max(this.#batchBytesMax, this.#recordBytesMax)) <= this.#arena.bytesTotal,
      "the arena holds the largest batch",
    );
  }

  /**
   * The lane of a topic. Ask anew for each chunk or line: a lane may be forgotten when it holds nothing.
   * When too many topics are open, the oldest batch closes.
   */
  lane(topic: string, partition = -1): Lane {
    const known = this.#lanes.find(topic, partition);
    if (known !== undefined) return known;
    if (this.#lanes.full && !this.#lanes.forgetIdle()) {
      const oldest = this.#open.oldest;
      invariant(oldest !== undefined, "a lane that is not idle is open");
      this.#lanes.forget(oldest);
      this.close(oldest);
    }
    const lane = new Lane(topic, partition);
    this.#lanes.add(lane);
    return lane;
  }

  /**
   * Appends rows [from, to) of the frame table as records (value = `part`). Returns how many were taken; fewer than
   * asked means no room now. `nowMs` is their receive time, epoch milliseconds.
   */
  appendRows(lane: Lane, from: number, to: number, part: number, nowMs: number): number {
    let row = from;
    while (row < to) {
      if (lane.at === 0 || this.#farFrom(lane, nowMs)) {
        if (!this.#makeRoom(lane, this.#rowBytesMax(row, part), nowMs)) return row - from;
      }
      // In an extent made for one oversized record only that record goes.
      const alone = lane.limit - lane.at - batchHeaderBytes > this.#batchBytesMax;
      const next = this.#kernel.encodeRows(
        row,
        alone ? row + 1 : to,
        part,
        lane.end,
        lane.limit,
        lane.count,
        nowMs - lane.baseTimestampMs,
      );
      if (next > row) {
        lane.count += next - row;
        lane.end = this.#kernel.encodedEnd;
        if (alone) lane.limit = lane.end;
        if (nowMs > lane.maxTimestampMs) lane.maxTimestampMs = nowMs;
        row = next;
        if (alone) this.close(lane);
      } else {
        const need = this.#rowBytesMax(row, part);
        invariant(lane.limit - lane.end < need, "the kernel takes a row that has room");
        if (!this.#makeRoom(lane, need, nowMs)) return row - from;
      }
    }
    return row - from;
  }

  /**
   * Appends one record; offsets and lengths as in `Kernel.encodeRecord`. False means no room now, and nothing was
   * taken. `nowMs` is its receive time, epoch milliseconds.
   */
  append(
    lane: Lane,
    nowMs: number,
    keyAt: number,
    keyLength: number,
    valueAt: number,
    valueLength: number,
    headersAt: number,
    headersLength: number,
  ): boolean {
    const need = recordBytesMax(keyLength, valueLength, headersLength);
    if (lane.limit - lane.end < need || this.#farFrom(lane, nowMs)) {
      if (!this.#makeRoom(lane, need, nowMs)) return false;
    }
    lane.end = this.#kernel.encodeRecord(
      lane.end,
      lane.count,
      nowMs - lane.baseTimestampMs,
      keyAt,
      keyLength,
      valueAt,
      valueLength,
      headersAt,
      headersLength,
    );
    lane.count++;
    if (nowMs > lane.maxTimestampMs) lane.maxTimestampMs = nowMs;
    invariant(lane.end <= lane.limit, "a record ends inside the room that was made for it");
    if (lane.limit - lane.at - batchHeaderBytes > this.#batchBytesMax) this.close(lane);
    return true;
  }

  /** Closes a lane's batch before its time, if it has one: an answer waits for it. */
  close(lane: Lane): void {
    if (lane.at === 0) return;
    const batch = this.#detach(lane);
    this.#arm();
    this.#emit(batch);
  }

  /** Closes every open batch, oldest first (drain). */
  closeAll(): void {
    for (let lane = this.#open.oldest; lane !== undefined; lane = this.#open.oldest) this.close(lane);
  }

  /** The sink became hungry: what is due goes out. Call it from `SinkEvents.wants`. */
  wants(): void {
    this.#closeDue();
    this.#arm();
  }

  /** Gives back the memory of a batch that nobody reads any more. Exactly once per emitted batch. */
  release(batch: ClosedBatch): void {
    this.#arena.free(batch.at - headroomBytes);
  }

  /** Gives back the memory behind `batch.end`, after compression made the batch smaller. */
  trim(batch: ClosedBatch): void {
    this.#arena.trim(batch.at - headroomBytes, batch.end - batch.at + headroomBytes);
  }

  /** True while enough memory is free that connections which found no room should try again. */
  get roomy(): boolean {
    return this.#arena.bytesTotal - this.#arena.bytesUsed >= this.#arena.bytesTotal * roomyShare;
  }

  /** True while no record waits in an open batch. */
  get empty(): boolean {
    return this.#open.size === 0;
  }

  stats(): BatcherStats {
    let recordsOpen = 0;
    let bytesOpen = 0;
    for (let lane = this.#open.oldest; lane !== undefined; lane = lane.newer) {
      recordsOpen += lane.count;
      bytesOpen += lane.end - lane.at;
    }
    return {
      lanes: this.#lanes.size,
      lanesOpen: this.#open.size,
      recordsOpen,
      bytesOpen,
      arenaBytes: this.#arena.bytesTotal,
      arenaBytesUsed: this.#arena.bytesUsed,
      arenaBytesHighWater: this.#arena.bytesHighWater,
      noRoom: this.#noRoom,
    };
  }

  /** Upper bound of a row's record. */
  #rowBytesMax(row: number, part: number): number {
    const { words, rowsAt } = this.#kernel;
    const at = (rowsAt + row * frameRowBytes) >>> 2;
    const start = words[part === framePart.message ? at + 3 : at]!;
    return recordBytesMax(-1, words[at + 1]! - start, 0);
  }

  /** True if the clock was set while the batch was open, by more than a delta can hold. */
  #farFrom(lane: Lane, nowMs: number): boolean {
    return lane.at !== 0 && Math.abs(nowMs - lane.baseTimestampMs) > timestampDeltaMax;
  }

  /** Makes `need` bytes free behind `lane.end`, in the open batch or in a new one. False: no room now. */
  #makeRoom(lane: Lane, need: number, nowMs: number): boolean {
    invariant(need <= this.#recordBytesMax, "no record is larger than a frame and the scratch");
    if (lane.at === 0) return this.#openBatch(lane, need, nowMs);
    const used = lane.end - lane.at - batchHeaderBytes;
    if (used + need > this.#batchBytesMax || this.#farFrom(lane, nowMs)) {
      this.close(lane);
      return this.#openBatch(lane, need, nowMs);
    }
    return this.#grow(lane, used, need, nowMs);
  }

  #openBatch(lane: Lane, need: number, nowMs: number): boolean {
    // While memory is scarce a guess must not reserve what others need.
    const scarce = this.#arena.bytesUsed * 2 > this.#arena.bytesTotal;
    const expected = scarce ? 0 : Math.min(lane.bytesLast + (lane.bytesLast >>> 2), this.#batchBytesMax);
    let extent = this.#arena.allocate(extentBytes(Math.max(expected, need)));
    if (extent === 0 && expected > need) extent = this.#arena.allocate(extentBytes(need));
    if (extent === 0) return this.#noRoomNow();
    this.#begin(lane, extent, need, nowMs);
    return true;
  }

  /** Begins a batch in a fresh extent. */
  #begin(lane: Lane, extent: number, need: number, nowMs: number): void {
    lane.at = extent + headroomBytes;
    lane.end = lane.at + batchHeaderBytes;
    lane.count = 0;
    lane.baseTimestampMs = lane.maxTimestampMs = nowMs;
    lane.openedAtMs = this.#timers.nowMs();
    this.#setLimit(lane, need);
    this.#open.add(lane);
    this.#arm();
  }

  /** Doubles the extent: in place, else by moving what is not yet half a batch, else by closing it and beginning anew. */
  #grow(lane: Lane, used: number, need: number, nowMs: number): boolean {
    const extent = lane.at - headroomBytes;
    const wanted = Math.min(Math.max(used * 2, used + need), this.#batchBytesMax);
    if (
      this.#arena.extend(extent, extentBytes(wanted)) || this.#arena.extend(extent, extentBytes(used + need))
    ) {
      this.#setLimit(lane, need);
      return true;
    }
    if (used * 2 >= this.#batchBytesMax) {
      this.close(lane);
      return this.#openBatch(lane, need, nowMs);
    }
    const moved = this.#arena.allocate(extentBytes(wanted));
    if (moved !== 0) {
      this.#kernel.bytes.copyWithin(moved + headroomBytes, lane.at, lane.end);
      this.#arena.free(extent);
      lane.end += moved - extent;
      lane.at += moved - extent;
      this.#setLimit(lane, need);
      return true;
    }
    const fresh = this.#arena.allocate(extentBytes(need));
    if (fresh === 0) return this.#noRoomNow();
    const batch = this.#detach(lane);
    this.#begin(lane, fresh, need, nowMs);
    this.#emit(batch);
    return true;
  }

  /** To the end of the extent, but not past the batch limit, unless one record needs more. */
  #setLimit(lane: Lane, need: number): void {
    const extent = lane.at - headroomBytes;
    const records = lane.at + batchHeaderBytes;
    const bytesMax = lane.count === 0 ? Math.max(this.#batchBytesMax, need) : this.#batchBytesMax;
    lane.limit = Math.min(extent + this.#arena.bytesOf(extent), records + bytesMax);
    invariant(lane.limit - lane.end >= need, "the extent holds what it was made for");
  }

  /** Takes the finished batch out of its lane. */
  #detach(lane: Lane): ClosedBatch {
    invariant(lane.count > 0, "an open batch has a record");
    const rawBytes = lane.end - lane.at - batchHeaderBytes;
    const batch: ClosedBatch = {
      topic: lane.topic,
      partition: lane.partition,
      at: lane.at,
      end: lane.end,
      count: lane.count,
      rawBytes,
      attributes: 0,
      baseTimestampMs: lane.baseTimestampMs,
      maxTimestampMs: lane.maxTimestampMs,
      openedAtMs: lane.openedAtMs,
    };
    this.trim(batch);
    lane.at =
      lane.end =
      lane.limit =
      lane.count =
        0;
    lane.bytesLast = rawBytes;
    this.#open.remove(lane);
    return batch;
  }

  /** Memory is used up. If the sink has nothing to do, then open batches hold it: they go out. */
  #noRoomNow(): false {
    this.#noRoom++;
    if (this.#sink.hungry) this.closeAll();
    return false;
  }

  /** All that are due go together, although the sink may have enough after the first: it sends them in one request. */
  #closeDue(): void {
    const { hungry } = this.#sink;
    const nowMs = this.#timers.nowMs();
    for (let lane = this.#open.oldest; lane !== undefined; lane = this.#open.oldest) {
      const ageMs = nowMs - lane.openedAtMs;
      if (ageMs < this.#lingerMs) return;
      if (!hungry && (ageMs < this.#lingerBusyMs || !this.#sink.status().ready)) return;
      this.close(lane);
    }
  }

  /** Sees to it that the timer fires when the oldest batch has to be looked at, and never when none is open. */
  #arm(): void {
    const { oldest } = this.#open;
    if (oldest === undefined) {
      if (this.#timer !== undefined) this.#timers.clear(this.#timer);
      this.#timer = undefined;
      return;
    }
    const nowMs = this.#timers.nowMs();
    let dueMs = oldest.openedAtMs + this.#lingerMs;
    if (!this.#sink.hungry) {
      // `wants` comes before, if the sink gets hungry; a batch that outlived this limit belongs to a sink that is down.
      dueMs = oldest.openedAtMs + this.#lingerBusyMs;
      if (dueMs <= nowMs) dueMs = nowMs + this.#lingerBusyMs;
    }
    if (this.#timer !== undefined) {
      if (this.#timerDueMs <= dueMs) return;
      this.#timers.clear(this.#timer);
    }
    this.#timerDueMs = dueMs;
    this.#timer = this.#timers.set(this.#timerFired, Math.max(0, Math.ceil(dueMs - nowMs)));
  }

  readonly #timerFired = (): void => {
    this.#timer = undefined;
    this.#closeDue();
    this.#arm();
  };
}

/** Bytes of an extent whose batch holds `records` bytes of records. */
function extentBytes(records: number): number {
  return headroomBytes + batchHeaderBytes + records;
}
