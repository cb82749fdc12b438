/**
 * Where in a text the personal data is that `redact` knows by name. Hand-written scans: each takes time in proportion
 * to the text, whatever the text is.
 *
 * | name | found |
 * |---|---|
 * | `email` | `local@domain.tld`, also with `%40`; letters beyond ASCII count |
 * | `ip` | IPv4 of four numbers up to 255 (so four-part version numbers too); IPv6, not `::` |
 * | `card` | 13 to 19 digits that begin as card numbers do (2221-2720, 3 to 6) and pass Luhn's check; single spaces or hyphens between groups |
 * | `bearer` | the token behind the word `bearer` |
 *
 * @module
 */

import { isIPv6 } from "node:net";

/** Takes what was found: `text[start..end)`, in any order. */
export type Report = (start: number, end: number) => void;

/** Finds all of one kind in `text`. */
export type Scan = (text: string, report: Report) => void;

/** RFC 5321 4.5.3.1: a local part and a domain have at most so many octets. */
const localMax = 64;
const domainMax = 255;

/** What stands in local parts beside letters and digits; RFC 5322 has more, which in logs is punctuation around them. */
const localMarks = "._%+-'";

function isLocal(code: number): boolean {
  return isAlnum(code) || isWide(code) || localMarks.includes(String.fromCharCode(code));
}

function isAlnum(code: number): boolean {
  return isDigit(code) || (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a);
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

/** Letters beyond ASCII, roughly; U+FFFD stands for bytes that are no text. */
function isWide(code: number): boolean {
  return code >= 0xc0 && code !== 0xfffd;
}

/** @see Scan */
export function scanEmails(text: string, report: Report): void {
  for (let at = text.indexOf("@"); at >= 0; at = text.indexOf("@", at + 1)) emailAt(text, at, at + 1, report);
  for (let at = text.indexOf("%40"); at >= 0; at = text.indexOf("%40", at + 3)) {
    emailAt(text, at, at + 3, report);
  }
}

function emailAt(text: string, before: number, after: number, report: Report): void {
  let start = before;
  while (start > 0 && before - start < localMax && isLocal(text.charCodeAt(start - 1))) start--;
  if (start === before) return;
  let end = after;
  let lastDot = -1;
  while (end < text.length && end - after < domainMax) {
    const code = text.charCodeAt(end);
    if (code === 0x2e) {
      if (end === after || text.charCodeAt(end - 1) === 0x2e) break;
      lastDot = end;
    } else if (!isAlnum(code) && !isWide(code) && code !== 0x2d) break;
    end++;
  }
  // A dot or hyphen at the end belongs to the sentence.
  while (end > after && (text.charCodeAt(end - 1) === 0x2e || text.charCodeAt(end - 1) === 0x2d)) end--;
  if (lastDot >= end - 1) lastDot = text.lastIndexOf(".", end - 1);
  if (lastDot <= after || end - lastDot - 1 < 2 || isDigit(text.charCodeAt(lastDot + 1))) return;
  report(start, end);
}

/** Dots may follow, not more numbers: `1.2.3.4.5` is no address. */
const ipv4 = /(?<!\d)(?<!\d\.)\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}(?!\d|\.\d)/g;

/** The longest IPv6 address, with an IPv4 address as its end. */
const ipv6CharsMax = 45;

/** @see Scan */
export function scanAddresses(text: string, report: Report): void {
  if (text.includes(".")) {
    for (const { 0: found, index } of text.matchAll(ipv4)) {
      if (found.split(".").every((octet) => Number(octet) <= 255)) report(index, index + found.length);
    }
  }
  for (let colon = text.indexOf(":"); colon >= 0;) {
    let start = colon;
    while (start > 0 && isAddressChar(text.charCodeAt(start - 1))) start--;
    let end = colon + 1;
    while (end < text.length && isAddressChar(text.charCodeAt(end))) end++;
    addressIn(text, start, end, report);
    colon = text.indexOf(":", end);
  }
}

/** Looks for IPv6 in a run of hexadecimal digits, colons and dots. A label may stand before it: `from:2001:db8::1`. */
function addressIn(text: string, start: number, end: number, report: Report): void {
  const wordGoesOn = end < text.length && isWordChar(text.charCodeAt(end));
  while (end > start && (text.charCodeAt(end - 1) === 0x2e || isLoneColon(text, end - 1, -1))) end--;
  let from = start;
  // The end of a longer word is no beginning of an address.
  if (from > 0 && isWordChar(text.charCodeAt(from - 1))) {
    while (from < end && text.charCodeAt(from) !== 0x3a) from++;
  }
  if (isLoneColon(text, from, 1)) from++;
  if (wordGoesOn) return;
  // Without its label, or without the port behind it.
  for (let tries = 0; tries < 8 && end - from >= 3; tries++) {
    if (end - from <= ipv6CharsMax) {
      const candidate = text.slice(from, end);
      if (isIPv6(candidate) && isTelling(candidate)) {
        report(from, end);
        return;
      }
    }
    const next = text.indexOf(":", from);
    if (next < 0 || next >= end) return;
    from = next + 1;
  }
}

