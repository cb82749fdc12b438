/**
 * What a line must have so that a matcher can match at all: texts in its message or frame, or the value of a field.
 *
 * Needs are a conjunction of clauses, a clause is a disjunction of atoms. No clause is "anything may match". They
 * are necessary and never sufficient: who has them all still has to be tried.
 *
 * Texts are ASCII and folded (`foldByte`), so that patterns without case have needs too: a text in ASCII stands in
 * the bytes of a line exactly where it stands in its decoded text, whatever is wrong with the bytes between.
 *
 * @module
 */

import { type CodePoints, contains } from "./code_points.ts";
import type { RegexNode } from "./regex_syntax.ts";

/** One thing that a line may have. */
export interface NeedAtom {
  /** As in a rule. */
  readonly field: string;
  /** `in`: `text`, folded, is somewhere in the message or frame. `is`: the field is exactly `text`. */
  readonly how: "in" | "is";
  readonly text: string;
  /** True if only lines that are all ASCII need it: without case, `s` is also U+017F and `k` is U+212A. */
  readonly asciiOnly: boolean;
}

/** One of these. */
export type NeedClause = readonly NeedAtom[];

/** All of these. */
export type Needs = readonly NeedClause[];

/** Shorter texts are in too many lines to tell anything. */
export const needCharsMin = 4;

/** Alternatives that are followed: `(GET|POST|PUT) /v[12]/` has six. */
const exactMax = 16;

/** Characters of a set that are taken as alternatives. */
const charsMax = 4;

/** Atoms of one clause; a rule with more alternatives is tried on every line. */
const atomsMax = 64;

/** Letters lose their case; some other characters coincide, which costs a trial and nothing else. */
export function foldByte(byte: number): number {
  return byte | 0x20;
}

/** The needs of `contains`, `prefix` and `equals`. */
export function textNeeds(field: string, kind: string, wanted: string): Needs {
  if (!isSearched(field)) {
    return kind === "equals" ? [[{ field, how: "is", text: wanted, asciiOnly: false }]] : [];
  }
  // Only the longest stretch of ASCII: the bytes of other characters may have been made by decoding.
  const runs = wanted.split(/\P{ASCII}+/u).filter((run) => run.length >= needCharsMin);
  return runs.map((run) => [{ field, how: "in", text: foldText(run), asciiOnly: false }]);
}

/** The needs of a pattern that is searched in `field`. */
export function regexNeeds(field: string, node: RegexNode | undefined): Needs {
  if (node === undefined) return [];
  if (!isSearched(field)) return wholeNeeds(field, node);
  const found = literalsOf(node);
  return [...found.clauses, ...clauseOf(found.exact)].map((texts) =>
    texts.map((text): NeedAtom => ({
      field,
      how: "in",
      text: text.toLowerCase(),
      asciiOnly: beyondAscii.test(text),
    }))
  );
}

/**
 * The needs of a chain of member names in a JSON document: each stands there in quotes, unless it is written with
 * escapes, of which an ASCII character has one form.
 */
export function chainNeeds(field: string, chain: readonly string[]): Needs {
  if (!isSearched(field)) return [];
  return chain.filter((name) => name.length + 2 >= needCharsMin && /^[\w-]+$/.test(name)).map((name) =>
    [`"${name}"`, "\\u00"].map((text): NeedAtom => ({
      field,
      how: "in",
      text: foldText(text),
      asciiOnly: false,
    }))
  );
}

/** The needs of a matcher of which all parts must match. */
export function needsOfAll(parts: readonly Needs[]): Needs {
  return parts.flat();
}

/** The needs of a matcher of which one part must match. */
export function needsOfAny(parts: readonly Needs[]): Needs {
  const clauses: NeedAtom[] = [];
  for (const part of parts) {
    if (part.length === 0) return [];
    clauses.push(...part.reduce((best, clause) => valueOf(clause) > valueOf(best) ? clause : best));
  }
  return clauses.length <= atomsMax ? [clauses] : [];
}

/** How much a clause is likely to tell: the length of its shortest text. */
function valueOf(clause: NeedClause): number {
  return Math.min(...clause.map((atom) => atom.how === "is" ? needCharsMin : atom.text.length));
}

/** True for the fields whose bytes are looked through. */
function isSearched(field: string): boolean {
  return field === "msg" || field === "raw";
}

/** `text`, which is ASCII, with each byte folded. */
export function foldText(text: string): string {
  return Array.from(text, (char) => String.fromCharCode(foldByte(char.charCodeAt(0)))).join("");
}

/** `^literal$` on a field is the same as `equals`. */
function wholeNeeds(field: string, node: RegexNode): Needs {
  const items = node.kind === "cat" ? node.items : [node];
  const [first, last] = [items[0], items[items.length - 1]];
  if (first.kind !== "assert" || first.what !== "begin" || last.kind !== "assert" || last.what !== "end") {
    return [];
  }
  let text = "";
  for (const item of items.slice(1, -1)) {
    if (item.kind !== "set" || item.set.length !== 2 || item.set[0] !== item.set[1]) return [];
    text += String.fromCodePoint(item.set[0]);
  }
  return [[{ field, how: "is", text, asciiOnly: false }]];
}

