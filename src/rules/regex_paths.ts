/**
 * A proof that a backtracking engine runs a pattern in linear time, or no answer.
 *
 * A backtracking engine walks paths: ways to read a prefix of the text through the pattern. If for every prefix of
 * every text at most `k` paths exist, the engine does at most `k` steps per character, whatever the text. So the
 * paths are counted: the pattern becomes a position automaton (Glushkov) whose edges carry how many ways they have,
 * and the vectors "paths at each position" are explored over all characters. If the exploration ends and no vector
 * costs more than `workMax`, that is the proof. It ends without one as soon as a bound is passed: the paths of
 * `(a+)+b` and `x[a-z]*y` (at each `x` a new start, each running to the end) grow without end. The second is linear
 * for one start, so that a search is quadratic at most: short texts may take it.
 *
 * Two refinements keep useful patterns inside the proof:
 *
 * - A path that has reached a position where the pattern may end has succeeded: the search is over, so these paths
 *   need not be counted against later starts. What the engine still tries from there is counted on its own.
 * - A pattern that begins with a loop over a set (`\d+\.`) never has its leftmost match behind a member of that set:
 *   the loop would have begun earlier. `regex_native.ts` writes that as a look-behind, and starts behind a member
 *   are not counted. `\b` before word characters says the same by itself.
 *
 * @module
 */

import { type CodePoints, contains, isSubset, namedSets } from "./code_points.ts";
import { Automaton, NotProven, type Part, type Ways, workMax } from "./regex_automaton.ts";
import type { RegexNode } from "./regex_syntax.ts";

/** Different vectors explored, which bounds the time of the proof to some ten milliseconds. */
const vectorsMax = 1500;
/** States that a deterministic automaton may have to count as small: a fraction of the linear engine's cache. */
const statesMax = 500;

/** What starts of a match may not stand behind, if there is such a set. */
export interface StartGuard {
  readonly set: CodePoints;
  /** True if the native pattern needs a look-behind for it; false if the pattern says it itself. */
  readonly written: boolean;
}

/** What is proven about the work of a backtracking engine: edges tried per character, undefined without a proof. */
export interface PathProof {
  /** A whole search over a text of `n` characters tries at most `search × n` edges. */
  readonly search: number | undefined;
  /** One start tries at most `oneStart × n` edges, so that a search tries at most `oneStart × n × n`. */
  readonly oneStart: number | undefined;
}

/**
 * True if the deterministic automaton of a search for `node` is small, so that the linear engine's answer "matches or
 * not" takes one table look-up per character. Assertions inside the text take that engine another, slower way.
 */
export function isSmallAutomaton(node: RegexNode): boolean {
  if (hasInnerAssertion(node)) return false;
  try {
    const automaton = new Automaton(false);
    return explorerOf(automaton, automaton.build(node), undefined).isSmall(beginsAtText(node));
  } catch (error) {
    if (error instanceof NotProven) return false;
    throw error;
  }
}

function hasInnerAssertion(node: RegexNode): boolean {
  switch (node.kind) {
    case "assert":
      return node.what !== "begin" && node.what !== "end";
    case "cat":
    case "alt":
      return node.items.some(hasInnerAssertion);
    case "group":
    case "repeat":
      return hasInnerAssertion(node.body);
    default:
      return false;
  }
}

/** Bounds the work for `node`, with `guard` in force. */
export function provePaths(node: RegexNode, guard: StartGuard | undefined): PathProof {
  try {
    const automaton = new Automaton(true);
    const whole = automaton.build(node);
    const oneStart = explorerOf(automaton, whole, guard).oneStart();
    // Where only one start exists, or the first one ends the search, its work is all.
    const isOneStart = beginsAtText(node) || whole.freeEmpty;
    const search = oneStart === undefined || isOneStart
      ? oneStart
      : explorerOf(automaton, whole, guard).search();
    return { oneStart, search };
  } catch (error) {
    if (error instanceof NotProven) return { oneStart: undefined, search: undefined };
    throw error;
  }
}

