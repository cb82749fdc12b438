/**
 * JSON: whether a message is one whole JSON object (RFC 8259, as strict as `JSON.parse`), and where the members of
 * its objects stand. One pass, nothing decoded, nothing kept from call to call.
 *
 * Every member that is reached from the root through objects alone gets a node; what lies inside lists is checked
 * and gets none. A node is 32 bytes; an object's members follow it, in the order of the text:
 *
 *     [value start u32][value end u32][node behind it and all below it u32][fingerprint of the key u32]
 *     [kind and flags u32][key start u32][key end u32][-]
 *
 * A string's value starts and ends at its quotes, a key inside them. Bytes above 0x7f are taken inside strings as
 * they are: decoding turns what is not UTF-8 into U+FFFD, and no byte below 0x80 is ever part of that.
 *
 * A byte state machine: the loop is longer than functions here usually are, so that its state stays in registers.
 */
import { jsonNodesAt, jsonNodesEnd, jsonStackAt, jsonStackEnd } from "./memory";
import { isDigit } from "./bytes";

/** Results; the same as `jsonScan` of the front. Any other result is the root's node. */
const noObject: u32 = 0;
const tooLarge: u32 = 1;

const nodeBytes: usize = 32;
const endWord: usize = 4;
const nextWord: usize = 8;
const fingerprintWord: usize = 12;
const kindWord: usize = 16;
const keyStartWord: usize = 20;
const keyEndWord: usize = 24;

const kindString: u32 = 1;
const kindNumber: u32 = 2;
const kindTrue: u32 = 3;
const kindFalse: u32 = 4;
const kindNull: u32 = 5;
const kindObject: u32 = 6;
const kindList: u32 = 7;
/** A string with a backslash, one with a byte above 0x7f, a number that JavaScript writes as it stands here. */
const flagEscaped: u32 = 8;
const flagHigh: u32 = 16;
const flagCanonical: u32 = 32;

/** Digits of an integer that a double holds exactly whatever they are. */
const exactDigitsMax: usize = 15;

/** What is most often behind a key, and behind a member: ":" and a quote, "," and a quote. */
const colonQuote: u32 = 0x223a;
const commaQuote: u32 = 0x222c;

/** Flags of the string that `endOfString` went through last. */
let stringFlags: u32 = 0;
/** Flags of the number that `endOfNumber` went through last. */
let numberFlags: u32 = 0;

/**
 * The root's node, `noObject` or `tooLarge`.
 *
 * What an open container leaves on the stack, and what `frame` is: the address of its node, 0 for an object without
 * one; the lowest bit tells a list.
 *
 * Few reads look whether they are past `end`: positions only grow, so that it is enough to look once per value, in
 * loops over a run of bytes, and where the root closes. What was written for bytes behind the end is never told.
 */
export function scanJson(start: usize, end: usize): u32 {
  return isPlain(start, end) ? scan(start, end, true) : scan(start, end, false);
}

/**
 * Whether [start, end) has only ASCII, no backslash and no control character: then every quote begins or ends a
 * string, which most messages grant and which spares half of the work.
 */
function isPlain(start: usize, end: usize): bool {
  let seen = i64x2.splat(0);
  let p = start;
  for (; p + 16 <= end; p += 16) seen = v128.or(seen, oddIn(v128.load(p)));
  let odd = i8x16.bitmask(seen);
  if (p < end) odd |= i8x16.bitmask(oddIn(v128.load(p))) & ((1 << <i32>(end - p)) - 1);
  return odd == 0;
}

/** Top bits at the bytes that are no printable ASCII or are a backslash. */
// @ts-ignore: decorator
@inline
function oddIn(v: v128): v128 {
  // As signed numbers, bytes above 0x7f are below the space too.
  return v128.or(i8x16.lt_s(v, i8x16.splat(0x20)), i8x16.eq(v, i8x16.splat(0x5c)));
}

