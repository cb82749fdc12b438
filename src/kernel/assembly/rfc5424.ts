/**
 * The header of RFC 5424, behind its PRI:
 *
 *     VERSION SP TIMESTAMP SP HOSTNAME SP APP-NAME SP PROCID SP MSGID SP STRUCTURED-DATA [SP MSG]
 *     STRUCTURED-DATA = "-" / 1*SD-ELEMENT
 *     SD-ELEMENT      = "[" SD-ID *(SP SD-PARAM) "]"
 *     SD-PARAM        = PARAM-NAME "=" %d34 PARAM-VALUE %d34      ; " \ ] escaped by \
 *
 * Patient where nothing is lost by it: no length limits, any bytes in names, an unescaped "]" in a value, and a
 * frame without structured data (Heroku and others leave it out): its message starts behind MSGID.
 */
import { hitsInBlock, indexOfByte, indexOfEither, isDigit } from "./bytes";
import {
  appnameAt, fieldBytes, hostnameAt, msgidAt, procidAt, storeField, structuredDataAt, timestampAt,
} from "./fields";

const space: u8 = 0x20;
const quote: u8 = 0x22;
const dash: u8 = 0x2d;
const equals: u8 = 0x3d;
const bracketOpen: u8 = 0x5b;
const backslash: u8 = 0x5c;
const bracketClose: u8 = 0x5d;

/** The shortest timestamp: `2003-10-11T22:14:15`. */
const timestampBytesMin: usize = 19;

/** Fills the fields and returns where the message starts, or 0 where this is not an RFC 5424 header. */
// @ts-ignore: decorator
@inline
export function parseRfc5424(p: usize, end: usize, header: usize): usize {
  p = skipVersion(p, end);
  if (p == 0 || p == end) return 0;

  const spaces = hitsInBlock(p, end, space);
  const second = spaces & (spaces - 1);
  const third = second & (second - 1);
  const fourth = third & (third - 1);
  const fifth = fourth & (fourth - 1);
  if (fifth) {
    // The usual header: one mask finds the ends of all five fields.
    const timestampEnd = p + <usize>ctz(spaces);
    const hostnameEnd = p + <usize>ctz(second);
    const appnameEnd = p + <usize>ctz(third);
    const procidEnd = p + <usize>ctz(fourth);
    const msgidEnd = p + <usize>ctz(fifth);
    // A space right behind another is an empty field.
    if ((spaces & (spaces << 1) & (fifth ^ (fifth - 1))) != 0 || !isTimestamp(p, timestampEnd)) return 0;
    storeField(header, timestampAt, p, timestampEnd);
    storeField(header, hostnameAt, timestampEnd + 1, hostnameEnd);
    storeField(header, appnameAt, hostnameEnd + 1, appnameEnd);
    storeField(header, procidAt, appnameEnd + 1, procidEnd);
    storeField(header, msgidAt, procidEnd + 1, msgidEnd);
    p = msgidEnd + 1;
  } else {
    p = parseLongFields(p, end, header);
    if (p == 0) return 0;
  }
  if (p > end) return end;

  const dataEnd = structuredDataEnd(p, end);
  if (dataEnd > p) {
    storeField(header, structuredDataAt, p, dataEnd);
    p = dataEnd < end ? dataEnd + 1 : end;
  }
  return skipBom(p, end);
}

/** The same field by field, for headers longer than a block; returns what follows the MSGID's space, or 0. */
function parseLongFields(p: usize, end: usize, header: usize): usize {
  for (let word = timestampAt; word <= msgidAt; word += fieldBytes) {
    const fieldEnd = indexOfByte(p, end, space);
    if (fieldEnd <= p || (fieldEnd == end && word != msgidAt)) return 0;
    if (word == timestampAt && !isTimestamp(p, fieldEnd)) return 0;
    storeField(header, word, p, fieldEnd);
    p = fieldEnd + 1;
  }
  return p;
}

/** VERSION SP, `%x31-39 *2DIGIT SP`; returns what follows it, or 0. */
// @ts-ignore: decorator
@inline
export function skipVersion(p: usize, end: usize): usize {
  if (end - p < 2 || load<u8>(p) < 0x31 || load<u8>(p) > 0x39) return 0;
  const last = min(end, p + 4);
  p++;
  while (p < last && isDigit(load<u8>(p))) p++;
  return p < last && load<u8>(p) == space ? p + 1 : 0;
}

/** "-", or what has the punctuation of RFC 3339. [p, end) holds no space. */
// @ts-ignore: decorator
@inline
function isTimestamp(p: usize, end: usize): bool {
  if (end - p < timestampBytesMin) return end - p == 1 && load<u8>(p) == dash;
  return isDigit(load<u8>(p)) && load<u8>(p, 4) == dash && load<u8>(p, 7) == dash &&
    (load<u8>(p, 10) | 0x20) == 0x74 && load<u8>(p, 13) == 0x3a && load<u8>(p, 16) == 0x3a;
}

/** The end of "-" or of one or more whole elements, followed by a space or the end of the frame; else `p`. */
// @ts-ignore: decorator
@inline
function structuredDataEnd(p: usize, end: usize): usize {
  let at = p;
  if (at < end && load<u8>(at) == dash) at++;
  else at = elementsEnd(p, end);
  return at == end || load<u8>(at) == space ? at : p;
}

function elementsEnd(p: usize, end: usize): usize {
  let at = p;
  while (at < end && load<u8>(at) == bracketOpen) {
    at = nameEnd(at + 1, end);
    if (at == 0) return p;
    while (at < end && load<u8>(at) == space) {
      at = nameEnd(at + 1, end);
      if (at == 0 || at + 1 >= end || load<u8>(at) != equals || load<u8>(at, 1) != quote) return p;
      at = valueEnd(at + 2, end);
      if (at == 0) return p;
    }
    if (at >= end || load<u8>(at) != bracketClose) return p;
    at++;
  }
  return at;
}

/** SD-NAME: one byte or more, none of `= SP ] "`; returns its end, or 0. */
function nameEnd(p: usize, end: usize): usize {
  const start = p;
  while (p < end) {
    const byte = load<u8>(p);
    if (byte == equals || byte == space || byte == bracketClose || byte == quote) break;
    p++;
  }
  return p > start ? p : 0;
}

/** Behind the quote that ends a value, or 0 where none does. */
function valueEnd(p: usize, end: usize): usize {
  while (true) {
    p = indexOfEither(p, end, quote, backslash);
    if (p >= end) return 0;
    if (load<u8>(p) == quote) return p + 1;
    p += 2;
  }
}

/** MSG-UTF8 starts with a byte order mark, which is not a part of the text (RFC 5424 6.4). */
// @ts-ignore: decorator
@inline
function skipBom(p: usize, end: usize): usize {
  if (end - p < 3 || load<u8>(p) != 0xef) return p;
  return load<u16>(p, 1) == 0xbfbb ? p + 3 : p;
}
