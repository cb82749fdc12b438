/**
 * The position automaton (Glushkov) of a pattern: one position per set in it, and how many ways lead from one to the
 * next. Assertions count as passed, so that the automaton has every path that the engine has, and perhaps more.
 *
 * @module
 */

import type { CodePoints } from "./code_points.ts";
import type { RegexNode } from "./regex_syntax.ts";

/** Positions of the automaton; counted repeats are written out, so `\d{1,1000}` has a thousand. */
const positionsMax = 400;

/** Edges tried per character of the text. 64 × 64 KiB is about 10 ms on the native engines (bench/rules.ts). */
export const workMax = 64;

/** Set of positions, each with the number of ways to it. */
export type Ways = Map<number, number>;

/** First and last positions of a piece of the pattern. */
export interface Part {
  readonly first: Ways;
  readonly last: Ways;
  /** Ways to match the empty text, assertions counted as passed. */
  empties: number;
  /** Last positions from which the part may end without an assertion. */
  freeLast: Set<number>;
  /** May match the empty text without an assertion. */
  freeEmpty: boolean;
}

/** Thrown while an automaton is built, caught by those who want a proof: there is none. */
export class NotProven extends Error {}

/** Builds the automaton of one pattern. */
export class Automaton {
  /** The set of each position. */
  readonly sets: CodePoints[] = [];
  /** Where each position leads. */
  readonly follow: Ways[] = [];
  readonly #counting: boolean;

  /** Without `counting` it is only known that there is a way, not how many: enough for a deterministic automaton. */
  constructor(counting: boolean) {
    this.#counting = counting;
  }

  /** Adds the positions of `node`. */
  build(node: RegexNode): Part {
    switch (node.kind) {
      case "empty":
        return { first: new Map(), last: new Map(), empties: 1, freeLast: new Set(), freeEmpty: true };
      case "assert":
        return { first: new Map(), last: new Map(), empties: 1, freeLast: new Set(), freeEmpty: false };
      case "group":
        return this.build(node.body);
      case "set":
        return this.#position(node.set);
      case "cat":
        return node.items.map((item) => this.build(item)).reduce((left, right) => this.#joined(left, right));
      case "alt":
        return node.items.map((item) => this.build(item)).reduce((left, right) => this.#either(left, right));
      case "repeat":
        return this.#repeated(node);
    }
  }

  #position(set: CodePoints): Part {
    const index = this.sets.length;
    if (index >= positionsMax) throw new NotProven();
    this.sets.push(set);
    this.follow.push(new Map());
    return {
      first: new Map([[index, 1]]),
      last: new Map([[index, 1]]),
      empties: 0,
      freeLast: new Set([index]),
      freeEmpty: false,
    };
  }

  #connect(last: Ways, first: Ways): void {
    for (const [from, fromWays] of last) {
      for (const [to, toWays] of first) this.#add(this.follow[from], to, fromWays * toWays);
    }
  }

  #joined(left: Part, right: Part): Part {
    this.#connect(left.last, right.first);
    return {
      first: this.#merged(left.first, right.first, left.empties),
      last: this.#merged(right.last, left.last, right.empties),
      empties: this.#bounded(left.empties * right.empties),
      freeLast: right.freeEmpty ? new Set([...left.freeLast, ...right.freeLast]) : right.freeLast,
      freeEmpty: left.freeEmpty && right.freeEmpty,
    };
  }

  /** `own`, and `other` as often as there are ways to pass what is between. Parts are not changed once they are made. */
  #merged(own: Ways, other: Ways, empties: number): Ways {
    if (empties === 0) return own;
    const ways = new Map(own);
    for (const [position, count] of other) this.#add(ways, position, count * empties);
    return ways;
  }

  #either(left: Part, right: Part): Part {
    const first = new Map(left.first);
    for (const [position, ways] of right.first) this.#add(first, position, ways);
    const last = new Map(left.last);
    for (const [position, ways] of right.last) this.#add(last, position, ways);
    return {
      first,
      last,
      empties: this.#bounded(left.empties + right.empties),
      freeLast: new Set([...left.freeLast, ...right.freeLast]),
      freeEmpty: left.freeEmpty || right.freeEmpty,
    };
  }

  /** body{min,max} as min copies, then a loop or nested optional copies. */
  #repeated(node: Extract<RegexNode, { kind: "repeat" }>): Part {
    if (node.max === 0) return this.build({ kind: "empty" });
    const copies = Math.max(node.min, node.max === Infinity ? 1 : node.max);
    let whole: Part | undefined;
    for (let i = copies; i >= 1; i--) {
      let part = this.build(node.body);
      // An engine may go round such a loop in several ways without reading anything.
      if (part.empties > 0 && this.#counting) throw new NotProven();
      if (node.max === Infinity && i === copies) this.#connect(part.last, part.first);
      if (whole !== undefined) part = this.#joined(part, whole);
      whole = i > node.min ? { ...part, empties: 1, freeEmpty: true } : part;
    }
    return whole!;
  }

  #add(ways: Ways, position: number, count: number): void {
    if (count > 0) ways.set(position, this.#bounded((ways.get(position) ?? 0) + count));
  }

  /** More ways than the work allowed are no proof, however few characters they are for. */
  #bounded(count: number): number {
    if (!this.#counting) return Math.min(count, 1);
    if (count > workMax) throw new NotProven();
    return count;
  }
}
