/**
 * Walks an automaton over every text there is: which positions can be reached together, and by how many paths each.
 *
 * Characters that no set of the pattern tells apart are one class. Of the classes, those that the positions ahead of
 * a vector do not tell apart lead to the same next vector, which is made once: a rule file has thousands of patterns.
 *
 * @module
 */

import type { CodePoints } from "./code_points.ts";
import { type Automaton, type Part, type Ways, workMax } from "./regex_automaton.ts";

/** Different vectors explored, which bounds the time of a proof to some milliseconds. */
const vectorsMax = 500;
/** States that a deterministic automaton may have to count as small: a fraction of the linear engine's cache. */
const statesMax = 500;
/** Sets whose membership fits one number, a bit each. */
const maskedSetsMax = 30;

/** Positions and how many paths are at each, as text: two characters a position. Equal vectors are equal texts. */
type Vector = string;

/** A vector, and whether a new start may follow it. */
interface State {
  readonly vector: Vector;
  readonly open: boolean;
}

/** Where a vector may lead: positions in order, and the number of paths to each. */
interface Ahead {
  readonly positions: readonly number[];
  readonly counts: readonly number[];
}

/** Walks the vectors "number of paths at each position" over every class of characters. */
export class Explorer {
  readonly #follow: readonly (readonly (readonly [number, number])[])[];
  readonly #first: readonly (readonly [number, number])[];
  readonly #ends: ReadonlySet<number>;
  /** Edges out of a position, ways counted. */
  readonly #workOf: readonly number[];
  readonly #firstWork: number;
  /** The set of each position, by number. */
  readonly #setOf: readonly number[];
  /** Per class of characters and set: is it in. */
  readonly #holds: readonly (readonly boolean[])[];
  /** Per class: may a match start behind it. */
  readonly #opens: readonly boolean[];
  readonly #counts: Int32Array;
  #vectors = 0;

