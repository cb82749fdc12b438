/**
 * `{{variable}}` in topics, keys, values and merged strings, compiled to constant and variable parts.
 *
 * `{{name}}` and `{{{name}}}` are the same, spaces inside are free, `\{{` is a literal `{{`, `{{! … }}` a comment.
 * Nothing is escaped: a value arrives as it is in the line. Helpers, blocks and partials of Handlebars are refused,
 * and so is a variable that the rule does not have.
 *
 * @module
 */

/** Where a variable's text comes from. `Context` is whatever the variables read. */
export interface Variable<Context> {
  /** Set if the text is known at load. */
  readonly constant?: string;
  /** True if the text never needs escaping inside a JSON string. */
  readonly jsonSafe?: boolean;
  read(context: Context): string;
}

/** A compiled template. */
export interface Template<Context> {
  /** Set if no part of it changes from line to line. */
  readonly constant: string | undefined;
  render(context: Context): string;
  /** The rendered text as the inside of a JSON string, without the quotes. */
  renderJson(context: Context): string;
}

/** What is wrong with a template; `column` counts characters from 1. */
export interface TemplateFault {
  readonly message: string;
  readonly column: number;
}

/** Gives the variable of a name, or why there is none. */
export type Resolve<Context> = (name: string) => Variable<Context> | { readonly unknown: string };

const variableName = /^[A-Za-z_][A-Za-z0-9_]*$|^sd\.[^\s{}]+$/;

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
      else parts.push(variable.constant ?? variable);
    }
  }
  return faults.length > 0 ? { ok: false, faults } : { ok: true, template: joinParts(parts) };
}

/** True if `text` has something to fill in. */
export function hasVariables(text: string): boolean {
  return piecesOf(text).some((piece) => piece.kind !== "text");
}

type Piece =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "variable"; readonly name: string; readonly column: number }
  | { readonly kind: "fault"; readonly message: string; readonly column: number };

function piecesOf(text: string): Piece[] {
  const pieces: Piece[] = [];
  let at = 0;
  while (at < text.length) {
    const open = text.indexOf("{{", at);
    if (open < 0) {
      pieces.push({ kind: "text", text: text.slice(at) });
      break;
    }
    const slashes = open > at && text[open - 1] === "\\"
      ? (open > at + 1 && text[open - 2] === "\\" ? 2 : 1)
      : 0;
    if (slashes === 1) {
      // \{{name}} stays as written, without the backslash.
      const close = text.indexOf("}}", open);
      const end = close < 0 ? text.length : close + 2;
      pieces.push({ kind: "text", text: text.slice(at, open - 1) + text.slice(open, end) });
      at = end;
      continue;
    }
    // Of \\{{name}} one backslash stays.
    pieces.push({ kind: "text", text: text.slice(at, slashes === 2 ? open - 1 : open) });
    const braces = text[open + 2] === "{" ? "}}}" : "}}";
    const close = text.indexOf(braces, open + braces.length);
    if (close < 0) {
      pieces.push({
        kind: "fault",
        message: `"${"{".repeat(braces.length)}" is not closed`,
        column: open + 1,
      });
      break;
    }
    pieces.push(tagOf(text.slice(open + braces.length, close), open + 1));
    at = close + braces.length;
  }
  return pieces;
}

function tagOf(inside: string, column: number): Piece {
  const name = inside.trim();
  if (name.startsWith("!")) return { kind: "text", text: "" };
  if (variableName.test(name)) return { kind: "variable", name, column };
  const message = name === ""
    ? "a template variable has no name"
    : /^[#/^>&~*]|\s|\|/.test(name)
    ? `"{{${name}}}" is not supported: helpers, blocks, partials and filters are not known here`
    : `"${name}" is no name of a variable`;
  return { kind: "fault", message, column };
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
  return { constant: undefined, render: concat(readers), renderJson: concat(jsonReaders) };
}

function constantTemplate<Context>(text: string): Template<Context> {
  const escaped = escapeJson(text);
  return { constant: text, render: () => text, renderJson: () => escaped };
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
