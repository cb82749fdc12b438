/**
 * RE2 pattern text to a tree whose leaves are exact sets of code points.
 *
 * The tree serves the classification in `regex.ts`: is it a literal, can it be proven linear, how is it written for
 * the native engine. The authority on what is legal is the linear engine, which has taken the pattern before this
 * parser sees it; what this parser does not know exactly (`\p{…}`, folding beyond ASCII) makes the whole pattern
 * `undefined`, and it runs on the linear engine.
 *
 * @module
 */

import {
  anything,
  type CodePoints,
  foldAscii,
  namedSets,
  negate,
  notNewline,
  unionOf,
} from "./code_points.ts";

/** A node of a pattern. */
export type RegexNode =
  | { readonly kind: "empty" }
  | { readonly kind: "set"; readonly set: CodePoints }
  | { readonly kind: "cat"; readonly items: readonly RegexNode[] }
  | { readonly kind: "alt"; readonly items: readonly RegexNode[] }
  | {
    readonly kind: "repeat";
    readonly min: number;
    /** `Infinity` for `*` and `+`. */
    readonly max: number;
    readonly greedy: boolean;
    readonly body: RegexNode;
  }
  | { readonly kind: "group"; readonly index: number; readonly body: RegexNode }
  | { readonly kind: "assert"; readonly what: Assertion };

/** Text begin and end, line begin and end (newline only), ASCII word boundary and its opposite. */
export type Assertion = "begin" | "end" | "line_begin" | "line_end" | "word" | "not_word";

/** Thrown inside the parser, caught in `parseRegex`: the pattern has something the tree cannot say exactly. */
class NotExact extends Error {}

interface Flags {
  fold: boolean;
  multiline: boolean;
  dotAll: boolean;
  ungreedy: boolean;
}

/** The tree of a legal RE2 pattern, or undefined where it cannot be said exactly. */
export function parseRegex(pattern: string): RegexNode | undefined {
  try {
    return new Parser(pattern).parse();
  } catch (error) {
    if (error instanceof NotExact) return undefined;
    throw error;
  }
}

const escapedChars: Readonly<Record<string, number>> = { a: 7, f: 12, n: 10, r: 13, t: 9, v: 11 };

class Parser {
  readonly #chars: readonly string[];
  #at = 0;
  #groups = 0;
  #flags: Flags = { fold: false, multiline: false, dotAll: false, ungreedy: false };

  constructor(pattern: string) {
    this.#chars = Array.from(pattern);
  }

