/**
 * Why a matcher did not match a line, in words: the field is absent, the text has no such part, the message is not
 * JSON, the expression gives null. For people; nothing here decides anything.
 *
 * @module
 */

import { compileJmesPath } from "./jmespath.ts";
import { parseJsonText } from "./json_text.ts";
import type { FieldName, Line } from "./program.ts";
import { matcherNames, structuredField } from "./schema.ts";

/** A field's text is shown up to this length. */
const shownCharsMax = 120;

/** A matcher as written, with the `field` it looks at. */
export type MatcherValue = Readonly<Record<string, unknown>>;

/** The matcher in words: `msg regex ^hello`. */
export function matcherText(value: MatcherValue): string {
  const name = matcherNames.find((one) => value[one] !== undefined) ?? "";
  return `${fieldOf(value)} ${name} ${shorten(wordOf(value[name]), shownCharsMax)}`;
}

/** Why it does not match the line; asked only where it does not. */
export function whyNot(value: MatcherValue, line: Line): string {
  const field = fieldOf(value);
  const text = textOf(field, line);
  if (text === undefined) return `the line has no ${field}`;
  const shown = `${field} is ${JSON.stringify(shorten(text, shownCharsMax))}`;
  if (value["regex"] !== undefined) return `the pattern is not found, ${shown}`;
  if (value["jmespath"] !== undefined) return whyNoResult(String(value["jmespath"]), text, field, shown);
  if (value["equals"] !== undefined) return shown;
  if (value["prefix"] !== undefined) return `the text does not begin so, ${shown}`;
  return `the text has no such part, ${shown}`;
}

/** `text`, or its beginning and how long it is. */
export function shorten(text: string, charsMax: number): string {
  return text.length > charsMax ? `${text.slice(0, charsMax)}… (${text.length} characters)` : text;
}

function whyNoResult(expression: string, text: string, field: string, shown: string): string {
  const document = parseJsonText(text);
  if (document === undefined) return `${field} is not JSON, ${shown}`;
  const compiled = compileJmesPath(expression);
  const chain = compiled.ok ? compiled.path.chain : undefined;
  if (chain === undefined) return `the result is null, ${shown}`;
  const missing = chain.findIndex((_, at) => walk(document, chain.slice(0, at + 1)) === undefined);
  if (missing < 0) return `the result is null, ${shown}`;
  return `the JSON has no ${JSON.stringify(chain.slice(0, missing + 1).join("."))}, ${shown}`;
}

function walk(document: unknown, path: readonly string[]): unknown {
  let value = document;
  for (const name of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}

function fieldOf(value: MatcherValue): string {
  return typeof value["field"] === "string" ? value["field"] : "msg";
}

function textOf(field: string, line: Line): string | undefined {
  const structured = structuredField(field);
  if (structured !== undefined) return line.structured(structured.id, structured.param);
  return line.text(field as FieldName);
}

function wordOf(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value) ?? "";
}
