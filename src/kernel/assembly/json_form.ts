/**
 * A frame's header and message as one JSON object: what src/rules/json_form.ts writes as text, written as bytes.
 *
 *     {"timestamp":…,"hostname":…,"appname":…,"procid":…,"msgid":…,"severity":…,"facility":…,"sd":{…},"msg":…,"peer":…}
 *
 * Only where that is the same to the byte. Left to the writer of text are: bytes that are not UTF-8, names that
 * stand twice in the structured data, more names than are remembered, and a time that is not written as RFC 3339
 * with a zone wants its members given (`needsTime`).
 *
 * Keys and names lie in slots that the front has filled (src/kernel/json_form.ts), each with its length in the last
 * byte; copying a whole slot costs less than asking how long it is.
 */
import { copyBytes, isDigit } from "./bytes";
import { appnameAt, hostnameAt, msgidAt, procidAt, structuredDataAt, timestampAt } from "./fields";
import { stepBytesMax, writeJsonText } from "./json_text";
import {
  flagContinued, flagSplit, flagTruncated, flagUnparsed, frameRowBytes, headerRowBytes, headersAt, jsonStackAt,
  jsonTailAt, jsonTextsAt, markHeadersAt, rowsAt, scratchAt, scratchEnd, setEncodedEnd, setRefused,
} from "./memory";
import { encodeRecord, markOf } from "./record";

/** Results beside an address: the writer of text has to do it, or has to give the time. */
const refused: usize = 0;
const needsTime: usize = 1;

/** Slots: keys in the order of the object, then severities, then facilities. */
const slotBytes: usize = 32;
const timestampSlot: usize = 0;
const hostnameSlot: usize = 1;
const appnameSlot: usize = 2;
const procidSlot: usize = 3;
const msgidSlot: usize = 4;
const structuredDataSlot: usize = 5;
const messageSlot: usize = 6;
const severitySlot: usize = 7;
const facilitySlot: usize = 15;

/** What is written without asking for room between two texts, and what a copy of a slot writes too much. */
const slack: usize = 4 * slotBytes + stepBytesMax;

const quote: u8 = 0x22;
const comma: u8 = 0x2c;
const space: u8 = 0x20;
const equals: u8 = 0x3d;
const bracketOpen: u8 = 0x5b;
const backslash: u8 = 0x5c;
const bracketClose: u8 = 0x5d;
const braceOpen: u8 = 0x7b;
const braceClose: u8 = 0x7d;

/** `",` and `":` as little-endian words. */
const quoteComma: u16 = 0x2c22;
const quoteColon: u16 = 0x3a22;

/** What the priority word says without a PRI. */
const noPriority: u32 = 0xffffffff;

/** Names that are remembered to find those that stand twice: elements, and parameters of one element. */
const namesMax: usize = 16;

const marks: u32 = flagTruncated | flagSplit | flagContinued | flagUnparsed;
/** `recordBytesMax` of the front: what a record needs beside its parts. */
const overheadBytesMax: usize = 32;

/** @see Kernel.writeJsonForm */
export function writeJsonForm(
  row: u32, at: usize, limit: usize, timeAt: usize, timeLength: u32, tailLength: u32,
): usize {
  const frame = rowsAt + <usize>row * frameRowBytes;
  const header = headersAt + <usize>row * headerRowBytes;
  if (limit < at + slack + <usize>timeLength + <usize>tailLength) return refused;
  limit -= slack + <usize>tailLength;
  store<u8>(at++, braceOpen);
  if (timeLength) {
    copyBytes(at, timeAt, timeLength);
    at += timeLength;
  } else {
    const start = <usize>load<u32>(header + timestampAt);
    if (start) {
      const end = <usize>load<u32>(header + timestampAt, 4);
      if (!isCanonicalTime(start, end)) return needsTime;
      at = writeMember(at, limit, timestampSlot, start, end);
      if (at == 0) return refused;
    }
  }
  at = writeField(at, limit, hostnameSlot, header + hostnameAt);
  if (at) at = writeField(at, limit, appnameSlot, header + appnameAt);
  if (at) at = writeField(at, limit, procidSlot, header + procidAt);
  if (at) at = writeField(at, limit, msgidSlot, header + msgidAt);
  if (at == 0 || at > limit) return refused;
  const priority = load<u32>(header);
  if (priority != noPriority) {
    at = writeSlot(at, severitySlot + <usize>(priority & 7));
    at = writeSlot(at, facilitySlot + <usize>(priority >>> 3));
  }
  const data = <usize>load<u32>(header + structuredDataAt);
  if (data) {
    at = writeSlot(at, structuredDataSlot);
    at = writeStructuredData(at, limit, data, <usize>load<u32>(header + structuredDataAt, 4));
    if (at == 0) return refused;
  }
  at = writeMember(at, limit, messageSlot, <usize>load<u32>(frame, 12), <usize>load<u32>(frame, 4));
  if (at == 0) return refused;
  // The tail is the peer, and the end.
  copyBytes(at, jsonTailAt, tailLength);
  return at + tailLength;
}

