/**
 * What a test expects of one line, held against what the rules made of it.
 *
 * @module
 */

import type { Explanation, LineResult, SentRecord } from "./explain.ts";
import { isJsonObject, jsonEquals, parseJsonText } from "./json_text.ts";
import type { Expectation, ExpectedRecord } from "./test_schema.ts";
import { type DiffLine, diffText } from "./text_diff.ts";

/** One thing that came otherwise. */
export interface Difference {
  /** What it is about: `topic`, `records`, `json.meta.topic`, `record 2: key`. */
  readonly what: string;
  /** One line for a list of faults: `wanted "a", came "b"`. */
  readonly message: string;
  /** The same line by line, for people. */
  readonly lines: readonly DiffLine[];
}

/** Values are shown up to this length in a message. */
const shownCharsMax = 200;
/** Records of one line that are shown where another number was wanted. */
const recordsShownMax = 10;

/** Everything in which `came` is not what was expected. */
export function compareToExpectation(expected: Expectation, came: Explanation): Difference[] {
  if (Array.isArray(expected)) return compareRecords(expected, came);
  const outcome = expected as Exclude<Expectation, readonly unknown[]>;
  const differences = outcome.matched === undefined ? [] : compareMatched(outcome.matched, came);
  if (outcome.dead_letter !== undefined) {
    return [...compareEnd("dead_letter", outcome.dead_letter, came), ...differences];
  }
  if (outcome.dropped !== undefined) return [...compareEnd("drop", outcome.dropped, came), ...differences];
  if (outcome.records !== undefined) return [...compareRecords(outcome.records, came), ...differences];
  if (outcome.topic !== undefined) {
    return [...compareRecords([outcome as ExpectedRecord], came), ...differences];
  }
  return differences;
}

function compareMatched(wanted: readonly string[], { matched }: Explanation): Difference[] {
  const names = matched.map(({ name }) => name);
  return difference("matched", wanted, names, diffText(namesText(wanted), namesText(names)));
}

function namesText(names: readonly string[]): string {
  return names.length === 0 ? "no rule" : names.join("\n");
}

/** What became of a line that is not sent, by its reason or any. */
function compareEnd(
  kind: "drop" | "dead_letter",
  wanted: true | string,
  { result }: Explanation,
): Difference[] {
  const what = kind === "drop" ? "dropped" : "dead letter";
  if (result.kind === kind) {
    return wanted === true
      ? []
      : difference(`${what}, reason`, wanted, result.reason, diffText(wanted, result.reason));
  }
  const line = wanted === true ? what : `${what}: ${wanted}`;
  return [{
    what,
    message: `wanted ${
      kind === "drop" ? "nothing to be sent" : `the dead letter${wanted === true ? "" : ` (${wanted})`}`
    }, ${cameInstead(result)}`,
    lines: [{ mark: "-", text: line }, ...resultLines(result)],
  }];
}

function compareRecords(wanted: readonly ExpectedRecord[], { result }: Explanation): Difference[] {
  if (result.kind === "drop" && wanted.length === 0) return [];
  if (result.kind === "drop" || result.kind === "dead_letter" || result.records.length !== wanted.length) {
    const wantedLines = wanted.map(({ topic }): DiffLine => ({ mark: "-", text: `topic ${topic}` }));
    return [{
      what: "records",
      message: `wanted ${countOf(wanted.length)}, ${cameInstead(result)}`,
      lines: [
        ...(wanted.length === 0 ? [{ mark: "-", text: "nothing is sent" } as const] : wantedLines),
        ...resultLines(result),
      ],
    }];
  }
  const { records } = result;
  return wanted.flatMap((record, at) =>
    compareRecord(record, records[at]).map((found) =>
      wanted.length === 1 ? found : { ...found, what: `record ${at + 1}: ${found.what}` }
    )
  );
}

