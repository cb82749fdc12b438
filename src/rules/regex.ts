/**
 * A user's regular expression, classified once at load so that a line never pays for what the pattern does not need,
 * and no line can hold a worker.
 *
 * The syntax is RE2's, checked by the linear engine itself; look-around and back-references are refused with their
 * position. `\w \d \s \b` and the POSIX classes are ASCII as in RE2 (Rust's regex, which hotdog used, takes them as
 * Unicode), `.` does not match a newline, `$` is the end of the text only.
 *
 * | class | when | engine |
 * |---|---|---|
 * | `always` | the pattern matches every text and no capture is wanted | none |
 * | `literal` | plain text, anchored or not | string search |
 * | `native` | proven linear (`regex_paths.ts`) and written with the same meaning (`regex_native.ts`) | RegExp |
 * | `hybrid` | the same, but proven only quadratic: `user=([^ ]+) from` on `user=user=…` | RegExp for short texts, re2js for long ones |
 * | `linear` | everything else | re2js |
 *
 * The linear engine takes time in proportion to pattern size × text length. Where that passes `linearStepsMax`, it
 * still says whether the text matches if its automaton is small (`isSmallAutomaton`), which takes one step per
 * character. What cannot be said within the bound is not searched: the match answers `tooCostly`, and the line goes
 * to the dead letter.
 *
 * @module
 */

import { RE2JS } from "re2js";
import { invariant } from "../core/invariant.ts";
import { type Needs, regexNeeds } from "./prefilter_needs.ts";
import { type NativePattern, singleCodePoint, toNative } from "./regex_native.ts";
import { beginsAtText, isSmallAutomaton, provePaths, startGuard } from "./regex_paths.ts";
import { parseRegex, type RegexNode } from "./regex_syntax.ts";
import { edgesPerStep, searchStepsMax } from "./step_budget.ts";
import { searchStepsPerChar, textSearch } from "./text_search.ts";

/** Longer patterns are refused: they are generated, and belong into several rules. */
export const patternCharsMax = 4096;

/**
 * (Instructions + `linearStepsBase`) × characters that the linear engine may spend on one search. It takes up to
 * 40 ns for each (captures in use, every thread alive), so that one search ends within 25 ms.
 */
export const linearStepsMax = searchStepsMax;

/** What a character costs the linear engine besides its instructions, in the same unit. */
const linearStepsBase = 24;

/**
 * Edges that the native engine may try in a search that is proven quadratic only; some 2 ms. It decides how long a
 * text of a `hybrid` pattern may be to run natively: 500 characters for a simple one.
 */
export const quadraticStepsMax = 1_000_000;

/** A pattern that could not even search this many characters within `linearStepsMax` is refused at load. */
export const linearCharsMin = 1024;

/** The longest text that the linear engine searches with a pattern of so many instructions. */
export function linearCharsMax(instructions: number): number {
  return Math.floor(linearStepsMax / (instructions + linearStepsBase));
}

/** How a pattern is run. */
export type RegexClass = "always" | "literal" | "native" | "hybrid" | "linear";

/** The answer of a match. Numbers, because they are tested per line. */
export const noMatch = 0;
/** The text matches. */
export const matched = 1;
/** The text is too long for this pattern on the linear engine; the answer is not known. */
export const tooCostly = 2;
/** One of `noMatch`, `matched`, `tooCostly`. */
export type MatchResult = 0 | 1 | 2;

/** A compiled pattern. */
export interface Regex {
  readonly kind: RegexClass;
  /** What a line must have so that its `field` can match. */
  needs(field: string): Needs;
  /** ASCII text with which every match begins, at the text's beginning; empty where there is none. */
  readonly prefix: string;
  /** Searches `text`; on a match writes the wanted groups into `slots`, "" for a group that took no part. */
  match(text: string, slots: string[]): MatchResult;
  /** The most steps (`step_budget.ts`) that a search in so many characters takes. */
  steps(chars: number): number;
}

