/**
 * The members of a JSON message without a parse: what a line can tell of it after one scan of its bytes.
 *
 * A chain of names finds the same here as in the parsed document, own members only, the last of duplicates. What a
 * scan does not index (very many members, very deep nesting) is answered from the parsed document as before.
 *
 * @module
 */

import type { JsonKey } from "../core/json_key.ts";

/** The members of the message at hand. A node is a number that is good until the next line; 0 is none. */
export interface JsonMembers {
  /** The message itself, an object. */
  readonly root: number;
  /** The member `key` of an object, the last of that name; 0 where it has none, or where `node` is no object. */
  member(node: number, key: JsonKey): number;
  isObject(node: number): boolean;
  isList(node: number): boolean;
  isNull(node: number): boolean;
  /** True for an object without members. */
  isEmpty(node: number): boolean;
  /** Where the value's bytes lie, with quotes or brackets. */
  start(node: number): number;
  /** @see start */
  end(node: number): number;
  /** The value as JSON text. */
  json(node: number): string;
  /** The text of a string; a number or boolean as JavaScript writes it; "" of anything else. */
  text(node: number): string;
}

/** The member that a chain of names leads to, 0 where there is none. */
export function findChain(members: JsonMembers, chain: readonly JsonKey[]): number {
  let node = members.root;
  for (let i = 0; i < chain.length && node !== 0; i++) node = members.member(node, chain[i]);
  return node;
}
