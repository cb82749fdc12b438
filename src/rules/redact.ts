/**
 * Takes personal data out of a text, once for all patterns of a `redact` action.
 *
 *     text ── patterns ──> places ── those that overlap are one ──> text with [email], [ip], … or hashes
 *
 * Where the text is a JSON object or list it stays one: inside strings the replacement is escaped, and outside of them
 * (a card number that is a JSON number) the whole scalar becomes a string. Escapes of ASCII characters (`\u0040`) are
 * looked through.
 *
 * With a hash a match becomes `[name:…]`, the first 128 bits of HMAC-SHA256 over it in hexadecimal: equal data gives
 * equal tokens, so that lines can still be joined, and nobody without the key can try candidates. E-mail addresses are
 * hashed in lower case, card numbers as digits alone.
 *
 * Patterns of one's own run on the native engine where every search is proven linear, else on the linear engine. A
 * text with so many matches that finding them all would take longer than `searchedCharsMax` allows is not redacted:
 * the line goes to the dead letter and not out.
 *
 * @module
 */

import { createHmac } from "node:crypto";
import { RE2JS } from "re2js";
import { mayBeJson, parseJsonText, skipSpace } from "./json_text.ts";
import type { Redact } from "./line_context.ts";
import { scanAddresses, scanBearers, scanCards, scanEmails } from "./redact_scan.ts";
import { checkRegex, compileRegex, linearStepsMax, noMatch, type RegexFault, tooCostly } from "./regex.ts";
import { toNative } from "./regex_native.ts";
import { provePaths } from "./regex_paths.ts";
import { parseRegex } from "./regex_syntax.ts";

/** Characters that all searches of one native pattern over a text may pass together; some 20 ms. */
export const searchedCharsMax = 2_000_000;

/** Matches of one text that are hashed, at up to 10 us each; with more the line goes to the dead letter. */
export const hashesMax = 2_000;

/** What may be redacted by name. */
export type BuiltInPattern = "email" | "ip" | "card" | "bearer";

/** A pattern of one's own. */
export interface OwnPattern {
  readonly regex: string;
  readonly name: string;
}

/** What to put in the place of a match. */
export type Replacement =
  /** The text given, or `[name]`. */
  | { readonly kind: "text"; readonly text: string | undefined }
  | { readonly kind: "hash"; readonly key: string };

/** Collects places; the pattern's index goes with each. */
interface Places {
  add(start: number, end: number): void;
}

/** False: out of bounds. */
type Find = (text: string, places: Places) => boolean;

interface Pattern {
  readonly name: string;
  /** True if it does not look at escapes of JSON strings. */
  readonly skipsEscapes: boolean;
  readonly find: Find;
  /** What is hashed of a match. */
  normal(found: string): string;
}

const builtIn: Readonly<Record<BuiltInPattern, Pattern>> = {
  email: builtInPattern("email", scanEmails, (found) => found.toLowerCase().replaceAll("%40", "@")),
  ip: builtInPattern("ip", scanAddresses, (found) => found.toLowerCase()),
  card: builtInPattern("card", scanCards, (found) => found.replaceAll(/\D/g, "")),
  bearer: builtInPattern("bearer", scanBearers, (found) => found),
};

function builtInPattern(name: string, scan: typeof scanEmails, normal: Pattern["normal"]): Pattern {
  return {
    name,
    skipsEscapes: true,
    normal,
    find: (text, places) => {
      scan(text, (start, end) => places.add(start, end));
      return true;
    },
  };
}

/** A pattern of one's own, or what is wrong with its regex. */
export function checkOwnPattern(
  { regex, name }: OwnPattern,
): { readonly ok: true; readonly pattern: Pattern } | { readonly ok: false; readonly fault: RegexFault } {
  const checked = checkRegex(regex);
  if (!checked.ok) return checked;
  const test = compileRegex(checked.regex);
  if (test.match("", []) !== noMatch) {
    return { ok: false, fault: { message: "the pattern matches the empty text", column: 1 } };
  }
  const search = nativeSearch(regex) ?? linearSearch(regex);
  const noSlots: string[] = [];
  const find: Find = (text, places) => {
    const found = test.match(text, noSlots);
    return found === noMatch || (found !== tooCostly && search(text, places));
  };
  return { ok: true, pattern: { name, skipsEscapes: false, find, normal: (found) => found } };
}

