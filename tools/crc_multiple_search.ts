/**
 * Finds sparse multiples of the CRC-32C polynomial P whose exponents are multiples of 128, the word of the fold in
 * src/kernel/assembly/crc32c.ts. Fewer terms are fewer loads per word; a smaller largest exponent leaves fewer
 * bytes for the tables.
 *
 *     bun tools/crc_multiple_search.ts
 *
 * P divides a sum of powers where the sum of their remainders modulo P is zero. So all remainders of x^(128 i) are
 * made, and six of them (1, x^(128 E) and four between) that cancel are looked for: two of the four are taken from
 * a table of the sums of pairs. The largest exponent grows until something is found.
 *
 * Four terms exist too, but with exponents in the thousands of words: too much is left for the tables.
 *
 * @module
 */

import { invariant } from "../src/core/invariant.ts";

/** The polynomial, bit-reflected. */
const polynomial = 0x82f63b78;
const wordBits = 128;
/** Exponents that are tried, in words. */
const exponentMax = 300;
const wanted = 3;

/** The multiple in use: its exponents in words. */
const inUse: readonly number[] = [0, 14, 39, 54, 144, 209];

/** Remainders of x^(128 i) modulo P, bit-reflected. */
function remainders(count: number): Int32Array {
  const table = new Int32Array(count);
  let remainder = 0x80000000;
  for (let i = 0; i < count; i++) {
    table[i] = remainder;
    for (let bit = 0; bit < wordBits; bit++) {
      remainder = remainder & 1 ? (remainder >>> 1) ^ polynomial : remainder >>> 1;
    }
  }
  return table;
}

/** Exponents (in words) of multiples of six terms, smallest largest exponent first. */
function searchSixTerms(powers: Int32Array): number[][] {
  const found = new Map<string, number[]>();
  /** Sum of two remainders to the pair, both between 0 and the largest exponent. */
  const pairs = new Map<number, readonly [number, number]>();
  for (let largest = 5; largest <= exponentMax && found.size < wanted; largest++) {
    for (let low = 1; low < largest - 1; low++) {
      const sum = powers[low]! ^ powers[largest - 1]!;
      if (!pairs.has(sum)) pairs.set(sum, [low, largest - 1]);
    }
    for (let a = 1; a < largest; a++) {
      for (let b = a + 1; b < largest; b++) {
        const pair = pairs.get(powers[0]! ^ powers[largest]! ^ powers[a]! ^ powers[b]!);
        if (pair === undefined || pair.includes(a) || pair.includes(b)) continue;
        const exponents = [0, a, b, ...pair, largest].sort((left, right) => left - right);
        found.set(exponents.join(), exponents);
      }
    }
  }
  return [...found.values()];
}

function isMultiple(powers: Int32Array, exponents: readonly number[]): boolean {
  return exponents.reduce((sum, exponent) => sum ^ powers[exponent]!, 0) === 0;
}

const powers = remainders(exponentMax + 1);
for (const exponents of searchSixTerms(powers)) {
  const largest = exponents.at(-1)!;
  const taps = exponents.slice(0, -1).map((exponent) => largest - exponent).reverse();
  console.log(`exponents ${exponents.join(" ")} (x${wordBits}); words back: ${taps.join(" ")}`);
}
invariant(isMultiple(powers, inUse), "the multiple in use is one");
console.log(`in use: ${inUse.join(" ")}, proven`);
