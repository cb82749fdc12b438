/**
 * Which lines a `sample` action lets go on: a share of all, or by key, so that the lines of one key share one fate.
 *
 * By key it is a hash, the same on every worker and after every restart. Without one it is a sequence of
 * pseudo-random numbers from a seed: no clock and no chance of the machine, so that tests can repeat it.
 *
 * @module
 */

import { hashText } from "./hash.ts";

/** Numbers of 32 bits. */
const range = 2 ** 32;

/** 0.1, or "1/10". */
export function sampleRate(written: number | string): number {
  return typeof written === "number" ? written : 1 / Number(written.slice(2));
}

/** True if lines with this key go on. A key that is kept at one rate is kept at every higher one. */
export function keepsKey(key: string, rate: number): boolean {
  return hashText(key) < rate * range;
}

/** Lets `rate` of all calls pass. */
export class Sampler {
  readonly #rate: number;
  #state: number;

  constructor(rate: number, seed: number) {
    this.#rate = rate;
    this.#state = seed | 0;
  }

  /** The next line's fate (Mulberry32). */
  keeps(): boolean {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) < this.#rate * range;
  }
}