/** Searches again and again from the end of the last match: no start is skipped that the first search would skip. */
function nativeSearch(regex: string): Find | undefined {
  const node = parseRegex(regex);
  const native = node === undefined ? undefined : toNative(node, undefined, new Set());
  if (native === undefined || provePaths(node!, undefined).search === undefined) return undefined;
  const pattern = new RegExp(native.source, "gu");
  return (text, places) => {
    let left = searchedCharsMax;
    pattern.lastIndex = 0;
    for (;;) {
      const from = pattern.lastIndex;
      left -= text.length - from;
      if (left < 0) return false;
      const found = pattern.exec(text);
      if (found === null) return true;
      if (found[0].length === 0) pattern.lastIndex = nextCharacter(text, found.index);
      else places.add(found.index, pattern.lastIndex);
    }
  };
}

function linearSearch(regex: string): Find {
  const pattern = RE2JS.compile(regex);
  const charsMax = Math.floor(linearStepsMax / pattern.programSize());
  return (text, places) => {
    const matcher = pattern.matcher(text);
    let left = charsMax - text.length;
    while (left >= 0 && matcher.find()) {
      if (matcher.end() > matcher.start()) places.add(matcher.start(), matcher.end());
      left -= text.length - matcher.end();
    }
    return left >= 0;
  };
}

function nextCharacter(text: string, at: number): number {
  return at + ((text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1);
}

/** Compiles the patterns of one action. */
export function compileRedact(
  patterns: readonly (BuiltInPattern | Pattern)[],
  replacement: Replacement,
): Redact {
  const all = patterns.map((pattern) => typeof pattern === "string" ? builtIn[pattern] : pattern);
  const replace = replacer(replacement);
  const matchesMax = replacement.kind === "hash" ? hashesMax : Infinity;
  const places = new PlaceList();
  return (text) => {
    places.clear();
    const hasEscapes = text.includes("\\") && isStructure(text);
    const plain = hasEscapes ? withoutAsciiEscapes(text) : text;
    const masked = hasEscapes ? withoutEscapes(plain) : text;
    for (let i = 0; i < all.length; i++) {
      places.pattern = i;
      if (!all[i].find(all[i].skipsEscapes ? masked : plain, places)) return undefined;
    }
    if (places.count === 0) return text;
    places.join();
    if (places.count > matchesMax) return undefined;
    return (hasEscapes || isStructure(text) ? rewriteJson : rewrite)(
      plain,
      places,
      (pattern, found) => replace(all[pattern], found),
    );
  };
}

/** True for the text of a JSON object or list. */
function isStructure(text: string): boolean {
  const first = text.charCodeAt(skipSpace(text, 0));
  return (first === 0x7b || first === 0x5b) && mayBeJson(text) && parseJsonText(text) !== undefined;
}

/** Printable ASCII written as `\u00XX`, but for quote and backslash, becomes the character. */
function withoutAsciiEscapes(text: string): string {
  return text.replaceAll(/\\(?:u00([2-7][0-9A-Fa-f])|[\s\S])/g, (escape, hex: string | undefined) => {
    const code = hex === undefined ? 0 : Number.parseInt(hex, 16);
    return code === 0 || code === 0x22 || code === 0x5c || code === 0x7f ? escape : String.fromCharCode(code);
  });
}

/** The same length, with a letter in the place of escaped characters beyond ASCII and U+0001 in that of others. */
function withoutEscapes(text: string): string {
  return text.replaceAll(/\\(?:u([0-9A-Fa-f]{4})|[\s\S])/g, (escape, hex: string | undefined) => {
    const isLetter = hex !== undefined && Number.parseInt(hex, 16) >= 0xc0;
    return (isLetter ? "\u00c0" : "\u0001").repeat(escape.length);
  });
}

/** What stands for a match. */
type Replace = (pattern: Pattern, found: string) => string;

function replacer(replacement: Replacement): Replace {
  if (replacement.kind === "text") {
    const { text } = replacement;
    return text === undefined ? ({ name }) => `[${name}]` : () => text;
  }
  const { key } = replacement;
  return ({ name, normal }, found) => {
    const digest = createHmac("sha256", key).update(normal(found)).digest("hex");
    return `[${name}:${digest.slice(0, 32)}]`;
  };
}

/** Places of matches; reused from text to text. */
class PlaceList implements Places {
  readonly starts: number[] = [];
  readonly ends: number[] = [];
  readonly patterns: number[] = [];
  count = 0;
  /** The pattern that is at work. */
  pattern = 0;

  clear(): void {
    this.count = 0;
  }

  add(start: number, end: number): void {
    this.starts[this.count] = start;
    this.ends[this.count] = end;
    this.patterns[this.count++] = this.pattern;
  }

  /** Puts them in order; places that overlap become one, which has the pattern of the first. */
  join(): void {
    if (!this.#isSorted()) this.#sort();
    let last = -1;
    for (let i = 0; i < this.count; i++) {
      if (last >= 0 && this.starts[i] < this.ends[last]) {
        this.ends[last] = Math.max(this.ends[last], this.ends[i]);
        continue;
      }
      last++;
      this.starts[last] = this.starts[i];
      this.ends[last] = this.ends[i];
      this.patterns[last] = this.patterns[i];
    }
    this.count = last + 1;
  }

  #isSorted(): boolean {
    for (let i = 1; i < this.count; i++) if (this.starts[i] <= this.starts[i - 1]) return false;
    return true;
  }

  /** By start, the longer one first. */
  #sort(): void {
    const order = Array.from({ length: this.count }, (_, index) => index)
      .sort((a, b) => this.starts[a] - this.starts[b] || this.ends[b] - this.ends[a]);
    for (const list of [this.starts, this.ends, this.patterns]) {
      const sorted = order.map((index) => list[index]);
      for (let i = 0; i < sorted.length; i++) list[i] = sorted[i];
    }
  }
}

