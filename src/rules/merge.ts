/**
 * Deep merge of an object from the rule file into a JSON message.
 *
 * | message has | rule has | result |
 * |---|---|---|
 * | nothing | anything | the rule's value is added |
 * | object | object | merged member by member |
 * | list | list | the rule's items that the list does not hold yet are appended |
 * | list | object | appended as one item, unless the list holds it |
 * | anything else | anything | the rule's value |
 *
 * hotdog did the same, but removed neighbouring duplicates from the whole list, the sender's own too.
 *
 * The merge writes into the message's text. What it does not touch keeps its bytes: numbers past 2^53, `1.0`, member
 * order. Templates are rendered inside strings that are already parsed and escaped on the way out, so that no value
 * can break or extend the JSON. Keys are data: `__proto__` is a member like any other.
 *
 * @module
 */

import { Edits } from "./edits.ts";
import { findKnownMember, isJsonObject, type JsonObject, skipSpace, skipValue } from "./json_text.ts";
import { jsonText } from "./json_write.ts";
import { compileMergeMembers, type MergeMembers } from "./merge_members.ts";
import {
  addItems,
  type Json,
  jsonOf,
  type MergeMember,
  type MergeObject,
  type MergeValue,
} from "./merge_values.ts";
import { compileTemplate, hasVariables, type Resolve, type TemplateFault } from "./template.ts";

/** A fault in a string inside the merged object, with its path (`meta.hotdog.version`). */
export interface MergeFault extends TemplateFault {
  readonly path: string;
}

/** A compiled merge. */
export interface Merge<Context> {
  /**
   * The text of an object with the rule's members merged in. `text` must be the JSON text of `document`, which is not
   * changed.
   */
  apply(text: string, document: JsonObject, context: Context): string;
  /** The same for a message that was scanned: adds the edits of its bytes. undefined where a key depends on the line. */
  readonly members: MergeMembers<Context> | undefined;
}

/** Nesting of a merged object; the file's YAML would allow more than the stack. */
const mergeDepthMax = 100;

/** Compiles the object of a `merge` action, or gives all faults in its templates. */
export function compileMerge<Context>(
  json: JsonObject,
  resolve: Resolve<Context>,
):
  | { readonly ok: true; readonly merge: Merge<Context> }
  | { readonly ok: false; readonly faults: readonly MergeFault[] } {
  const compiler = new Compiler(resolve);
  const value = compiler.object(json, []);
  if (compiler.faults.length > 0) return { ok: false, faults: compiler.faults };
  const editor = new Editor<Context>();
  return {
    ok: true,
    merge: {
      apply: (text, document, context) => editor.merge(text, document, value, context),
      members: compileMergeMembers(value),
    },
  };
}

class Compiler<Context> {
  readonly faults: MergeFault[] = [];
  readonly #resolve: Resolve<Context>;

  constructor(resolve: Resolve<Context>) {
    this.#resolve = resolve;
  }

  object(json: JsonObject, path: readonly string[]): MergeObject<Context> {
    const members = Object.keys(json).map((name): MergeMember<Context> => {
      const quotedKey = this.#string(name, [...path, name]);
      const [piece] = quotedKey.pieces;
      const isConstant = quotedKey.pieces.length === 1 && typeof piece === "string";
      const key = isConstant ? JSON.parse(piece) as string : undefined;
      const closedKey = isConstant ? piece.slice(1) : undefined;
      return { key, closedKey, quotedKey, value: this.#value(json[name], [...path, name]) };
    });
    const inner = members.flatMap(({ quotedKey, value }, index) => [
      ...(index === 0 ? [] : [","]),
      ...quotedKey.pieces,
      ":",
      ...value.json.pieces,
    ]);
    const mayCollide = members.some(({ key }) => key === undefined);
    return { kind: "object", members, mayCollide, json: jsonOf(["{", ...inner, "}"]) };
  }

