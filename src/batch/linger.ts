/**
 * When open batches close by age: the linger, and the one timer of all lanes.
 *
 * A batch is due when it is `lingerMs` old. It closes then if the sink is hungry; while the sink is busy it grows
 * instead, since what waits in a queue gains nothing from being early, but at most `lingerBusyFactor` times as
 * long. While the sink cannot deliver at all, it stays open until it is full.
 *
 * @module
 */
import type { Lane, OpenLanes } from "./lane.ts";

/** How long a due batch may keep growing while the sink is merely busy, in lingers. */
export const lingerBusyFactor = 20;

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

/** Closes open lanes in time. */
export class Linger {
  readonly #open: OpenLanes;
  readonly #lingerMs: number;
  readonly #busyMs: number;
  readonly #sink: SinkAppetite;
  readonly #timers: BatchTimers;
  readonly #close: (lane: Lane) => void;
  #timer: unknown = undefined;
  #timerDueMs = 0;

  /** `close` takes a lane out of `open` and emits its batch. */
  constructor(
    open: OpenLanes,
    options: { readonly lingerMs: number; readonly sink: SinkAppetite; readonly timers: BatchTimers },
    close: (lane: Lane) => void,
  ) {
    this.#open = open;
    this.#lingerMs = options.lingerMs;
    this.#busyMs = Math.max(options.lingerMs, 1) * lingerBusyFactor;
    this.#sink = options.sink;
    this.#timers = options.timers;
    this.#close = close;
  }

  /** When the oldest open batch is due; Infinity where none is open. */
  get dueMs(): number {
    const { oldest } = this.#open;
    return oldest === undefined ? Infinity : oldest.openedAtMs + this.#lingerMs;
  }

  /**
   * All that are due within `earlyMs` go together, although the sink may have enough after the first: it sends them in
   * one request.
   */
  closeDue(earlyMs = 0): void {
    const { hungry } = this.#sink;
    const nowMs = this.#timers.nowMs() + earlyMs;
    for (let lane = this.#open.oldest; lane !== undefined; lane = this.#open.oldest) {
      const ageMs = nowMs - lane.openedAtMs;
      if (ageMs < this.#lingerMs) return;
      if (!hungry && (ageMs < this.#busyMs || !this.#sink.status().ready)) return;
      this.#close(lane);
    }
  }

  /** Sees to it that the timer fires when the oldest batch has to be looked at, and never when none is open. */
  arm(): void {
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
      dueMs = oldest.openedAtMs + this.#busyMs;
      if (dueMs <= nowMs) dueMs = nowMs + this.#busyMs;
    }
    if (this.#timer !== undefined) {
      if (this.#timerDueMs <= dueMs) return;
      this.#timers.clear(this.#timer);
    }
    this.#timerDueMs = dueMs;
    this.#timer = this.#timers.set(this.#fired, Math.max(0, Math.ceil(dueMs - nowMs)));
  }

  readonly #fired = (): void => {
    this.#timer = undefined;
    this.closeDue();
    this.arm();
  };
}