/** What is wrong with a pattern; `column` counts characters of the pattern from 1. */
export interface RegexFault {
  readonly message: string;
  readonly column: number;
}

/** A pattern that RE2 takes, not yet compiled: compiling waits until it is known which groups are used. */
export interface CheckedRegex {
  readonly pattern: string;
  /** Named groups with their number. */
  readonly names: ReadonlyMap<string, number>;
}

/** Says whether RE2 takes `pattern`, and which groups it names. */
export function checkRegex(
  pattern: string,
): { readonly ok: true; readonly regex: CheckedRegex } | { readonly ok: false; readonly fault: RegexFault } {
  if (pattern.length > patternCharsMax) {
    const message = `the pattern has ${pattern.length} characters, at most ${patternCharsMax} are taken`;
    return { ok: false, fault: { message, column: patternCharsMax + 1 } };
  }
  const refused = findRefused(pattern);
  if (refused !== undefined) return { ok: false, fault: refused };
  try {
    const compiled = RE2JS.compile(pattern);
    if (linearCharsMax(compiled.programSize()) < linearCharsMin) {
      const instructionsMax = Math.floor(linearStepsMax / linearCharsMin) - linearStepsBase;
      const message = `the pattern is too large: ${compiled.programSize()} instructions, ` +
        `at most ${instructionsMax} are taken`;
      return { ok: false, fault: { message, column: 1 } };
    }
    const names = new Map<string, number>(Object.entries(compiled.namedGroups()));
    return { ok: true, regex: { pattern, names } };
  } catch (error) {
    return { ok: false, fault: syntaxFault(pattern, error) };
  }
}