/** @see Kernel.encodeJsonRows */
export function encodeJsonRows(
  from: u32, to: u32, at: usize, limit: usize, offsetDelta: i32, timestampDelta: f64, tailLength: u32,
): u32 {
  setRefused(0);
  for (; from < to; from++) {
    const end = writeJsonForm(from, scratchAt, scratchEnd, 0, 0, tailLength);
    if (end <= needsTime) {
      setRefused(1);
      break;
    }
    let headers: usize = 0;
    let headersLength: u32 = 0;
    const flags = load<u32>(rowsAt + <usize>from * frameRowBytes, 8) & marks;
    if (flags) {
      const mark = markHeadersAt + <usize>markOf(flags) * 8;
      headers = <usize>load<u32>(mark);
      headersLength = load<u32>(mark, 4);
    }
    const length = end - scratchAt;
    if (at + overheadBytesMax + length + <usize>headersLength > limit) break;
    at = encodeRecord(at, offsetDelta, timestampDelta, 0, -1, scratchAt, <i32>length, headers, headersLength);
    offsetDelta++;
  }
  setEncodedEnd(at);
  return from;
}

// @ts-ignore: decorator
@inline
function writeSlot(at: usize, slot: usize): usize {
  const from = jsonTextsAt + slot * slotBytes;
  v128.store(at, v128.load(from));
  v128.store(at, v128.load(from, 16), 16);
  return at + <usize>load<u8>(from, 31);
}

/** `"key":"text",`; 0 for no room or no UTF-8. */
function writeMember(at: usize, limit: usize, slot: usize, start: usize, end: usize): usize {
  if (at > limit) return 0;
  at = writeJsonText(writeSlot(at, slot), limit, start, end, false);
  if (at == 0) return 0;
  store<u16>(at, quoteComma);
  return at + 2;
}

// @ts-ignore: decorator
@inline
function writeField(at: usize, limit: usize, slot: usize, words: usize): usize {
  const start = <usize>load<u32>(words);
  return start ? writeMember(at, limit, slot, start, <usize>load<u32>(words, 4)) : at;
}

/** Elements of a checked grammar (rfc5424.ts) as `{"id":{"name":"value"}},`; 0 where that is not for here. */
function writeStructuredData(at: usize, limit: usize, p: usize, end: usize): usize {
  const elements = jsonStackAt;
  const parameters = elements + namesMax * 8;
  let elementCount: usize = 0;
  store<u8>(at++, braceOpen);
  while (p < end && load<u8>(p) == bracketOpen) {
    const id = p + 1;
    p = nameEnd(id, end);
    if (!remember(elements, elementCount, id, p)) return 0;
    if (elementCount++) store<u8>(at++, comma);
    at = writeName(at, limit, id, p);
    if (at == 0) return 0;
    store<u8>(at++, braceOpen);
    let parameterCount: usize = 0;
    while (p < end && load<u8>(p) == space) {
      const name = p + 1;
      p = nameEnd(name, end);
      if (!remember(parameters, parameterCount, name, p)) return 0;
      if (parameterCount++) store<u8>(at++, comma);
      at = writeName(at, limit, name, p);
      if (at == 0) return 0;
      // Behind `="`.
      const value = p + 2;
      p = quoteAt(value, end);
      store<u8>(at++, quote);
      at = writeJsonText(at, limit, value, p, true);
      if (at == 0) return 0;
      store<u8>(at++, quote);
      p++;
    }
    store<u8>(at++, braceClose);
    p++;
  }
  store<u8>(at, braceClose);
  store<u8>(at, comma, 1);
  return at + 2;
}

