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

import {
  findKnownMember,
  isJsonObject,
  jsonEquals,
  type JsonObject,
  skipSpace,
  skipValue,
} from "./json_text.ts";
import { compileTemplate, hasVariables, type Resolve, type TemplateFault } from "./template.ts";

/** A value of the rule file, ready to be written as JSON. */
type MergeValue<Context> =
  | MergeObject<Context>
  | { readonly kind: "list"; readonly items: readonly Json<Context>[]; readonly json: Json<Context> }
  | { readonly kind: "scalar"; readonly json: Json<Context> };

interface MergeObject<Context> {
  readonly kind: "object";
  readonly members: readonly MergeMember<Context>[];
  /** True if a key has variables: then two keys may turn out to be one, and the later member counts. */
  readonly mayCollide: boolean;
  readonly json: Json<Context>;
}

interface MergeMember<Context> {
  /** The key, undefined where it has variables. */
  readonly key: string | undefined;
  /** The key as JSON without its opening quote; undefined where it has variables. */
  readonly closedKey: string | undefined;
  /** The key as JSON, quotes included. */
  readonly quotedKey: Json<Context>;
  readonly value: MergeValue<Context>;
}

/** Writes JSON text for the line at hand. */
interface Json<Context> {
  /** Constant texts and what is written between them; pieces of pieces are flat. */
  readonly pieces: readonly (string | ((context: Context) => string))[];
  write(context: Context): string;
}

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
    merge: { apply: (text, document, context) => editor.merge(text, document, value, context) },
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
      const key = typeof piece === "string" ? JSON.parse(piece) as string : undefined;
      const closedKey = typeof piece === "string" ? piece.slice(1) : undefined;
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
    if (typeof value === "string") return { kind: "scalar", json: this.#string(value, path) };
    return { kind: "scalar", json: jsonOf([JSON.stringify(value) ?? "null"]) };
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
    return jsonOf([(context) => `"${template.renderJson(context)}"`]);
  }
}

/** A text without variables may still have an escaped `\{{`. */
function unescaped(text: string): string {
  const compiled = compileTemplate<undefined>(text, () => ({ unknown: "" }));
  return compiled.ok ? compiled.template.render(undefined) : text;
}

/** A writer of pieces in a row, neighbouring constants joined at load. */
function jsonOf<Context>(given: Json<Context>["pieces"]): Json<Context> {
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

/** Collects edits of one text and applies them. Reused from line to line; hot path. */
class Editor<Context> {
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];
  readonly #texts: string[] = [];
  #count = 0;
  #plain = false;

  merge(
    text: string,
    document: JsonObject,
    merged: MergeObject<Context>,
    context: Context,
  ): string {
    this.#count = 0;
    this.#plain = !text.includes("\\");
    this.#object(text, text.indexOf("{"), document, merged, context);
    return this.#apply(text);
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
    this.#edit(open + 1, open + 1, isEmpty ? added : `${added},`);
  }

  #member(text: string, at: number, current: unknown, value: MergeValue<Context>, context: Context): void {
    if (value.kind === "object" && isJsonObject(current)) {
      this.#object(text, at, current, value, context);
    } else if (value.kind !== "scalar" && Array.isArray(current)) {
      this.#append(text, at, current, value.kind === "list" ? value.items : [value.json], context);
    } else {
      this.#edit(at, skipValue(text, at), value.json.write(context));
    }
  }

  #append(
    text: string,
    at: number,
    list: readonly unknown[],
    items: readonly Json<Context>[],
    context: Context,
  ): void {
    const held = [...list];
    let added = "";
    for (const item of items) {
      const json = item.write(context);
      const value: unknown = JSON.parse(json);
      if (held.some((candidate) => jsonEquals(value, candidate))) continue;
      held.push(value);
      added += `${held.length === 1 ? "" : ","}${json}`;
    }
    const close = skipValue(text, at) - 1;
    if (added !== "") this.#edit(close, close, added);
  }

  #edit(start: number, end: number, text: string): void {
    // Kept in order; edits come nearly sorted and are few.
    let at = this.#count++;
    while (at > 0 && this.#starts[at - 1] > start) {
      this.#starts[at] = this.#starts[at - 1];
      this.#ends[at] = this.#ends[at - 1];
      this.#texts[at] = this.#texts[at - 1];
      at--;
    }
    this.#starts[at] = start;
    this.#ends[at] = end;
    this.#texts[at] = text;
  }

  #apply(text: string): string {
    let result = "";
    let at = 0;
    for (let i = 0; i < this.#count; i++) {
      result += text.slice(at, this.#starts[i]) + this.#texts[i];
      at = this.#ends[i];
      this.#texts[i] = "";
    }
    return at === 0 ? result + text : result + text.slice(at);
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
