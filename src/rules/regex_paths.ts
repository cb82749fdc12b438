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

import { type CodePoints, isSubset, namedSets } from "./code_points.ts";
import { Automaton, NotProven } from "./regex_automaton.ts";
import { Explorer } from "./regex_explorer.ts";
import { ShapeMemory } from "./regex_shape.ts";
import type { RegexNode } from "./regex_syntax.ts";

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
  return !hasInnerAssertion(node) && smallAutomata.answer(node, undefined, () => proveSmall(node));
}

const smallAutomata = new ShapeMemory<boolean>();

function proveSmall(node: RegexNode): boolean {
  try {
    const automaton = new Automaton(false);
    return new Explorer(automaton, automaton.build(node), undefined).isSmall(beginsAtText(node));
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
  return proofs.answer(node, guard?.set, () => prove(node, guard));
}

const proofs = new ShapeMemory<PathProof>();

function prove(node: RegexNode, guard: StartGuard | undefined): PathProof {
  try {
    const automaton = new Automaton(true);
    const whole = automaton.build(node);
    const explorer = new Explorer(automaton, whole, guard?.set);
    const oneStart = explorer.oneStart();
    // Where only one start exists, or the first one ends the search, its work is all.
    const isOneStart = beginsAtText(node) || whole.freeEmpty;
    const search = oneStart === undefined || isOneStart ? oneStart : explorer.search();
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
