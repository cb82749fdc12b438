/**
 * Looking at bytes sixteen or sixty-four at a time. Loads may run up to 63 bytes past `end` (they stay inside the
 * memory: every region is followed by another or by slack); what they find there never counts.
 */

/** Bytes that a 64-bit mask speaks of. */
export const blockBytes: usize = 64;

/** The top bits of 64 bytes, the first byte's lowest. */
// @ts-ignore: decorator
@inline
export function bitmask64(a: v128, b: v128, c: v128, d: v128): u64 {
  const low = <u64>(i8x16.bitmask(a) | (i8x16.bitmask(b) << 16));
  const high = <u64>(<u32>(i8x16.bitmask(c) | (i8x16.bitmask(d) << 16)));
  return (low & 0xffffffff) | (high << 32);
}

/** Where `byte` is in the block at `p`, of which only what lies before `end` counts. Reads 64 bytes. */
// @ts-ignore: decorator
@inline
export function hitsInBlock(p: usize, end: usize, byte: u8): u64 {
  const wanted = i8x16.splat(byte);
  const hits = bitmask64(
    i8x16.eq(v128.load(p), wanted),
    i8x16.eq(v128.load(p, 16), wanted),
    i8x16.eq(v128.load(p, 32), wanted),
    i8x16.eq(v128.load(p, 48), wanted),
  );
  return p + blockBytes > end ? hits & ((<u64>1 << <u64>(end - p)) - 1) : hits;
}

/** The first `byte` in [p, end), or `end`. */
// @ts-ignore: decorator
@inline
export function indexOfByte(p: usize, end: usize, byte: u8): usize {
  const wanted = i8x16.splat(byte);
  while (p < end) {
    const hits = i8x16.bitmask(i8x16.eq(v128.load(p), wanted));
    if (hits) {
      p += ctz(hits);
      return p < end ? p : end;
    }
    p += 16;
  }
  return end;
}

/** The first `a` or `b` in [p, end), or `end`. */
export function indexOfEither(p: usize, end: usize, a: u8, b: u8): usize {
  const first = i8x16.splat(a);
  const second = i8x16.splat(b);
  while (p < end) {
    const v = v128.load(p);
    const hits = i8x16.bitmask(v128.or(i8x16.eq(v, first), i8x16.eq(v, second)));
    if (hits) {
      p += ctz(hits);
      return p < end ? p : end;
    }
    p += 16;
  }
  return end;
}

/** Whether all bytes of [p, end) are below 0x80. */
export function isAscii(p: usize, end: usize): bool {
  let seen = i64x2.splat(0);
  while (p + 16 <= end) {
    seen = v128.or(seen, v128.load(p));
    p += 16;
  }
  let high = i8x16.bitmask(seen);
  if (p < end) high |= i8x16.bitmask(v128.load(p)) & ((1 << <i32>(end - p)) - 1);
  return high == 0;
}

// @ts-ignore: decorator
@inline
export function isDigit(byte: u8): bool {
  return <u8>(byte - 0x30) < 10;
}

/** Two decimal digits at p. The caller has checked that they lie before the end. */
// @ts-ignore: decorator
@inline
export function areTwoDigits(p: usize): bool {
  return isDigit(load<u8>(p)) && isDigit(load<u8>(p, 1));
}

/** The first byte of [p, end) that is not a space, or `end`. */
// @ts-ignore: decorator
@inline
export function skipSpaces(p: usize, end: usize): usize {
  while (p < end && load<u8>(p) == 0x20) p++;
  return p;
}

/**
 * Copies bytes that do not overlap. Keys and short messages are common, and `memory.copy` is a call of the
 * engine, which costs more than a few moves of 16 bytes (bench/stages.ts, "encode msg").
 */
// @ts-ignore: decorator
@inline
export function copyBytes(to: usize, from: usize, length: usize): void {
  if (length > copyInlineMax) {
    memory.copy(to, from, length);
  } else if (length >= 16) {
    const last = length - 16;
    for (let i: usize = 0; i < last; i += 16) v128.store(to + i, v128.load(from + i));
    v128.store(to + last, v128.load(from + last));
  } else if (length >= 8) {
    const last = length - 8;
    const tail = load<u64>(from + last);
    store<u64>(to, load<u64>(from));
    store<u64>(to + last, tail);
  } else {
    for (let i: usize = 0; i < length; i++) store<u8>(to + i, load<u8>(from + i));
  }
}

/** Above this the engine's own copy is as fast or faster. */
const copyInlineMax: usize = 64;
