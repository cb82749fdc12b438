/**
 * JMESPath expressions, compiled once at load.
 *
 * A chain of plain member names (`meta.topic`, `"a b".c`) is walked here over own members only, in the message's bytes
 * where the line can (`json_members.ts`), else in the parsed document; anything else runs
 * on the interpreter of @jmespath-community/jmespath. That one reads members through the prototype, so that
 * `a.constructor` would be found in every document: names that every object inherits are refused outside of chains.
 *
 * @module
 */

import { compile, TreeInterpreter } from "@jmespath-community/jmespath";
import { messageOf } from "../core/errors.ts";
import { type JsonKey, jsonKeyOf } from "../core/json_key.ts";
import { isJsonObject } from "./json_text.ts";

type Node = ReturnType<typeof compile>;

/** A compiled expression. */
export interface JmesPath {
  /** The names of a plain chain, undefined for any other expression. */
  readonly chain: readonly string[] | undefined;
  /** The chain, ready to be looked for in a message that is not parsed. */
  readonly keys: readonly JsonKey[] | undefined;
  /** The result over a parsed document; null where there is none, also where a function does not take its arguments. */
  search(document: unknown): unknown;
}

/** Longer expressions are refused. */
export const expressionCharsMax = 4096;

/** Compiles `expression`, or says why it is none. */
export function compileJmesPath(
  expression: string,
): { readonly ok: true; readonly path: JmesPath } | {
  readonly ok: false;
  readonly message: string;
  readonly column: number;
} {
  if (expression.length > expressionCharsMax) {
    const message =
      `the expression has ${expression.length} characters, at most ${expressionCharsMax} are taken`;
    return { ok: false, message, column: expressionCharsMax + 1 };
  }
  let node: Node;
  try {
    node = compile(expression);
  } catch (error) {
    return { ok: false, ...syntaxFault(expression, messageOf(error)) };
  }
  const chain = chainOf(node);
  if (chain !== undefined) {
    return { ok: true, path: { chain, keys: chain.map(jsonKeyOf), search: walker(chain) } };
  }
  const inherited = inheritedName(node);
  if (inherited !== undefined) {
    const message = `"${inherited}" can be looked up only by a plain chain of names, as in a.b.${inherited}`;
    return { ok: false, message, column: Math.max(expression.indexOf(inherited), 0) + 1 };
  }
  return { ok: true, path: { chain: undefined, keys: undefined, search: interpreter(node) } };
}

/** The parser names the token and not its place; where the token stands once, that is the place. */
function syntaxFault(
  expression: string,
  message: string,
): { readonly message: string; readonly column: number } {
  const token = /token:? (?:\(\w+\): )?"?([^\s"(]+)/.exec(message)?.[1];
  const at = token === undefined ? -1 : expression.indexOf(token);
  const isOnly = at >= 0 && expression.indexOf(token!, at + 1) < 0;
  return { message: `JMESPath does not take the expression: ${message}`, column: isOnly ? at + 1 : 1 };
}

function chainOf(node: Node): string[] | undefined {
  if (node.type === "Field") return [(node as Extract<Node, { name: string; type: "Field" }>).name];
  if (node.type !== "Subexpression") return undefined;
  const { left, right } = node as { left: Node; right: Node };
  const before = chainOf(left);
  const after = chainOf(right);
  return before !== undefined && after !== undefined ? [...before, ...after] : undefined;
}

function walker(chain: readonly string[]): JmesPath["search"] {
  const count = chain.length;
  return (document) => {
    let value = document;
    for (let i = 0; i < count; i++) {
      if (!isJsonObject(value) || !Object.hasOwn(value, chain[i])) return null;
      value = value[chain[i]];
    }
    return value;
  };
}

function interpreter(node: Node): JmesPath["search"] {
  type Document = Parameters<typeof TreeInterpreter.search>[1];
  return (document) => {
    try {
      return TreeInterpreter.search(node, document as Document) ?? null;
    } catch {
      // A function that does not take the type it found in this line: the rule does not match, as in hotdog.
      return null;
    }
  };
}

/** The first field name in the tree that every object has by inheritance. */
function inheritedName(tree: unknown): string | undefined {
  if (typeof tree !== "object" || tree === null) return undefined;
  const { type, name } = tree as { type?: unknown; name?: unknown };
  if (type === "Field" && typeof name === "string" && name in Object.prototype) return name;
  for (const child of Object.values(tree)) {
    const found = inheritedName(child);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The text of the variable `value`: a string as it is, a number or boolean as JSON, nothing for the rest. */
export function valueText(result: unknown): string {
  switch (typeof result) {
    case "string":
      return result;
    case "number":
    case "boolean":
      return String(result);
    default:
      return "";
  }
}
