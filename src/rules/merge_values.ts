/**
 * Values of a merged object as both ways of merging write them: into a message's text and into its bytes.
 *
 * @module
 */

import { jsonEquals, parseJsonText } from "./json_text.ts";

/** A value of the rule file, ready to be written as JSON. */
export type MergeValue<Context> =
  | MergeObject<Context>
  | { readonly kind: "list"; readonly items: readonly Json<Context>[]; readonly json: Json<Context> }
  | { readonly kind: "scalar"; readonly json: Json<Context> };

/** @see MergeValue */
export interface MergeObject<Context> {
  readonly kind: "object";
  readonly members: readonly MergeMember<Context>[];
  /** True if a key has variables: then two keys may turn out to be one, and the later member counts. */
  readonly mayCollide: boolean;
  readonly json: Json<Context>;
}

/** A member of a merged object. */
export interface MergeMember<Context> {
  /** The key, undefined where it has variables. */
  readonly key: string | undefined;
  /** The key as JSON without its opening quote; undefined where it has variables. */
  readonly closedKey: string | undefined;
  /** The key as JSON, quotes included. */
  readonly quotedKey: Json<Context>;
  readonly value: MergeValue<Context>;
}

/** Writes JSON text for the line at hand. */
export interface Json<Context> {
  /** Constant texts and what is written between them; pieces of pieces are flat. */
  readonly pieces: readonly (string | ((context: Context) => string))[];
  write(context: Context): string;
}

/** A writer of pieces in a row, neighbouring constants joined at load. */
export function jsonOf<Context>(given: Json<Context>["pieces"]): Json<Context> {
  const pieces: (string | ((context: Context) => string))[] = [];
  for (const piece of given) {
    const last = pieces.length - 1;
    if (typeof piece === "string" && typeof pieces[last] === "string") pieces[last] += piece;
    else pieces.push(piece);
  }
  const [only] = pieces;
  if (pieces.length === 1) return { pieces, write: typeof only === "string" ? () => only : only };
  const writers = pieces.map((piece) => typeof piece === "string" ? () => piece : piece);
  const write: Json<Context>["write"] = (context) => {
    let text = "";
    for (let i = 0; i < writers.length; i++) text += writers[i](context);
    return text;
  };
  return { pieces, write };
}

/** The JSON of the items that the list does not hold, as it goes before the list's closing bracket. */
export function addItems<Context>(
  list: readonly unknown[],
  items: readonly Json<Context>[],
  context: Context,
): string {
  const held = [...list];
  let added = "";
  for (const item of items) {
    const json = item.write(context);
    const value: unknown = parseJsonText(json);
    if (held.some((candidate) => jsonEquals(value, candidate))) continue;
    held.push(value);
    added += `${held.length === 1 ? "" : ","}${json}`;
  }
  return added;
}
