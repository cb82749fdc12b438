/**
 * Time and chance as the producer sees them: one argument, so that a test can own both.
 *
 * @module
 */
import { performance } from "node:perf_hooks";

/** Ends a timer; harmless after it fired. */
export type CancelTimer = () => void;

/** Monotonic milliseconds, timers and random numbers. */
export interface KafkaClock {
  /** Milliseconds that never go back. */
  nowMs(): number;
  /** Runs `task` once after `delayMs`. The timer does not keep the process alive. */
  after(delayMs: number, task: () => void): CancelTimer;
  /** A number in [0, 1). */
  random(): number;
}

/** The machine's clock. */
export const systemClock: KafkaClock = {
  nowMs: () => performance.now(),
  after(delayMs, task) {
    const timer = setTimeout(task, delayMs) as unknown as { unref?(): void };
    timer.unref?.();
    return () => clearTimeout(timer as unknown as number);
  },
  random: Math.random,
};

/** First wait after a failure; long enough for a leader election to be noticed, short enough to go unseen. */
const backoffFirstMs = 50;
/** A longer cap makes the worst line of an outage late by as much after its end. */
const backoffCapMs = 1000;

/** The wait before try `failures + 1`: 50 ms doubled per failure up to 1 s, of which a random half is taken off. */
export function backoffMs(failures: number, clock: KafkaClock): number {
  const full = Math.min(backoffCapMs, backoffFirstMs * 2 ** Math.min(failures, 10));
  return full * (0.5 + clock.random() / 2);
}
