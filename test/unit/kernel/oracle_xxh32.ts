/**
 * XXH32 of fewer than 16 bytes with seed 0 (xxHash's specification), which LZ4's frames check their head with.
 *
 * @module
 */

const primes = [0, 2654435761, 2246822519, 3266489917, 668265263, 374761393] as const;

/** The hash, as an unsigned number. */
export function xxh32(bytes: Uint8Array): number {
  let hash = (primes[5] + bytes.length) >>> 0;
  let at = 0;
  for (; at + 4 <= bytes.length; at += 4) {
    const word = bytes[at]! | bytes[at + 1]! << 8 | bytes[at + 2]! << 16 | bytes[at + 3]! << 24;
    hash = Math.imul(rotate(hash + Math.imul(word, primes[3]), 17), primes[4]);
  }
  for (; at < bytes.length; at++) {
    hash = Math.imul(rotate(hash + Math.imul(bytes[at]!, primes[5]), 11), primes[1]);
  }
  hash = Math.imul(hash ^ hash >>> 15, primes[2]);
  hash = Math.imul(hash ^ hash >>> 13, primes[3]);
  return (hash ^ hash >>> 16) >>> 0;
}

function rotate(word: number, by: number): number {
  return word << by | word >>> 32 - by;
}