/** `"name":` */
function writeName(at: usize, limit: usize, start: usize, end: usize): usize {
  store<u8>(at++, quote);
  at = writeJsonText(at, limit, start, end, false);
  if (at == 0) return 0;
  store<u16>(at, quoteColon);
  return at + 2;
}

/** Keeps [start, end) as name number `count`; false where it stands there already, or there are too many. */
function remember(names: usize, count: usize, start: usize, end: usize): bool {
  if (count == namesMax) return false;
  const length = end - start;
  for (let i: usize = 0; i < count; i++) {
    const known = <usize>load<u32>(names + i * 8);
    if (<usize>load<u32>(names + i * 8, 4) - known == length && isSame(known, start, length)) return false;
  }
  store<u32>(names + count * 8, <u32>start);
  store<u32>(names + count * 8, <u32>end, 4);
  return true;
}

function isSame(a: usize, b: usize, length: usize): bool {
  for (let i: usize = 0; i < length; i++) if (load<u8>(a + i) != load<u8>(b + i)) return false;
  return true;
}

function nameEnd(p: usize, end: usize): usize {
  while (p < end) {
    const byte = load<u8>(p);
    if (byte == equals || byte == space || byte == bracketClose) break;
    p++;
  }
  return p;
}

function quoteAt(p: usize, end: usize): usize {
  while (p < end && load<u8>(p) != quote) p += load<u8>(p) == backslash ? 2 : 1;
  return p < end ? p : end;
}

/**
 * Whether reading the time and writing it again gives the same text: `1000-01-01T00:00:00`, a fraction behind ".",
 * then Z or an offset that is not zero; a day that is in every month of that length.
 */
function isCanonicalTime(p: usize, end: usize): bool {
  if (end - p < 20 || load<u8>(p) == 0x30) return false;
  if (!isDigit(load<u8>(p)) || !isDigit(load<u8>(p, 1)) || load<u8>(p, 4) != 0x2d || load<u8>(p, 7) != 0x2d) {
    return false;
  }
  if (load<u8>(p, 10) != 0x54 || load<u8>(p, 13) != 0x3a || load<u8>(p, 16) != 0x3a) return false;
  const month = number(p + 5);
  const day = number(p + 8);
  if (number(p + 2) > 99 || month - 1 > 11 || day - 1 > 30) return false;
  // April, June, September and November have 30 days; what February has is for others to say.
  if (day > 28 && (month == 2 || (day == 31 && (0xa50 >>> month & 1) != 0))) return false;
  if (number(p + 11) > 23 || number(p + 14) > 59 || number(p + 17) > 59) return false;
  p += 19;
  if (load<u8>(p) == 0x2e) {
    const digits = ++p;
    while (p < end && isDigit(load<u8>(p))) p++;
    if (p == digits || p == end) return false;
  }
  const zone = load<u8>(p);
  if (zone == 0x5a) return p + 1 == end;
  if ((zone != 0x2b && zone != 0x2d) || end - p != 6 || load<u8>(p, 3) != 0x3a) return false;
  const hours = number(p + 1);
  const minutes = number(p + 4);
  return hours < 24 && minutes < 60 && (hours | minutes) != 0;
}

/** Two digits, or more than 99 where they are none. */
// @ts-ignore: decorator
@inline
function number(p: usize): u32 {
  const tens = <u32>load<u8>(p) - 0x30;
  const ones = <u32>load<u8>(p, 1) - 0x30;
  return tens > 9 || ones > 9 ? 100 : tens * 10 + ones;
}
