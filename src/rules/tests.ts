/**
 * The tests that stand beside the rules in their file: frames in, records out.
 *
 * | `expect` | passes when |
 * |---|---|
 * | a list of `{ topic, value \| text, json, key }` | exactly these records are sent, in order; what is not named is not compared |
 * | `[]` | the line is dropped: nothing is sent, not to the default topic either |
 * | `{ dropped: true }` | the same, in words |
 * | `{ dead_letter: reason }`, `{ dead_letter: true }` | the line goes to the dead letter, for that reason or any |
 *
 * `json` is what the value must have in it: objects member by member, lists and scalars as a whole. `key: null` asks
 * for no key.
 *
 * @module
 */

import type { RuleSource } from "../config/config.ts";
import { invariant } from "../core/invariant.ts";

import { explainLine, type Explanation, type SentRecord } from "./explain.ts";
import { isJsonObject, jsonEquals, parseJsonText } from "./json_text.ts";
import type { Line, Program } from "./program.ts";
import { checkTest, type ExpectedForward, type RuleTest } from "./schema.ts";

/** How one test ended. `message` says what was wanted and what came. */
export type RuleTestResult = { readonly ok: true; readonly source: RuleSource; readonly name: string } | {
  readonly ok: false;
  readonly source: RuleSource;
  readonly name: string;
  readonly message: string;
};

/** Values are shown up to this length in a message. */
const shownCharsMax = 200;

/** Runs tests that `compileRules` has taken. `lineFrom` makes the line of a frame; it is used up before the next. */
export function runRuleTests(
  program: Program,
  tests: readonly RuleSource[],
  lineFrom: (input: string) => Line,
): RuleTestResult[] {
  return tests.map((source, index): RuleTestResult => {
    const checked = checkTest(source.value);
    invariant(checked.ok, "tests are checked before they are run");
    const test = checked.value;
    const name = test.name ?? `test-${index + 1}`;
    const inputs = test.inputs ?? [test.input!];
    const differences = inputs.flatMap((input, at) => {
      const found = differencesOf(test.expect, explainLine(program, lineFrom(input)));
      return inputs.length === 1 ? found : found.map((difference) => `input ${at + 1}: ${difference}`);
    });
    return differences.length === 0
      ? { ok: true, source, name }
      : { ok: false, source, name, message: differences.join("; ") };
  });
}

function differencesOf(expect: RuleTest["expect"], { result, matched }: Explanation): string[] {
  const what = matched.length === 0
    ? "no rule matched"
    : `matched ${matched.map(({ name }) => name).join(", ")}`;
  if (!Array.isArray(expect) && "dead_letter" in expect) {
    const reason = expect.dead_letter === true ? undefined : expect.dead_letter;
    const wanted = `wanted the dead letter${reason === undefined ? "" : ` (${reason})`}`;
    if (result.kind !== "dead_letter") return [`${wanted}, ${cameInstead({ result, what })}`];
    return reason === undefined || reason === result.reason
      ? []
      : [`${wanted}, its reason was ${result.reason}`];
  }
  const records = Array.isArray(expect) ? expect : [];
  if (result.kind === "drop" || result.kind === "dead_letter") {
    if (records.length === 0 && result.kind === "drop") return [];
    return [`wanted ${countOf(records.length)}, ${cameInstead({ result, what })}`];
  }
  if (records.length !== result.records.length) {
    return [`wanted ${countOf(records.length)}, ${cameInstead({ result, what })}`];
  }
  const isOnly = records.length === 1;
  return records.flatMap((record, at) =>
    recordDifferences(record, result.records[at]).map((difference) =>
      isOnly ? difference : `record ${at + 1}: ${difference}`
    )
  ).map((difference) => `${difference} (${what})`);
}

function countOf(count: number): string {
  return count === 0 ? "nothing to be sent" : count === 1 ? "1 record" : `${count} records`;
}

function cameInstead({ result, what }: { result: Explanation["result"]; what: string }): string {
  switch (result.kind) {
    case "drop":
      return `came none: the line was dropped, ${result.reason} (${what})`;
    case "dead_letter":
      return `it went to the dead letter: ${result.reason}, ${result.message} (${what})`;
    case "default":
      return `it was sent to the default topic ${show(result.records[0].topic)} (${what})`;
    case "forward": {
      const topics = result.records.map(({ topic }) => show(topic)).join(", ");
      return `${result.records.length === 1 ? "1 record was" : `${result.records.length} records were`} ` +
        `sent, to ${topics} (${what})`;
    }
  }
}

function recordDifferences(expected: ExpectedForward, came: SentRecord): string[] {
  const differences: string[] = [];
  const compare = (what: string, wanted: unknown, actual: unknown) => {
    if (wanted !== actual) differences.push(`${what}: wanted ${show(wanted)}, came ${show(actual)}`);
  };
  compare("topic", expected.topic, came.topic);
  if (expected.key !== undefined) compare("key", expected.key, came.key ?? null);
  if (expected.value !== undefined) compare("value", expected.value, came.value);
  if (expected.text !== undefined) compare("text", expected.text, came.value);
  if (expected.json !== undefined) {
    const value = parseJsonText(came.value);
    if (value === undefined) differences.push(`json: the value is not JSON: ${show(came.value)}`);
    else differences.push(...jsonDifferences(expected.json, value, "json"));
  }
  return differences;
}

/** Where `actual` lacks what `wanted` has. */
function jsonDifferences(wanted: unknown, actual: unknown, path: string): string[] {
  if (isJsonObject(wanted) && isJsonObject(actual)) {
    return Object.keys(wanted).flatMap((key) =>
      Object.hasOwn(actual, key)
        ? jsonDifferences(wanted[key], actual[key], `${path}.${key}`)
        : [`${path}.${key}: wanted ${show(wanted[key])}, came nothing`]
    );
  }
  return jsonEquals(wanted, actual) ? [] : [`${path}: wanted ${show(wanted)}, came ${show(actual)}`];
}

function show(value: unknown): string {
  const text = value === undefined ? "nothing" : JSON.stringify(value);
  return text.length > shownCharsMax ? `${text.slice(0, shownCharsMax)}…` : text;
}
