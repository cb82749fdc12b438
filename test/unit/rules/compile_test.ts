import assert from "node:assert/strict";
import { test } from "node:test";
import type { Outcome } from "../../../src/rules/program.ts";
import { explainLine } from "../../../src/rules/explain.ts";
import { faultsOf, frameOf, programOf, StubLine, stubVersion } from "./stub_line.ts";

/** The outcome as text: what was sent where, or why not. */
function told(outcome: Outcome): string {
  if (outcome.kind === "drop" || outcome.kind === "dead_letter") return `${outcome.kind} ${outcome.reason}`;
  const sent = outcome.forwards.slice(0, outcome.count).map(({ topic, value, text, key }) =>
    `${topic}<-${value === "text" ? JSON.stringify(text) : value}${key === undefined ? "" : ` key ${key}`}`
  );
  return `${outcome.kind}${sent.length === 0 ? "" : ` ${sent.join(", ")}`}`;
}

function run(rules: readonly unknown[], message: string, dialect: "corndog" | "hotdog" = "corndog"): string {
  return told(programOf(rules, dialect).apply(new StubLine(frameOf(message))));
}

const forward = (topic: string, more: object = {}) => ({ type: "forward", topic, ...more });
const all = { regex: ".*" };

/** hotdog's example, as in hotdog.yml. */
const hotdogRules = [
  {
    regex: "^hello\\s+(?P<name>\\w+)?",
    field: "msg",
    actions: [
      { type: "replace", template: "This is the total message: {{msg}}\n\nAnd the name is: {{name}}\n" },
      forward("test"),
      { type: "stop" },
    ],
  },
  {
    jmespath: "meta.topic",
    field: "msg",
    actions: [
      { type: "merge", json: { meta: { hotdog: { version: "{{version}}", timestamp: "{{iso8601}}" } } } },
      forward("{{value}}"),
      { type: "stop" },
    ],
  },
  { ...all, field: "msg", actions: [forward("logs-unknown"), { type: "stop" }] },
];

const stamp = `"hotdog":{"version":"${stubVersion}","timestamp":"2026-01-02T03:04:05.678+00:00"}`;
const exampleLog: [string, string][] = [
  ["hello there", 'forward test<-"This is the total message: hello there\\n\\nAnd the name is: there\\n"'],
  ["This is a somewhat longer line of logs?", "forward logs-unknown<-message"],
  [
    "This is a MUCH longer log line and it should not be truncated, hopefully",
    "forward logs-unknown<-message",
  ],
  [
    '{"this": "is some JSON data", "which": "should also be transmitted properly", "meta" : {"topic" : "test"}}',
    `forward test<-${
      JSON.stringify(
        `{"this": "is some JSON data", "which": "should also be transmitted properly", "meta" : {${stamp},"topic" : "test"}}`,
      )
    }`,
  ],
  ['{"meta":{"topic":null}}', "forward logs-unknown<-message"],
  ['{"meta":{"topic":"cut', "forward logs-unknown<-message"],
  ['{"meta":{"topic":7}}', `forward 7<-${JSON.stringify(`{"meta":{${stamp},"topic":7}}`)}`],
  ["", "forward logs-unknown<-message"],
];

for (const dialect of ["corndog", "hotdog"] as const) {
  const program = programOf(hotdogRules, dialect);
  for (const [message, want] of exampleLog) {
    test(`apply() of hotdog's three rules as ${dialect} on ${JSON.stringify(message)}`, () => {
      assert.equal(told(program.apply(new StubLine(frameOf(message)))), want);
      assert.equal(told(program.apply(new StubLine(message))), want, "without a syslog header too");
    });
  }
}

test("apply() marks topics that come from the line, and only those", () => {
  const program = programOf(hotdogRules);
  const fromLine = (message: string) =>
    program.apply(new StubLine(frameOf(message))).forwards[0].topicFromLine;
  assert.equal(fromLine("hello x"), false);
  assert.equal(fromLine('{"meta":{"topic":"x"}}'), true);
  assert.equal(fromLine("other"), false);
  const constant = programOf([{ ...all, actions: [forward("v{{version}}")] }]).apply(new StubLine("x"));
  assert.equal(constant.forwards[0].topic, `v${stubVersion}`);
  assert.equal(constant.forwards[0].topicFromLine, false);
});

