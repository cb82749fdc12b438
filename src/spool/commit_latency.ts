/**
 * How long commits took: a histogram of 16 buckets per power of two, from 1 µs to an hour, in one small array.
 *
 * @module
 */

const bucketsPerOctave = 16;
const buckets = 32 * bucketsPerOctave;

/** Counts of durations. */
export class CommitLatency {
  readonly #counts = new Uint32Array(buckets);
  #total = 0;
  #maxMs = 0;

  /** Notes `count` commits that took `ms`. */
  record(ms: number, count: number): void {
    const bucket = Math.floor(Math.log2(Math.max(1, ms * 1000)) * bucketsPerOctave);
    this.#counts[Math.min(buckets - 1, bucket)]! += count;
    this.#total += count;
    if (ms > this.#maxMs) this.#maxMs = ms;
  }

  /** Milliseconds, at most 4.5 % too high; 0 while nothing was noted. */
  report(): { readonly p50: number; readonly p99: number; readonly p999: number; readonly max: number } {
    return {
      p50: this.#quantile(0.5),
      p99: this.#quantile(0.99),
      p999: this.#quantile(0.999),
      max: round(this.#maxMs),
    };
  }

  #quantile(share: number): number {
    let left = Math.ceil(this.#total * share);
    if (left === 0) return 0;
    for (let bucket = 0; bucket < buckets; bucket++) {
      left -= this.#counts[bucket]!;
      if (left <= 0) return round(Math.min(this.#maxMs, 2 ** ((bucket + 1) / bucketsPerOctave) / 1000));
    }
    return round(this.#maxMs);
  }
}

function round(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
