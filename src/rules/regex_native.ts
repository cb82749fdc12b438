/**
 * A pattern tree as source of a native RegExp with the `u` flag and the same meaning, or undefined where JavaScript
 * differs.
 *
 * Sets are written out, so the meaning of `.`, `\s`, `\w`, `(?i)` is RE2's. `(?m)` becomes look-around, because
 * JavaScript's `m` knows four line ends and RE2 one. Left to the linear engine:
 *
 * - a repeat whose body may match nothing: JavaScript ends such a loop earlier than RE2;
 * - a capture inside a loop: JavaScript forgets it at each round, RE2 keeps the last one;
 * - `\B`: V8 finds it between the two halves of a character beyond U+FFFF, where RE2 has no position.
 *
 * @module
 */

import { type CodePoints, toSource } from "./code_points.ts";
import type { StartGuard } from "./regex_paths.ts";
import type { Assertion, RegexNode } from "./regex_syntax.ts";

/** Native source, and where the wanted captures are in its match array. */
export interface NativePattern {
  readonly source: string;
  /** Capture of the RE2 pattern to index in the native match array. */
  readonly groups: ReadonlyMap<number, number>;
}

/** Writes `node` with captures only where `wanted` asks for them. */
export function toNative(
  node: RegexNode,
  guard: StartGuard | undefined,
  wanted: ReadonlySet<number>,
): NativePattern | undefined {
  const writer = new Writer(wanted);
  const body = writer.write(node, false);
  if (body === undefined) return undefined;
  const isWritten = guard !== undefined && guard.written;
  const source = isWritten
    ? `(?<!${toSource(guard.set)})${node.kind === "alt" ? `(?:${body})` : body}`
    : body;
  return { source, groups: writer.groups };
}

const assertions: Readonly<Record<Assertion, string | undefined>> = {
  begin: "^",
  end: "$",
  line_begin: "(?<![^\\n])",
  line_end: "(?![^\\n])",
  word: "\\b",
  not_word: undefined,
};

class Writer {
  readonly groups = new Map<number, number>();
  readonly #wanted: ReadonlySet<number>;

  constructor(wanted: ReadonlySet<number>) {
    this.#wanted = wanted;
  }

  write(node: RegexNode, inLoop: boolean): string | undefined {
    switch (node.kind) {
      case "empty":
        return "(?:)";
      case "set":
        return toSource(node.set);
      case "assert":
        return assertions[node.what];
      case "cat":
        return this.#all(node.items, inLoop, "");
      case "alt": {
        const body = this.#all(node.items, inLoop, "|");
        return body === undefined ? undefined : `(?:${body})`;
      }
      case "group":
        return this.#group(node.index, node.body, inLoop);
      case "repeat":
        return this.#repeat(node, inLoop);
    }
  }

  #all(items: readonly RegexNode[], inLoop: boolean, separator: string): string | undefined {
    const written: string[] = [];
    for (const item of items) {
      const text = this.write(item, inLoop);
      if (text === undefined) return undefined;
      written.push(text);
    }
    return written.join(separator);
  }

  #group(index: number, node: RegexNode, inLoop: boolean): string | undefined {
    const isWanted = this.#wanted.has(index);
    if (isWanted && inLoop) return undefined;
    if (isWanted) this.groups.set(index, this.groups.size + 1);
    const body = this.write(node, inLoop);
    return body === undefined ? undefined : `(${isWanted ? "" : "?:"}${body})`;
  }

  #repeat(node: Extract<RegexNode, { kind: "repeat" }>, inLoop: boolean): string | undefined {
    if (matchesEmpty(node.body)) return undefined;
    const body = this.write(node.body, inLoop || node.max > 1);
    if (body === undefined) return undefined;
    const atom = node.body.kind === "set" || node.body.kind === "group" ? body : `(?:${body})`;
    return `${atom}${quantifier(node.min, node.max)}${node.greedy ? "" : "?"}`;
  }
}

function quantifier(min: number, max: number): string {
  if (max === Infinity) return min === 0 ? "*" : min === 1 ? "+" : `{${min},}`;
  if (min === 0 && max === 1) return "?";
  return min === max ? `{${min}}` : `{${min},${max}}`;
}

/** True if `node` may match the empty text, assertions counted as passed. */
export function matchesEmpty(node: RegexNode): boolean {
  switch (node.kind) {
    case "empty":
    case "assert":
      return true;
    case "set":
      return false;
    case "cat":
      return node.items.every(matchesEmpty);
    case "alt":
      return node.items.some(matchesEmpty);
    case "group":
      return matchesEmpty(node.body);
    case "repeat":
      return node.min === 0 || matchesEmpty(node.body);
  }
}

/** The set of a one-character node, for those who look for literals. */
export function singleCodePoint(set: CodePoints): number | undefined {
  return set.length === 2 && set[0] === set[1] ? set[0] : undefined;
}
