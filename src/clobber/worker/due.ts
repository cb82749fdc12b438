/**
 * Which messages of the schedule fall to this thread, and when: every n-th of all, so that the threads together send
 * evenly. Also counts a thread's share of the limit.
 *
 * @module
 */
import { Schedule, type Segment } from "../schedule/schedule.ts";
import { shareOf } from "./share.ts";

/** One span of the load. */
export interface Phase {
  readonly id: number;
  /** Epoch milliseconds at which it starts. */
  readonly startsAtMs: number;
  readonly durationMs: number;
  /** Undefined for a closed loop: a message is due whenever a connection can take it. */
  readonly segments: readonly Segment[] | undefined;
  /** Messages over all threads; 0 is no limit. */
  readonly limit: number;
}

/** The messages of one thread in one phase. Times are the thread's own clock. */
export class Due {
  readonly startMs: number;
  readonly endMs: number;
  /** Messages this thread may send. */
  readonly limit: number;
  /** Whether messages have times. */
  readonly open: boolean;
  /** Messages taken so far. */
  taken = 0;
  readonly #schedule: Schedule | undefined;
  readonly #thread: number;
  readonly #threads: number;

  constructor(phase: Phase, startMs: number, thread: number, threads: number) {
    this.startMs = startMs;
    this.endMs = startMs + phase.durationMs;
    this.limit = phase.limit === 0 ? Infinity : shareOf(phase.limit, thread, threads);
    this.open = phase.segments !== undefined;
    this.#schedule = phase.segments === undefined ? undefined : new Schedule(phase.segments);
    this.#thread = thread;
    this.#threads = threads;
  }

  /** Messages of this thread that are due by now, the taken ones included. */
  count(now: number): number {
    if (now < this.startMs) return 0;
    if (this.#schedule === undefined) return now >= this.endMs ? this.taken : this.limit;
    const due = this.#schedule.dueAt(now - this.startMs);
    return Math.min(this.limit, Math.max(0, Math.ceil((due - this.#thread) / this.#threads)));
  }

  /** When message `n` of this thread is due. */
  timeOf(n: number): number {
    if (this.#schedule === undefined) return -Infinity;
    return this.startMs + this.#schedule.timeOf(n * this.#threads + this.#thread);
  }

  /** When the next message is due; Infinity when there is none. */
  get next(): number {
    if (this.taken >= this.limit) return Infinity;
    return this.#schedule === undefined ? this.startMs : this.timeOf(this.taken);
  }

  /** Whether nothing more will be due. */
  over(now: number): boolean {
    return now >= this.endMs || this.taken >= this.limit;
  }
}
