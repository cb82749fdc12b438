/**
 * Random numbers from a seed, the same on every runtime: sfc32, seeded by splitmix32.
 *
 * @module
 */

/** A stream of random numbers. */
export class Random {
  #a = 0;
  #b = 0;
  #c = 0;
  #count = 1;

  /** `seed`: any whole number of 32 bits. */
  constructor(seed: number) {
    let state = seed | 0;
    const next = (): number => {
      state = (state + 0x9e3779b9) | 0;
      let mixed = state ^ (state >>> 16);
      mixed = Math.imul(mixed, 0x21f0aaad);
      mixed ^= mixed >>> 15;
      mixed = Math.imul(mixed, 0x735a2d97);
      return mixed ^ (mixed >>> 15);
    };
    this.#a = next();
    this.#b = next();
    this.#c = next();
    for (let i = 0; i < 12; i++) this.word();
  }

  /** 32 random bits as an unsigned number. */
  word(): number {
    const sum = (this.#a + this.#b + this.#count) | 0;
    this.#count = (this.#count + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  /** A whole number from `min` to `max`, both included. */
  between(min: number, max: number): number {
    return min + (this.word() % (max - min + 1));
  }

  /** True once in `n` times. */
  oneIn(n: number): boolean {
    return this.word() % n === 0;
  }

  /** One of the list. */
  pick<T>(list: readonly T[]): T {
    return list[this.word() % list.length]!;
  }

  /** Random bytes. */
  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let i = 0; i < length; i++) bytes[i] = this.word();
    return bytes;
  }
}
