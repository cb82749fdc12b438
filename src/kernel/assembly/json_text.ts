/**
 * Bytes of a frame as the inside of a JSON string, as `JSON.stringify` writes the decoded text: escaped are the
 * quote, the backslash and what is below U+0020 (RFC 8259 7); other characters stay.
 */
import { utf8Bytes } from "./utf8";

const quote: u8 = 0x22;
const backslash: u8 = 0x5c;
const bracketClose: u8 = 0x5d;

/** What one step writes at most, and reads beyond the end of the text. */
export const stepBytesMax: usize = 16;

/**
 * Writes [p, end) at `to`, not past `limit` but for `stepBytesMax`; returns the end of what it wrote, or 0 where it
 * finds no room or the bytes are not UTF-8. `isParameter`: they are the value of a structured data parameter, in
 * which a backslash escapes `"`, `\` and `]` and stands for itself before others (RFC 5424 6.3.3).
 */
export function writeJsonText(to: usize, limit: usize, p: usize, end: usize, isParameter: bool): usize {
  const spaces = i8x16.splat(0x20);
  const quotes = i8x16.splat(quote);
  const backslashes = i8x16.splat(backslash);
  while (p < end) {
    if (to > limit) return 0;
    const v = v128.load(p);
    v128.store(to, v);
    // Signed: bytes of 0x80 and more are below a space too.
    const low = i8x16.lt_s(v, spaces);
    const hits = i8x16.bitmask(v128.or(low, v128.or(i8x16.eq(v, quotes), i8x16.eq(v, backslashes))));
    const plain: usize = hits ? ctz(hits) : 16;
    if (p + plain >= end) return to + (end - p);
    p += plain;
    to += plain;
    if (!hits) continue;
    const byte = load<u8>(p);
    if (byte >= 0x80) {
      const size = utf8Bytes(p, end);
      if (size == 0) return 0;
      // Four bytes at most, and there is room for sixteen.
      store<u32>(to, load<u32>(p));
      p += size;
      to += size;
    } else if (isParameter && byte == backslash && p + 1 < end && load<u8>(p, 1) == bracketClose) {
      store<u8>(to, bracketClose);
      p += 2;
      to++;
    } else if (isParameter && byte == backslash && p + 1 < end && isSelfEscaped(load<u8>(p, 1))) {
      // JSON writes both in the same way.
      store<u16>(to, load<u16>(p));
      p += 2;
      to += 2;
    } else {
      to = writeEscape(to, byte);
      p++;
    }
  }
  return to;
}

// @ts-ignore: decorator
@inline
function isSelfEscaped(byte: u8): bool {
  return byte == quote || byte == backslash;
}

/** An escape of two or of six characters. */
function writeEscape(to: usize, byte: u8): usize {
  store<u8>(to, backslash);
  store<u8>(to, shortEscape(byte), 1);
  if (load<u8>(to, 1)) return to + 2;
  // "u00", then two digits.
  store<u32>(to, 0x30303075, 1);
  store<u8>(to, 0x30 + (byte >>> 4), 4);
  const low = byte & 15;
  store<u8>(to, low < 10 ? 0x30 + low : 0x57 + low, 5);
  return to + 6;
}

/** What follows the backslash, or 0 where the character has no short escape. */
function shortEscape(byte: u8): u8 {
  switch (byte) {
    case 0x08:
      return 0x62; // b
    case 0x09:
      return 0x74; // t
    case 0x0a:
      return 0x6e; // n
    case 0x0c:
      return 0x66; // f
    case 0x0d:
      return 0x72; // r
    case quote:
    case backslash:
      return byte;
    default:
      return 0;
  }
}
