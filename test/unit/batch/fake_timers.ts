/**
 * A clock that only a test moves, with the timers of a batcher.
 *
 * @module
 */
import type { BatchTimers } from "../../../src/batch/linger.ts";

interface Armed {
  readonly atMs: number;
  readonly callback: () => void;
}

/** Time stands still until `advance`. */
export class FakeTimers implements BatchTimers {
  #now = 1000;
  readonly #armed = new Set<Armed>();

  nowMs(): number {
    return this.#now;
  }

  set(callback: () => void, delayMs: number): unknown {
    const timer = { atMs: this.#now + delayMs, callback };
    this.#armed.add(timer);
    return timer;
  }

  clear(timer: unknown): void {
    this.#armed.delete(timer as Armed);
  }

  /** Timers that would fire some time. */
  get armed(): number {
    return this.#armed.size;
  }

  /** Lets `ms` pass, and fires what falls due in order. */
  advance(ms: number): void {
    const until = this.#now + ms;
    for (;;) {
      let next: Armed | undefined;
      for (const timer of this.#armed) if (next === undefined || timer.atMs < next.atMs) next = timer;
      if (next === undefined || next.atMs > until) break;
      this.#armed.delete(next);
      this.#now = Math.max(this.#now, next.atMs);
      next.callback();
    }
    this.#now = until;
  }
}
