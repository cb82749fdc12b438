import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { parse } from "yaml";
import { compileRules } from "../../../src/rules/compile.ts";
import { runRuleTests } from "../../../src/rules/tests.ts";
import { faultsOf, ruleSetOf, StubLine, stubVersion } from "./stub_line.ts";

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

const own = [
  {
    name: "all",
    regex: "^all",
    actions: [{
      type: "forward",
      topic: "t",
      headers: { peer: "{{peer}}", at: "{{iso8601}}" },
      partition: 3,
    }],
  },
  { name: "slow", regex: "^slow", actions: [{ type: "throttle", rate: 1, per: "1s" }] },
];

/** As `outcomes`, with rules of its own, the time of each line, and rules that remember nothing at each test. */
function ownOutcomes(tests: readonly unknown[]): (string | undefined)[] {
  const ruleSet = ruleSetOf(own, tests);
  const fresh = () => {
    const compiled = compileRules(ruleSet, { version: stubVersion, defaultTopic: "logs" });
    assert(compiled.ok, compiled.ok ? "" : JSON.stringify(compiled.faults));
    return compiled.program;
  };
  const results = runRuleTests(
    fresh,
    ruleSet.tests,
    (input, nowMs, peer) => Object.defineProperty(new StubLine(input, peer), "nowMs", { value: nowMs }),
  );
  return results.map((result) => result.ok ? undefined : result.message);
}

const ownTable: { name: string; test: Record<string, unknown>; want: string | undefined }[] = [
  {
    name: "one record as a mapping, with headers, partition and rules",
    test: {
      input: "all",
      peer: "192.0.2.9:1",
      now: "2026-05-06T07:08:09.5Z",
      expect: {
        topic: "t",
        headers: { peer: "192.0.2.9:1", at: "2026-05-06T07:08:09.500+00:00", none: null },
        partition: 3,
        matched: ["all"],
      },
    },
    want: undefined,
  },
  {
    name: "the clock and sender of tests",
    test: {
      input: "all",
      expect: { topic: "t", headers: { peer: "127.0.0.1:514", at: "2026-01-02T03:04:05.000+00:00" } },
    },
    want: undefined,
  },
  {
    name: "another header and partition",
    test: { input: "all", expect: [{ topic: "t", headers: { peer: "x", none: "y" }, partition: null }] },
    want: 'headers.peer: wanted "x", came "127.0.0.1:514" (matched all); ' +
      'headers.none: wanted "y", came null (matched all); partition: wanted null, came 3 (matched all)',
  },
  {
    name: "other rules",
    test: { input: "all", expect: { matched: ["slow", "all"] } },
    want: 'matched: wanted ["slow","all"], came ["all"] (matched all)',
  },
  {
    name: "records in a mapping",
    test: { input: "all", expect: { records: [{ topic: "t" }] } },
    want: undefined,
  },
  {
    name: "a reason of a drop",
    test: {
      inputs: ["slow", { input: "slow", expect: { dropped: "rule_stop" } }],
      expect: { matched: ["slow"] },
    },
    want: 'input 2: dropped, reason: wanted "rule_stop", came "rule_throttle" (matched slow)',
  },
  {
    name: "inputs in order, time standing still unless one moves it",
    test: {
      inputs: [
        "slow",
        { input: "slow", repeat: 3, expect: { dropped: "rule_throttle" } },
        { input: "slow", now: "2026-01-02T03:04:06Z" },
        { input: "slow", expect: { dropped: true } },
      ],
      expect: { topic: "logs", matched: ["slow"] },
    },
    want: undefined,
  },
  {
    name: "the same again, as every test begins anew",
    test: { input: "slow", expect: { topic: "logs" } },
    want: undefined,
  },
  {
    name: "which of the repeats fails first",
    test: { inputs: [{ input: "slow", repeat: 5 }], expect: [{ topic: "logs" }] },
    want:
      "input 1, time 2: records: wanted 1 record, came none: the line was dropped, rule_throttle (matched slow)",
  },
];
test("runRuleTests() runs inputs in order through rules that begin anew at each test", () => {
  const results = ownOutcomes(ownTable.map(({ test }) => test));
  for (const [at, { name, want }] of ownTable.entries()) {
    assert.equal(results[at], want, name);
  }
});

const faultyTests: { name: string; test: Record<string, unknown>; want: string[] }[] = [
  {
    name: "two outcomes",
    test: { input: "a", expect: { topic: "t", dropped: true } },
    want: ["tests.0.expect: has dropped and topic; a line can be only one of them"],
  },
  {
    name: "a key without a topic",
    test: { input: "a", expect: { key: "k" } },
    want: ['tests.0.expect: missing key "topic"'],
  },
  {
    name: "nothing",
    test: { input: "a", expect: {} },
    want: ["tests.0.expect: expects nothing; write records, dropped, dead_letter or matched"],
  },
  {
    name: "no expect at all",
    test: { inputs: ["a", { input: "b", expect: [] }] },
    want: ['tests.0: missing key "expect"'],
  },
  {
    name: "a time that is none",
    test: { input: "a", now: "noon", expect: [] },
    want: ["tests.0.now: must be a time such as 2026-01-02T03:04:05Z"],
  },
  {
    name: "a misspelt key of an input",
    test: { inputs: [{ input: "a", expct: [] }], expect: [] },
    want: ['tests.0.inputs.0.expct: unknown key "expct"; did you mean "expect"?'],
  },
  {
    name: "too many repeats",
    test: { inputs: [{ input: "a", repeat: 1001 }], expect: [] },
    want: ["tests.0.inputs.0.repeat: must be a whole number from 1 to 1000"],
  },
];
for (const { name, test: value, want } of faultyTests) {
  test(`compileRules() refuses a test with ${name}`, () => assert.deepEqual(faultsOf([], [value]), want));
}

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