// @ts-ignore: decorator
@inline
function scan(start: usize, end: usize, plain: bool): u32 {
  let p = skipWhite(start, end);
  if (load<u8>(p) != 0x7b) return noObject;
  let node = jsonNodesAt;
  store<u32>(node, <u32>p);
  store<u32>(node, kindObject, kindWord);
  let frame: usize = node;
  node += nodeBytes;
  let stack: usize = jsonStackAt;
  p = skipWhite(p + 1, end);
  let isEmpty = load<u8>(p) == 0x7d;
  while (true) {
    if (!isEmpty) {
      if (p >= end) return noObject;
      let slot: usize = 0;
      if (!(frame & 1)) {
        if (load<u8>(p) != 0x22) return noObject;
        const key = p + 1;
        p = plain ? endOfPlainString(key, end) : endOfString(key, end);
        if (!p) return noObject;
        if (frame) {
          if (node >= jsonNodesEnd) return tooLarge;
          slot = node;
          node += nodeBytes;
          store<u32>(slot, <u32>key, keyStartWord);
          store<u32>(slot, <u32>(p - 1), keyEndWord);
          store<u32>(slot, !plain && stringFlags ? 0 : fingerprint(key, p - 1 - key), fingerprintWord);
        }
        if (load<u16>(p) == colonQuote) {
          p++;
        } else {
          p = skipWhite(p, end);
          if (load<u8>(p) != 0x3a) return noObject;
          p = skipWhite(p + 1, end);
        }
      }
      const byte = load<u8>(p);
      const value = p;
      let kind: u32;
      if (byte == 0x22) {
        p = plain ? endOfPlainString(p + 1, end) : endOfString(p + 1, end);
        kind = plain ? kindString : kindString | stringFlags;
      } else if (byte == 0x7b || byte == 0x5b) {
        if (stack >= jsonStackEnd) return tooLarge;
        store<u32>(stack, <u32>frame);
        stack += 4;
        const isList = byte == 0x5b;
        if (slot) {
          store<u32>(slot, <u32>value);
          store<u32>(slot, isList ? kindList : kindObject, kindWord);
        }
        frame = isList ? slot | 1 : slot;
        p = skipWhite(p + 1, end);
        isEmpty = load<u8>(p) == (isList ? 0x5d : 0x7d);
        continue;
      } else if (byte == 0x2d || isDigit(byte)) {
        p = endOfNumber(p, end);
        kind = kindNumber | numberFlags;
      } else if (byte == 0x74) {
        p = load<u32>(p) == 0x65757274 ? p + 4 : 0;
        kind = kindTrue;
      } else if (byte == 0x6e) {
        p = load<u32>(p) == 0x6c6c756e ? p + 4 : 0;
        kind = kindNull;
      } else if (byte == 0x66) {
        p = load<u32>(p, 1) == 0x65736c61 ? p + 5 : 0;
        kind = kindFalse;
      } else {
        return noObject;
      }
      if (!p) return noObject;
      if (slot) {
        store<u32>(slot, <u32>value);
        store<u32>(slot, <u32>p, endWord);
        store<u32>(slot, <u32>node, nextWord);
        store<u32>(slot, kind, kindWord);
      }
    }
    isEmpty = false;
    // Behind a value, or at the end of an empty container: closing brackets, then a comma.
    while (true) {
      if (load<u16>(p) == commaQuote) {
        p++;
        break;
      }
      p = skipWhite(p, end);
      const byte = load<u8>(p);
      p++;
      if (byte == 0x2c) {
        p = skipWhite(p, end);
        break;
      }
      if (byte != (frame & 1 ? 0x5d : 0x7d)) return noObject;
      const closed = frame & ~1;
      if (closed) {
        store<u32>(closed, <u32>p, endWord);
        store<u32>(closed, <u32>node, nextWord);
      }
      if (stack == jsonStackAt) return p <= end && skipWhite(p, end) == end ? <u32>jsonNodesAt : noObject;
      stack -= 4;
      frame = <usize>load<u32>(stack);
    }
  }
}

/** The first byte of [p, end) that is no JSON white space; `p` or `end` where there is none. */
// @ts-ignore: decorator
@inline
function skipWhite(p: usize, end: usize): usize {
  return load<u8>(p) > 0x20 ? p : skipRun(p, end);
}

function skipRun(p: usize, end: usize): usize {
  while (p < end) {
    const byte = load<u8>(p);
    if (byte != 0x20 && byte != 0x0a && byte != 0x0d && byte != 0x09) break;
    p++;
  }
  return p;
}

/** The bytes of `v` at which a string ends or has to be looked at: quotes, backslashes, control characters. */
// @ts-ignore: decorator
@inline
function stopsIn(v: v128): u32 {
  return i8x16.bitmask(
    v128.or(
      v128.or(i8x16.eq(v, i8x16.splat(0x22)), i8x16.eq(v, i8x16.splat(0x5c))),
      i8x16.eq(i8x16.min_u(v, i8x16.splat(0x1f)), v),
    ),
  );
}