function compareRecord(wanted: ExpectedRecord, came: SentRecord): Difference[] {
  const differences = difference("topic", wanted.topic, came.topic);
  if (wanted.key !== undefined) differences.push(...difference("key", wanted.key, came.key ?? null));
  for (const [name, value] of Object.entries(wanted.headers ?? {})) {
    const actual = came.headers !== undefined && Object.hasOwn(came.headers, name)
      ? came.headers[name]
      : null;
    differences.push(...difference(`headers${stepTo(name)}`, value, actual));
  }
  if (wanted.partition !== undefined) {
    differences.push(...difference("partition", wanted.partition, came.partition ?? null));
  }
  for (const what of ["value", "text"] as const) {
    const text = wanted[what];
    if (text !== undefined) {
      differences.push(...difference(what, text, came.value, diffText(text, came.value)));
    }
  }
  if (wanted.json === undefined) return differences;
  const value = parseJsonText(came.value);
  if (value !== undefined) return [...differences, ...compareJson(wanted.json, value, "json")];
  return [...differences, {
    what: "json",
    message: `the value is not JSON: ${show(came.value)}`,
    lines: [{ mark: "-", text: show(wanted.json) }, { mark: "+", text: `not JSON: ${show(came.value)}` }],
  }];
}

/** Where `came` lacks what `wanted` has, path by path. */
function compareJson(wanted: unknown, came: unknown, path: string): Difference[] {
  if (!isJsonObject(wanted) || !isJsonObject(came)) {
    return jsonEquals(wanted, came) ? [] : difference(path, wanted, came);
  }
  return Object.keys(wanted).flatMap((key) => {
    const below = `${path}${stepTo(key)}`;
    return Object.hasOwn(came, key)
      ? compareJson(wanted[key], came[key], below)
      : difference(below, wanted[key], undefined);
  });
}

function stepTo(key: string): string {
  return /^[\w-]+$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
}

/** None where both are the same. `lines` are for what has a better form than one line. */
function difference(what: string, wanted: unknown, came: unknown, lines?: readonly DiffLine[]): Difference[] {
  if (wanted === came || lines?.length === 0) return [];
  return [{
    what,
    message: `wanted ${show(wanted)}, came ${show(came)}`,
    lines: lines ?? [{ mark: "-", text: show(wanted) }, { mark: "+", text: show(came) }],
  }];
}

function countOf(count: number): string {
  return count === 0 ? "nothing to be sent" : count === 1 ? "1 record" : `${count} records`;
}

function cameInstead(result: LineResult): string {
  switch (result.kind) {
    case "drop":
      return `came none: the line was dropped, ${result.reason}`;
    case "dead_letter":
      return `it went to the dead letter: ${result.reason}, ${result.message}`;
    case "default":
      return `it was sent to the default topic ${show(result.records[0].topic)}`;
    case "forward": {
      const topics = result.records.map(({ topic }) => show(topic)).join(", ");
      return `${countOf(result.records.length)} ${
        result.records.length === 1 ? "was" : "were"
      } sent, to ${topics}`;
    }
  }
}

function resultLines(result: LineResult): DiffLine[] {
  switch (result.kind) {
    case "drop":
      return [{ mark: "+", text: `dropped: ${result.reason}` }];
    case "dead_letter":
      return [{ mark: "+", text: `dead letter: ${result.reason}: ${result.message}` }];
    default: {
      const lines = result.records.slice(0, recordsShownMax).map(({ topic, key, value }): DiffLine => ({
        mark: "+",
        text: `topic ${topic}${result.kind === "default" ? " (no rule forwards it)" : ""}${
          key === undefined ? "" : `, key ${key}`
        }: ${show(value)}`,
      }));
      const more = result.records.length - lines.length;
      return more > 0 ? [...lines, { mark: "+", text: `and ${more} more` }] : lines;
    }
  }
}

function show(value: unknown): string {
  const text = value === undefined ? "nothing" : JSON.stringify(value);
  return text.length > shownCharsMax ? `${text.slice(0, shownCharsMax)}…` : text;
}
