/**
 * Sets of Unicode code points, as RE2 character classes denote them: sorted, disjoint ranges in one flat array
 * `[lo, hi, lo, hi, …]`. They are exact where a native class is not: RE2's `\s` is five characters, JavaScript's is
 * twenty-five.
 *
 * @module
 */

/** Sorted, disjoint, non-adjacent inclusive ranges. */
export type CodePoints = readonly number[];

/** The last code point. */
export const codePointMax = 0x10ffff;

/** Sorts and joins ranges given in any order. */
export function unionOf(ranges: readonly number[]): CodePoints {
  const pairs: [number, number][] = [];
  for (let i = 0; i < ranges.length; i += 2) pairs.push([ranges[i], ranges[i + 1]]);
  pairs.sort((a, b) => a[0] - b[0]);
  const out: number[] = [];
  for (const [lo, hi] of pairs) {
    if (out.length > 0 && lo <= out[out.length - 1] + 1) {
      out[out.length - 1] = Math.max(out[out.length - 1], hi);
    } else out.push(lo, hi);
  }
  return out;
}

/** Everything that is not in `set`. */
export function negate(set: CodePoints): CodePoints {
  const out: number[] = [];
  let next = 0;
  for (let i = 0; i < set.length; i += 2) {
    if (set[i] > next) out.push(next, set[i] - 1);
    next = set[i + 1] + 1;
  }
  if (next <= codePointMax) out.push(next, codePointMax);
  return out;
}

/** True if `codePoint` is in `set`. */
export function contains(set: CodePoints, codePoint: number): boolean {
  for (let i = 0; i < set.length; i += 2) if (codePoint >= set[i] && codePoint <= set[i + 1]) return true;
  return false;
}

/** True if every member of `inner` is in `outer`. */
export function isSubset(inner: CodePoints, outer: CodePoints): boolean {
  for (let i = 0; i < inner.length; i += 2) {
    let held = false;
    for (let j = 0; j < outer.length && !held; j += 2) {
      held = inner[i] >= outer[j] && inner[i + 1] <= outer[j + 1];
    }
    if (!held) return false;
  }
  return true;
}

/** The only non-ASCII characters that Unicode's simple folding joins to ASCII letters: long s and the Kelvin sign. */
const longS = 0x17f;
const kelvin = 0x212a;

/**
 * Adds the other case of every ASCII letter in `set`, with the two non-ASCII characters that fold to ASCII. Undefined
 * where the set has other non-ASCII members (short of all of them), whose folding needs Unicode tables.
 */
export function foldAscii(set: CodePoints): CodePoints | undefined {
  const out = [...set];
  for (let i = 0; i < set.length; i += 2) {
    const [lo, hi] = [set[i], set[i + 1]];
    if (hi > 0x7f && !(lo <= 0x80 && hi === codePointMax)) return undefined;
    addCase(out, lo, hi, 0x41, 0x5a, 32);
    addCase(out, lo, hi, 0x61, 0x7a, -32);
  }
  const folded = unionOf(out);
  if (contains(folded, 0x6b)) out.push(kelvin, kelvin);
  if (contains(folded, 0x73)) out.push(longS, longS);
  // A range up to the last code point holds the two characters, so that the letters they fold to belong too.
  if (contains(set, kelvin)) out.push(0x4b, 0x4b, 0x6b, 0x6b);
  if (contains(set, longS)) out.push(0x53, 0x53, 0x73, 0x73);
  return unionOf(out);
}

function addCase(out: number[], lo: number, hi: number, first: number, last: number, shift: number): void {
  const from = Math.max(lo, first);
  const to = Math.min(hi, last);
  if (from <= to) out.push(from + shift, to + shift);
}

/** RE2's classes of ASCII: Perl's `\d \s \w` and the POSIX names. `space` has the vertical tab, `\s` has not. */
export const namedSets: Readonly<Record<string, CodePoints>> = {
  d: [0x30, 0x39],
  s: [0x09, 0x0a, 0x0c, 0x0d, 0x20, 0x20],
  w: [0x30, 0x39, 0x41, 0x5a, 0x5f, 0x5f, 0x61, 0x7a],
  alnum: [0x30, 0x39, 0x41, 0x5a, 0x61, 0x7a],
  alpha: [0x41, 0x5a, 0x61, 0x7a],
  ascii: [0x00, 0x7f],
  blank: [0x09, 0x09, 0x20, 0x20],
  cntrl: [0x00, 0x1f, 0x7f, 0x7f],
  digit: [0x30, 0x39],
  graph: [0x21, 0x7e],
  lower: [0x61, 0x7a],
  print: [0x20, 0x7e],
  punct: [0x21, 0x2f, 0x3a, 0x40, 0x5b, 0x60, 0x7b, 0x7e],
  space: [0x09, 0x0d, 0x20, 0x20],
  upper: [0x41, 0x5a],
  word: [0x30, 0x39, 0x41, 0x5a, 0x5f, 0x5f, 0x61, 0x7a],
  xdigit: [0x30, 0x39, 0x41, 0x46, 0x61, 0x66],
};

/** Every code point. */
export const anything: CodePoints = [0, codePointMax];

/** Every code point but the newline: RE2's `.` without the `s` flag. */
export const notNewline: CodePoints = negate([0x0a, 0x0a]);

/** The set as JavaScript source for a RegExp with the `u` flag. */
export function toSource(set: CodePoints): string {
  if (set.length === 0) return "[]";
  if (set.length === 2 && set[0] === set[1]) return escapeCodePoint(set[0]);
  const inverse = negate(set);
  const negated = inverse.length < set.length;
  const ranges = negated ? inverse : set;
  let body = "";
  for (let i = 0; i < ranges.length; i += 2) {
    body += escapeCodePoint(ranges[i]);
    if (ranges[i + 1] > ranges[i]) {
      body += (ranges[i + 1] > ranges[i] + 1 ? "-" : "") + escapeCodePoint(ranges[i + 1]);
    }
  }
  return `[${negated ? "^" : ""}${body}]`;
}

function escapeCodePoint(codePoint: number): string {
  const isAlnum = contains(namedSets.alnum, codePoint);
  if (isAlnum || codePoint === 0x20) return String.fromCodePoint(codePoint);
  return codePoint < 0x100
    ? `\\x${codePoint.toString(16).padStart(2, "0")}`
    : `\\u{${codePoint.toString(16)}}`;
}