/** What is behind the closing quote of the string whose inside begins at `p`; 0 where it is none. Most are short. */
// @ts-ignore: decorator
@inline
function endOfString(p: usize, end: usize): usize {
  const v = v128.load(p);
  const stops = stopsIn(v);
  const at = p + ctz(stops);
  if (stops && load<u8>(at) == 0x22) {
    stringFlags = i8x16.bitmask(v) & (stops - 1) & ~stops ? flagHigh : 0;
    return at + 1;
  }
  return endOfLongString(p, end);
}

/** The same where every quote ends a string. */
// @ts-ignore: decorator
@inline
function endOfPlainString(p: usize, end: usize): usize {
  const quotes = i8x16.bitmask(i8x16.eq(v128.load(p), i8x16.splat(0x22)));
  return quotes ? p + ctz(quotes) + 1 : endOfLongPlainString(p + 16, end);
}

function endOfLongPlainString(p: usize, end: usize): usize {
  for (; p < end; p += 16) {
    const quotes = i8x16.bitmask(i8x16.eq(v128.load(p), i8x16.splat(0x22)));
    if (quotes) return p + ctz(quotes) + 1;
  }
  return 0;
}

function endOfLongString(p: usize, end: usize): usize {
  let flags: u32 = 0;
  while (p < end) {
    const v = v128.load(p);
    const stops = stopsIn(v);
    const high = i8x16.bitmask(v);
    if (!stops) {
      if (high) flags |= flagHigh;
      p += 16;
      continue;
    }
    if (high & (stops - 1) & ~stops) flags |= flagHigh;
    p += ctz(stops);
    const byte = load<u8>(p);
    if (byte == 0x22) {
      stringFlags = flags;
      return p + 1;
    }
    if (byte != 0x5c) return 0;
    p = endOfEscape(p + 1);
    if (!p) return 0;
    flags |= flagEscaped;
  }
  return 0;
}

/** What is behind an escape whose backslash is before `p`; 0 where it is none. */
function endOfEscape(p: usize): usize {
  switch (load<u8>(p)) {
    case 0x22: case 0x5c: case 0x2f: case 0x62: case 0x66: case 0x6e: case 0x72: case 0x74:
      return p + 1;
    case 0x75:
      break;
    default:
      return 0;
  }
  for (let i: usize = 1; i < 5; i++) {
    const byte = load<u8>(p + i);
    if (!isDigit(byte) && <u8>((byte | 0x20) - 0x61) > 5) return 0;
  }
  return p + 5;
}

/** What is behind the number at `p`, `[-] (0 | 1-9 digits) [. digits] [e [+-] digits]`; 0 where it is none. */
function endOfNumber(p: usize, end: usize): usize {
  const isNegative = load<u8>(p) == 0x2d;
  if (isNegative) p++;
  const first = p;
  p = skipDigits(p, end);
  if (p == first) return 0;
  const isZero = load<u8>(first) == 0x30;
  if (isZero && p - first > 1) return 0;
  numberFlags = p - first <= exactDigitsMax && !(isNegative && isZero) ? flagCanonical : 0;
  if (load<u8>(p) == 0x2e) {
    const fraction = ++p;
    p = skipDigits(p, end);
    if (p == fraction) return 0;
    numberFlags = 0;
  }
  if ((load<u8>(p) | 0x20) == 0x65) {
    p++;
    if (load<u8>(p) == 0x2b || load<u8>(p) == 0x2d) p++;
    const exponent = p;
    p = skipDigits(p, end);
    if (p == exponent) return 0;
    numberFlags = 0;
  }
  return p;
}

// @ts-ignore: decorator
@inline
function skipDigits(p: usize, end: usize): usize {
  while (p < end && isDigit(load<u8>(p))) p++;
  return p;
}

/**
 * Tells most keys apart by one word: the first four bytes and the length. Never 0; 0 marks a key that has to be
 * decoded before it is compared. src/core/json_key.ts has the same for the names that are looked for.
 */
// @ts-ignore: decorator
@inline
function fingerprint(key: usize, length: usize): u32 {
  const word = length < 4 ? load<u32>(key) & ((<u32>1 << <u32>(length << 3)) - 1) : load<u32>(key);
  return (word ^ (<u32>length << 24)) | 0x80;
}