/** The set that no start of a leftmost match stands behind, or undefined. */
export function startGuard(node: RegexNode): StartGuard | undefined {
  if (node.kind === "group") return startGuard(node.body);
  if (node.kind === "repeat") {
    return node.max === Infinity && node.body.kind === "set"
      ? { set: node.body.set, written: true }
      : undefined;
  }
  if (node.kind !== "cat" || node.items.length === 0) return undefined;
  const [head, next] = node.items;
  if (head.kind === "assert" && head.what === "word" && next !== undefined) {
    const firstSet = leadingSet(next);
    return firstSet !== undefined && isSubset(firstSet, namedSets.word)
      ? { set: namedSets.word, written: false }
      : undefined;
  }
  return startGuard(head);
}

/** The set that the first character of `node` is in, if `node` is plainly one set at its start. */
function leadingSet(node: RegexNode): CodePoints | undefined {
  switch (node.kind) {
    case "set":
      return node.set;
    case "group":
      return leadingSet(node.body);
    case "repeat":
      return node.min > 0 ? leadingSet(node.body) : undefined;
    case "cat":
      return node.items.length > 0 ? leadingSet(node.items[0]) : undefined;
    default:
      return undefined;
  }
}

/** True if every match begins at the begin of the text. */
export function beginsAtText(node: RegexNode): boolean {
  switch (node.kind) {
    case "assert":
      return node.what === "begin";
    case "group":
      return beginsAtText(node.body);
    case "cat":
      return node.items.length > 0 && beginsAtText(node.items[0]);
    case "alt":
      return node.items.every(beginsAtText);
    default:
      return false;
  }
}

function explorerOf(automaton: Automaton, whole: Part, guard: StartGuard | undefined): Explorer {
  return new Explorer(automaton.sets, automaton.follow, whole, guard?.set);
}

/** Positions and how many paths are at each, as text: two characters a position. Equal vectors are equal texts. */
type Vector = string;

/** Walks the vectors "number of paths at each position" over every class of characters. */
class Explorer {
  readonly #follow: readonly (readonly [number, number][])[];
  readonly #first: readonly [number, number][];
  readonly #ends: ReadonlySet<number>;
  /** Edges out of a position, ways counted. */
  readonly #workOf: readonly number[];
  readonly #firstWork: number;
  /** Per class of characters that the pattern cannot tell apart: is it in the position's set. */
  readonly #holds: readonly (readonly boolean[])[];
  /** Per class: may a match start behind it. */
  readonly #opens: readonly boolean[];
  readonly #counts: Int32Array;
  #vectors = 0;

  constructor(
    sets: readonly CodePoints[],
    follow: readonly Ways[],
    whole: Part,
    guard: CodePoints | undefined,
  ) {
    this.#follow = follow.map((ways) => [...ways]);
    this.#first = [...whole.first];
    this.#ends = whole.freeLast;
    this.#workOf = follow.map((ways) => Math.max(1, sum(ways)));
    this.#firstWork = sum(whole.first);
    const classes = classesOf(guard === undefined ? sets : [...sets, guard]);
    this.#holds = classes.map((codePoint) => sets.map((set) => contains(set, codePoint)));
    this.#opens = classes.map((codePoint) => guard === undefined || !contains(guard, codePoint));
    this.#counts = new Int32Array(sets.length);
  }

  /** Most edges tried for one character by a search over all starts, or undefined without a proof. */
  search(): number | undefined {
    return this.#explore("", true, true);
  }

