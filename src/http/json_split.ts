/**
 * Finds the values in a JSON array, or in values that follow each other, without parsing them: each can be taken as
 * the bytes that it is. Whether a value is right inside is for a parser; here is told where it ends.
 *
 * @module
 */

import { bytesAStep, type Reading, Steps, wholly } from "./turns.ts";

const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;
const openList = 0x5b;
const closeList = 0x5d;
const openObject = 0x7b;
const closeObject = 0x7d;

/** True for the blanks of JSON (RFC 8259, section 2). */
export function isJsonBlank(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

/** First byte at or behind `at` that is no blank; the length where there is none. */
export function skipBlanks(bytes: Uint8Array, at: number): number {
  while (at < bytes.length && isJsonBlank(bytes[at]!)) at++;
  return at;
}

/**
 * End of the value that begins at `at`: of a string, list or object behind its closing mark, of anything else before
 * the next blank, comma or closing mark. -1 where it has no end before `until`.
 */
export function endOfValue(bytes: Uint8Array, at: number, until = bytes.length): number {
  const first = bytes[at];
  if (first === quote) return endOfString(bytes, at, until);
  if (first !== openList && first !== openObject) {
    let end = at;
    while (end < until && !endsScalar(bytes[end]!)) end++;
    // At the end of the bytes it ends too.
    return end === at || end === until && until < bytes.length ? -1 : end;
  }
  let depth = 0;
  while (at < until) {
    const byte = bytes[at]!;
    if (byte === quote) {
      at = endOfString(bytes, at, until);
      if (at < 0) return -1;
      continue;
    }
    if (byte === openList || byte === openObject) depth++;
    else if ((byte === closeList || byte === closeObject) && --depth === 0) return at + 1;
    at++;
  }
  return -1;
}

/** The same for a value that may be as long as a body, some bytes at a time. */
export function* endOfLongValue(bytes: Uint8Array, start: number): Reading<number> {
  let depth = 0;
  let isText = false;
  for (let at = start; at < bytes.length;) {
    for (const until = Math.min(bytes.length, at + bytesAStep); at < until; at++) {
      const byte = bytes[at]!;
      if (isText) {
        if (byte === backslash) at++;
        else if (byte === quote) {
          isText = false;
          if (depth === 0) return at + 1;
        }
      } else if (depth === 0 && at > start) {
        if (endsScalar(byte)) return at;
      } else if (byte === quote) isText = true;
      else if (byte === openList || byte === openObject) depth++;
      else if ((byte === closeList || byte === closeObject) && --depth <= 0) return depth < 0 ? -1 : at + 1;
      else if (depth === 0 && endsScalar(byte)) return -1;
    }
    yield;
  }
  return depth === 0 && !isText ? bytes.length : -1;
}

/** Behind the closing quote; -1 where there is none before `until`. */
export function endOfString(bytes: Uint8Array, at: number, until: number): number {
  for (at++; at < until; at++) {
    const byte = bytes[at];
    if (byte === quote) return at + 1;
    if (byte === backslash) at++;
  }
  return -1;
}

function endsScalar(byte: number): boolean {
  return isJsonBlank(byte) || byte === comma || byte === closeList || byte === closeObject ||
    byte === openList || byte === openObject || byte === quote;
}

/** Takes start and end of a value. */
type Take = (start: number, end: number) => void;

/**
 * Gives start and end of each element of the array that `bytes` is. False where it is none.
 */
export function splitArray(bytes: Uint8Array, take: Take): boolean {
  return wholly(splitArrayInTurns(bytes, take));
}

/** The same, some elements at a time. */
export function* splitArrayInTurns(bytes: Uint8Array, take: Take): Reading<boolean> {
  const steps = new Steps();
  let at = skipBlanks(bytes, 0);
  if (bytes[at] !== openList) return false;
  at = skipBlanks(bytes, at + 1);
  if (bytes[at] === closeList) return skipBlanks(bytes, at + 1) === bytes.length;
  for (;;) {
    const end = shortEnd(bytes, at) ?? (yield* endOfLongValue(bytes, at));
    if (end < 0) return false;
    take(at, end);
    if (steps.due(end - at)) yield;
    at = skipBlanks(bytes, end);
    if (bytes[at] === closeList) return skipBlanks(bytes, at + 1) === bytes.length;
    if (bytes[at] !== comma) return false;
    at = skipBlanks(bytes, at + 1);
  }
}

/** Gives start and end of values that follow each other, with or without blanks between. False where one has no end. */
export function splitStream(bytes: Uint8Array, take: Take): boolean {
  return wholly(splitStreamInTurns(bytes, take));
}

/** The same, some values at a time. */
export function* splitStreamInTurns(bytes: Uint8Array, take: Take): Reading<boolean> {
  const steps = new Steps();
  for (let at = skipBlanks(bytes, 0); at < bytes.length;) {
    const end = shortEnd(bytes, at) ?? (yield* endOfLongValue(bytes, at));
    if (end < 0) return false;
    take(at, end);
    if (steps.due(end - at)) yield;
    at = skipBlanks(bytes, end);
  }
  return true;
}

/** End of a value that is not long, -1 where it has none; undefined where it may be long. */
function shortEnd(bytes: Uint8Array, at: number): number | undefined {
  const until = Math.min(bytes.length, at + bytesAStep);
  const end = endOfValue(bytes, at, until);
  return end >= 0 || until === bytes.length ? end : undefined;
}
