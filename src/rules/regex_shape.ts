/**
 * What proofs about a pattern depend on, as text: its tree, and which of its sets overlap. Rule files have thousands
 * of patterns that differ in a name or a number; those of one shape are proven once.
 *
 * @module
 */

import type { CodePoints } from "./code_points.ts";
import { classesOf } from "./regex_explorer.ts";
import type { RegexNode } from "./regex_syntax.ts";

/** Shapes that are remembered; their texts have some hundred characters. */
const shapesMax = 4096;

/** Answers about shapes. When it is full it forgets everything and begins anew. */
export class ShapeMemory<Answer> {
  readonly #answers = new Map<string, Answer>();

  /** The answer for the shape of `node` and `guard`, from `prove` the first time. */
  answer(node: RegexNode, guard: CodePoints | undefined, prove: () => Answer): Answer {
    const shape = shapeOf(node, guard);
    let answer = this.#answers.get(shape);
    if (answer === undefined) {
      answer = prove();
      if (this.#answers.size >= shapesMax) this.#answers.clear();
      this.#answers.set(shape, answer);
    }
    return answer;
  }
}

/** Equal for patterns whose automata differ in the names of their characters alone. */
export function shapeOf(node: RegexNode, guard: CodePoints | undefined): string {
  const numbers = new Map<string, number>();
  const sets: CodePoints[] = [];
  const numberOf = (set: CodePoints): number => {
    const key = set.join();
    let number = numbers.get(key);
    if (number === undefined) {
      number = sets.push(set) - 1;
      numbers.set(key, number);
    }
    return number;
  };
  const tree = treeOf(node, numberOf);
  const guardNumber = guard === undefined ? "" : numberOf(guard);
  return `${tree} ${guardNumber} ${[...classesOf(sets).keys()].sort().join(" ")}`;
}

function treeOf(node: RegexNode, numberOf: (set: CodePoints) => number): string {
  switch (node.kind) {
    case "empty":
      return "()";
    case "assert":
      return `<${node.what}>`;
    case "set":
      return `${numberOf(node.set)},`;
    case "group":
      return treeOf(node.body, numberOf);
    case "cat":
    case "alt":
      return `${node.kind === "cat" ? "(" : "|"}${
        node.items.map((item) => treeOf(item, numberOf)).join(";")
      })`;
    case "repeat":
      return `{${node.min},${node.max}:${treeOf(node.body, numberOf)}}`;
  }
}