type WriteMatch = (pattern: number, found: string) => string;

function rewrite(text: string, places: PlaceList, write: WriteMatch): string {
  let result = "";
  let at = 0;
  for (let i = 0; i < places.count; i++) {
    const start = places.starts[i];
    const end = places.ends[i];
    result += text.slice(at, start) + write(places.patterns[i], text.slice(start, end));
    at = end;
  }
  return result + text.slice(at);
}

/** The same for JSON text, which stays JSON unless a pattern of one's own takes quotes or brackets with it. */
function rewriteJson(text: string, places: PlaceList, write: WriteMatch): string {
  let result = "";
  let at = 0;
  let inString = false;
  /** The first unit (a character, or an escape as a whole) that was not looked at. */
  let next = 0;
  for (let i = 0; i < places.count; i++) {
    let start = Math.max(at, places.starts[i]);
    let end = places.ends[i];
    if (end <= start) continue;
    let unit = next;
    while (next < start) {
      unit = next;
      if (text.charCodeAt(next) === 0x22) inString = !inString;
      next += unitLength(text, next);
    }
    const written = JSON.stringify(write(places.patterns[i], text.slice(start, end)));
    if (inString) {
      // An escape that is only partly inside goes as a whole.
      if (next > start) start = unit;
      while (next < end) {
        if (text.charCodeAt(next) === 0x22) inString = !inString;
        next += unitLength(text, next);
      }
      end = next;
      result += text.slice(at, start) + written.slice(1, -1);
    } else {
      while (start > at && isScalarChar(text.charCodeAt(start - 1))) start--;
      while (end < text.length && isScalarChar(text.charCodeAt(end))) end++;
      result += text.slice(at, start) + written;
      next = end;
    }
    at = end;
  }
  return result + text.slice(at);
}

function unitLength(text: string, at: number): number {
  return text.charCodeAt(at) !== 0x5c ? 1 : text.charCodeAt(at + 1) === 0x75 ? 6 : 2;
}

function isScalarChar(code: number): boolean {
  return (code >= 0x30 && code <= 0x39) || (code >= 0x61 && code <= 0x7a) || (code >= 0x41 && code <= 0x5a) ||
    code === 0x2e || code === 0x2b || code === 0x2d;
}