  /** `guard` is the set that no start stands behind. */
  constructor({ sets, follow }: Automaton, whole: Part, guard: CodePoints | undefined) {
    this.#follow = follow.map((ways) => [...ways]);
    this.#first = [...whole.first];
    this.#ends = whole.freeLast;
    this.#workOf = follow.map((ways) => Math.max(1, sum(ways)));
    this.#firstWork = sum(whole.first);
    const numbers = new Map<string, number>();
    const distinct: CodePoints[] = [];
    this.#setOf = sets.map((set) => {
      const key = set.join();
      let number = numbers.get(key);
      if (number === undefined) {
        number = distinct.push(set) - 1;
        numbers.set(key, number);
      }
      return number;
    });
    const classes = [...classesOf(guard === undefined ? distinct : [...distinct, guard]).values()];
    this.#holds = classes.map((holds) => holds.slice(0, distinct.length));
    this.#opens = classes.map((holds) => guard === undefined || !holds[distinct.length]);
    this.#counts = new Int32Array(sets.length);
  }

  /** Most edges tried for one character by a search over all starts, or undefined without a proof. */
  search(): number | undefined {
    this.#vectors = 0;
    return this.#explore("", true, true);
  }

  /** The same for one start and for what is tried behind a position where the pattern may end. */
  oneStart(): number | undefined {
    this.#vectors = 0;
    const begin = this.#first.filter(([position]) => !this.#ends.has(position));
    let work = this.#explore(vectorOf(begin), false, true);
    for (const position of this.#ends) {
      const found = this.#explore(vectorOf([[position, 1]]), false, false);
      work = found === undefined || work === undefined ? undefined : Math.max(work, found);
      if (work === undefined) break;
    }
    return work === undefined ? undefined : Math.max(work, this.#firstWork);
  }

  /** True if few sets of positions can be reached, whatever the number of paths to them. */
  isSmall(anchored: boolean): boolean {
    const seen = new Set<Vector>([anchored ? vectorOf(this.#first) : ""]);
    for (const vector of seen) {
      const ahead = this.#ahead({ vector, open: !anchored }, false);
      this.#eachNext(ahead, 1, (next) => {
        seen.add(next);
      });
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
    const pending: State[] = [];
    let most = 0;
    const visit = (vector: Vector, open: boolean): void => {
      const key = open ? vector : `-${vector}`;
      if (seen.has(key)) return;
      seen.add(key);
      most = Math.max(most, this.#work(vector, open));
      this.#vectors++;
      pending.push({ vector, open });
    };
    visit(begin, searching);
    for (let state = pending.pop(); state !== undefined; state = pending.pop()) {
      if (most > workMax || this.#vectors > vectorsMax) return undefined;
      this.#eachNext(this.#ahead(state, dropping), 0xffff, (next, opens) => visit(next, searching && opens));
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

  #ahead({ vector, open }: State, dropping: boolean): Ahead {
    const positions: number[] = [];
    if (open) this.#move(this.#first, 1, dropping, positions);
    for (let i = 0; i < vector.length; i += 2) {
      this.#move(this.#follow[vector.charCodeAt(i)], vector.charCodeAt(i + 1), dropping, positions);
    }
    if (positions.length > 1) positions.sort((a, b) => a - b);
    const counts = positions.map((position) => this.#counts[position]);
    for (const position of positions) this.#counts[position] = 0;
    return { positions, counts };
  }

  #move(
    edges: readonly (readonly [number, number])[],
    paths: number,
    dropping: boolean,
    positions: number[],
  ): void {
    for (const [to, ways] of edges) {
      if (dropping && this.#ends.has(to)) continue;
      if (this.#counts[to] === 0) positions.push(to);
      this.#counts[to] += paths * ways;
    }
  }

  /** Calls `take` for every vector that some character leads to, and for whether a start may stand behind that character. */
  #eachNext(
    { positions, counts }: Ahead,
    countMax: number,
    take: (next: Vector, opens: boolean) => void,
  ): void {
    const sets: number[] = [];
    for (const position of positions) {
      if (!sets.includes(this.#setOf[position])) sets.push(this.#setOf[position]);
    }
    const masked = sets.length <= maskedSetsMax;
    const taken: number[] = [];
    for (let index = 0; index < this.#holds.length; index++) {
      const holds = this.#holds[index];
      if (masked) {
        let mask = this.#opens[index] ? 1 : 0;
        for (let i = 0; i < sets.length; i++) mask = mask << 1 | (holds[sets[i]] ? 1 : 0);
        if (taken.includes(mask)) continue;
        taken.push(mask);
      }
      const next: number[] = [];
      for (let i = 0; i < positions.length; i++) {
        if (holds[this.#setOf[positions[i]]]) next.push(positions[i], Math.min(counts[i], countMax));
      }
      take(String.fromCharCode(...next), this.#opens[index]);
    }
  }
}

function vectorOf(pairs: readonly (readonly [number, number])[]): Vector {
  return [...pairs].sort((a, b) => a[0] - b[0]).map((pair) => String.fromCharCode(...pair)).join("");
}

/** The classes of characters that no set tells apart: for each, which sets hold it, under the same as digits. */
export function classesOf(sets: readonly CodePoints[]): Map<string, readonly boolean[]> {
  const edges = [...new Set([0, ...sets.flatMap((set) => set.map((edge, index) => edge + index % 2))])];
  edges.sort((a, b) => a - b);
  const indexOf = new Map(edges.map((edge, index) => [edge, index]));
  const holds = edges.map(() => new Array<boolean>(sets.length).fill(false));
  sets.forEach((set, number) => {
    for (let i = 0; i < set.length; i += 2) {
      const end = indexOf.get(set[i + 1] + 1)!;
      for (let edge = indexOf.get(set[i])!; edge < end; edge++) holds[edge][number] = true;
    }
  });
  const classes = new Map<string, readonly boolean[]>();
  for (const row of holds) {
    let signature = "";
    for (let number = 0; number < row.length; number++) signature += row[number] ? "1" : "0";
    classes.set(signature, row);
  }
  return classes;
}

function sum(ways: Ways): number {
  let total = 0;
  for (const count of ways.values()) total += count;
  return total;
}
