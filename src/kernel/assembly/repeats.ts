/**
 * Finding what was there before, for LZ4 and Snappy. Both look at blocks of at most 64 KiB and copy from within the
 * block alone, so that a position fits 16 bits and the table of where four bytes were seen last is 16 KiB: it stays
 * in the L1 cache, and forgetting it for a new block costs nothing.
 */

/** Bytes of a block: also the largest distance that both formats can say in two bytes. */
export const blockBytesMax: u32 = 64 * 1024;

const tableBits: u32 = 13;
/** The front reserves as much. */
export const tableBytes: u32 = 2 << tableBits;

/** Knuth's multiplier: 2^32 divided by the golden ratio, prime. */
const multiplier: u32 = 2654435761;

/** Where four bytes begin that are looked at in a table: an entry of two bytes. */
// @ts-ignore: decorator
@inline
export function entryOf(table: usize, word: u32): usize {
  return table + (<usize>((word * multiplier) >>> (32 - tableBits)) << 1);
}

/** Whatever repeats nothing is walked over faster and faster: a step more for each 64 tries. */
export const triesPerStep: u32 = 6;

/** The first position from `p` at which `p` and `q` differ, at most `end`. Reads up to 7 bytes past `end`. */
// @ts-ignore: decorator
@inline
export function matchEnd(p: usize, q: usize, end: usize): usize {
  while (p < end) {
    const differ = load<u64>(p) ^ load<u64>(q);
    if (differ) {
      p += <usize>(ctz(differ) >>> 3);
      return p < end ? p : end;
    }
    p += 8;
    q += 8;
  }
  return end;
}
