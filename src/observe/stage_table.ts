/**
 * Every wait on the way of a line has a slot here: in which stage, since when, until when at the latest, and who it
 * is. The slots lie in shared memory, so that the main thread sees what a worker that is held was waiting for.
 *
 *     0        origin f64 (epoch milliseconds of the worker's clock), overflows f64
 *     64       since    f64 x slots    milliseconds on the worker's clock
 *              until    f64 x slots
 *              words    i32 x slots    0: free; else stage + 1 in bits 0-7, the slot's generation above
 *
 * Slots are per chunk, batch and request, never per line. Whoever waits says by `isHeld` whether something will wake it
 * (a timer, a socket, a request in flight); a wait that nothing will wake, in two scans, is an orphan.
 *
 * Hot path: `enter` and `leave`, 12 ns together at most.
 *
 * @module
 */

/** Stages in which something may wait. The place in this list is the number in a slot. */
export const stageNames = [
  /** The rest of a line that its sender has begun. */
  "frame",
  /** The next turn: rules took the time of this one. */
  "rules",
  /** Room in memory, which Kafka or the disk gives back. */
  "memory",
  /** Room in the dead letter file. */
  "dead_letter",
  /** A thread that packs batches. */
  "compress",
  /** The disk. */
  "spool",
  /** The broker's acknowledgement. */
  "kafka",
  /** Another sink: a file, standard output. */
  "sink",
  /** What the answer to a request waits for. */
  "http_reply",
  "relp_reply",
] as const;

/** A member of `stageNames`. */
export type StageName = (typeof stageNames)[number];

/** Stage -> its number. */
export const stage: Readonly<Record<StageName, number>> = Object.freeze(
  Object.fromEntries(stageNames.map((name, index) => [name, index])) as Record<StageName, number>,
);

/** Who waits, for people and programs. */
export interface WaitingView {
  readonly kind: "connection" | "batch" | "request";
  /** `worker-number`, as `/admin/connections` has it. */
  readonly connection?: string;
  readonly peer?: string;
  readonly listener?: string;
  readonly rule?: string;
  readonly topic?: string;
  readonly partition?: number;
  readonly broker?: string;
  readonly lines?: number;
  readonly bytes?: number;
  /** Nothing in this process will wake it. */
  readonly lost?: boolean;
}

/** One that waits. */
export interface Waiting {
  /** True while something in this process will wake it. */
  isHeld(): boolean;
  describe(): WaitingView;
}

/** A wait that nothing will wake. */
export interface Orphan {
  readonly slot: number;
  readonly stage: StageName;
  readonly waiting: Waiting;
  readonly ageMs: number;
  /** Its deadline is over: end it with an error. */
  readonly expired: boolean;
  /** Seen for the first time as such. */
  readonly isNew: boolean;
}

/** A wait in the stage of this number took `ms`, for `count` lines or requests. */
export type WaitEnded = (stageNumber: number, ms: number, count: number) => void;

/** Waits of one worker at a time; those beyond have no slot and are counted. */
export const slotsMax = 16_384;
/** Waits that are shorter are not looked at: what is handed over at this moment has no waker for an instant. */
const orphanAgeMsMin = 250;

const headBytes = 64;
const regionBytes = headBytes + slotsMax * (8 + 8 + 4);

/** Shared memory for the slots of all workers. */
export function createStageTables(workers: number): SharedArrayBuffer {
  return new SharedArrayBuffer(regionBytes * workers);
}

interface Views {
  readonly head: Float64Array;
  readonly since: Float64Array;
  readonly until: Float64Array;
  readonly words: Int32Array;
}

function viewsOf(tables: SharedArrayBuffer, worker: number): Views {
  const at = worker * regionBytes;
  return {
    head: new Float64Array(tables, at, 2),
    since: new Float64Array(tables, at + headBytes, slotsMax),
    until: new Float64Array(tables, at + headBytes + 8 * slotsMax, slotsMax),
    words: new Int32Array(tables, at + headBytes + 16 * slotsMax, slotsMax),
  };
}