function isLoneColon(text: string, at: number, side: 1 | -1): boolean {
  return text.charCodeAt(at) === 0x3a && text.charCodeAt(at + side) !== 0x3a;
}

/** Not `::`, and not the `d::` of `std::string`. */
function isTelling(address: string): boolean {
  return address === "::1" || address.split(":").filter((group) => group !== "").length >= 2;
}

function isAddressChar(code: number): boolean {
  return isDigit(code) || code === 0x3a || code === 0x2e || (code >= 0x41 && code <= 0x46) ||
    (code >= 0x61 && code <= 0x66);
}

function isWordChar(code: number): boolean {
  return isAlnum(code) || code === 0x5f;
}

const cardDigitsMin = 13;
const cardDigitsMax = 19;
/** Digits, with single spaces or hyphens between groups; shorter runs hold no card. */
const digitRun = /\d(?:[ -]?\d){12,}/g;

/** @see Scan */
export function scanCards(text: string, report: Report): void {
  for (const { 0: run, index } of text.matchAll(digitRun)) cardsIn(run, index, report);
}

/**
 * Of a run with several groups, whole groups that are a card: a date may stand beside it. The longest counts, and cards
 * that overlap are one.
 */
function cardsIn(run: string, offset: number, report: Report): void {
  const digits = run.replaceAll(/[ -]/g, "");
  if (digits.length === run.length) {
    if (isCard(digits)) report(offset, offset + run.length);
    return;
  }
  const groups = [...run.matchAll(/\d+/g)];
  const sums = luhnSums(digits);
  let start = -1;
  let end = -1;
  for (let first = 0, from = 0; first < groups.length; from += groups[first++][0].length) {
    let found = -1;
    for (let last = first, to = from; last < groups.length; last++) {
      to += groups[last][0].length;
      if (to - from > cardDigitsMax) break;
      if (to - from >= cardDigitsMin && isIssued(digits, from) && sums(from, to) % 10 === 0) found = last;
    }
    if (found < 0) continue;
    if (groups[first].index > end) {
      if (end >= 0) report(offset + start, offset + end);
      start = groups[first].index;
    }
    end = groups[found].index + groups[found][0].length;
  }
  if (end >= 0) report(offset + start, offset + end);
}

/** Luhn's sum of any part of `digits`, in the same time for each: every second digit from the end is doubled. */
function luhnSums(digits: string): (from: number, to: number) => number {
  const doubledOdd = new Int32Array(digits.length + 1);
  const doubledEven = new Int32Array(digits.length + 1);
  for (let at = 0; at < digits.length; at++) {
    const digit = digits.charCodeAt(at) - 0x30;
    const doubled = digit > 4 ? digit * 2 - 9 : digit * 2;
    doubledOdd[at + 1] = doubledOdd[at] + (at % 2 === 1 ? doubled : digit);
    doubledEven[at + 1] = doubledEven[at] + (at % 2 === 0 ? doubled : digit);
  }
  return (from, to) => {
    const sums = (to - 1) % 2 === 0 ? doubledOdd : doubledEven;
    return sums[to] - sums[from];
  };
}

/** True if `digits` are as many as a card has, begin as an issuer's do and pass Luhn's check (ISO/IEC 7812-1 annex B). */
export function isCard(digits: string): boolean {
  return digits.length >= cardDigitsMin && digits.length <= cardDigitsMax && isIssued(digits, 0) &&
    luhnSums(digits)(0, digits.length) % 10 === 0;
}

/** True if the card number at `from` begins with 2221 to 2720 or 3 to 6. */
function isIssued(digits: string, from: number): boolean {
  const first = digits.charCodeAt(from) - 0x30;
  if (first !== 2) return first >= 3 && first <= 6;
  const head = Number(digits.slice(from, from + 4));
  return head >= 2221 && head <= 2720;
}

/** RFC 6750 2.1, and as it stands in logs: `bearer:`, `bearer=`, `Bearer%20`. Shorter words are prose. */
const bearer = /\bbearer(?:[ \t]+|%20|\+|["']?[:=][ \t]*["']?)([A-Za-z0-9._~+/%=-]{6,})/gi;

/** @see Scan */
export function scanBearers(text: string, report: Report): void {
  for (const { 0: found, 1: token, index } of text.matchAll(bearer)) {
    report(index + found.length - token.length, index + found.length);
  }
}