test("apply() counts matches per rule and names the rule that decided", () => {
  const program = programOf(hotdogRules);
  assert.equal(program.apply(new StubLine("hello x")).rule, 0);
  assert.equal(program.apply(new StubLine("other")).rule, 2);
  assert.equal(program.apply(new StubLine("more")).rule, 2);
  assert.deepEqual([...program.hits], [1, 0, 2]);
  assert.deepEqual(program.names, ["rules.yml:1", "rules.yml:2", "rules.yml:3"]);
});

test("apply() neither decodes nor parses what no rule asks for", () => {
  const line = new StubLine(frameOf("x"));
  programOf([{ ...all, actions: [forward("a", { key: "{{hostname}}" })] }]).apply(line);
  assert.deepEqual([line.decoded, line.parsed], [0, 0]);
  const once = new StubLine(frameOf("hello"));
  programOf([
    { regex: "^x\\d", actions: [forward("a")] },
    { prefix: "y", actions: [forward("a")] },
    { ...all, actions: [forward("b", { value: "{{msg}}{{msg}}" })] },
  ]).apply(once);
  assert.equal(once.decoded, 1);
});

const merges = { type: "merge", json: { m: { v: "1" } } };
const cases: { name: string; rules: unknown[]; message: string; want: string; hotdog?: string }[] = [
  { name: "no rule at all", rules: [], message: "x", want: "default" },
  {
    name: "no rule that matches",
    rules: [{ equals: "y", actions: [forward("a")] }],
    message: "x",
    want: "default",
  },
  { name: "a rule without actions", rules: [{ ...all, actions: [] }], message: "x", want: "default" },
  {
    name: "only replace",
    rules: [{ ...all, actions: [{ type: "replace", template: "r" }] }],
    message: "x",
    want: "default",
  },
  { name: "stop", rules: [{ ...all, actions: [{ type: "stop" }] }], message: "x", want: "drop rule_stop" },
  { name: "drop", rules: [{ ...all, actions: [{ type: "drop" }] }], message: "x", want: "drop rule_drop" },
  {
    name: "forward ends the line",
    rules: [{ ...all, actions: [forward("a"), forward("b")] }, { ...all, actions: [forward("c")] }],
    message: "x",
    want: "forward a<-message",
  },
  {
    name: "continue goes on, in the rule and behind it",
    rules: [
      { ...all, actions: [forward("a", { continue: true }), forward("b", { continue: true })] },
      { ...all, actions: [forward("c", { key: "{{hostname}}" })] },
    ],
    message: "x",
    want: "forward a<-message, b<-message, c<-message key web",
  },
  {
    name: "continue without an end",
    rules: [{ ...all, actions: [forward("a", { continue: true })] }],
    message: "x",
    want: "forward a<-message",
  },
  {
    name: "copies stay when a later rule drops",
    rules: [{ ...all, actions: [forward("a", { continue: true })] }, { ...all, actions: [{ type: "drop" }] }],
    message: "x",
    want: "forward a<-message",
  },
  {
    name: "a failing rule takes the whole line to the dead letter",
    rules: [{ ...all, actions: [forward("a", { continue: true })] }, {
      ...all,
      actions: [merges, forward("b")],
    }],
    message: "x",
    want: "dead_letter merge_not_json",
    hotdog: "forward a<-message, b<-message",
  },
  {
    name: "a merge into what is not JSON",
    rules: [{ ...all, actions: [merges, forward("b")] }, { ...all, actions: [forward("c")] }],
    message: "no JSON",
    want: "dead_letter merge_not_json",
    hotdog: "forward b<-message",
  },
  {
    name: "a merge into a list",
    rules: [{ ...all, actions: [merges, forward("b")] }],
    message: "[1]",
    want: "dead_letter merge_not_object",
    hotdog: "forward b<-message",
  },
  {
    name: "a failed merge without a forward",
    rules: [{ ...all, actions: [merges] }, { ...all, actions: [forward("c")] }],
    message: "no JSON",
    want: "dead_letter merge_not_json",
    hotdog: "drop rule_stop",
  },
  {
    name: "two merges",
    rules: [{ ...all, actions: [merges, { type: "merge", json: { n: 2 } }, forward("b")] }],
    message: '{"a":1}',
    want: 'forward b<-"{\\"n\\":2,\\"m\\":{\\"v\\":\\"1\\"},\\"a\\":1}"',
    hotdog: 'forward b<-"{\\"n\\":2,\\"a\\":1}"',
  },
  {
    name: "merge into what replace made",
    rules: [{ ...all, actions: [{ type: "replace", template: '{"r":1}' }, merges, forward("b")] }],
    message: "x",
    want: 'forward b<-"{\\"m\\":{\\"v\\":\\"1\\"},\\"r\\":1}"',
    hotdog: 'forward b<-"{\\"r\\":1}"',
  },
  {
    name: "replace by nothing",
    rules: [{ ...all, actions: [{ type: "replace", template: "{{procid}}" }, forward("b")] }],
    message: "x",
    want: 'forward b<-"42"',
  },
  {
    name: "a text of one rule does not reach the next",
    rules: [{ ...all, actions: [{ type: "replace", template: "r" }] }, { ...all, actions: [forward("b")] }],
    message: "x",
    want: "forward b<-message",
  },
  {
    name: "values",
    rules: [{
      ...all,
      actions: [
        { type: "replace", template: "r" },
        forward("a", { continue: true }),
        forward("b", { value: "msg", continue: true }),
        forward("c", { value: "raw", continue: true }),
        forward("d", { value: "{{msg}}!" }),
      ],
    }],
    message: "x",
    want: 'forward a<-"r", b<-"r", c<-raw, d<-"x!"',
  },
  {
    name: "value of a scalar and of an object",
    rules: [
      { jmespath: "a", actions: [forward("t", { value: "{{value}}", continue: true })] },
      { jmespath: "b", actions: [forward("t", { value: "<{{value}}>" })] },
    ],
    message: '{"a":true,"b":{"c":1}}',
    want: 'forward t<-"true", t<-"<>"',
  },
  {
    name: "every variable of the header",
    rules: [{
      ...all,
      actions: [
        forward("t", {
          value:
            "{{hostname}}|{{appname}}|{{severity}}|{{facility}}|{{procid}}|{{msgid}}|{{timestamp}}|{{peer}}|" +
            "{{sd.origin@32473.ip}}|{{sd.origin@32473.note}}|{{sd.origin@32473.no}}",
        }),
      ],
    }],
    message: "x",
    want: 'forward t<-"web|app|notice|user|42|ID7|2026-01-02T03:04:05Z|192.0.2.1:514|10.0.0.9|a \\"b\\" ]|"',
  },
  {
    name: "a named group hides a field",
    rules: [{ regex: "(?P<hostname>x+)", actions: [forward("t", { key: "{{hostname}}" })] }],
    message: "axxb",
    want: "forward t<-message key xx",
  },
  {
    name: "fields",
    rules: [
      { field: "hostname", equals: "nope", actions: [forward("a")] },
      { field: "severity", equals: "err", actions: [forward("a")] },
      { field: "sd.origin@32473.ip", prefix: "10.", actions: [forward("b", { continue: true })] },
      { field: "sd.none.ip", regex: ".*", actions: [forward("c")] },
      { field: "raw", contains: "[origin", actions: [forward("d")] },
    ],
    message: "x",
    want: "forward b<-message, d<-message",
  },
];