/** The worker's side: one writer per table. */
export class StageTable {
  readonly #views: Views;
  readonly #waiting: (Waiting | undefined)[] = new Array(slotsMax).fill(undefined);
  /** The next free slot behind each free slot; -1 at the end. */
  readonly #nextFree = Int32Array.from(
    { length: slotsMax },
    (_, slot) => slot + 1 < slotsMax ? slot + 1 : -1,
  );
  readonly #generations = new Int32Array(slotsMax);
  /** 1 without a waker at the last scan, 2 told. */
  readonly #suspects = new Uint8Array(slotsMax);
  #firstFree = 0;
  /** Slots from here on were never used. */
  #end = 0;
  readonly #ended: WaitEnded | undefined;
  /** Waits of each stage since the start. */
  readonly entered: Float64Array = new Float64Array(stageNames.length);

  /**
   * @param originMs epoch milliseconds at 0 of this thread's `performance.now()`
   * @param ended hears of every wait whose end has a time
   */
  constructor(
    tables: SharedArrayBuffer,
    worker: number,
    originMs = performance.timeOrigin,
    ended?: WaitEnded,
  ) {
    this.#views = viewsOf(tables, worker);
    this.#ended = ended;
    this.#views.words.fill(0);
    this.#views.head[0] = originMs;
  }

  /** A wait begins. Returns its slot; -1 where there is none, which `leave` takes too. */
  enter(stageNumber: number, waiting: Waiting, nowMs: number, untilMs: number): number {
    const slot = this.#firstFree;
    if (slot < 0) {
      this.#views.head[1]!++;
      return -1;
    }
    this.#firstFree = this.#nextFree[slot]!;
    if (slot >= this.#end) this.#end = slot + 1;
    this.#waiting[slot] = waiting;
    this.entered[stageNumber]!++;
    this.#views.since[slot] = nowMs;
    this.#views.until[slot] = untilMs;
    this.#views.words[slot] = stageNumber + 1 | this.#generations[slot]! << 8;
    return slot;
  }

  /** A wait ends; with a time it counts in its stage's latencies, for so many lines or requests. */
  leave(slot: number, nowMs = 0, count = 1): void {
    if (slot < 0) return;
    const word = this.#views.words[slot]!;
    if (nowMs !== 0) this.#ended?.((word & 0xff) - 1, nowMs - this.#views.since[slot]!, count);
    this.#views.words[slot] = 0;
    this.#generations[slot] = this.#generations[slot]! + 1 & 0x7f_ffff;
    this.#waiting[slot] = undefined;
    this.#suspects[slot] = 0;
    this.#nextFree[slot] = this.#firstFree;
    this.#firstFree = slot;
  }

  /** Who waits in the slot with this word; undefined when the wait is over. */
  describe(slot: number, word: number): WaitingView | undefined {
    if (this.#views.words[slot] !== word) return undefined;
    const view = this.#waiting[slot]?.describe();
    return view !== undefined && this.#suspects[slot] === 2 ? { ...view, lost: true } : view;
  }

  /** Since when the oldest answer to each peer is owed, milliseconds on this thread's clock. Made for people who ask. */
  owedSinceMs(): Map<string, number> {
    const { words, since } = this.#views;
    const owed = new Map<string, number>();
    for (let slot = 0; slot < this.#end; slot++) {
      const number = (words[slot]! & 0xff) - 1;
      if (number !== stage.http_reply && number !== stage.relp_reply) continue;
      const { peer } = this.#waiting[slot]!.describe();
      if (peer === undefined) continue;
      owed.set(peer, Math.min(since[slot]!, owed.get(peer) ?? Infinity));
    }
    return owed;
  }

  /** Waits that nothing will wake: without a waker at this scan and at the one before. */
  scan(nowMs: number): Orphan[] {
    const { words, since, until } = this.#views;
    const orphans: Orphan[] = [];
    for (let slot = 0; slot < this.#end; slot++) {
      const word = words[slot]!;
      if (word === 0 || nowMs - since[slot]! < orphanAgeMsMin) continue;
      const waiting = this.#waiting[slot]!;
      if (waiting.isHeld()) {
        this.#suspects[slot] = 0;
        continue;
      }
      const suspected = this.#suspects[slot]!;
      this.#suspects[slot] = Math.min(2, suspected + 1);
      if (suspected === 0) continue;
      orphans.push({
        slot,
        stage: stageNames[(word & 0xff) - 1]!,
        waiting,
        ageMs: nowMs - since[slot]!,
        expired: nowMs > until[slot]!,
        isNew: suspected === 1,
      });
    }
    return orphans;
  }
}

/** One wait, as another thread sees it. */
export interface SeenWait {
  readonly worker: number;
  readonly slot: number;
  /** With `slot`, names the wait for `describe`. */
  readonly word: number;
  readonly stage: StageName;
  readonly ageMs: number;
  /** Milliseconds until its deadline; negative when that is over, infinite without one. */
  readonly leftMs: number;
}

/** The reader's side of one worker's table; it never waits for the worker. */
export class StageTableReader {
  readonly #worker: number;
  readonly #views: Views;

  constructor(tables: SharedArrayBuffer, worker: number) {
    this.#worker = worker;
    this.#views = viewsOf(tables, worker);
  }

  /** Waits that found no slot. */
  get overflows(): number {
    return this.#views.head[1]!;
  }

  /** All waits. `epochMs` is `performance.timeOrigin + performance.now()` of this thread. */
  read(epochMs: number): SeenWait[] {
    const { head, since, until, words } = this.#views;
    const nowMs = epochMs - head[0]!;
    const waits: SeenWait[] = [];
    for (let slot = 0; slot < slotsMax; slot++) {
      const word = Atomics.load(words, slot);
      if (word === 0) continue;
      const [sinceMs, untilMs] = [since[slot]!, until[slot]!];
      // The slot may have changed hands in between; then it is seen the next time.
      if (Atomics.load(words, slot) !== word) continue;
      waits.push({
        worker: this.#worker,
        slot,
        word,
        stage: stageNames[(word & 0xff) - 1]!,
        ageMs: Math.max(0, nowMs - sinceMs),
        leftMs: untilMs - nowMs,
      });
    }
    return waits;
  }
}
