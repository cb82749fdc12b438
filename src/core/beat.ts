/**
 * Moments at which all threads of this process do what they do without being asked.
 *
 * A thread that wakes also wakes helpers of its runtime, which look around for some hundred milliseconds; threads that
 * wake together share that. The clock of the day is the only one that they share. Each process has moments of its own:
 * many on one machine do not wake at once.
 *
 * @module
 */
import process from "node:process";

/** A wait is not shorter than this part of the period: timers that fire early would fire twice. */
const shortestPart = 0.25;
/** A wait is this many periods at most. */
export const longestBeats = 1 + shortestPart;

/** Process numbers are mostly neighbours; this spreads them over a second. */
const spreadBy = 389;

/** Milliseconds until the next common moment of those `periodMs` apart; the clock may be set meanwhile. */
export function untilBeatMs(periodMs: number, epochMs: number, pid: number = process.pid): number {
  const intoMs = (epochMs + pid * spreadBy) % periodMs;
  const restMs = periodMs - intoMs;
  return restMs < periodMs * shortestPart ? restMs + periodMs : restMs;
}

/** Calls `run` at each common moment. Returns what ends that. */
export function everyBeat(periodMs: number, run: () => void): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const next = () => {
    timer = setTimeout(() => {
      next();
      run();
    }, untilBeatMs(periodMs, Date.now()));
  };
  next();
  return () => clearTimeout(timer);
}
