/**
 * `{{variable}}` in topics, keys, values and merged strings, compiled to constant and variable parts.
 *
 * `{{name}}` and `{{{name}}}` are the same, spaces inside are free, `\{{` is a literal `{{`, `{{! … }}` a comment;
 * filters follow behind bars (`filters.ts`). Nothing is escaped: a value arrives as it is in the line. Helpers,
 * blocks and partials of Handlebars are refused, and so are a variable that the rule does not have and a filter that
 * does not exist.
 *
 * @module
 */

import { type ApplyFilter, filterOf } from "./filters.ts";
import { valueText } from "./jmespath.ts";
import { type Piece, piecesOf } from "./template_parser.ts";

/** Where a variable's text comes from. `Context` is whatever the variables read. */
export interface Variable<Context> {
  /** Set if the text is known at load. */
  readonly constant?: string;
  /** True if the text never needs escaping inside a JSON string. */
  readonly jsonSafe?: boolean;
  read(context: Context): string;
  /** The value with its JSON type, where it may be other than text; undefined is no value. */
  readonly value?: (context: Context) => unknown;
}

/** A compiled template. */
export interface Template<Context> {
  /** Set if no part of it changes from line to line. */
  readonly constant: string | undefined;
  render(context: Context): string;
  /** The rendered text as the inside of a JSON string, without the quotes. */
  renderJson(context: Context): string;
  /** Set if the template is exactly one variable, without filters, whose value may be other than text. */
  readonly value: ((context: Context) => unknown) | undefined;
  /** Set if exactly one part of it changes from line to line: what stands around that. */
  readonly single?: { readonly before: string; readonly after: string; read(context: Context): string };
}

/** What is wrong with a template; `column` counts characters from 1. */
export interface TemplateFault {
  readonly message: string;
  readonly column: number;
}

/** Gives the variable of a name, or why there is none. */
export type Resolve<Context> = (name: string) => Variable<Context> | { readonly unknown: string };

/** Compiles `text`, or gives everything that is wrong with it. */
export function compileTemplate<Context>(
  text: string,
  resolve: Resolve<Context>,
):
  | { readonly ok: true; readonly template: Template<Context> }
  | { readonly ok: false; readonly faults: readonly TemplateFault[] } {
  const parts: (string | Variable<Context>)[] = [];
  const faults: TemplateFault[] = [];
  for (const piece of piecesOf(text)) {
    if (piece.kind === "text") parts.push(piece.text);
    else if (piece.kind === "fault") faults.push(piece);
    else {
      const variable = resolve(piece.name);
      if ("unknown" in variable) faults.push({ message: variable.unknown, column: piece.column });
      const filtered = withFilters("unknown" in variable ? nothing : variable, piece, faults);
      parts.push(filtered.constant ?? filtered);
    }
  }
  return faults.length > 0 ? { ok: false, faults } : { ok: true, template: joinParts(parts) };
}

/** True if `text` has something to fill in. */
export function hasVariables(text: string): boolean {
  return piecesOf(text).some((piece) => piece.kind !== "text");
}

const nothing = { constant: "", read: () => "" };

function withFilters<Context>(
  variable: Variable<Context>,
  piece: Extract<Piece, { kind: "variable" }>,
  faults: TemplateFault[],
): Variable<Context> {
  if (piece.filters.length === 0) return variable;
  const chain: ApplyFilter[] = [];
  let jsonSafe = variable.jsonSafe === true;
  for (const { name, args, column } of piece.filters) {
    const filter = filterOf(name, args);
    if ("fault" in filter) {
      faults.push({ message: filter.fault, column });
      continue;
    }
    chain.push(filter.apply);
    jsonSafe = filter.jsonSafe === "always" || (filter.jsonSafe === "as_before" && jsonSafe);
  }
  const apply = (first: unknown) => {
    let value = first;
    for (let i = 0; i < chain.length; i++) value = chain[i](value);
    return valueText(value);
  };
  const { constant } = variable;
  if (constant !== undefined) {
    const text = apply(constant);
    return { constant: text, read: () => text };
  }
  const read = variable.value ?? variable.read;
  return { jsonSafe, read: (context) => apply(read(context)) };
}

/** Neighbouring constants become one; one to three parts are joined without a loop. */
function joinParts<Context>(given: readonly (string | Variable<Context>)[]): Template<Context> {
  const parts: (string | Variable<Context>)[] = [];
  for (const part of given) {
    const last = parts.length - 1;
    if (typeof part === "string" && typeof parts[last] === "string") parts[last] += part;
    else if (part !== "") parts.push(part);
  }
  if (parts.every((part) => typeof part === "string")) return constantTemplate(parts.join(""));
  const readers = parts.map((part) =>
    typeof part === "string" ? () => part : (context: Context) => part.read(context)
  );
  const jsonReaders = parts.map((part): (context: Context) => string => {
    if (typeof part === "string") {
      const escaped = escapeJson(part);
      return () => escaped;
    }
    return part.jsonSafe ? (context) => part.read(context) : (context) => escapeJson(part.read(context));
  });
  const [only] = parts;
  const value = parts.length === 1 && typeof only !== "string" ? only.value : undefined;
  const single = singleOf(parts);
  return { constant: undefined, render: concat(readers), renderJson: concat(jsonReaders), value, single };
}

/** Neighbours of the one part that is no text; undefined where there are several. */
function singleOf<Context>(parts: readonly (string | Variable<Context>)[]): Template<Context>["single"] {
  const at = parts.findIndex((part) => typeof part !== "string");
  const part = parts[at];
  if (typeof part !== "object" || parts.some((other, index) => index !== at && typeof other !== "string")) {
    return undefined;
  }
  const text = (index: number): string => (parts[index] ?? "") as string;
  return { before: text(at - 1), after: text(at + 1), read: (context) => part.read(context) };
}

function constantTemplate<Context>(text: string): Template<Context> {
  const escaped = escapeJson(text);
  return { constant: text, render: () => text, renderJson: () => escaped, value: undefined };
}

function concat<Context>(readers: readonly ((context: Context) => string)[]): (context: Context) => string {
  const [first, second, third] = readers;
  if (readers.length === 1) return first;
  if (readers.length === 2) return (context) => first(context) + second(context);
  if (readers.length === 3) return (context) => first(context) + second(context) + third(context);
  return (context) => {
    let text = "";
    for (let i = 0; i < readers.length; i++) text += readers[i](context);
    return text;
  };
}

/** `text` as the inside of a JSON string. */
export function escapeJson(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}
