/**
 * The text of a template taken apart: constant text, variables with their filters, and what is wrong.
 *
 *     template = { text | "\{{" text "}}" | "{{" tag "}}" | "{{{" tag "}}}" }
 *     tag      = "!" comment | name { "|" filter [ ":" argument { "," argument } ] }
 *     argument = number | "…" | '…'          with \" \' \\ \n \t inside
 *
 * @module
 */

import type { FilterArgument } from "./filters.ts";

/** A filter as written. */
export interface FilterCall {
  readonly name: string;
  readonly args: readonly FilterArgument[];
  readonly column: number;
}

/** A part of a template; columns count characters from 1. */
export type Piece =
  | { readonly kind: "text"; readonly text: string }
  | {
    readonly kind: "variable";
    readonly name: string;
    readonly filters: readonly FilterCall[];
    readonly column: number;
  }
  | { readonly kind: "fault"; readonly message: string; readonly column: number };

/** `name`, `name.member.0`, `sd.<id>.<param>`. */
const variableName = /^[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_@$-]+)*$|^sd\.[^\s{}|"']+$/;
const filterName = /^[A-Za-z_][A-Za-z0-9_]*/;
const number = /^-?[0-9]+(?:\.[0-9]+)?/;

/** The parts of `text`, in order. */
export function piecesOf(text: string): Piece[] {
  const pieces: Piece[] = [];
  let at = 0;
  while (at < text.length) {
    const open = text.indexOf("{{", at);
    if (open < 0) {
      pieces.push({ kind: "text", text: text.slice(at) });
      break;
    }
    const slashes = open > at && text[open - 1] === "\\"
      ? (open > at + 1 && text[open - 2] === "\\" ? 2 : 1)
      : 0;
    if (slashes === 1) {
      // \{{name}} stays as written, without the backslash.
      const close = text.indexOf("}}", open);
      const end = close < 0 ? text.length : close + 2;
      pieces.push({ kind: "text", text: text.slice(at, open - 1) + text.slice(open, end) });
      at = end;
      continue;
    }
    // Of \\{{name}} one backslash stays.
    pieces.push({ kind: "text", text: text.slice(at, slashes === 2 ? open - 1 : open) });
    const braces = text[open + 2] === "{" ? "}}}" : "}}";
    const inside = open + braces.length;
    const close = endOfTag(text, inside, braces);
    if (close < 0) {
      pieces.push({
        kind: "fault",
        message: `"${"{".repeat(braces.length)}" is not closed`,
        column: open + 1,
      });
      break;
    }
    pieces.push(tagOf(text.slice(inside, close), open + 1, inside + 1));
    at = close + braces.length;
  }
  return pieces;
}

/** Where the braces close, outside of a filter's quoted arguments; -1 if nowhere. */
function endOfTag(text: string, inside: number, braces: string): number {
  let hasFilter = false;
  for (let at = inside; at < text.length; at++) {
    if (text.startsWith(braces, at)) return at;
    const char = text[at];
    if (char === "|") hasFilter = true;
    else if (hasFilter && (char === '"' || char === "'")) {
      const end = endOfQuoted(text, at);
      if (end < 0) return text.indexOf(braces, at);
      at = end - 1;
    }
  }
  return -1;
}

/** Index behind the quote that closes the one at `at`; -1 if there is none. */
function endOfQuoted(text: string, at: number): number {
  const quote = text[at];
  for (let end = at + 1; end < text.length; end++) {
    if (text[end] === "\\") end++;
    else if (text[end] === quote) return end + 1;
  }
  return -1;
}

/** `column` is that of the braces, `insideColumn` that of the first character behind them. */
function tagOf(inside: string, column: number, insideColumn: number): Piece {
  const content = inside.trim();
  if (content.startsWith("!")) return { kind: "text", text: "" };
  const bar = inside.indexOf("|");
  const name = (bar < 0 ? inside : inside.slice(0, bar)).trim();
  if (!variableName.test(name)) {
    const message = name === ""
      ? "a template variable has no name"
      : /^[#/^>&~*]|\s/.test(name)
      ? `"{{${content}}}" is not supported: helpers, blocks and partials are not known here`
      : `"${name}" is no name of a variable`;
    return { kind: "fault", message, column };
  }
  if (bar < 0) return { kind: "variable", name, filters: [], column };
  const filters: FilterCall[] = [];
  const reader = new FilterReader(inside, bar, insideColumn);
  while (!reader.atEnd) {
    const call = reader.call();
    if ("kind" in call) return call;
    filters.push(call);
  }
  return { kind: "variable", name, filters, column };
}

type PieceFault = Extract<Piece, { kind: "fault" }>;

/** Reads `| name: argument, argument` from a tag. */
class FilterReader {
  readonly #text: string;
  readonly #column: number;
  #at: number;

  constructor(text: string, at: number, column: number) {
    this.#text = text;
    this.#at = at;
    this.#column = column;
  }

  get atEnd(): boolean {
    this.#skipSpace();
    return this.#at >= this.#text.length;
  }

  call(): FilterCall | PieceFault {
    if (!this.#takes("|")) return this.#fault('wants "|" and a filter here');
    this.#skipSpace();
    const column = this.#column + this.#at;
    const name = this.#match(filterName);
    if (name === undefined) return this.#fault('the name of a filter is missing behind "|"');
    const args: FilterArgument[] = [];
    if (this.#takes(":")) {
      do {
        const argument = this.#argument();
        if (typeof argument === "object") return argument;
        args.push(argument);
      } while (this.#takes(","));
    }
    return { name, args, column };
  }

  #argument(): FilterArgument | PieceFault {
    this.#skipSpace();
    const quote = this.#text[this.#at];
    if (quote === '"' || quote === "'") {
      const end = endOfQuoted(this.#text, this.#at);
      if (end < 0) return this.#fault("the text is not closed");
      const inside = this.#text.slice(this.#at + 1, end - 1);
      this.#at = end;
      return inside.replaceAll(
        /\\([\s\S])/g,
        (_, char: string) => char === "n" ? "\n" : char === "t" ? "\t" : char,
      );
    }
    const digits = this.#match(number);
    return digits === undefined ? this.#fault('an argument is a number or a "text"') : Number(digits);
  }

  #takes(char: string): boolean {
    this.#skipSpace();
    if (this.#text[this.#at] !== char) return false;
    this.#at++;
    return true;
  }

  #match(pattern: RegExp): string | undefined {
    const found = pattern.exec(this.#text.slice(this.#at))?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  #skipSpace(): void {
    while (this.#at < this.#text.length && this.#text[this.#at].trim() === "") this.#at++;
  }

  #fault(message: string): PieceFault {
    return { kind: "fault", message, column: this.#column + this.#at };
  }
}
