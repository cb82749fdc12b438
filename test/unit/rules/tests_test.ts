import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { parse } from "yaml";
import { compileRules } from "../../../src/rules/compile.ts";
import { runRuleTests } from "../../../src/rules/tests.ts";
import { ruleSetOf, StubLine, stubVersion } from "./stub_line.ts";

const rules = [
  { name: "json", jmespath: "t", actions: [{ type: "forward", topic: "{{value}}", key: "{{hostname}}" }] },
  { name: "noise", equals: "noise", actions: [{ type: "drop" }] },
  {
    name: "merge",
    prefix: "merge",
    actions: [{ type: "merge", json: { a: 1 } }, { type: "forward", topic: "m" }],
  },
  {
    name: "twice",
    prefix: "twice",
    actions: [{ type: "forward", topic: "one", continue: true }, {
      type: "forward",
      topic: "two",
      value: "<{{msg}}>",
    }],
  },
];

/** The message of each failed test, undefined for one that passed. */
function outcomes(tests: readonly unknown[]): (string | undefined)[] {
  const ruleSet = ruleSetOf(rules, tests);
  const compiled = compileRules(ruleSet, { version: stubVersion, defaultTopic: "logs" });
  assert(compiled.ok, compiled.ok ? "" : JSON.stringify(compiled.faults));
  const results = runRuleTests(() => compiled.program, ruleSet.tests, (input) => new StubLine(input));
  assert.deepEqual(results.map(({ source }) => source), ruleSet.tests);
  assert.deepEqual([...compiled.program.hits], [0, 0, 0, 0], "tests do not count as traffic");
  return results.map((result) => result.ok ? undefined : result.message);
}

const json = '<13>1 2026-01-02T03:04:05Z web app - - - {"t":"orders","n":{"a":1,"b":[1,2]}}';

const table: { name: string; input: string; expect: unknown; want: string | undefined }[] = [
  { name: "topic and key", input: json, expect: [{ topic: "orders", key: "web" }], want: undefined },
  {
    name: "a subset of the JSON",
    input: json,
    expect: [{ topic: "orders", json: { n: { b: [1, 2] } } }],
    want: undefined,
  },
  {
    name: "the whole text",
    input: json,
    expect: [{ topic: "orders", text: '{"t":"orders","n":{"a":1,"b":[1,2]}}' }],
    want: undefined,
  },
  {
    name: "several records",
    input: "twice",
    expect: [{ topic: "one", value: "twice", key: null }, { topic: "two", value: "<twice>" }],
    want: undefined,
  },
  { name: "dropped", input: "noise", expect: { dropped: true }, want: undefined },
  { name: "nothing", input: "noise", expect: [], want: undefined },
  { name: "dead letter", input: "merge", expect: { dead_letter: "merge_not_json" }, want: undefined },
  { name: "any dead letter", input: "merge", expect: { dead_letter: true }, want: undefined },
  { name: "the default", input: "other", expect: [{ topic: "logs", value: "other" }], want: undefined },
  {
    name: "another topic and key",
    input: json,
    expect: [{ topic: "order", key: "db" }],
    want: 'topic: wanted "order", came "orders" (matched json); key: wanted "db", came "web" (matched json)',
  },
  {
    name: "other JSON",
    input: json,
    expect: [{ topic: "orders", json: { n: { a: 2, b: [1], c: 0 } } }],
    want: "json.n.a: wanted 2, came 1 (matched json); json.n.b: wanted [1], came [1,2] (matched json); " +
      "json.n.c: wanted 0, came nothing (matched json)",
  },
  {
    name: "JSON where there is none",
    input: "other",
    expect: [{ topic: "logs", json: {} }],
    want: 'json: the value is not JSON: "other" (no rule matched)',
  },
  {
    name: "nothing where the default topic gets it",
    input: "other",
    expect: [],
    want: 'records: wanted nothing to be sent, it was sent to the default topic "logs" (no rule matched)',
  },
  {
    name: "a record where it was dropped",
    input: "noise",
    expect: [{ topic: "logs" }],
    want: "records: wanted 1 record, came none: the line was dropped, rule_drop (matched noise)",
  },
  {
    name: "nothing where it is dead",
    input: "merge",
    expect: { dropped: true },
    want: 'dropped: wanted nothing to be sent, it went to the dead letter: merge_not_json, rule "merge": ' +
      "the value to merge into is not JSON (matched merge)",
  },
  {
    name: "another reason",
    input: "merge",
    expect: { dead_letter: "merge_not_object" },
    want: 'dead letter, reason: wanted "merge_not_object", came "merge_not_json" (matched merge)',
  },
  {
    name: "the dead letter where it was sent",
    input: "twice",
    expect: { dead_letter: true },
    want: 'dead letter: wanted the dead letter, 2 records were sent, to "one", "two" (matched twice)',
  },
  {
    name: "fewer records",
    input: "twice",
    expect: [{ topic: "one" }],
    want: 'records: wanted 1 record, 2 records were sent, to "one", "two" (matched twice)',
  },
  {
    name: "another second record",
    input: "twice",
    expect: [{ topic: "one" }, { topic: "two", value: "x" }],
    want: 'record 2: value: wanted "x", came "<twice>" (matched twice)',
  },
];

for (const { name, input, expect, want } of table) {
  test(`runRuleTests() ${want === undefined ? "passes" : "fails"} when a test wants ${name}`, () => {
    assert.deepEqual(outcomes([{ input, expect }]), [want]);
  });
}

test("runRuleTests() says which of several inputs failed", () => {
  assert.deepEqual(outcomes([{ name: "n", inputs: ["noise", "twice", "noise"], expect: [] }]), [
    'input 2: records: wanted nothing to be sent, 2 records were sent, to "one", "two" (matched twice)',
  ]);
});

for (const file of ["hotdog-example.yml", "forward-all.yml"]) {
  test(`rules/${file} passes its own tests`, () => {
    const text = readFileSync(new URL(`../../../rules/${file}`, import.meta.url), "utf8");
    const shipped = parse(text) as { rules: unknown[]; tests: unknown[] };
    for (const dialect of ["corndog", "hotdog"] as const) {
      const ruleSet = ruleSetOf(shipped.rules, shipped.tests, dialect);
      const compiled = compileRules(ruleSet, { version: stubVersion, defaultTopic: "logs" });
      assert(compiled.ok, compiled.ok ? "" : JSON.stringify(compiled.faults));
      const results = runRuleTests(() => compiled.program, ruleSet.tests, (input) => new StubLine(input));
      assert(results.length > 0);
      assert.deepEqual(
        results.map((result) => result.ok ? "" : `${result.name}: ${result.message}`),
        results.map(() => ""),
      );
    }
  });
}
