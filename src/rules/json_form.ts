/**
 * `value: json`: the parsed header and the message as one JSON object.
 *
 *     {"timestamp":…,"hostname":…,"appname":…,"procid":…,"msgid":…,"severity":"err","facility":"auth",
 *      "sd":{"id@123":{"param":"value"}},"msg":…,"peer":…}
 *
 * `timestamp` is RFC 3339 with a zone; where the header has it in another form that is `timestamp_raw`, and where it
 * has no time that can be read, `timestamp_raw` alone is there.
 *
 * All values are text; what the line does not have is left out, `msg` and `peer` are always there. A parameter that
 * stands more than once in an element is a list. `msg` is what merge or replace made, else the message.
 *
 * @module
 */

import type { LineContext } from "./line_context.ts";
import { cachedFieldIndex } from "./line_context.ts";

/** Header fields in the order in which they are written. */
const members = ["hostname", "appname", "procid", "msgid", "severity", "facility"].map((
  name,
) => ({
  head: `${JSON.stringify(name)}:`,
  index: cachedFieldIndex(name),
}));
const peerIndex = cachedFieldIndex("peer");
const timestampIndex = cachedFieldIndex("timestamp");

/** The line as a JSON object. */
export function jsonForm(context: LineContext): string {
  let text = `{${timestampMembers(context)}`;
  for (let i = 0; i < members.length; i++) {
    const value = context.field(members[i].index);
    if (value !== undefined) text += `${members[i].head}${JSON.stringify(value)},`;
  }
  const structured = context.line.structuredData();
  if (structured !== undefined) text += `"sd":${structuredDataJson(structured)},`;
  text += `"msg":${JSON.stringify(context.outputText())}`;
  return `${text},"peer":${JSON.stringify(context.field(peerIndex) ?? "")}}`;
}

/** The members that tell the time, each with a comma behind it; empty where the header has none. */
export function timestampMembers(context: LineContext): string {
  const written = context.field(timestampIndex);
  if (written === undefined) return "";
  const time = context.line.time === undefined ? written : context.line.time();
  const read = time === undefined ? "" : `"timestamp":${JSON.stringify(time)},`;
  return time === written ? read : `${read}"timestamp_raw":${JSON.stringify(written)},`;
}

type Parameters = Map<string, string | string[]>;

/** Structured data whose grammar was checked (RFC 5424 6.3), as JSON: elements by id, parameters by name. */
export function structuredDataJson(data: string): string {
  const elements = new Map<string, Parameters>();
  let at = 0;
  while (data[at] === "[") {
    const idStart = at + 1;
    at = nameEnd(data, idStart);
    const id = data.slice(idStart, at);
    const parameters = elements.get(id) ?? new Map();
    elements.set(id, parameters);
    while (data[at] === " ") {
      const nameStart = at + 1;
      const equals = nameEnd(data, nameStart);
      const end = quoteAt(data, equals + 2);
      add(parameters, data.slice(nameStart, equals), unescapeValue(data.slice(equals + 2, end)));
      at = end + 1;
    }
    at++;
  }
  return objectOf(elements, (parameters) => objectOf(parameters, (value) => JSON.stringify(value)));
}

function add(parameters: Parameters, name: string, value: string): void {
  const held = parameters.get(name);
  if (held === undefined) parameters.set(name, value);
  else if (typeof held === "string") parameters.set(name, [held, value]);
  else held.push(value);
}

/** Written by hand: a name such as `__proto__` is data. */
function objectOf<Value>(map: ReadonlyMap<string, Value>, write: (value: Value) => string): string {
  const inner = [...map].map(([name, value]) => `${JSON.stringify(name)}:${write(value)}`);
  return `{${inner.join(",")}}`;
}

function nameEnd(text: string, at: number): number {
  while (at < text.length && text[at] !== "=" && text[at] !== " " && text[at] !== "]") at++;
  return at;
}

function quoteAt(text: string, at: number): number {
  while (at < text.length && text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
  return Math.min(at, text.length);
}

function unescapeValue(value: string): string {
  return value.includes("\\") ? value.replace(/\\(["\\\]])/g, "$1") : value;
}