for (const { name, rules, message, want, hotdog } of cases) {
  test(`apply() with ${name}`, () => assert.equal(run(rules, message), want));
  if (hotdog !== undefined) {
    test(`apply() as hotdog with ${name}`, () => assert.equal(run(rules, message, "hotdog"), hotdog));
  }
}

test("apply() as hotdog sends the message where replace renders nothing", () => {
  const rules = [{ ...all, actions: [{ type: "replace", template: "{{nothing}}" }, forward("b")] }];
  assert.equal(run(rules, "x", "hotdog"), "forward b<-message");
  assert.deepEqual(faultsOf(rules), ['rules.0.actions.0.template@1: unknown variable "nothing"']);
});

test("apply() holds hostile values inside the JSON that merge writes", () => {
  const hostile = 'a\\"b\\\\c\n\u0001","x":{"y":1},"__proto__":{"z":1}';
  const program = programOf([{
    regex: "^\\S+ (?P<rest>(?s:.*))$",
    actions: [
      { type: "replace", template: '{"a":1}' },
      { type: "merge", json: { rest: "{{rest}}" } },
      forward("t"),
    ],
  }]);
  const outcome = program.apply(new StubLine(`first ${hostile}`));
  assert.deepEqual(JSON.parse(outcome.forwards[0].text), { rest: hostile, a: 1 });
});