/** Folded texts of which every match has one, clause by clause. */
interface Literals {
  /** All that the node can match, if that is little; there are no clauses then. */
  readonly exact: readonly string[] | undefined;
  /** One text of each must be there. */
  readonly clauses: readonly (readonly string[])[];
}

const nothingKnown: Literals = { exact: undefined, clauses: [] };

function literalsOf(node: RegexNode): Literals {
  switch (node.kind) {
    case "empty":
    case "assert":
      return { exact: [""], clauses: [] };
    case "set":
      return { exact: charsOf(node.set), clauses: [] };
    case "group":
      return literalsOf(node.body);
    case "cat":
      return literalsOfAll(node.items);
    case "alt":
      return literalsOfAny(node.items);
    case "repeat":
      return literalsOfRepeat(node);
  }
}

/** Long s and the Kelvin sign, with the folded ASCII letter that they are another case of. */
const otherCases = new Map([[0x17f, 0x73], [0x212a, 0x6b]]);

/** A folded text has no capitals: in the texts of this file they mark a letter that may be beyond ASCII. */
const beyondAscii = /[SK]/;

/** The folded characters of a set that has few of them, ASCII but for `otherCases`. */
function charsOf(set: CodePoints): string[] | undefined {
  const chars = new Set<string>();
  for (let i = 0; i < set.length; i += 2) {
    const letter = set[i] === set[i + 1] ? otherCases.get(set[i]) : undefined;
    if (letter !== undefined && contains(set, letter)) {
      const char = String.fromCharCode(letter);
      chars.delete(char);
      chars.add(char.toUpperCase());
      continue;
    }
    if (set[i + 1] > 0x7f || set[i + 1] - set[i] > exactMax) return undefined;
    for (let codePoint = set[i]; codePoint <= set[i + 1]; codePoint++) {
      chars.add(String.fromCharCode(foldByte(codePoint)));
    }
  }
  return chars.size > 0 && chars.size <= charsMax ? [...chars] : undefined;
}

/**
 * Stretches of exact items, with all their alternatives. Where there are several, the longest part of a stretch that
 * has none is a clause of its own: `(?:GET|POST) /orders` has two texts, and `/orders` may tell as much.
 */
function literalsOfAll(items: readonly RegexNode[]): Literals {
  const clauses: (readonly string[])[] = [];
  let run: readonly string[] = [""];
  let single = "";
  let isWhole = true;
  const endSingle = () => {
    if (run.length > 1) clauses.push(...clauseOf([single]));
    single = "";
  };
  for (const item of items) {
    const { exact, clauses: inner } = literalsOf(item);
    clauses.push(...inner);
    if (exact === undefined || run.length * exact.length > exactMax) {
      endSingle();
      clauses.push(...clauseOf(run));
      run = [""];
      isWhole = false;
    }
    if (exact === undefined) continue;
    if (exact.length > 1) {
      clauses.push(...clauseOf([single]));
      single = "";
    } else single += exact[0];
    run = run.length === 1 && exact.length === 1
      ? [run[0] + exact[0]]
      : [...new Set(run.flatMap((head) => exact.map((tail) => head + tail)))];
  }
  if (isWhole) return { exact: run, clauses: [] };
  endSingle();
  return { exact: undefined, clauses: [...clauses, ...clauseOf(run)] };
}

function literalsOfAny(items: readonly RegexNode[]): Literals {
  const found = items.map(literalsOf);
  const exact = exactOfAny(found);
  if (exact !== undefined) return { exact, clauses: [] };
  const united: string[] = [];
  for (const part of found) {
    const best = longestOf([...part.clauses, ...clauseOf(part.exact)]);
    if (best === undefined) return nothingKnown;
    united.push(...best);
  }
  return united.length <= atomsMax ? { exact: undefined, clauses: [united] } : nothingKnown;
}

function exactOfAny(found: readonly Literals[]): string[] | undefined {
  const exact = new Set<string>();
  for (const part of found) {
    if (part.exact === undefined) return undefined;
    for (const text of part.exact) exact.add(text);
  }
  return exact.size <= exactMax ? [...exact] : undefined;
}

function longestOf(clauses: readonly (readonly string[])[]): readonly string[] | undefined {
  let best: readonly string[] | undefined;
  for (const clause of clauses) {
    if (best === undefined || shortest(clause) > shortest(best)) best = clause;
  }
  return best;
}

function shortest(texts: readonly string[]): number {
  return Math.min(...texts.map((text) => text.length));
}

function literalsOfRepeat({ min, max, body }: Extract<RegexNode, { kind: "repeat" }>): Literals {
  if (max === 0) return { exact: [""], clauses: [] };
  const inner = literalsOf(body);
  const { exact } = inner;
  if (min === 0) {
    const isOptional = max === 1 && exact !== undefined && inner.clauses.length === 0;
    return isOptional ? { exact: [...new Set([...exact, ""])], clauses: [] } : nothingKnown;
  }
  if (min === 1 && max === 1) return inner;
  // At least one round: what every round has is there.
  return { exact: undefined, clauses: [...inner.clauses, ...clauseOf(exact)] };
}

/** A clause of the texts, or none where one of them is too short. */
function clauseOf(texts: readonly string[] | undefined): (readonly string[])[] {
  return texts !== undefined && texts.length > 0 && shortest(texts) >= needCharsMin ? [texts] : [];
}
