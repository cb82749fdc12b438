/**
 * A clock that stands still until a test moves it, with timers in order and chance from a seed.
 *
 * @module
 */
import type { KafkaClock } from "../../../src/kafka/clock.ts";

interface Timer {
  readonly atMs: number;
  readonly order: number;
  readonly task: () => void;
}

/** Virtual time. */
export class FakeClock implements KafkaClock {
  #nowMs = 1000;
  #order = 0;
  #seed: number;
  readonly #timers = new Set<Timer>();

  constructor(seed = 1) {
    this.#seed = seed >>> 0;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, task: () => void): () => void {
    const timer = { atMs: this.#nowMs + Math.max(0, delayMs), order: this.#order++, task };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  /** mulberry32: small, and the same everywhere. */
  random(): number {
    this.#seed = (this.#seed + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#seed ^ (this.#seed >>> 15), 1 | this.#seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** Timers that wait. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Lets time pass; between two timers everything that promises wait for is done. */
  async advance(byMs: number): Promise<void> {
    const untilMs = this.#nowMs + byMs;
    await settleMicrotasks();
    for (let timer = this.#next(untilMs); timer !== undefined; timer = this.#next(untilMs)) {
      this.#timers.delete(timer);
      this.#nowMs = Math.max(this.#nowMs, timer.atMs);
      timer.task();
      await settleMicrotasks();
    }
    this.#nowMs = untilMs;
  }

  /** Lets time pass until `condition` holds; false if it did not within `withinMs`. */
  async until(condition: () => boolean, withinMs: number): Promise<boolean> {
    const untilMs = this.#nowMs + withinMs;
    await settleMicrotasks();
    while (!condition()) {
      const timer = this.#next(untilMs);
      if (timer === undefined) {
        this.#nowMs = untilMs;
        return condition();
      }
      await this.advance(timer.atMs - this.#nowMs);
    }
    return true;
  }

  #next(untilMs: number): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.atMs > untilMs) continue;
      if (
        next === undefined || timer.atMs < next.atMs || timer.atMs === next.atMs && timer.order < next.order
      ) {
        next = timer;
      }
    }
    return next;
  }
}

/** Resolves when no promise has anything left to do. */
export function settleMicrotasks(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