  #value(value: unknown, path: readonly string[]): MergeValue<Context> {
    if (path.length > mergeDepthMax) {
      this.faults.push({ path: path.join("."), message: `nested deeper than ${mergeDepthMax}`, column: 1 });
      return { kind: "scalar", json: jsonOf(["null"]) };
    }
    if (Array.isArray(value)) {
      const items = value.map((item, index) => this.#value(item, [...path, String(index)]).json);
      const inner = items.flatMap((item, index) => index === 0 ? item.pieces : [",", ...item.pieces]);
      return { kind: "list", items, json: jsonOf(["[", ...inner, "]"]) };
    }
    if (isJsonObject(value)) return this.object(value, path);
    if (typeof value === "string") return { kind: "scalar", json: this.#text(value, path) };
    return { kind: "scalar", json: jsonOf([JSON.stringify(value) ?? "null"]) };
  }

  /** A text that is exactly one variable keeps the variable's JSON type; what has no value is null. */
  #text(text: string, path: readonly string[]): Json<Context> {
    const compiled = compileTemplate(text, this.#resolve);
    const value = compiled.ok ? compiled.template.value : undefined;
    if (value === undefined) return this.#string(text, path);
    return jsonOf([(context) => jsonText(value(context))]);
  }

  #string(text: string, path: readonly string[]): Json<Context> {
    if (!hasVariables(text)) return jsonOf([JSON.stringify(unescaped(text))]);
    const compiled = compileTemplate(text, this.#resolve);
    if (!compiled.ok) {
      this.faults.push(...compiled.faults.map((fault) => ({ ...fault, path: path.join(".") })));
      return jsonOf(['""']);
    }
    const { template } = compiled;
    if (template.constant !== undefined) return jsonOf([JSON.stringify(template.constant)]);
    return jsonOf(['"', (context) => template.renderJson(context), '"']);
  }
}

/** A text without variables may still have an escaped `\{{`. */
function unescaped(text: string): string {
  const compiled = compileTemplate<undefined>(text, () => ({ unknown: "" }));
  return compiled.ok ? compiled.template.render(undefined) : text;
}

/** Merges into one text after the other. Hot path. */
class Editor<Context> {
  readonly #edits = new Edits();
  #plain = false;

  merge(
    text: string,
    document: JsonObject,
    merged: MergeObject<Context>,
    context: Context,
  ): string {
    this.#edits.clear();
    this.#plain = !text.includes("\\");
    this.#object(text, text.indexOf("{"), document, merged, context);
    return this.#edits.apply(text);
  }

  #object(
    text: string,
    open: number,
    object: JsonObject,
    merged: MergeObject<Context>,
    context: Context,
  ): void {
    const { members, mayCollide } = merged;
    let added = "";
    for (let i = 0; i < members.length; i++) {
      const { quotedKey, value } = members[i];
      const quotedText = quotedKey.write(context);
      const key = members[i].key ?? JSON.parse(quotedText) as string;
      if (mayCollide && isRepeated(members, i + 1, quotedText, context)) continue;
      if (!Object.hasOwn(object, key)) {
        added += `${added === "" ? "" : ","}${quotedText}:${value.json.write(context)}`;
        continue;
      }
      const at = findKnownMember(text, open, key, members[i].closedKey ?? quotedText.slice(1), this.#plain);
      this.#member(text, at, object[key], value, context);
    }
    if (added === "") return;
    const isEmpty = text.charCodeAt(skipSpace(text, open + 1)) === 0x7d;
    this.#edits.add(open + 1, open + 1, isEmpty ? added : `${added},`);
  }

  #member(text: string, at: number, current: unknown, value: MergeValue<Context>, context: Context): void {
    if (value.kind === "object" && isJsonObject(current)) {
      this.#object(text, at, current, value, context);
    } else if (value.kind !== "scalar" && Array.isArray(current)) {
      this.#append(text, at, current, value.kind === "list" ? value.items : [value.json], context);
    } else {
      this.#edits.add(at, skipValue(text, at), value.json.write(context));
    }
  }

  #append(
    text: string,
    at: number,
    list: readonly unknown[],
    items: readonly Json<Context>[],
    context: Context,
  ): void {
    const close = skipValue(text, at) - 1;
    const added = addItems(list, items, context);
    if (added !== "") this.#edits.add(close, close, added);
  }
}

/** True if a member from `from` on has the same key. */
function isRepeated<Context>(
  members: readonly MergeMember<Context>[],
  from: number,
  quotedKey: string,
  context: Context,
): boolean {
  for (let i = from; i < members.length; i++) {
    if (members[i].quotedKey.write(context) === quotedKey) return true;
  }
  return false;
}
