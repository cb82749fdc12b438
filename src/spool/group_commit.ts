/**
 * The queue in front of the disk: batches that arrive while one group is written make the next group, at most eight.
 *
 *     queue ──(room?)──> writing ──committed──> callbacks, in order
 *       ▲                   │
 *       └─── back, in order ┘ the disk refused: again after a pause, for ever
 *
 * States: `ready`, `full` (no room by the bounds), `failing` (the disk said no). Nothing leaves the queue but by a
 * commit or because the pipeline takes it back.
 *
 * @module
 */
import { InvariantError } from "../core/invariant.ts";
import { backoffMs, ioProblem } from "../core/io_problem.ts";
import type { SpoolClock } from "./clock.ts";
import { CommitLatency } from "./commit_latency.ts";
import { groupBatchesMax } from "./format.ts";
import type { HeldBatch } from "./held_batch.ts";
import type { Home } from "./home.ts";
import type { Segment } from "./segment.ts";
import type { Outgoing } from "./segment_writer.ts";
import type { Space } from "./space.ts";
import type { SpooledBatch, SpoolState } from "./spool.ts";

/** A batch that waits for its commit. */
export interface Pending extends Outgoing {
  readonly held: HeldBatch;
  readonly sinceMs: number;
  committed(spooled: SpooledBatch): void;
}

/** While there is no room, it is looked for so often; what is removed wakes at once. */
const fullPollMs = 500;

/** What a queue works with. */
export interface GroupCommitOptions {
  readonly home: Home;
  readonly space: Space;
  readonly clock: SpoolClock;
  /** `state` is `ready` again. */
  ready(): void;
  stateChanged(state: SpoolState): void;
}

/** The queue of one worker. */
export class GroupCommit {
  readonly latency = new CommitLatency();
  state: SpoolState = { kind: "ready" };
  bytes = 0;
  commits = 0;
  batchesCommitted = 0;
  bytesCommitted = 0;
  readonly #options: GroupCommitOptions;
  /** [#head, length) wait. */
  #queue: Pending[] = [];
  #writing = 0;
  #task: Promise<void> | undefined;
  #wake: (() => void) | undefined;
  #attempts = 0;
  #closed = false;

  constructor(options: GroupCommitOptions) {
    this.#options = options;
  }

  /** Batches in it. */
  get length(): number {
    return this.#queue.length;
  }

  append(pending: Pending): void {
    this.#queue.push(pending);
    this.bytes += pending.headBytes + pending.recordBytes;
    this.#task ??= this.#run();
  }

  /** Takes a batch out that is not being written. */
  withdraw(held: HeldBatch): boolean {
    const place = this.#queue.findIndex((pending) => pending.held === held);
    if (place < this.#writing) return false;
    this.#drop(place, 1);
    held.state = "withdrawn";
    return true;
  }

  /** Writes nothing more, for the reason in `message`; what waits stays until it is taken back or closed. */
  halt(message: string): void {
    this.#stop();
    this.#become({ kind: "failing", message });
  }

  /** Something was removed from the disk: there may be room. */
  freed(): void {
    if (this.state.kind === "full") this.#wake?.();
  }

  /** Goes on until the queue is empty or `deadlineMs` is over. Returns what is left. */
  async close(deadlineMs: number): Promise<HeldBatch[]> {
    const { clock } = this.#options;
    const timer = clock.set(() => this.#stop(), deadlineMs);
    await this.#task;
    clock.clear(timer);
    this.#stop();
    this.#become({ kind: "closed" });
    return this.#queue.splice(0).map(({ held }) => held);
  }

  #stop(): void {
    this.#closed = true;
    this.#wake?.();
  }

  /** Until nothing waits and the disk is well, as far as is known. */
  async #run(): Promise<void> {
    while (!this.#closed) {
      const lack = await this.#options.space.lacks(this.#queue[0] === undefined ? 0 : sizeOf(this.#queue[0]));
      if (lack !== undefined) {
        if (await this.#options.home.dropSpares()) continue;
        this.#become({ kind: "full", message: lack });
        this.#options.home.endSegment();
        await this.#pause(fullPollMs);
        continue;
      }
      if (this.#queue.length === 0) break;
      const failure = await this.#commit();
      if (failure === undefined) continue;
      const message = ioProblem("write into", this.#options.home.folder, failure);
      this.#become({ kind: "failing", message });
      await this.#pause(backoffMs(this.#attempts++));
      if (this.#queue.length === 0) break;
    }
    this.#task = undefined;
    if (!this.#closed) this.#become({ kind: "ready" });
  }

  /** Commits one group. Returns what the system refused. */
  async #commit(): Promise<unknown> {
    const { home } = this.#options;
    const group = this.#queue.slice(0, groupBatchesMax);
    this.#writing = group.length;
    let place: { readonly segment: Segment; readonly first: number };
    try {
      place = await home.commit(group);
    } catch (error) {
      if (error instanceof InvariantError) throw error;
      this.#writing = 0;
      return error ?? new Error("unknown");
    }
    this.#writing = 0;
    this.#attempts = 0;
    this.#drop(0, group.length);
    this.#count(group);
    if (!this.#closed) this.#become({ kind: "ready" });
    group.forEach(({ held }, offset) => {
      held.place = { home, segment: place.segment, batch: place.first + offset };
      held.state = "live";
    });
    for (const { committed, held } of group) committed(held);
    return undefined;
  }

  #count(group: readonly Pending[]): void {
    const { clock, space } = this.#options;
    const nowMs = clock.monoMs();
    let bytes = 0;
    for (const pending of group) {
      bytes += sizeOf(pending);
      this.latency.record(nowMs - pending.sinceMs, 1);
    }
    space.wrote(bytes);
    this.commits++;
    this.batchesCommitted += group.length;
    this.bytesCommitted += bytes;
  }

  #drop(place: number, count: number): void {
    for (const pending of this.#queue.splice(place, count)) this.bytes -= sizeOf(pending);
  }

  #become(state: SpoolState): void {
    const before = this.state;
    this.state = state;
    if (before.kind === state.kind) return;
    this.#options.stateChanged(state);
    if (state.kind === "ready") this.#options.ready();
  }

  /** Waits, or until somebody wakes it. */
  #pause(delayMs: number): Promise<void> {
    const { clock } = this.#options;
    return new Promise((resolve) => {
      const done = () => {
        clock.clear(timer);
        this.#wake = undefined;
        resolve();
      };
      const timer = clock.set(done, delayMs);
      this.#wake = done;
    });
  }
}

function sizeOf({ headBytes, recordBytes }: Outgoing): number {
  return headBytes + recordBytes;
}
