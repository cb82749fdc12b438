/**
 * A spool whose disk is an array: it commits when the test says so, and can be full. It keeps what the interface
 * promises, and nothing of the batch objects it was given: what comes back is made anew from its bytes.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { ClosedBatch } from "../../../src/batch/record_batch.ts";
import { batchHeaderBytes } from "../../../src/kernel/kernel.ts";
import type {
  BacklogAnswer,
  BacklogWish,
  Opened,
  ReadAnswer,
  Settlement,
  Spool,
  SpooledBatch,
  SpoolEvents,
  SpoolState,
  SpoolStats,
} from "../../../src/spool/spool.ts";

/** One batch on the disk. */
export interface Stored {
  readonly batch: Omit<ClosedBatch, "at" | "end">;
  readonly records: Uint8Array;
  readonly replayed: boolean;
  /** The memory has it. */
  live: boolean;
}

class Held implements SpooledBatch {
  readonly batch: ClosedBatch;
  readonly replayed: boolean;
  state: SpooledBatch["state"];
  stored: Stored | undefined;
  readonly committed: ((spooled: SpooledBatch) => void) | undefined;

  constructor(batch: ClosedBatch, stored: Stored | undefined, committed?: (spooled: SpooledBatch) => void) {
    this.batch = batch;
    this.stored = stored;
    this.replayed = stored?.replayed ?? false;
    this.state = stored === undefined ? "pending" : "live";
    this.committed = committed;
  }
}

/** The double of one worker's spool. */
export class FakeSpool implements Spool {
  readonly opened: Opened;
  readonly parked = new Set<string>();
  /** What is on the disk, oldest first. */
  readonly disk: Stored[];
  readonly #memory: Uint8Array;
  readonly #pending: Held[] = [];
  readonly #settlements: Settlement[] = [];
  events!: SpoolEvents;
  #full = false;
  closed = false;
  /** `next` answers `later` while it is over zero. */
  delayMs = 0;
  /** `next` answers when this has come. */
  disksAnswer: Promise<void> | undefined;

  constructor(memory: Uint8Array, left: readonly Stored[] = []) {
    this.#memory = memory;
    this.disk = left.map((stored) => ({ ...stored, replayed: true, live: false }));
    this.opened = {
      batches: left.length,
      records: left.reduce((sum, { batch }) => sum + batch.count, 0),
      clean: true,
      adopted: [],
    };
  }

  get state(): SpoolState {
    return this.#full ? { kind: "full", message: "the test says so" } : { kind: "ready" };
  }

  get full(): boolean {
    return this.#full;
  }

  set full(full: boolean) {
    this.#full = full;
    if (!full) this.events.room();
  }

  /** Batches that wait for their commit. */
  get pendingBatches(): number {
    return this.#pending.length;
  }

  get settlements(): readonly Settlement[] {
    return this.#settlements;
  }

  append(batch: ClosedBatch, committed: (spooled: SpooledBatch) => void): SpooledBatch {
    assert.ok(!this.closed, "a closed spool takes nothing");
    const held = new Held(batch, undefined, committed);
    this.#pending.push(held);
    return held;
  }

  /** The oldest `count` pending batches are on the disk, unless it is full. */
  commit(count = 1): boolean {
    if (this.#full) return false;
    const group = this.#pending.splice(0, count);
    for (const held of group) this.#store(held);
    for (const held of group) held.committed!(held);
    return group.length > 0;
  }

  withdraw(spooled: SpooledBatch): boolean {
    const place = this.#pending.indexOf(spooled as Held);
    if (place < 0) return false;
    this.#pending.splice(place, 1);
    (spooled as Held).state = "withdrawn";
    return true;
  }

  settle(spooled: SpooledBatch, settlement: Settlement): void {
    const held = spooled as Held;
    assert.equal(held.state, "live");
    held.state = "settled";
    this.disk.splice(this.disk.indexOf(held.stored!), 1);
    this.#settlements.push(settlement);
  }

  giveUp(spooled: SpooledBatch): void {
    const held = spooled as Held;
    assert.equal(held.state, "live");
    held.state = "backlog";
    held.stored!.live = false;
  }

  mustWait(topic: string): boolean {
    return this.parked.has(topic) || this.disk.some(({ batch, live }) => !live && batch.topic === topic);
  }

  async next(wish: BacklogWish): Promise<BacklogAnswer> {
    await this.disksAnswer;
    if (this.delayMs > 0) return { kind: "later", delayMs: this.delayMs };
    const seen = new Set<string>();
    for (const stored of this.disk) {
      const { topic } = stored.batch;
      if (stored.live || seen.has(topic) || this.parked.has(topic) || !wish.mayGo(topic)) {
        if (!stored.live) seen.add(topic);
        continue;
      }
      const at = wish.room(stored.records.length);
      if (at === 0) return { kind: "no_room" };
      await Promise.resolve();
      this.#memory.set(stored.records, at + batchHeaderBytes);
      stored.live = true;
      const batch = { ...stored.batch, at, end: at + batchHeaderBytes + stored.records.length };
      wish.take(new Held(batch, stored));
      return { kind: "batch" };
    }
    return { kind: "none" };
  }

  read(): Promise<ReadAnswer> {
    return Promise.reject(new Error("not used"));
  }

  park(topic: string): void {
    this.parked.add(topic);
  }

  unpark(topic: string): void {
    this.parked.delete(topic);
    this.events.wants();
  }

  stats(): SpoolStats {
    throw new Error("not used");
  }

  close(): Promise<readonly SpooledBatch[]> {
    this.commit(Infinity);
    this.closed = true;
    return Promise.resolve(this.#pending.splice(0));
  }

  #store(held: Held): void {
    const { at, end, receipts: _, committed: __, ...rest } = held.batch;
    held.stored = {
      batch: rest,
      records: this.#memory.slice(at + batchHeaderBytes, end),
      replayed: false,
      live: true,
    };
    held.state = "live";
    this.disk.push(held.stored);
  }
}