  /** The same for one start and for what is tried behind a position where the pattern may end. */
  oneStart(): number | undefined {
    let work = this.#explore(
      pairsToVector(this.#first.filter(([position]) => !this.#ends.has(position))),
      false,
      true,
    );
    for (const position of this.#ends) {
      const found = this.#explore(pairsToVector([[position, 1]]), false, false);
      work = found === undefined || work === undefined ? undefined : Math.max(work, found);
      if (work === undefined) break;
    }
    return work === undefined ? undefined : Math.max(work, this.#firstWork);
  }

  /** True if few sets of positions can be reached, whatever the number of paths to them. */
  isSmall(anchored: boolean): boolean {
    const seen = new Set<Vector>([anchored ? pairsToVector(this.#first) : ""]);
    for (const vector of seen) {
      for (let index = 0; index < this.#holds.length; index++) {
        seen.add(this.#step(vector, !anchored, index, false, 1));
      }
      if (seen.size > statesMax) return false;
    }
    return true;
  }

  /**
   * With `searching` a new path starts at every character where the guard lets it. With `dropping` a path that may
   * end is not followed: it ends the search.
   */
  #explore(begin: Vector, searching: boolean, dropping: boolean): number | undefined {
    const seen = new Set<string>();
    const pending: { readonly vector: Vector; readonly open: boolean }[] = [];
    let most = 0;
    const visit = (vector: Vector, open: boolean): boolean => {
      const key = open ? vector : `-${vector}`;
      if (seen.has(key)) return true;
      seen.add(key);
      most = Math.max(most, this.#work(vector, open));
      pending.push({ vector, open });
      return most <= workMax && ++this.#vectors <= vectorsMax;
    };
    if (!visit(begin, searching)) return undefined;
    for (let state = pending.pop(); state !== undefined; state = pending.pop()) {
      for (let index = 0; index < this.#holds.length; index++) {
        const next = this.#step(state.vector, state.open, index, dropping);
        if (!visit(next, searching && this.#opens[index])) return undefined;
      }
    }
    return most;
  }

  /** Edges that the engine tries for one character. */
  #work(vector: Vector, open: boolean): number {
    let work = open ? this.#firstWork : 1;
    for (let i = 0; i < vector.length; i += 2) {
      work += vector.charCodeAt(i + 1) * this.#workOf[vector.charCodeAt(i)];
    }
    return work;
  }

  #step(vector: Vector, open: boolean, index: number, dropping: boolean, countMax = 0xffff): Vector {
    const touched: number[] = [];
    if (open) this.#move(this.#first, 1, index, dropping, touched);
    for (let i = 0; i < vector.length; i += 2) {
      this.#move(this.#follow[vector.charCodeAt(i)], vector.charCodeAt(i + 1), index, dropping, touched);
    }
    touched.sort((a, b) => a - b);
    let next = "";
    for (const position of touched) {
      next += String.fromCharCode(position, Math.min(this.#counts[position], countMax));
      this.#counts[position] = 0;
    }
    return next;
  }

  #move(
    edges: readonly [number, number][],
    paths: number,
    index: number,
    dropping: boolean,
    touched: number[],
  ): void {
    const holds = this.#holds[index];
    for (const [to, ways] of edges) {
      if (!holds[to] || (dropping && this.#ends.has(to))) continue;
      if (this.#counts[to] === 0) touched.push(to);
      this.#counts[to] += paths * ways;
    }
  }
}

function pairsToVector(pairs: readonly (readonly [number, number])[]): Vector {
  return [...pairs].sort((a, b) => a[0] - b[0]).map((pair) => String.fromCharCode(...pair)).join("");
}

/** One code point out of each class of characters that no set tells apart. */
function classesOf(sets: readonly CodePoints[]): number[] {
  const edges = new Set<number>([0]);
  for (const set of sets) {
    for (let i = 0; i < set.length; i += 2) {
      edges.add(set[i]);
      edges.add(set[i + 1] + 1);
    }
  }
  const signatures = new Map<string, number>();
  for (const codePoint of edges) {
    const signature = sets.map((set) => (contains(set, codePoint) ? "1" : "0")).join("");
    if (!signatures.has(signature)) signatures.set(signature, codePoint);
  }
  return [...signatures.values()];
}

function sum(ways: Ways): number {
  let total = 0;
  for (const count of ways.values()) total += count;
  return total;
}
