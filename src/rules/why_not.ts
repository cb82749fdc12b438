/**
 * Why a matcher did not match a line, in words: the field is absent, the text has no such part, the message is not
 * JSON, the expression gives null. For people; nothing here decides anything.
 *
 * @module
 */

import { fieldReader } from "./field_reader.ts";
import { compileJmesPath } from "./jmespath.ts";
import { parseJsonText } from "./json_text.ts";
import type { LineContext } from "./line_context.ts";
import { checkMatcher } from "./matcher.ts";
import { matcherNames, type WrittenMatcher } from "./matcher_schema.ts";
import { matched } from "./regex.ts";

/** A field's text and a matcher are shown up to this length. */
const shownCharsMax = 120;

/** The matcher in words: `msg regex ^hello`, `not severity debug`. */
export function matcherText(matcher: WrittenMatcher): string {
  return shorten(fullText(matcher), shownCharsMax);
}

function fullText(matcher: WrittenMatcher): string {
  const { all, any, not } = matcher;
  if (not !== undefined) return `not (${fullText(not)})`;
  const list = all ?? any;
  if (list !== undefined) {
    return list.map((one) => `(${fullText(one)})`).join(all === undefined ? " or " : " and ");
  }
  const name = matcherNames.find((one) => matcher[one] !== undefined)!;
  const wanted = matcher[name];
  const text = typeof wanted === "string" ? wanted : JSON.stringify(wanted);
  return name === "severity" || name === "facility"
    ? `${name} ${text}`
    : `${matcher.field ?? "msg"} ${name} ${text}`;
}

/** Why it does not match the line at hand; asked only where it does not. */
export function whyNot(matcher: WrittenMatcher, context: LineContext): string {
  if (matcher.all !== undefined) {
    const first = matcher.all.find((one) => !matches(one, context));
    return first === undefined
      ? "one of them did not match"
      : `${matcherText(first)}: ${whyNot(first, context)}`;
  }
  if (matcher.any !== undefined) {
    const [first] = matcher.any;
    const others = matcher.any.length === 1 ? "" : `, and so with the other ${matcher.any.length - 1}`;
    return `${matcherText(first)}: ${whyNot(first, context)}${others}`;
  }
  if (matcher.not !== undefined) return "it matches";
  if (matcher.severity !== undefined) return whyNoPriority("severity", context);
  if (matcher.facility !== undefined) return whyNoPriority("facility", context);
  return whyNoText(matcher, context);
}

/** `text`, or its beginning and how long it is. */
export function shorten(text: string, charsMax: number): string {
  return text.length > charsMax ? `${text.slice(0, charsMax)}… (${text.length} characters)` : text;
}

function matches(matcher: WrittenMatcher, context: LineContext): boolean {
  const checked = checkMatcher(matcher);
  return checked.ok && checked.matcher.compile(new Set()).match(context) === matched;
}

function whyNoPriority(field: "severity" | "facility", context: LineContext): string {
  const text = context.line.text(field);
  return text === undefined ? `the line has no ${field}` : `${field} is ${text}`;
}

function whyNoText(matcher: WrittenMatcher, context: LineContext): string {
  const field = matcher.field ?? "msg";
  const text = fieldReader(field)(context);
  if (text === undefined) return `the line has no ${field}`;
  const shown = `${field} is ${JSON.stringify(shorten(text, shownCharsMax))}`;
  if (matcher.regex !== undefined) return `the pattern is not found, ${shown}`;
  if (matcher.jmespath !== undefined) return whyNoResult(matcher.jmespath, text, field, shown);
  if (matcher.equals !== undefined) return shown;
  if (matcher.prefix !== undefined) return `the text does not begin so, ${shown}`;
  return `the text has no such part, ${shown}`;
}

function whyNoResult(expression: string, text: string, field: string, shown: string): string {
  const document = parseJsonText(text);
  if (document === undefined) return `${field} is not JSON, ${shown}`;
  const compiled = compileJmesPath(expression);
  const chain = compiled.ok ? compiled.path.chain : undefined;
  if (chain === undefined) return `the result is null, ${shown}`;
  const missing = chain.findIndex((_, at) => !has(document, chain.slice(0, at + 1)));
  if (missing < 0) return `the result is null, ${shown}`;
  return `the JSON has no ${JSON.stringify(chain.slice(0, missing + 1).join("."))}, ${shown}`;
}

function has(document: unknown, path: readonly string[]): boolean {
  let value = document;
  for (const name of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return false;
    value = (value as Record<string, unknown>)[name];
  }
  return true;
}
