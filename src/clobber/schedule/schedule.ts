/**
 * When each message of an open loop is due: the exact time of the k-th message, from rates that are constant or
 * change evenly. Pure.
 *
 * Time is computed from the index, never by adding up, so that nothing drifts, and a late generator catches up by
 * sending what is due with the times at which it was due. On a ramp from rate r0 with slope s, the number of messages
 * until t is r0*t + s*t²/2; solved for t that gives the time of message k.
 *
 * @module
 */
import { invariant } from "../../core/invariant.ts";

/** A span in which the rate goes evenly from one value to another. Rates are messages per second. */
export interface Segment {
  readonly ms: number;
  readonly from: number;
  readonly to: number;
}

/** One stage as a person writes it: from this moment on, or at this moment, this rate. */
export interface Stage {
  readonly atMs: number;
  readonly rate: number;
}

/** Times of messages over consecutive segments. Times are milliseconds since the start. */
export class Schedule {
  readonly #segments: readonly Segment[];
  /** Messages due before each segment, and its start. */
  readonly #before: number[] = [];
  readonly #start: number[] = [];
  /** Messages due in all. */
  readonly total: number;
  readonly durationMs: number;
  /** The segment that was asked for last: times are mostly asked in order. */
  #hint = 0;

  constructor(segments: readonly Segment[]) {
    invariant(segments.length > 0, "a schedule has a segment");
    this.#segments = segments;
    let before = 0;
    let start = 0;
    for (const { ms, from, to } of segments) {
      this.#before.push(before);
      this.#start.push(start);
      before += (from + to) / 2 * ms / 1000;
      start += ms;
    }
    this.total = before;
    this.durationMs = start;
  }

  /** Time at which message `k` (0 is the first) is due; Infinity behind the end. */
  timeOf(k: number): number {
    // The last message of a whole number would fall on the end by rounding; it is due just before it.
    if (k >= this.total - 1e-9) return Infinity;
    let index = this.#before[this.#hint]! <= k ? this.#hint : 0;
    while (index + 1 < this.#before.length && this.#before[index + 1]! <= k) index++;
    this.#hint = index;
    const { ms, from, to } = this.#segments[index]!;
    const n = k - this.#before[index]!;
    const slope = (to - from) / ms; // per second and millisecond
    if (slope === 0) return this.#start[index]! + n / from * 1000;
    // n = (from*t + slope*t²/2) / 1000, t in ms; the form without the difference of two large numbers.
    const root = Math.sqrt(Math.max(0, from * from + 2 * slope * n * 1000));
    // The first message of a ramp from nothing is due at once.
    return this.#start[index]! + (n <= 0 ? 0 : 2000 * n / (from + root));
  }

  /** Messages due up to and including time `ms`. */
  dueAt(ms: number): number {
    if (ms < 0) return 0;
    if (ms >= this.durationMs) return Math.ceil(this.total - 1e-9);
    let index = this.#start.length - 1;
    while (this.#start[index]! > ms) index--;
    const { ms: length, from, to } = this.#segments[index]!;
    const t = ms - this.#start[index]!;
    const n = this.#before[index]! + (from * t + (to - from) / length * t * t / 2) / 1000;
    return Math.min(Math.floor(n + 1e-9) + 1, Math.ceil(this.total - 1e-9));
  }

  /** The rate that is wanted at a time. */
  rateAt(ms: number): number {
    let start = 0;
    for (const segment of this.#segments) {
      if (ms < start + segment.ms) {
        return segment.from + (segment.to - segment.from) * (ms - start) / segment.ms;
      }
      start += segment.ms;
    }
    return 0;
  }
}

/**
 * Segments of stages. Between two stages the rate goes evenly from one to the other (`0:1k,60s:50k` is a ramp of a
 * minute); the last one lasts until `durationMs`. A step is written as two stages at one moment: `0:1k,30s:1k,30s:5k`.
 */
export function segmentsOf(stages: readonly Stage[], durationMs: number): Segment[] {
  const segments: Segment[] = [];
  for (let index = 0; index + 1 < stages.length; index++) {
    const ms = stages[index + 1]!.atMs - stages[index]!.atMs;
    if (ms > 0) segments.push({ ms, from: stages[index]!.rate, to: stages[index + 1]!.rate });
  }
  const last = stages[stages.length - 1]!;
  if (durationMs > last.atMs) segments.push({ ms: durationMs - last.atMs, from: last.rate, to: last.rate });
  return segments.filter((segment) => segment.ms > 0);
}