test("apply() gives the dead letter, and never throws, where a line breaks a rule", () => {
  const program = programOf([{ ...all, actions: [merges, forward("t")] }]);
  const line = new StubLine("{}");
  line.json = () => {
    throw new RangeError("Maximum call stack size exceeded");
  };
  const outcome = program.apply(line);
  assert.deepEqual([outcome.kind, outcome.reason, outcome.count], ["dead_letter", "rule_failed", 0]);
  assert(outcome.message.includes('rule "rules.yml:1": Maximum call stack'), outcome.message);
  assert.equal(program.apply(new StubLine('{"a":1}')).kind, "forward", "the next line is not hurt");
});

test("apply() gives the dead letter where a text is too long for a pattern's linear engine", () => {
  const program = programOf([{
    name: "costly",
    regex: "(?P<all>(?:a|aa)+)$",
    actions: [forward("t", { key: "{{all}}" })],
  }]);
  const outcome = program.apply(new StubLine("a".repeat(65_000)));
  assert.deepEqual([outcome.kind, outcome.reason, outcome.rule], ["dead_letter", "regex_too_costly", 0]);
  assert(outcome.message.startsWith('rule "costly": 65000 characters'), outcome.message);
  assert.equal(program.hits[0], 0);
});

const uniforms: [string, unknown[], unknown][] = [
  ["a catch-all", [{ ...all, actions: [forward("a")] }], { topic: "a", value: "message", rule: 0 }],
  ["with stop", [{ ...all, actions: [forward("a"), { type: "stop" }] }], {
    topic: "a",
    value: "message",
    rule: 0,
  }],
  ["raw", [{ field: "raw", prefix: "", actions: [forward("a", { value: "raw" })] }], {
    topic: "a",
    value: "raw",
    rule: 0,
  }],
  ["json", [{ ...all, actions: [forward("a", { value: "json" })] }], { topic: "a", value: "json", rule: 0 }],
  ["rules behind it", [{ ...all, actions: [forward("a")] }, { equals: "x", actions: [] }], {
    topic: "a",
    value: "message",
    rule: 0,
  }],
  ["version in the topic", [{ ...all, actions: [forward("a-{{version}}")] }], {
    topic: `a-${stubVersion}`,
    value: "message",
    rule: 0,
  }],
  ["a key", [{ ...all, actions: [forward("a", { key: "k" })] }], undefined],
  ["continue", [{ ...all, actions: [forward("a", { continue: true })] }], undefined],
  ["a template", [{ ...all, actions: [forward("a", { value: "{{msg}}" })] }], undefined],
  ["a topic of the line", [{ ...all, actions: [forward("{{hostname}}")] }], undefined],
  ["another field", [{ ...all, field: "hostname", actions: [forward("a")] }], undefined],
  ["a rule before it", [{ equals: "x", actions: [] }, { ...all, actions: [forward("a")] }], undefined],
  ["no catch-all", [{ regex: "^.*$", actions: [forward("a")] }], undefined],
  ["replace", [{ ...all, actions: [{ type: "replace", template: "x" }, forward("a")] }], undefined],
  ["no rules", [], { topic: "logs", value: "raw", rule: -1 }],
];

