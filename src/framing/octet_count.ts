/**
 * Reading the count of an octet-counted frame (RFC 6587 3.4.1) outside the kernel: to decide what a connection
 * speaks, and to know how many bytes of a half frame are missing. Believed by the same rule as in the kernel:
 * 1 to 9 digits without a leading zero, a space, "<".
 *
 * @module
 */

/** Digits that a believable count may have. */
const countDigitsMax = 9;

/** What `readOctetCount` returns where more bytes are needed to tell. */
export const countUndecided = 0;
/** What `readOctetCount` returns where no believable count is. */
export const notACount = -1;

/** Bytes of the whole frame that begins at `at`, its count included; or `countUndecided`, or `notACount`. */
export function readOctetCount(bytes: Uint8Array, at: number, end: number): number {
  let count = 0;
  let p = at;
  for (; p < end; p++) {
    const digit = bytes[p]! - 0x30;
    if (digit < 0 || digit > 9) break;
    count = count * 10 + digit;
    if (count === 0 || p - at === countDigitsMax) return notACount;
  }
  if (p === end) return countUndecided;
  if (p === at || bytes[p] !== 0x20) return notACount;
  if (p + 1 === end) return countUndecided;
  return bytes[p + 1] === 0x3c ? p + 1 - at + count : notACount;
}
