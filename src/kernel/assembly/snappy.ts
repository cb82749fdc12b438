/**
 * Snappy (its format_description.txt) in the framing of the Java library, which Kafka's clients write and read:
 *
 *     stream  = 0x82 "SNAPPY" 0x00, version i32 1, compatible version i32 1, *chunk       all big-endian
 *     chunk   = length i32, block
 *     block   = varint uncompressed length, *element
 *     element = literal: (length - 1) << 2 for up to 60; 60 << 2 and 61 << 2 have length - 1 in one and two bytes
 *             | copy of 4 to 11 bytes, distance below 2048: distance >> 8 << 5 | length - 4 << 2 | 1, distance u8
 *             | copy of 1 to 64 bytes: length - 1 << 2 | 2, distance u16 little-endian
 */
import { blockBytesMax, entryOf, matchEnd, tableBytes, triesPerStep } from "./repeats";

/** 0x82 S N A P P Y 0 as bytes in memory. */
const magic: u64 = 0x0059_5050_414e_5382;
const version: u32 = 1;

/** Neither is looked for in the last bytes: eight are compared at a time. */
const matchBytesMin: usize = 4;
const lastMatch: usize = 8;
const copyBytesMax: usize = 64;
const shortCopyBytesMax: usize = 11;
const shortDistanceMax: usize = 2047;

/** @see PackCalls.packSnappy */
export function packSnappy(from: usize, length: u32, to: usize, table: usize): usize {
  store<u64>(to, magic);
  store<u32>(to, bswap(version), 8);
  store<u32>(to, bswap(version), 12);
  to += 16;
  const end = from + length;
  while (from < end) {
    const bytes = min(<usize>(end - from), <usize>blockBytesMax);
    const packedEnd = block(from, from + bytes, to + 4, table);
    store<u32>(to, bswap(<u32>(packedEnd - to - 4)));
    to = packedEnd;
    from += bytes;
  }
  return to;
}

function block(from: usize, end: usize, to: usize, table: usize): usize {
  let bytes = <u32>(end - from);
  for (; bytes >= 128; bytes >>>= 7) store<u8>(to++, bytes | 128);
  store<u8>(to++, bytes);
  let literals = from;
  if (end - from > lastMatch) {
    memory.fill(table, 0, tableBytes);
    const searchEnd = end - lastMatch;
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
      const matched = matchEnd(p + matchBytesMin, q + matchBytesMin, end);
      to = literal(to, literals, p);
      to = copies(to, p - q, matched - p);
      p = literals = matched;
      if (p <= searchEnd) store<u16>(entryOf(table, load<u32>(p - 2)), <u16>(p - 2 - from));
      tries = 1 << triesPerStep;
    }
  }
  return literal(to, literals, end);
}

// @ts-ignore: decorator
@inline
function literal(to: usize, from: usize, end: usize): usize {
  const length = end - from;
  if (length == 0) return to;
  const rest = <u32>length - 1;
  if (rest < 60) {
    store<u8>(to++, rest << 2);
  } else if (rest < 256) {
    store<u8>(to, 60 << 2);
    store<u8>(to, rest, 1);
    to += 2;
  } else {
    store<u8>(to, 61 << 2);
    store<u16>(to, <u16>rest, 1);
    to += 3;
  }
  memory.copy(to, from, length);
  return to + length;
}

/** A match of any length, in copies of at most 64 bytes of which the last has at least 4. */
function copies(to: usize, distance: usize, length: usize): usize {
  while (length >= copyBytesMax + matchBytesMin) {
    to = longCopy(to, distance, copyBytesMax);
    length -= copyBytesMax;
  }
  if (length > copyBytesMax) {
    to = longCopy(to, distance, copyBytesMax - matchBytesMin);
    length -= copyBytesMax - matchBytesMin;
  }
  if (length > shortCopyBytesMax || distance > shortDistanceMax) return longCopy(to, distance, length);
  store<u8>(to, ((<u32>distance >>> 8) << 5) | ((<u32>length - 4) << 2) | 1);
  store<u8>(to, <u32>distance, 1);
  return to + 2;
}

// @ts-ignore: decorator
@inline
function longCopy(to: usize, distance: usize, length: usize): usize {
  store<u8>(to, ((<u32>length - 1) << 2) | 2);
  store<u16>(to, <u16>distance, 1);
  return to + 3;
}
