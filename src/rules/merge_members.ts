/**
 * The merge of `merge.ts` for a message that was scanned and not parsed: where the members lie is known, and the
 * result is a few edits of the message's bytes. Constant parts are rendered once; what templates give is rendered
 * anew only when it changes, which a receive time does once per millisecond. Hot path.
 *
 * @module
 */

import { type JsonKey, jsonKeyOf } from "../core/json_key.ts";
import type { Edits } from "./edits.ts";
import type { JsonMembers } from "./json_members.ts";
import { parseJsonText } from "./json_text.ts";
import { addItems, type Json, jsonOf, type MergeObject, type MergeValue } from "./merge_values.ts";

/** Adds the edits that merge the rule's object into the message at hand. */
export type MergeMembers<Context> = (members: JsonMembers, edits: Edits, context: Context) => void;

type Render<Context> = (context: Context) => string;

/** Compiles a merge for scanned messages; undefined where a key depends on the line. */
export function compileMergeMembers<Context>(
  merged: MergeObject<Context>,
): MergeMembers<Context> | undefined {
  const merge = mergeObject(merged);
  return merge === undefined ? undefined : (members, edits, context) => {
    edits.clear();
    merge(members, members.root, edits, context);
  };
}

/** Merges a value of the rule into the value at `node`. */
type MergeAt<Context> = (members: JsonMembers, node: number, edits: Edits, context: Context) => void;

interface Member<Context> {
  readonly key: JsonKey;
  /** `"key":value`, alone, with a comma behind it and with one before it. */
  readonly alone: Render<Context>;
  readonly before: Render<Context>;
  readonly behind: Render<Context>;
  readonly mergeAt: MergeAt<Context>;
}

function mergeObject<Context>(merged: MergeObject<Context>): MergeAt<Context> | undefined {
  const list: Member<Context>[] = [];
  for (const { key, quotedKey, value } of merged.members) {
    const mergeAt = mergeValue(value);
    if (key === undefined || mergeAt === undefined) return undefined;
    const pieces = [...quotedKey.pieces, ":", ...value.json.pieces];
    list.push({
      key: jsonKeyOf(key),
      alone: remembering(jsonOf(pieces)),
      before: remembering(jsonOf([...pieces, ","])),
      behind: remembering(jsonOf([",", ...pieces])),
      mergeAt,
    });
  }
  return (members, node, edits, context) => {
    const first = members.start(node) + 1;
    const isEmpty = members.isEmpty(node);
    for (let i = 0; i < list.length; i++) {
      const member = list[i];
      const found = members.member(node, member.key);
      if (found !== 0) member.mergeAt(members, found, edits, context);
      else if (!isEmpty) edits.add(first, first, member.before(context));
      else edits.add(first, first, i === 0 ? member.alone(context) : member.behind(context));
    }
  };
}

function mergeValue<Context>(value: MergeValue<Context>): MergeAt<Context> | undefined {
  const render = remembering(value.json);
  const overwrite: MergeAt<Context> = (members, node, edits, context) =>
    edits.add(members.start(node), members.end(node), render(context));
  if (value.kind === "scalar") return overwrite;
  const append = appendTo(value.kind === "list" ? value.items : [value.json]);
  const merge = value.kind === "object" ? mergeObject(value) : overwrite;
  if (merge === undefined) return undefined;
  return (members, node, edits, context) => {
    if (members.isList(node)) append(members, node, edits, context);
    else if (members.isObject(node)) merge(members, node, edits, context);
    else overwrite(members, node, edits, context);
  };
}

function appendTo<Context>(items: readonly Json<Context>[]): MergeAt<Context> {
  return (members, node, edits, context) => {
    const list = parseJsonText(members.json(node)) as unknown[];
    const added = addItems(list, items, context);
    const close = members.end(node) - 1;
    if (added !== "") edits.add(close, close, added);
  };
}

/** Renders anew only where a variable part differs from last time; the text then is the very same string. */
function remembering<Context>(json: Json<Context>): Render<Context> {
  const { pieces } = json;
  const parts = pieces.map((piece) => typeof piece === "string" ? piece : "");
  const variables = pieces.flatMap((piece, part) => typeof piece === "string" ? [] : [{ part, read: piece }]);
  const constant = parts.join("");
  if (variables.length === 0) return () => constant;
  let text: string | undefined;
  return (context) => {
    for (let i = 0; i < variables.length; i++) {
      const { part, read } = variables[i];
      const now = read(context);
      if (now === parts[part]) continue;
      text = undefined;
      parts[part] = now;
    }
    return text ??= parts.join("");
  };
}