for (const [name, rules, want] of uniforms) {
  test(`uniform is ${want === undefined ? "not set" : "set"} with ${name}`, () => {
    const program = programOf(rules);
    assert.deepEqual(program.uniform, want);
    if (program.uniform === undefined || program.uniform.rule < 0) return;
    const outcome = program.apply(new StubLine(frameOf("any")));
    assert.deepEqual([outcome.forwards[0].topic, outcome.forwards[0].value, outcome.rule], [
      program.uniform.topic,
      // A line that keeps no bytes has its JSON made as text.
      program.uniform.value === "json" ? "text" : program.uniform.value,
      0,
    ]);
  });
}

const headers: [string, unknown[], boolean][] = [
  ["no rules", [], false],
  ["the frame alone", [{ field: "raw", contains: "x", actions: [forward("a", { value: "raw" })] }], false],
  [
    "the peer",
    [{ field: "peer", prefix: "10.", actions: [forward("a", { value: "raw", key: "{{peer}}" })] }],
    false,
  ],
  ["a catch-all that drops", [{ ...all, actions: [{ type: "drop" }] }], false],
  ["the message as value", [{ ...all, actions: [forward("a")] }], true],
  ["a pattern on the message", [{ equals: "x", actions: [{ type: "drop" }] }], true],
  ["a field", [{ field: "hostname", equals: "x", actions: [] }], true],
  ["a catch-all on a field", [{ field: "hostname", regex: ".*", actions: [] }], true],
  ["a variable", [{ ...all, actions: [forward("a", { value: "raw", key: "{{hostname}}" })] }], true],
  ["merge", [{ field: "raw", regex: "x", actions: [merges] }], true],
];

for (const [name, rules, want] of headers) {
  test(`needsHeaders is ${want} with ${name}`, () => assert.equal(programOf(rules).needsHeaders, want));
}

