/**
 * Time as the spool sees it; tests give one that they move.
 *
 * @module
 */

/** Time and timers. */
export interface SpoolClock {
  /** Monotonic milliseconds. */
  monoMs(): number;
  /** Milliseconds since the epoch. */
  epochMs(): number;
  /** Calls `run` once after `delayMs`. */
  set(run: () => void, delayMs: number): unknown;
  clear(timer: unknown): void;
}

/** The machine's. */
export const systemClock: SpoolClock = {
  monoMs: () => performance.now(),
  epochMs: () => Date.now(),
  set: (run, delayMs) => setTimeout(run, delayMs),
  clear: (timer) => clearTimeout(timer as ReturnType<typeof setTimeout>),
};

/** Resolves after `delayMs`. */
export function pause(clock: SpoolClock, delayMs: number): Promise<void> {
  return new Promise((resolve) => clock.set(resolve, delayMs));
}
