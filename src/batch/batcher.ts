/**
 * Turns rows and records into closed record batches, one open batch ("lane") per topic.
 *
 * In: rows of the kernel's frame table, or single records by their offsets in kernel memory. Out: `ClosedBatch`es,
 * through `emit`, each in an extent of the arena that the receiver gives back with `release`. Nothing is dropped
 * here: what finds no room is not taken, and the caller turns that into backpressure.
 *
 * A batch closes when
 *  - the next record would make it larger than `batchBytesMax` (a record that is larger by itself travels alone);
 *  - it is old enough and the sink wants it (`linger.ts`);
 *  - memory ran out and the sink is hungry; or the caller says so (`close`, `closeHurried`, `closeAll`).
 *
 * Hot path: `append` and `appendRows` allocate objects only when a batch closes. They may call `emit`, which may
 * `release` at once, but must not append.
 *
 * @module
 */
import { invariant } from "../core/invariant.ts";
import { batchHeaderBytes, type Kernel, recordBytesMax } from "../kernel/kernel.ts";
import { takeBatch } from "./closed_lane.ts";
import { HurriedLanes, type HurryOptions } from "./hurried_lanes.ts";
import { Lane, LaneTable, OpenLanes } from "./lane.ts";
import { LaneMemory } from "./lane_memory.ts";
import { type BatchTimers, Linger, type SinkAppetite } from "./linger.ts";
import { noteOrigin } from "./origins.ts";
import type { Receipt } from "./receipt.ts";
import type { ClosedBatch } from "./record_batch.ts";
import { jsonRowBytesMax, rowBytesMax } from "./row_sizes.ts";

/** A batch spans less than 12 days, so that timestamp deltas fit any integer they pass through; a clock that is set may jump by decades. */
const timestampDeltaMax = 2 ** 30;

/** What a batcher is made of. */
export interface BatcherOptions extends HurryOptions {
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
  /** The request whose lines are appended now; their batches carry it. */
  receipt: Receipt | undefined = undefined;
  /** Who traces the line that is appended now. */
  trace: Receipt | undefined = undefined;
  /** True where the last `appendJsonRows` stopped at a row that the kernel cannot write. */
  refusedRow = false;
  /** Who sent the lines that are appended now, where that is worth noting. */
  peer: string | undefined = undefined;
  /** Since when the lines that are appended now may have waited for being read; undefined where they came just now. */
  waitedSinceMs: number | undefined = undefined;
  readonly #kernel: Kernel;
  readonly #memory: LaneMemory;
  readonly #linger: Linger;
  readonly #lanes: LaneTable;
  readonly #open = new OpenLanes();
  readonly #batchBytesMax: number;
  readonly #recordBytesMax: number;
  readonly #sink: SinkAppetite;
  readonly #timers: BatchTimers;
  readonly #emit: (batch: ClosedBatch) => void;
  readonly #hurried: HurriedLanes;
  #noRoom = 0;

