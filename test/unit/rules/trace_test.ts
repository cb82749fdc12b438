import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { parse } from "yaml";
import { compileRules } from "../../../src/rules/compile.ts";
import { explainLine } from "../../../src/rules/explain.ts";
import { missesMax, RuleTracer, type Trace, tracedCharsMax } from "../../../src/rules/trace.ts";
import { frameOf, ruleSetOf, StubLine, stubVersion } from "./stub_line.ts";

const options = { version: stubVersion, defaultTopic: "logs" };

/** Each look at the clock is one millisecond later. */
function steadyClock(stepMs = 1): () => number {
  let now = 0;
  return () => now += stepMs;
}

function tracerOf(rules: readonly unknown[], clock = steadyClock(), msMax?: number): RuleTracer {
  const compiled = RuleTracer.compile(ruleSetOf(rules), options, clock, msMax);
  assert.ok(compiled.ok, compiled.ok ? "" : JSON.stringify(compiled.faults));
  return compiled.tracer;
}

function trace(rules: readonly unknown[], frame: string): Trace {
  return tracerOf(rules).trace(new StubLine(frame));
}

const drop = [{ type: "drop" }];

const misses: { matcher: Record<string, unknown>; frame: string; matcherText: string; why: string }[] = [
  {
    matcher: { regex: "^x" },
    frame: frameOf("abc"),
    matcherText: "msg regex ^x",
    why: 'the pattern is not found, msg is "abc"',
  },
  {
    matcher: { field: "hostname", equals: "db" },
    frame: frameOf("abc"),
    matcherText: "hostname equals db",
    why: 'hostname is "web"',
  },
  {
    matcher: { field: "hostname", regex: "." },
    frame: "abc",
    matcherText: "hostname regex .",
    why: "the line has no hostname",
  },
  {
    matcher: { field: "sd.origin@32473.port", prefix: "1" },
    frame: frameOf("abc"),
    matcherText: "sd.origin@32473.port prefix 1",
    why: "the line has no sd.origin@32473.port",
  },
  {
    matcher: { field: "sd.origin@32473.ip", contains: "192" },
    frame: frameOf("abc"),
    matcherText: "sd.origin@32473.ip contains 192",
    why: 'the text has no such part, sd.origin@32473.ip is "10.0.0.9"',
  },
  {
    matcher: { jmespath: "a.b" },
    frame: frameOf("abc"),
    matcherText: "msg jmespath a.b",
    why: 'msg is not JSON, msg is "abc"',
  },
  {
    matcher: { jmespath: "a.b.c" },
    frame: frameOf('{"a":{"x":1}}'),
    matcherText: "msg jmespath a.b.c",
    why: 'the JSON has no "a.b", msg is "{\\"a\\":{\\"x\\":1}}"',
  },
  {
    matcher: { jmespath: "a.b" },
    frame: frameOf('{"a":{"b":null}}'),
    matcherText: "msg jmespath a.b",
    why: 'the result is null, msg is "{\\"a\\":{\\"b\\":null}}"',
  },
  {
    matcher: { jmespath: "[0]" },
    frame: frameOf("{}"),
    matcherText: "msg jmespath [0]",
    why: 'the result is null, msg is "{}"',
  },
  {
    matcher: { severity: "<= err" },
    frame: frameOf("a"),
    matcherText: "severity <= err",
    why: "severity is notice",
  },
  { matcher: { severity: "err" }, frame: "a", matcherText: "severity err", why: "the line has no severity" },
  {
    matcher: { facility: ["kern", "mail"] },
    frame: frameOf("a"),
    matcherText: 'facility ["kern","mail"]',
    why: "facility is user",
  },
  {
    matcher: { all: [{ prefix: "a" }, { severity: "debug" }] },
    frame: frameOf("abc"),
    matcherText: "(msg prefix a) and (severity debug)",
    why: "severity debug: severity is notice",
  },
  {
    matcher: { any: [{ equals: "x" }, { equals: "y" }, { equals: "z" }] },
    frame: frameOf("abc"),
    matcherText: "(msg equals x) or (msg equals y) or (msg equals z)",
    why: 'msg equals x: msg is "abc", and so with the other 2',
  },
  {
    matcher: { not: { prefix: "a" } },
    frame: frameOf("abc"),
    matcherText: "not (msg prefix a)",
    why: "it matches",
  },
];
for (const { matcher, frame, matcherText, why } of misses) {
  test(`RuleTracer says why when ${matcherText} does not match ${frame.slice(-20)}`, () => {
    const [rule] = trace([{ name: "r", ...matcher, actions: drop }], frame).rules;
    assert.equal(rule.matched, false);
    assert.equal(rule.matcher, matcherText);
    assert.equal(rule.why, why);
  });
}

