/**
 * What people write under `tests:`: frames, and what must become of them.
 *
 * @module
 */

import * as v from "valibot";
import { check, type Checked } from "./schema.ts";

/** Most inputs of one test, and most repeats of one input; what needs more is a benchmark. */
export const inputsMax = 1_000;

const recordEntries = {
  topic: v.string(),
  value: v.optional(v.pipe(v.string(), v.description("The whole value as text"))),
  text: v.optional(v.pipe(v.string(), v.description("The same as value"))),
  json: v.optional(
    v.pipe(v.unknown(), v.description("What the value has in it, at least; lists as a whole")),
  ),
  key: v.optional(v.pipe(v.nullable(v.string()), v.description("Record key; null wants none"))),
  headers: v.optional(
    v.pipe(
      v.record(v.string(), v.nullable(v.string())),
      v.description("Headers that the record has, at least; null wants none of that name"),
    ),
  ),
  partition: v.optional(
    v.pipe(
      v.nullable(v.number()),
      v.description("The partition that the rule chose; null wants none chosen"),
    ),
  ),
};

/** One record that must be sent; what is not named is not compared. */
export const expectedRecordSchema = v.strictObject(recordEntries);

const expectedRecordsSchema = v.array(expectedRecordSchema);

const matchedSchema = v.pipe(
  v.array(v.string()),
  v.description("Names of the rules that match, all of them, in order"),
);

const outcomeKeys = ["dropped", "dead_letter", "records", "topic"] as const;

const expectedOutcomeSchema = v.pipe(
  v.strictObject({
    dropped: v.optional(
      v.pipe(
        v.union([v.literal(true), v.string()]),
        v.description("Nothing is sent; true or the reason, such as rule_drop"),
      ),
    ),
    dead_letter: v.optional(
      v.pipe(v.union([v.literal(true), v.string()]), v.description("A rule fails; true or the reason")),
    ),
    records: v.optional(v.pipe(expectedRecordsSchema, v.description("Exactly these records, in order"))),
    ...recordEntries,
    topic: v.optional(v.pipe(v.string(), v.description("Topic of the one record; its other keys beside it"))),
    matched: v.optional(matchedSchema),
  }),
  v.check(
    (expect) => outcomeKeys.filter((key) => expect[key] !== undefined).length <= 1,
    (issue) => {
      const found = outcomeKeys.filter((key) => (issue.input as Record<string, unknown>)[key] !== undefined);
      return `has ${found.join(" and ")}; a line can be only one of them`;
    },
  ),
  v.check(
    (expect) =>
      expect.topic !== undefined || Object.keys(recordEntries).every((key) => !Object.hasOwn(expect, key)),
    'missing key "topic"',
  ),
  v.check(
    (expect) => Object.keys(expect).length > 0,
    "expects nothing; write records, dropped, dead_letter or matched",
  ),
);

/** What a test expects: records in order, `[]` for none, or a mapping that says what became of the line. */
export const expectSchema = v.union([expectedRecordsSchema, expectedOutcomeSchema]);

const nowSchema = v.pipe(
  v.string(),
  v.check((text) => Number.isFinite(Date.parse(text)), "must be a time such as 2026-01-02T03:04:05Z"),
  v.description("When the line is received; it stays the same until another input says otherwise"),
);
const peerSchema = v.pipe(v.string(), v.description("Address and port of the sender"));

/** One of several inputs, where it has a time, a sender or an expectation of its own. */
export const inputSchema = v.strictObject({
  input: v.pipe(v.string(), v.description("One frame as it comes from the wire")),
  now: v.optional(nowSchema),
  peer: v.optional(peerSchema),
  repeat: v.optional(
    v.pipe(
      v.number(),
      v.check(
        (count) => Number.isInteger(count) && count >= 1 && count <= inputsMax,
        `must be a whole number from 1 to ${inputsMax}`,
      ),
      v.description("How often the line comes, one right after the other"),
    ),
    1,
  ),
  expect: v.optional(expectSchema),
});

/** One test. Inputs run in order, through rules that remember; every one must yield what is expected. */
export const testSchema = v.pipe(
  v.strictObject({
    name: v.optional(v.string()),
    now: v.optional(nowSchema),
    peer: v.optional(peerSchema),
    input: v.optional(v.pipe(v.string(), v.description("One frame as it comes from the wire"))),
    inputs: v.optional(
      v.pipe(
        v.array(v.union([v.string(), inputSchema])),
        v.minLength(1, "the list is empty"),
        v.maxLength(inputsMax, `more than ${inputsMax} inputs`),
      ),
    ),
    expect: v.optional(expectSchema),
  }),
  v.check(
    (test) => (test.input === undefined) !== (test.inputs === undefined),
    'needs exactly one of "input" and "inputs"',
  ),
  v.check(
    (test) =>
      test.expect !== undefined ||
      (test.inputs !== undefined && test.inputs.every((item) => typeof item === "object" && item.expect)),
    'missing key "expect"',
  ),
);

/** A test as written. */
export type RuleTest = v.InferOutput<typeof testSchema>;
/** What a test expects of a line. */
export type Expectation = v.InferOutput<typeof expectSchema>;
/** What a test expects of one record. */
export type ExpectedRecord = v.InferOutput<typeof expectedRecordSchema>;

/** Checks the shape of one test. */
export function checkTest(value: unknown): Checked<RuleTest> {
  return check(testSchema, value, keysAt, branchAt);
}

const testKeys = ["name", "now", "peer", "input", "inputs", "expect"];
const inputKeys = Object.keys(inputSchema.entries);
const recordKeys = Object.keys(recordEntries);
const outcomeMappingKeys = ["matched", "dropped", "dead_letter", "records", ...recordKeys];

function keysAt(path: readonly unknown[]): readonly string[] {
  if (path.length === 0) return testKeys;
  const below = path[0] === "inputs" ? path.slice(2) : path;
  if (below.length === 0) return inputKeys;
  return below.length === 1 ? outcomeMappingKeys : recordKeys;
}

/** Two unions: what is expected, and an input. */
function branchAt(path: readonly unknown[], input: unknown): v.GenericSchema | undefined {
  const isMapping = typeof input === "object" && input !== null && !Array.isArray(input);
  switch (path.at(-1)) {
    case "expect":
      return isMapping ? expectedOutcomeSchema : expectedRecordsSchema;
    default:
      return path.length === 2 && path[0] === "inputs" && isMapping ? inputSchema : undefined;
  }
}
