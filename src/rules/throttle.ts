/**
 * Token buckets by key, in a table that cannot grow: how many lines of each key a `throttle` action lets go on.
 *
 * In any interval of `t` seconds a key passes at most `burst + rate × t` lines. That holds whatever the number of
 * keys: a bucket is forgotten only once it is full again, when forgetting it changes nothing. Where the table is
 * full of keys that are busy, further keys share one bucket.
 *
 * Time is that of the lines: its steps forward are added up, and a step back (a clock that is set) counts nothing.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { invariant } from "../core/invariant.ts";

/** Longer keys are known by their hash: the table's memory is bounded by bytes, not by keys alone. */
const keyCharsMax = 128;

/** Buckets that are looked at for one that is full again, for each new key that finds the table full. */
const triesMax = 8;

interface Bucket {
  tokens: number;
  /** When `tokens` was right, in the throttle's own time. */
  atMs: number;
}

/** What a throttle is made of. */
export interface ThrottleOptions {
  /** Lines per second. */
  readonly rate: number;
  /** Lines that may come at once, at least 1. */
  readonly burst: number;
  readonly keysMax: number;
}

/** The buckets of one action. */
export class Throttle {
  readonly #ratePerMs: number;
  readonly #burst: number;
  readonly #keysMax: number;
  readonly #buckets = new Map<string, Bucket>();
  readonly #shared: Bucket;
  /** Own time, which never goes back, and the last line's. */
  #timeMs = 0;
  #lineMs = Number.NaN;

  constructor({ rate, burst, keysMax }: ThrottleOptions) {
    invariant(rate > 0 && burst >= 1 && keysMax >= 1, "a throttle passes something");
    this.#ratePerMs = rate / 1000;
    this.#burst = burst;
    this.#keysMax = keysMax;
    this.#shared = { tokens: burst, atMs: 0 };
  }

  /** Keys with a bucket of their own. */
  get size(): number {
    return this.#buckets.size;
  }

  /** True if a line of `key` may go on at `nowMs`; it then has taken its token. */
  passes(key: string, nowMs: number): boolean {
    const name = key.length > keyCharsMax ? createHash("sha256").update(key).digest("hex") : key;
    if (nowMs > this.#lineMs) this.#timeMs += nowMs - this.#lineMs;
    this.#lineMs = nowMs;
    const bucket = this.#buckets.get(name) ?? this.#add(name);
    this.#fill(bucket);
    if (bucket.tokens < 1) return false;
    bucket.tokens--;
    return true;
  }

  #add(name: string): Bucket {
    if (this.#buckets.size >= this.#keysMax && !this.#forgetFull()) return this.#shared;
    // The key may have taken from the shared bucket until now.
    this.#fill(this.#shared);
    const bucket = { tokens: this.#shared.tokens, atMs: this.#timeMs };
    // A part of a line would keep all of the line in memory; this is a text of its own.
    this.#buckets.set(Buffer.from(name, "utf16le").toString("utf16le"), bucket);
    return bucket;
  }

  #fill(bucket: Bucket): void {
    const elapsed = this.#timeMs - bucket.atMs;
    bucket.tokens = Math.min(this.#burst, bucket.tokens + elapsed * this.#ratePerMs);
    bucket.atMs = this.#timeMs;
  }

  /** Forgets one bucket that is full again; those that are not go to the end, so that all get their turn. */
  #forgetFull(): boolean {
    let left = triesMax;
    for (const [name, bucket] of this.#buckets) {
      if (left-- === 0) break;
      this.#fill(bucket);
      this.#buckets.delete(name);
      if (bucket.tokens >= this.#burst) return true;
      this.#buckets.set(name, bucket);
    }
    return false;
  }
}

/** Milliseconds of `1s`, `500ms`, `5m`, `1h`. */
export function intervalMs(text: string): number {
  const [, count, unit] = /^([0-9]+)(ms|s|m|h)$/.exec(text) ?? [];
  invariant(unit !== undefined, "an interval is checked when it is read");
  return Number(count) * { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }[unit as "ms" | "s" | "m" | "h"];
}
