/**
 * Reading the count of an octet-counted frame (RFC 6587 3.4.1) outside the kernel: to decide what a connection
 * speaks, to know how many bytes of a half frame are missing, and to find the next frame behind damage.
 *
 * How much a count must have around it to be believed depends on where it stands:
 *
 *     at the boundary of frames   1*9DIGIT SP "<"               the same rule as in the kernel
 *     the same, no "<" behind     1*9DIGIT SP                   if the frame fits into the stream: `readBareCount`
 *     in the middle of bytes      1*9DIGIT SP "<" 1*3DIGIT ">"  `findResync`
 *
 * never with a leading zero, and a run of digits always from its first digit.
 *
 * @module
 */

const lf = 0x0a;
const space = 0x20;
const zero = 0x30;
const opening = 0x3c;
const closing = 0x3e;

/** Digits that a believable count may have. */
const countDigitsMax = 9;
/** Digits that a PRI may have (RFC 5424 6.2.1). */
const priorityDigitsMax = 3;

/** What the readers of counts return where more bytes are needed to tell. */
export const countUndecided = 0;
/** What the readers of counts return where no believable count is. */
export const notACount = -1;

/** Bytes of the whole frame that begins at `at`, its count included; or `countUndecided`, or `notACount`. */
export function readOctetCount(bytes: Uint8Array, at: number, end: number): number {
  const frameBytes = readCount(bytes, at, end);
  if (frameBytes <= 0) return frameBytes;
  const start = frameStart(bytes, at);
  if (start === end) return countUndecided;
  return bytes[start] === opening ? frameBytes : notACount;
}

/** The same for `digits SP` with anything or nothing behind it. */
export function readCount(bytes: Uint8Array, at: number, end: number): number {
  let count = 0;
  let p = at;
  for (; p < end; p++) {
    const digit = bytes[p]! - zero;
    if (digit < 0 || digit > 9) break;
    count = count * 10 + digit;
    if (count === 0 || p - at === countDigitsMax) return notACount;
  }
  if (p === end) return countUndecided;
  return p > at && bytes[p] === space ? p + 1 - at + count : notACount;
}

/** Where the frame begins whose count begins at `at`. */
export function frameStart(bytes: Uint8Array, at: number): number {
  return bytes.indexOf(space, at) + 1;
}

/**
 * Reads a count whose frame does not begin with "<", as senders write that omit the PRI. It is believed where the
 * frame is at most `frameBytesMax` long, of one line, without another frame in it, and the stream goes on as it
 * should at its end: the frame ends with a LF, or behind it stands a LF or a count, or (if `ended`) nothing.
 * Returns what `readOctetCount` does. In the first `clearBytes` no other frame begins, as was seen before.
 */
export function readBareCount(
  bytes: Uint8Array,
  at: number,
  end: number,
  frameBytesMax: number,
  clearBytes: number,
  ended: boolean,
): number {
  const frameBytes = readCount(bytes, at, end);
  if (frameBytes <= 0) return notACount;
  const start = frameStart(bytes, at);
  const frameEnd = at + frameBytes;
  if (frameEnd - start > frameBytesMax) return notACount;
  const resync = findResync(bytes, Math.max(start, at + clearBytes), Math.min(end, frameEnd), frameBytesMax);
  if (resync >= 0) return resync === frameEnd ? frameBytes : notACount;
  if (end <= frameEnd) {
    if (!ended) return countUndecided;
    return end === frameEnd ? frameBytes : notACount;
  }
  if (bytes[frameEnd] === lf) return frameBytes;
  const next = readCount(bytes, frameEnd, end);
  if (next > 0) return frameBytes;
  return ended ? notACount : next;
}

/**
 * Where a damaged frame that begins at `start` ends and the next may begin: behind the first LF, or at the first
 * count before it; or -1. That place depends on nothing behind `end`.
 *
 * Text may end with digits, and with the count behind them they read as a count far too large, which would cost
 * all the frames that it spans: one above `frameBytesMax` is not believed here.
 */
export function findResync(bytes: Uint8Array, start: number, end: number, frameBytesMax: number): number {
  const newline = bytes.subarray(start, end).indexOf(lf);
  const line = bytes.subarray(start, newline < 0 ? end : start + newline);
  for (let close = line.indexOf(closing); close >= 0; close = line.indexOf(closing, close + 1)) {
    const priorityDigits = digitsBefore(line, close);
    const open = close - priorityDigits - 1;
    if (priorityDigits === 0 || priorityDigits > priorityDigitsMax || !isOpening(line, open)) continue;
    const digits = digitsBefore(line, open - 1);
    const at = open - 1 - digits;
    const frameBytes = readCount(line, at, close);
    if (frameBytes > 0 && frameBytes - digits - 1 <= frameBytesMax) return start + at;
  }
  return newline < 0 ? -1 : start + newline + 1;
}

/** Where the beginning of a count stands that `findResync` may find when more bytes came; `end` where none does. */
export function findHalfCount(bytes: Uint8Array, start: number, end: number): number {
  const view = bytes.subarray(start, end);
  const run = end - start - digitsBefore(view, end - start);
  let countEnd = run;
  if (view.length - run <= priorityDigitsMax && isOpening(view, run - 1)) countEnd = run - 2;
  else if (run === view.length && view[run - 1] === space) countEnd = run - 1;
  const digits = digitsBefore(view, countEnd);
  if (countEnd < run && digits > 0 && digits <= countDigitsMax) return start + countEnd - digits;
  return start + run;
}

/** Whether SP and the "<" of a PRI stand here. */
function isOpening(bytes: Uint8Array, open: number): boolean {
  return open > 0 && bytes[open] === opening && bytes[open - 1] === space;
}

/** How many digits stand before `at`; one more than a count may have is as good as any number of them. */
function digitsBefore(bytes: Uint8Array, at: number): number {
  let p = at;
  while (p > 0 && at - p <= countDigitsMax && bytes[p - 1]! >= zero && bytes[p - 1]! <= zero + 9) p--;
  return at - p;
}
