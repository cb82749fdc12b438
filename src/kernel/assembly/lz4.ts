/**
 * LZ4's frame format (lz4_Frame_format.md, 1.6.x) with independent blocks of at most 64 KiB, as Kafka's own client
 * writes it (KIP-57):
 *
 *     frame    = magic u32 0x184d2204, flags u8, block size u8, header checksum u8, *block, end mark u32 0
 *     block    = length u32 (top bit: not compressed), bytes                              all little-endian
 *     bytes    = *sequence
 *     sequence = token, *u8 more literal length, literals, distance u16, *u8 more match length
 *
 * A token has the number of literals in its upper half and the length of the match less 4 in its lower; 15 means
 * that bytes follow, which are added up to the first that is not 255. The last five bytes are literals, and no
 * match begins in the last twelve.
 */
import { blockBytesMax, entryOf, matchEnd, tableBytes, triesPerStep } from "./repeats";

const magic: u32 = 0x184d2204;
/**
 * Version 1, independent blocks, no checksums (batches have their own) and no content size: 0x60. Blocks of 64 KiB:
 * 0x40. The second byte of XXH32 over these two: 0x82.
 */
const descriptor: u32 = 0x824060;
const rawBit: u32 = 0x80000000;

const matchBytesMin: usize = 4;
const lastLiterals: usize = 5;
const lastMatch: usize = 12;

/** @see PackCalls.packLz4 */
export function packLz4(from: usize, length: u32, to: usize, table: usize): usize {
  store<u32>(to, magic);
  store<u32>(to, descriptor, 4);
  to += 7;
  const end = from + length;
  while (from < end) {
    const bytes = min(<u32>(end - from), blockBytesMax);
    const packedEnd = block(from, from + bytes, to + 4, table);
    const packed = <u32>(packedEnd - to - 4);
    if (packed < bytes) {
      store<u32>(to, packed);
      to = packedEnd;
    } else {
      store<u32>(to, bytes | rawBit);
      memory.copy(to + 4, from, bytes);
      to += 4 + bytes;
    }
    from += bytes;
  }
  store<u32>(to, 0);
  return to + 4;
}

function block(from: usize, end: usize, to: usize, table: usize): usize {
  let literals = from;
  if (end - from > lastMatch) {
    memory.fill(table, 0, tableBytes);
    const searchEnd = end - lastMatch;
    const copyEnd = end - lastLiterals;
    let p = from + 1;
    let tries: u32 = 1 << triesPerStep;
    while (p <= searchEnd) {
      const word = load<u32>(p);
      const entry = entryOf(table, word);
      let q = from + load<u16>(entry);
      store<u16>(entry, <u16>(p - from));
      if (load<u32>(q) != word) {
        p += <usize>(tries++ >>> triesPerStep);
        continue;
      }
      while (p > literals && q > from && load<u8>(p - 1) == load<u8>(q - 1)) {
        p--;
        q--;
      }
      const matched = matchEnd(p + matchBytesMin, q + matchBytesMin, copyEnd);
      to = sequence(to, literals, p, p - q, matched - p);
      p = literals = matched;
      store<u16>(entryOf(table, load<u32>(p - 2)), <u16>(p - 2 - from));
      tries = 1 << triesPerStep;
    }
  }
  return sequence(to, literals, end, 0, 0);
}

/** Writes literals [from, end) and a match; the last sequence has none (length 0). */
// @ts-ignore: decorator
@inline
function sequence(to: usize, from: usize, end: usize, distance: usize, matched: usize): usize {
  const token = to++;
  const literals = end - from;
  let bits: u32;
  if (literals < 15) bits = <u32>literals << 4;
  else {
    bits = 0xf0;
    to = lengthRest(to, literals - 15);
  }
  memory.copy(to, from, literals);
  to += literals;
  if (matched > 0) {
    store<u16>(to, <u16>distance);
    to += 2;
    const more = matched - matchBytesMin;
    if (more < 15) bits |= <u32>more;
    else {
      bits |= 15;
      to = lengthRest(to, more - 15);
    }
  }
  store<u8>(token, bits);
  return to;
}

function lengthRest(to: usize, rest: usize): usize {
  for (; rest >= 255; rest -= 255) store<u8>(to++, 255);
  store<u8>(to++, rest);
  return to;
}
