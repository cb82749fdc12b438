/**
 * Which partition a key belongs to: the same as Kafka's Java client says (`Utils.murmur2`, `BuiltInPartitioner`), so
 * that lines of corndog and records of other producers with one key meet in one partition.
 *
 * @module
 */

const seed = 0x9747b28c;
const multiplier = 0x5bd1e995;

/** MurmurHash2, 32 bits, as the Java client computes it, of `bytes[at, at + length)`; a signed number. */
export function murmur2(bytes: Uint8Array, at: number, length: number): number {
  const end = at + length;
  const wordsEnd = end - (length & 3);
  let hash = seed ^ length;
  for (; at < wordsEnd; at += 4) {
    let word = bytes[at]! | bytes[at + 1]! << 8 | bytes[at + 2]! << 16 | bytes[at + 3]! << 24;
    word = Math.imul(word, multiplier);
    word ^= word >>> 24;
    hash = Math.imul(hash, multiplier) ^ Math.imul(word, multiplier);
  }
  const rest = end - at;
  if (rest > 2) hash ^= bytes[at + 2]! << 16;
  if (rest > 1) hash ^= bytes[at + 1]! << 8;
  if (rest > 0) hash = Math.imul(hash ^ bytes[at]!, multiplier);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, multiplier);
  return hash ^ hash >>> 15;
}

/** The partition of a key in a topic with `partitions` of them. */
export function partitionOfKey(bytes: Uint8Array, at: number, length: number, partitions: number): number {
  return (murmur2(bytes, at, length) & 0x7fffffff) % partitions;
}