const faults: { name: string; rules: unknown[]; tests?: unknown[]; want: string[] }[] = [
  {
    name: "several at once, in their places",
    rules: [
      { regex: "a(?=b)", actions: [forward("{{nam}}")] },
      {
        regex: "(?P<name>a)",
        actions: [forward("t"), { type: "replace", template: "{{nmae}}" }, forward("a b")],
      },
      { jmespath: "a..b", actions: [{ type: "merge", json: { a: { b: "{{value" } } }] },
    ],
    want: [
      "rules.0.regex@2: look-ahead is not supported: it cannot be run in linear time",
      'rules.1.actions.1.template@1: unknown variable "nmae"; did you mean "name"?',
      'rules.1.actions.2.topic@1: the topic "a b" has an illegal character at 2, legal are a-z A-Z 0-9 . _ -',
      "rules.2.jmespath@1: JMESPath does not take the expression: Syntax error, unexpected token: .(Dot)",
      'rules.2.actions.0.json.a.b@1: "{{" is not closed',
    ],
  },
  {
    name: "misspelt keys",
    rules: [{ regx: "a", filed: "msg", regex: "a", actions: [{ type: "forward", topc: "a", topic: "b" }] }],
    want: [
      'rules.0.actions.0.topc: unknown key "topc"; did you mean "topic"?',
      'rules.0.regx: unknown key "regx"; did you mean "regex"?',
      'rules.0.filed: unknown key "filed"; did you mean "field"?',
    ],
  },
  {
    name: "missing and wrong things",
    rules: [
      5,
      { regex: "a" },
      { regex: 5, actions: {} },
      { actions: [] },
      { regex: "a", equals: "b", actions: [] },
      { regex: "a", field: "mgs", actions: [] },
      { regex: "a", field: "sd.x", actions: [] },
      { regex: "a", actions: [{ type: "forward" }, { type: "forwrd" }, { topic: "x" }, 5] },
    ],
    want: [
      "rules.0: must be a mapping, is 5",
      'rules.1.actions: missing key "actions"',
      "rules.2.regex: must be text, is 5",
      "rules.2.actions: must be a list, is a mapping",
      "rules.3: has no matcher; write one of regex, jmespath, equals, prefix, contains, severity, facility, all, any, not",
      "rules.4: has 2 matchers (regex, equals); write exactly one",
      'rules.5.field: unknown field "mgs"; did you mean "msg"?',
      'rules.6.field: "sd.x" is no field; structured data is sd.<id>.<param>',
      'rules.7.actions.0.topic: missing key "topic"',
      'rules.7.actions.1.type: unknown action "forwrd"; did you mean "forward"?',
      "rules.7.actions.2.type: missing the action's type; write one of forward, merge, replace, set, parse_json, redact, sample, throttle, stop, drop, dead_letter",
      "rules.7.actions.3: must be a mapping, is 5",
    ],
  },
  {
    name: "values and merges that make no sense",
    rules: [
      { regex: "a", actions: [forward("a", { value: "mgs" }), { type: "merge", json: [1] }] },
      { regex: "a", actions: [forward("{{value}}"), forward("")] },
    ],
    want: [
      'rules.0.actions.0.value: must be msg, raw, json or a template with a {{variable}}, is "mgs"',
      "rules.0.actions.1.json: must be a mapping: only an object can be merged into a message",
      'rules.1.actions.0.topic@1: "value" is known only in a rule with jmespath',
      "rules.1.actions.1.topic@1: the topic is empty",
    ],
  },
  {
    name: "tests",
    rules: [],
    tests: [
      { input: "x", expect: [{ topc: "a" }] },
      { input: "x", inputs: ["y"], expect: [] },
      { expect: [] },
      { input: "x", expect: [{ topic: 5 }] },
      { input: "x", expct: [] },
      { input: "x", expect: { droped: true } },
    ],
    want: [
      'tests.0.expect.0.topic: missing key "topic"',
      'tests.0.expect.0.topc: unknown key "topc"; did you mean "topic"?',
      'tests.1: needs exactly one of "input" and "inputs"',
      'tests.2: needs exactly one of "input" and "inputs"',
      "tests.3.expect.0.topic: must be text, is 5",
      'tests.4.expct: unknown key "expct"; did you mean "expect"?',
      'tests.5.expect.droped: unknown key "droped"; did you mean "dropped"?',
    ],
  },
];

for (const { name, rules, tests, want } of faults) {
  test(`compileRules() tells ${name}`, () => {
    assert.deepEqual(faultsOf(rules, tests ?? []), want);
  });
}

test("compileRules() as hotdog takes what hotdog took", () => {
  const rules = [{ regex: ".*", field: "msg", actions: [{ type: "merge", json: [1] }, forward("t")] }];
  assert.deepEqual(faultsOf(rules, [], "hotdog"), []);
  assert.equal(run(rules, '{"a":1}', "hotdog"), 'forward t<-"{\\"a\\":1}"');
});

test("explainLine() tells matches and records, and leaves the counters", () => {
  const program = programOf([
    { name: "copy", contains: "x", actions: [forward("a", { continue: true })] },
    { name: "none", equals: "y", actions: [forward("b")] },
    { name: "rest", jmespath: "t", actions: [forward("{{value}}", { value: "<{{msg}}>", key: "k" })] },
  ]);
  const line = new StubLine('{"t":"x"}');
  assert.deepEqual(explainLine(program, line), {
    matched: [{ rule: 0, name: "copy" }, { rule: 2, name: "rest" }],
    decidedBy: 2,
    result: {
      kind: "forward",
      records: [
        { topic: "a", topicFromLine: false, key: undefined, value: '{"t":"x"}', unchanged: true },
        { topic: "x", topicFromLine: true, key: "k", value: '<{"t":"x"}>', unchanged: false },
      ],
    },
  });
  assert.deepEqual([...program.hits], [0, 0, 0]);
  const other = explainLine(program, new StubLine("no"));
  assert.deepEqual([other.matched, other.decidedBy, other.result.kind], [[], -1, "default"]);
  assert.deepEqual("records" in other.result && other.result.records[0].topic, "logs");
});