/** What Perl has and RE2 has not, by what it begins with; the linear engine's own message would not say why. */
const refusals: readonly { readonly begins: RegExp; readonly what: string }[] = [
  { begins: /^\(\?=/, what: "look-ahead" },
  { begins: /^\(\?!/, what: "negative look-ahead" },
  { begins: /^\(\?<=/, what: "look-behind" },
  { begins: /^\(\?<!/, what: "negative look-behind" },
  { begins: /^\(\?>/, what: "an atomic group" },
  { begins: /^\(\?P=/, what: "a back-reference" },
  { begins: /^\\k[<'{]/, what: "a back-reference" },
  { begins: /^\\[1-9](?![0-7])/, what: "a back-reference" },
];

/** The first thing outside classes and quotes that RE2 refuses on purpose, with its column. */
function findRefused(pattern: string): RegexFault | undefined {
  for (let at = 0; at < pattern.length; at++) {
    const char = pattern[at];
    if (char === "\\" || char === "(") {
      const head = pattern.slice(at, at + 4);
      const refusal = refusals.find(({ begins }) => begins.test(head));
      if (refusal !== undefined) {
        return {
          message: `${refusal.what} is not supported: it cannot be run in linear time`,
          column: at + 1,
        };
      }
    }
    if (char === "\\") {
      if (pattern[at + 1] === "Q") {
        const end = pattern.indexOf("\\E", at);
        if (end < 0) return undefined;
        at = end + 1;
      } else at++;
    } else if (char === "[") {
      at = endOfClass(pattern, at);
    }
  }
  return undefined;
}

/** Index of the `]` that closes the class at `at`, or the end of the pattern. */
function endOfClass(pattern: string, at: number): number {
  at += pattern[at + 1] === "^" ? 2 : 1;
  for (let first = true; at < pattern.length && (first || pattern[at] !== "]"); first = false, at++) {
    if (pattern[at] === "\\") at++;
    else if (pattern.startsWith("[:", at)) {
      const end = pattern.indexOf(":]", at);
      if (end >= 0) at = end + 1;
    }
  }
  return at;
}

function syntaxFault(pattern: string, error: unknown): RegexFault {
  const { error: reason, input } = error as { error?: unknown; input?: unknown };
  if (typeof reason !== "string") throw error;
  const fragment = typeof input === "string" && input !== "" ? input : undefined;
  const at = fragment === undefined ? -1 : pattern.indexOf(fragment);
  const quoted = fragment === undefined ? "" : `: \`${fragment}\``;
  return { message: `RE2 does not take the pattern: ${reason}${quoted}`, column: Math.max(at, 0) + 1 };
}

/** A group that a template uses: its number in the pattern, and where its text goes. */
export interface WantedGroup {
  readonly group: number;
  readonly slot: number;
}

/** Compiles a checked pattern for the given groups. */
export function compileRegex(checked: CheckedRegex, wanted: readonly WantedGroup[] = []): Regex {
  const node = parseRegex(checked.pattern);
  return {
    ...engineFor(node, checked.pattern, wanted),
    prefix: node === undefined ? "" : prefixOf(node),
    needs: (field) => regexNeeds(field, node),
  };
}

type Engine = Omit<Regex, "prefix" | "needs">;

function engineFor(node: RegexNode | undefined, pattern: string, wanted: readonly WantedGroup[]): Engine {
  if (node !== undefined && wanted.length === 0) {
    const simple = alwaysMatcher(node) ?? literalMatcher(node);
    if (simple !== undefined) return simple;
  }
  return (node === undefined ? undefined : provenMatcher(node, pattern, wanted)) ??
    { kind: "linear", ...linearEngine(node, pattern, wanted) };
}

/** What must stand at the beginning of a text that matches: the ASCII literals behind `^`. */
function prefixOf(node: RegexNode): string {
  const [first, ...rest] = node.kind === "cat" ? node.items : [node];
  if (first?.kind !== "assert" || first.what !== "begin") return "";
  let prefix = "";
  for (const item of rest) {
    const codePoint = item.kind === "set" ? singleCodePoint(item.set) : undefined;
    if (codePoint === undefined || codePoint > 0x7f) break;
    prefix += String.fromCodePoint(codePoint);
  }
  return prefix;
}

/** A matcher for patterns that match every text: what remains without one outer anchor may match nothing. */
function alwaysMatcher(node: RegexNode): Engine | undefined {
  const items = node.kind === "cat" ? node.items : [node];
  const isBegin = items[0].kind === "assert" && items[0].what === "begin";
  const isEnd = items[items.length - 1].kind === "assert" &&
    (items[items.length - 1] as { what: string }).what === "end";
  const inner = items.slice(isBegin ? 1 : 0, isEnd && !isBegin ? -1 : undefined);
  return inner.every(isFreelyEmpty) ? { kind: "always", match: () => matched, steps: () => 0 } : undefined;
}

/** True if `node` may match the empty text anywhere: no assertion stands against it. */
function isFreelyEmpty(node: RegexNode): boolean {
  switch (node.kind) {
    case "empty":
      return true;
    case "assert":
    case "set":
      return false;
    case "cat":
      return node.items.every(isFreelyEmpty);
    case "alt":
      return node.items.some(isFreelyEmpty);
    case "group":
      return isFreelyEmpty(node.body);
    case "repeat":
      return node.min === 0 || isFreelyEmpty(node.body);
  }
}

function literalMatcher(node: RegexNode): Engine | undefined {
  let items = node.kind === "cat" ? node.items : [node];
  const atBegin = items[0]?.kind === "assert" && items[0].what === "begin";
  if (atBegin) items = items.slice(1);
  const last = items[items.length - 1];
  const atEnd = last?.kind === "assert" && last.what === "end";
  if (atEnd) items = items.slice(0, -1);
  let text = "";
  for (const item of items) {
    const codePoint = item.kind === "set" ? singleCodePoint(item.set) : undefined;
    if (codePoint === undefined) return undefined;
    text += String.fromCodePoint(codePoint);
  }
  return {
    kind: "literal",
    match: literalSearch(text, atBegin, atEnd),
    steps: atBegin || atEnd ? () => 0 : (chars) => Math.min(chars * searchStepsPerChar, searchStepsMax),
  };
}

function literalSearch(literal: string, atBegin: boolean, atEnd: boolean): Regex["match"] {
  if (atBegin && atEnd) return (text) => text === literal ? matched : noMatch;
  if (atBegin) return (text) => text.startsWith(literal) ? matched : noMatch;
  if (atEnd) return (text) => text.endsWith(literal) ? matched : noMatch;
  const search = textSearch(literal);
  return (text) => search(text) ? matched : noMatch;
}

function provenMatcher(node: RegexNode, pattern: string, wanted: readonly WantedGroup[]): Engine | undefined {
  const guard = beginsAtText(node) ? undefined : startGuard(node);
  const native = toNative(node, guard, new Set(wanted.map(({ group }) => group)));
  if (native === undefined) return undefined;
  const proof = provePaths(node, guard);
  if (proof.search !== undefined) {
    const stepsPerChar = proof.search / edgesPerStep;
    const steps = (chars: number) => Math.min(chars * stepsPerChar, searchStepsMax);
    return { kind: "native", match: nativeMatch(native, wanted), steps };
  }
  if (proof.oneStart === undefined) return undefined;
  const shortCharsMax = Math.floor(Math.sqrt(quadraticStepsMax / proof.oneStart));
  const short = nativeMatch(native, wanted);
  const long = linearEngine(node, pattern, wanted);
  const match: Regex["match"] = (text, slots) =>
    text.length <= shortCharsMax ? short(text, slots) : long.match(text, slots);
  const stepsPerSquare = proof.oneStart / edgesPerStep;
  const steps = (chars: number) =>
    chars <= shortCharsMax ? chars * chars * stepsPerSquare : long.steps(chars);
  return { kind: "hybrid", match, steps };
}

function nativeMatch(native: NativePattern, wanted: readonly WantedGroup[]): Regex["match"] {
  const regex = new RegExp(native.source, "u");
  if (wanted.length === 0) return (text) => regex.test(text) ? matched : noMatch;
  const groups = wanted.map(({ group }) => native.groups.get(group)!);
  invariant(groups.every((group) => group > 0), "every wanted group has a place in the native match");
  const slotOf = wanted.map(({ slot }) => slot);
  const count = groups.length;
  return (text, slots) => {
    const found = regex.exec(text);
    if (found === null) return noMatch;
    for (let i = 0; i < count; i++) slots[slotOf[i]] = found[groups[i]] ?? "";
    return matched;
  };
}

function linearEngine(
  node: RegexNode | undefined,
  pattern: string,
  wanted: readonly WantedGroup[],
): Pick<Regex, "match" | "steps"> {
  const regex = RE2JS.compile(pattern);
  const charsMax = linearCharsMax(regex.programSize());
  const testCharsMax = node !== undefined && isSmallAutomaton(node) ? Infinity : charsMax;
  const count = wanted.length;
  const stepsPerChar = regex.programSize() + linearStepsBase;
  const match: Regex["match"] = (text, slots) => {
    if (text.length > testCharsMax) return tooCostly;
    // The test runs without captures, which is several times faster: most lines end here.
    if (!regex.test(text)) return noMatch;
    if (count === 0) return matched;
    if (text.length > charsMax) return tooCostly;
    const matcher = regex.matcher(text);
    invariant(matcher.find(), "the linear engine finds what it tested");
    for (let i = 0; i < count; i++) slots[wanted[i].slot] = matcher.group(wanted[i].group) ?? "";
    return matched;
  };
  // Beyond its bound the engine does not search, or has the one step per character of a small automaton.
  const steps = (chars: number) => chars <= charsMax ? chars * stepsPerChar : Math.min(chars, searchStepsMax);
  return { match, steps };
}