  parse(): RegexNode {
    const node = this.#alternation();
    if (this.#at < this.#chars.length) throw new NotExact();
    return node;
  }

  /** alternation = sequence *("|" sequence) */
  #alternation(): RegexNode {
    const items = [this.#sequence()];
    while (this.#take("|")) items.push(this.#sequence());
    return items.length === 1 ? items[0] : { kind: "alt", items };
  }

  /** sequence = *(atom [quantifier]) */
  #sequence(): RegexNode {
    const items: RegexNode[] = [];
    for (;;) {
      const char = this.#chars[this.#at];
      if (char === undefined || char === "|" || char === ")") break;
      const quoted = this.#quoted();
      if (quoted !== undefined) {
        // A quantifier after \Q…\E binds to the last quoted character.
        const last = quoted.pop();
        items.push(...quoted);
        if (last !== undefined) items.push(this.#quantified(last));
        continue;
      }
      const atom = this.#atom();
      if (atom !== undefined) items.push(this.#quantified(atom));
    }
    return items.length === 1 ? items[0] : items.length === 0 ? { kind: "empty" } : { kind: "cat", items };
  }

  #quoted(): RegexNode[] | undefined {
    if (this.#chars[this.#at] !== "\\" || this.#chars[this.#at + 1] !== "Q") return undefined;
    this.#at += 2;
    const items: RegexNode[] = [];
    while (this.#at < this.#chars.length) {
      if (this.#chars[this.#at] === "\\" && this.#chars[this.#at + 1] === "E") {
        this.#at += 2;
        break;
      }
      items.push(this.#literal(this.#chars[this.#at++].codePointAt(0)!));
    }
    return items;
  }

  /** quantifier = ("*" / "+" / "?" / "{n}" / "{n,}" / "{n,m}") ["?"] */
  #quantified(atom: RegexNode): RegexNode {
    let min = 0;
    let max = Infinity;
    if (this.#take("*")) max = Infinity;
    else if (this.#take("+")) min = 1;
    else if (this.#take("?")) max = 1;
    else {
      const counts = this.#counts();
      if (counts === undefined) return atom;
      [min, max] = counts;
    }
    const lazy = this.#take("?");
    return { kind: "repeat", min, max, greedy: lazy === this.#flags.ungreedy, body: atom };
  }

  #counts(): [number, number] | undefined {
    const rest = this.#chars.slice(this.#at, this.#at + 12).join("");
    const found = /^\{([0-9]{1,4})(,([0-9]{0,4}))?\}/.exec(rest);
    if (found === null) return undefined;
    this.#at += found[0].length;
    const min = Number(found[1]);
    return [min, found[2] === undefined ? min : found[3] === "" ? Infinity : Number(found[3])];
  }

  #atom(): RegexNode | undefined {
    const char = this.#chars[this.#at++];
    switch (char) {
      case "(":
        return this.#group();
      case "[":
        return this.#class();
      case ".":
        return { kind: "set", set: this.#flags.dotAll ? anything : notNewline };
      case "^":
        return { kind: "assert", what: this.#flags.multiline ? "line_begin" : "begin" };
      case "$":
        return { kind: "assert", what: this.#flags.multiline ? "line_end" : "end" };
      case "\\":
        return this.#escape();
      default:
        return this.#literal(char.codePointAt(0)!);
    }
  }

  /** group = "(" ["?P<" name ">" / "?<" name ">" / "?" flags ":"] alternation ")", or "(?" flags ")" alone. */
  #group(): RegexNode | undefined {
    const outer = { ...this.#flags };
    let index = 0;
    if (!this.#take("?")) {
      index = ++this.#groups;
    } else if (this.#chars[this.#at] === "P" || this.#chars[this.#at] === "<") {
      this.#take("P");
      if (!this.#take("<")) throw new NotExact();
      while (this.#chars[this.#at] !== undefined && this.#chars[this.#at] !== ">") this.#at++;
      this.#at++;
      index = ++this.#groups;
    } else if (this.#setFlags() === ")") {
      return undefined;
    }
    const body = this.#alternation();
    if (!this.#take(")")) throw new NotExact();
    this.#flags = outer;
    return index > 0 ? { kind: "group", index, body } : body;
  }

  /** Reads `i-ms` and the like and what ends it: ":" opens a group, ")" changes the flags for the rest of this one. */
  #setFlags(): ":" | ")" {
    const flags = { ...this.#flags };
    let on = true;
    for (;;) {
      const char = this.#chars[this.#at++];
      if (char === "-") on = false;
      else if (char === "i") flags.fold = on;
      else if (char === "m") flags.multiline = on;
      else if (char === "s") flags.dotAll = on;
      else if (char === "U") flags.ungreedy = on;
      else if (char === ":" || char === ")") {
        this.#flags = flags;
        return char;
      } else throw new NotExact();
    }
  }

  #escape(): RegexNode {
    const char = this.#chars[this.#at];
    switch (char) {
      case "A":
        this.#at++;
        return { kind: "assert", what: "begin" };
      case "z":
        this.#at++;
        return { kind: "assert", what: "end" };
      case "b":
        this.#at++;
        return { kind: "assert", what: "word" };
      case "B":
        this.#at++;
        return { kind: "assert", what: "not_word" };
    }
    const perl = this.#perlClass();
    return perl === undefined ? this.#literal(this.#escapedCodePoint()) : { kind: "set", set: perl };
  }

  /** `\d \D \s \S \w \W` after the backslash. */
  #perlClass(): CodePoints | undefined {
    const char = this.#chars[this.#at];
    if (char === undefined || !"dDsSwW".includes(char)) return undefined;
    this.#at++;
    const set = this.#folded(namedSets[char.toLowerCase()]);
    return char === char.toLowerCase() ? set : negate(set);
  }

  /** What follows a backslash and stands for one character. */
  #escapedCodePoint(): number {
    const char = this.#chars[this.#at++];
    if (char === undefined) throw new NotExact();
    if (char === "x") return this.#hex();
    if (/[0-7]/.test(char)) {
      let digits = char;
      while (digits.length < 3 && /[0-7]/.test(this.#chars[this.#at] ?? "")) {
        digits += this.#chars[this.#at++];
      }
      return Number.parseInt(digits, 8);
    }
    const control = Object.hasOwn(escapedChars, char) ? escapedChars[char] : undefined;
    if (control !== undefined) return control;
    if (/[\x21-\x7e ]/.test(char) && !/[0-9A-Za-z]/.test(char)) return char.charCodeAt(0);
    throw new NotExact();
  }

  #hex(): number {
    const rest = this.#chars.slice(this.#at, this.#at + 10).join("");
    const found = /^(?:\{([0-9A-Fa-f]{1,8})\}|([0-9A-Fa-f]{2}))/.exec(rest);
    if (found === null) throw new NotExact();
    this.#at += found[0].length;
    return Number.parseInt(found[1] ?? found[2], 16);
  }

  #literal(codePoint: number): RegexNode {
    return { kind: "set", set: this.#folded([codePoint, codePoint]) };
  }

  #folded(set: CodePoints): CodePoints {
    if (!this.#flags.fold) return set;
    const folded = foldAscii(set);
    if (folded === undefined) throw new NotExact();
    return folded;
  }

  /** class = "[" ["^"] *(range / "[:name:]" / escape) "]"; "]" is literal as the first member, "-" wherever no range fits. */
  #class(): RegexNode {
    const negated = this.#take("^");
    const ranges: number[] = [];
    for (let first = true; first || this.#chars[this.#at] !== "]"; first = false) {
      if (this.#at >= this.#chars.length) throw new NotExact();
      const named = this.#posixClass() ?? this.#classEscape();
      if (named !== undefined) {
        ranges.push(...named);
        continue;
      }
      const lo = this.#classChar();
      let hi = lo;
      const after = this.#chars[this.#at + 1];
      if (this.#chars[this.#at] === "-" && after !== undefined && after !== "]") {
        this.#at++;
        hi = this.#classChar();
      }
      ranges.push(...this.#folded([lo, hi]));
    }
    this.#at++;
    const set = unionOf(ranges);
    return { kind: "set", set: negated ? negate(set) : set };
  }

  #posixClass(): CodePoints | undefined {
    if (this.#chars[this.#at] !== "[" || this.#chars[this.#at + 1] !== ":") return undefined;
    const rest = this.#chars.slice(this.#at, this.#at + 16).join("");
    const found = /^\[:(\^?)([a-z]+):\]/.exec(rest);
    if (found === null || found[2].length < 2 || !Object.hasOwn(namedSets, found[2])) throw new NotExact();
    this.#at += found[0].length;
    const set = this.#folded(namedSets[found[2]]);
    return found[1] === "^" ? negate(set) : set;
  }

  #classEscape(): CodePoints | undefined {
    if (this.#chars[this.#at] !== "\\") return undefined;
    this.#at++;
    const set = this.#perlClass();
    if (set === undefined) this.#at--;
    return set;
  }

  #classChar(): number {
    const char = this.#chars[this.#at++];
    if (char === undefined) throw new NotExact();
    return char === "\\" ? this.#escapedCodePoint() : char.codePointAt(0)!;
  }

  #take(char: string): boolean {
    if (this.#chars[this.#at] !== char) return false;
    this.#at++;
    return true;
  }
}
