/**
 * Pseudo-random numbers from a seed: the same seed gives the same load.
 *
 * @module
 */

/** A generator (splitmix32 steps, 32 bits of state): good enough for payloads, not for secrets. */
export class Random {
  #state: number;

  constructor(...seed: number[]) {
    this.#state = 0x9e3779b9;
    for (const part of seed) {
      this.#state = (this.#state ^ part) >>> 0;
      this.next();
    }
  }

  /** A number of 32 bits. */
  next(): number {
    this.#state = (this.#state + 0x9e3779b9) >>> 0;
    let mixed = this.#state ^ (this.#state >>> 16);
    mixed = Math.imul(mixed, 0x21f0aaad);
    mixed ^= mixed >>> 15;
    mixed = Math.imul(mixed, 0x735a2d97);
    return (mixed ^ (mixed >>> 15)) >>> 0;
  }

  /** A number in [0, 1). */
  fraction(): number {
    return this.next() / 2 ** 32;
  }

  /** A whole number from `low` to `high`, both included. */
  integer(low: number, high: number): number {
    return low + Math.floor(this.fraction() * (high - low + 1));
  }

  /** One of a list. */
  pick<T>(list: readonly T[]): T {
    return list[this.integer(0, list.length - 1)]!;
  }

  /** A normally distributed number, mean 0, deviation 1 (Box and Muller). */
  normal(): number {
    return Math.sqrt(-2 * Math.log(1 - this.fraction())) * Math.cos(2 * Math.PI * this.fraction());
  }
}