test("RuleTracer tells variables, asked for or not, and what each action did", () => {
  const rules = [
    {
      name: "all",
      regex: "^(?P<first>\\w+) (?P<unused>\\w+)",
      actions: [
        { type: "set", name: "who", value: "{{first | upper}}" },
        { type: "replace", template: "<{{who}}>" },
        { type: "forward", topic: "a", key: "{{first}}", headers: { h: "{{who}}" }, continue: true },
        { type: "stop" },
      ],
    },
    { name: "behind", regex: ".*", actions: drop },
  ];
  const told = trace(rules, frameOf("ada came"));
  const [rule] = told.rules;
  assert.deepEqual(rule.variables, { first: "ada", unused: "came" });
  const record = {
    topic: "a",
    topicFromLine: false,
    key: "ada",
    headers: { h: "ADA" },
    value: "<ADA>",
    unchanged: false,
  };
  assert.deepEqual(rule.actions, [
    { type: "set", did: "set", variables: { who: "ADA" }, us: 1000 },
    { type: "replace", did: "changed", value: "<ADA>", us: 1000 },
    { type: "forward", did: "sent", records: [record], us: 1000 },
    { type: "stop", did: "ended", reason: "rule_stop", us: 1000 },
  ]);
  assert.deepEqual([rule.match_us, rule.us, told.us], [1000, 5000, 5000]);
  assert.equal(told.not_tried, 1);
  assert.equal(told.decided_by, 0);
  assert.deepEqual(told.result, { kind: "forward", records: [record] });
  assert.equal(told.fields.hostname, "web");
});

test("RuleTracer tells JSON values, failures and the dead letter", () => {
  const rules = [
    { name: "o", jmespath: "a", actions: [] },
    { name: "m", prefix: "{", actions: [{ type: "parse_json", from: "{{hostname}}" }] },
  ];
  const told = trace(rules, frameOf('{"a":{"b":[1]}}'));
  assert.deepEqual(told.rules[0].variables, { value: '{"b":[1]}' });
  const [action] = told.rules[1].actions!;
  assert.equal(action.did, "failed");
  assert.equal(action.reason, "parse_json_failed");
  assert.equal(told.result.kind, "dead_letter");
});

test("RuleTracer shows the redacted text where a rule redacted the line", () => {
  const rules = [
    { name: "r", regex: ".*", actions: [{ type: "redact", patterns: ["email"] }] },
    { name: "n", equals: "x", actions: drop },
  ];
  const told = trace(rules, frameOf("from ada@example.org"));
  assert.equal(told.rules[0].actions![0].value, "from [email]");
  assert.equal(told.rules[1].why, 'msg is "from [email]"');
});

test("RuleTracer says the same as the program does, over every shipped rule file and its tests' lines", () => {
  const folder = new URL("../../../rules/", import.meta.url);
  let lines = 0;
  for (const name of readdirSync(folder).filter((file) => file.endsWith(".yml"))) {
    const file = parse(readFileSync(new URL(name, folder), "utf8")) as {
      rules: unknown[];
      tests: { input?: string; inputs?: (string | { input: string })[] }[];
    };
    const ruleSet = ruleSetOf(file.rules);
    const compiled = compileRules(ruleSet, options);
    assert.ok(compiled.ok);
    const tracer = tracerOf(file.rules);
    for (const { input, inputs } of file.tests) {
      for (const item of inputs ?? [input!]) {
        const frame = typeof item === "string" ? item : item.input;
        const told = tracer.trace(new StubLine(frame));
        const explained = explainLine(compiled.program, new StubLine(frame));
        assert.deepEqual(told.result, explained.result, `${name}: ${frame}`);
        assert.equal(told.decided_by, explained.decidedBy);
        assert.deepEqual(
          told.rules.filter(({ matched }) => matched).map((rule) => rule.name),
          explained.matched.map((rule) => rule.name),
        );
        assert.equal(told.rules.length + told.not_tried, file.rules.length);
        lines++;
      }
    }
  }
  assert.ok(lines > 50);
});

const many = (count: number) =>
  Array.from({ length: count }, (_, index) => ({ name: `r${index}`, equals: `x${index}`, actions: drop }));

for (const count of [missesMax - 1, missesMax, missesMax + 1]) {
  test(`RuleTracer lists at most ${missesMax} rules that do not match when ${count} are tried`, () => {
    const told = trace(many(count), "a");
    assert.equal(told.rules.length, Math.min(count, missesMax));
    assert.equal(told.misses_not_listed, Math.max(0, count - missesMax));
    assert.equal(told.not_tried, 0);
  });
}

test("RuleTracer leaves the line where it is when the time is up, and begins anew with the next", () => {
  const tracer = tracerOf(many(10), steadyClock(10), 35);
  for (let round = 0; round < 2; round++) {
    const told = tracer.trace(new StubLine("a"));
    assert.deepEqual(told.result, { kind: "unfinished", limit: "trace_time" });
    assert.equal(told.rules.length, 4);
    assert.equal(told.not_tried, 6);
  }
});

test("RuleTracer cuts values when they are longer than the limit", () => {
  const rules = [{ regex: "(?P<all>.*)", actions: [{ type: "forward", topic: "t", key: "{{all}}" }] }];
  for (const length of [tracedCharsMax, tracedCharsMax + 1]) {
    const told = trace(rules, "a".repeat(length));
    const isCut = length > tracedCharsMax;
    const want = isCut ? `${"a".repeat(tracedCharsMax)}… (${length} characters)` : "a".repeat(length);
    assert.equal(told.rules[0].variables!.all, want);
    assert.ok("records" in told.result);
    assert.equal(told.result.records[0].value, want);
    assert.equal(told.result.records[0].key, want);
  }
});

test("RuleTracer refuses rules with faults", () => {
  const compiled = RuleTracer.compile(ruleSetOf([{ regex: "(", actions: drop }]), options, steadyClock());
  assert.ok(!compiled.ok);
  assert.equal(compiled.faults[0].path, "regex");
});