  constructor(options: BatcherOptions) {
    const { kernel } = options;
    const { frameBytesMax, scratchBytes } = kernel.sizes;
    invariant(options.lanesMax > 0, "there may be at least one lane");
    this.#kernel = kernel;
    this.#lanes = new LaneTable(options.lanesMax);
    this.#batchBytesMax = options.batchBytesMax;
    // The largest record there can be: a whole frame as value, and a scratch full of key and headers.
    this.#recordBytesMax = recordBytesMax(0, frameBytesMax, scratchBytes);
    this.#memory = new LaneMemory(
      kernel,
      this.#batchBytesMax,
      Math.max(this.#batchBytesMax, this.#recordBytesMax),
    );
    this.#linger = new Linger(this.#open, options, (lane) => this.close(lane));
    this.#sink = options.sink;
    this.#timers = options.timers;
    this.#emit = options.emit;
    this.#hurried = new HurriedLanes(options.sink, options, (lane) => this.close(lane));
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
        if (!this.#makeRoom(lane, rowBytesMax(this.#kernel, row, part), nowMs)) return row - from;
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
        this.#tookRows(lane, next - row, alone, nowMs);
        row = next;
      } else {
        const need = rowBytesMax(this.#kernel, row, part);
        invariant(lane.limit - lane.end < need, "the kernel takes a row that has room");
        if (!this.#makeRoom(lane, need, nowMs)) return row - from;
      }
    }
    return row - from;
  }

  /**
   * The same with the JSON form of each row as value (`Kernel.encodeJsonRows`). It also takes fewer where the kernel
   * leaves a row to the writer of text: then `refusedRow` is set.
   */
  appendJsonRows(lane: Lane, from: number, to: number, tailLength: number, nowMs: number): number {
    let row = from;
    this.refusedRow = false;
    while (row < to) {
      // Only a row that will be taken opens a batch.
      if (lane.at === 0 || this.#farFrom(lane, nowMs)) {
        if (!this.#makeJsonRoom(lane, row, tailLength, nowMs)) return row - from;
      }
      // In an extent made for one oversized record only that record goes.
      const alone = lane.limit - lane.at - batchHeaderBytes > this.#batchBytesMax;
      const next = this.#kernel.encodeJsonRows(
        row,
        alone ? row + 1 : to,
        lane.end,
        lane.limit,
        lane.count,
        nowMs - lane.baseTimestampMs,
        tailLength,
      );
      if (next > row) {
        this.#tookRows(lane, next - row, alone, nowMs);
        row = next;
      } else if (!this.#makeJsonRoom(lane, row, tailLength, nowMs)) return row - from;
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
    if (this.peer !== undefined) {
      noteOrigin(lane.origins ??= [], lane.count - 1, lane.count, valueLength, this.peer);
    }
    if (this.receipt !== undefined) this.#attach(lane, this.receipt);
    if (this.trace !== undefined) this.#attach(lane, this.trace);
    if (nowMs > lane.maxTimestampMs) lane.maxTimestampMs = nowMs;
    invariant(lane.end <= lane.limit, "a record ends inside the room that was made for it");
    if (lane.limit - lane.at - batchHeaderBytes > this.#batchBytesMax) this.close(lane);
    return true;
  }

  /** Closes a lane's batch before its time, if it has one. */
  close(lane: Lane): void {
    if (lane.at === 0) return;
    const batch = takeBatch(lane);
    this.trim(batch);
    this.#open.remove(lane);
    this.#linger.arm();
    this.#emit(batch);
  }

  /** Closes every open batch, oldest first (drain). */
  closeAll(): void {
    for (let lane = this.#open.oldest; lane !== undefined; lane = this.#open.oldest) this.close(lane);
  }

  /**
   * Closes the batches that answers wait for, if the sink is hungry; else `wants` will. Call it once when the turn is
   * over in which requests came: those of one turn share batches, and those that come while the sink is busy too.
   */
  closeHurried(): void {
    this.#hurried.close();
  }

  /** The sink became hungry: what is due goes out. Call it from `SinkEvents.wants`. */
  wants(): void {
    this.closeHurried();
    this.#linger.closeDue();
    this.#linger.arm();
  }

  /** When the oldest open batch is due, on the monotonic clock; Infinity where none is open. */
  get dueMs(): number {
    return this.#linger.dueMs;
  }

  /** Closes what is due within `earlyMs`, if the sink is hungry. */
  closeDue(earlyMs: number): void {
    this.#linger.closeDue(earlyMs);
    this.#linger.arm();
  }

  /** Gives back the memory of a batch that nobody reads any more. Exactly once per emitted batch. */
  release(batch: ClosedBatch): void {
    this.#memory.release(batch);
  }

  /** Memory for a batch that comes from elsewhere, with so many bytes of records: where its header goes, 0 for no room. */
  reserve(recordBytes: number): number {
    return this.#memory.reserve(recordBytes);
  }

  /** Bytes that the batch whose header is at `at` takes of the arena: of a small one many times its own. */
  bytesOf(at: number): number {
    return this.#memory.bytesOf(at);
  }

  /** Gives back the memory of a batch by the place of its header. */
  free(at: number): void {
    this.#memory.free(at);
  }

  /** Bytes of the records of the largest batch that there may ever be. */
  get recordBytesMax(): number {
    return Math.max(this.#batchBytesMax, this.#recordBytesMax);
  }

  /** Gives back the memory behind `batch.end`, after compression made the batch smaller. */
  trim(batch: ClosedBatch): void {
    this.#memory.trim(batch);
  }

  /** True while enough memory is free that connections which found no room should try again. */
  get roomy(): boolean {
    return this.#memory.roomy;
  }

  /** Bytes of the arena that open and closed batches hold. */
  get bytesUsed(): number {
    return this.#memory.bytesUsed;
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
      arenaBytes: this.#memory.bytesTotal,
      arenaBytesUsed: this.#memory.bytesUsed,
      arenaBytesHighWater: this.#memory.bytesHighWater,
      noRoom: this.#noRoom,
    };
  }

  /** The kernel put `count` rows behind the lane's records. */
  #tookRows(lane: Lane, count: number, alone: boolean, nowMs: number): void {
    lane.count += count;
    const { end } = lane;
    lane.end = this.#kernel.encodedEnd;
    if (this.peer !== undefined) {
      noteOrigin(lane.origins ??= [], lane.count - count, lane.count, lane.end - end, this.peer);
    }
    if (alone) lane.limit = lane.end;
    if (nowMs > lane.maxTimestampMs) lane.maxTimestampMs = nowMs;
    if (this.receipt !== undefined) this.#attach(lane, this.receipt);
    if (this.trace !== undefined) this.#attach(lane, this.trace);
    if (alone) this.close(lane);
  }

  /** Room for the JSON form of a row; how much that is is known when it is written. False: refused, or no room now. */
  #makeJsonRoom(lane: Lane, row: number, tailLength: number, nowMs: number): boolean {
    const need = jsonRowBytesMax(this.#kernel, row, tailLength);
    if (need < 0) {
      this.refusedRow = true;
      return false;
    }
    return this.#makeRoom(lane, need, nowMs);
  }

  /** True if the clock was set while the batch was open, by more than a delta can hold. */
  #farFrom(lane: Lane, nowMs: number): boolean {
    return lane.at !== 0 && Math.abs(nowMs - lane.baseTimestampMs) > timestampDeltaMax;
  }

  /** The open batch of `lane` has a line of this request. */
  #attach(lane: Lane, receipt: Receipt): void {
    const receipts = lane.receipts ??= [];
    if (receipts.length > 0 && receipts[receipts.length - 1] === receipt) return;
    receipts.push(receipt);
    receipt.attached();
    if (receipt.hurries) this.#hurried.add(lane, receipt);
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
    switch (this.#memory.grow(lane, need)) {
      case "grown":
        return true;
      case "close":
        this.close(lane);
        return this.#openBatch(lane, need, nowMs);
      case "no_room":
        return this.#noRoomNow();
    }
  }

  #openBatch(lane: Lane, need: number, nowMs: number): boolean {
    if (!this.#memory.begin(lane, need)) return this.#noRoomNow();
    lane.baseTimestampMs = lane.maxTimestampMs = nowMs;
    lane.openedAtMs = this.waitedSinceMs ?? this.#timers.nowMs();
    this.#open.add(lane);
    this.#linger.arm();
    return true;
  }

  /** Memory is used up. If the sink has nothing to do, then open batches hold it: they go out. */
  #noRoomNow(): false {
    this.#noRoom++;
    if (this.#sink.hungry) this.closeAll();
    return false;
  }
}
