import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { compileRules } from "../../../src/rules/compile.ts";
import type { Outcome, Program } from "../../../src/rules/program.ts";
import { structuredDataJson } from "../../../src/rules/json_form.ts";
import { faultsOf, frameOf, programOf, ruleSetOf, StubLine, stubNowMs } from "./stub_line.ts";

type Action = Readonly<Record<string, unknown>>;

const forward = (more: Action = {}): Action => ({ type: "forward", topic: "t", ...more });
const rule = (...actions: readonly Action[]) => ({ name: "r", regex: "", actions });

/** What became of a message, as one text. */
function resultOf(
  rules: readonly unknown[],
  message: string,
  dialect: "corndog" | "hotdog" = "corndog",
): string {
  return shown(programOf(rules, dialect).apply(new StubLine(frameOf(message))));
}

function shown(outcome: Outcome): string {
  if (outcome.kind === "default") return "default";
  if (outcome.kind !== "forward") return `${outcome.kind} ${outcome.reason}`;
  return outcome.forwards.slice(0, outcome.count)
    .map(({ value, text }) => value === "text" ? text : value).join(" + ");
}

const table: { name: string; rules: unknown[]; message: string; want: string }[] = [
  {
    name: "set names a text for later actions and rules",
    rules: [
      rule({ type: "set", name: "who", value: "{{hostname}}/{{appname}}" }),
      { regex: "^(?P<n>\\d)", actions: [forward({ value: "{{who}} {{n}}" })] },
    ],
    message: "5",
    want: "web/app 5",
  },
  {
    name: "set sees what an earlier set named",
    rules: [rule(
      { type: "set", name: "a", value: "1" },
      { type: "set", name: "b", value: "{{a}}2" },
      { type: "set", name: "a", value: "{{b}}3" },
      forward({ value: "{{a}}" }),
    )],
    message: "x",
    want: "123",
  },
  {
    name: "a group hides what set named, in its rule alone",
    rules: [
      rule({ type: "set", name: "n", value: "set" }),
      { regex: "(?P<n>x)", actions: [forward({ value: "{{n}}", continue: true })] },
      rule(forward({ value: "{{n}}" })),
    ],
    message: "x",
    want: "x + set",
  },
  {
    name: "what a rule that did not match would have set is empty",
    rules: [
      { regex: "no", actions: [{ type: "set", name: "a", value: "1" }] },
      rule(forward({ value: '<{{a}}|{{a | default: "none"}}>' })),
    ],
    message: "x",
    want: "<|none>",
  },
  {
    name: "set keeps the type of exactly one variable",
    rules: [{
      jmespath: "n",
      actions: [
        { type: "set", name: "n", value: "{{value}}" },
        { type: "set", name: "s", value: "{{value}}." },
        { type: "replace", template: "{}" },
        { type: "merge", json: { n: "{{n}}", s: "{{s}}" } },
        forward(),
      ],
    }],
    message: '{"n":5}',
    want: '{"n":5,"s":"5."}',
  },
  {
    name: "merge keeps the type of exactly one variable",
    rules: [{
      jmespath: "v",
      actions: [{ type: "merge", json: { a: "{{value}}", b: "{{ value }}", c: "x{{value}}" } }, forward()],
    }],
    message: '{"v":true}',
    want: '{"a":true,"b":true,"c":"xtrue","v":true}',
  },
  {
    name: "merge takes whole objects and lists",
    rules: [{
      jmespath: "v",
      actions: [{ type: "merge", json: { copy: "{{value}}", second: "{{value.b.1}}" } }, forward()],
    }],
    message: '{"v":{"b":[1,null]}}',
    want: '{"copy":{"b":[1,null]},"second":null,"v":{"b":[1,null]}}',
  },
  {
    name: "parse_json names members of what is in a text",
    rules: [{
      regex: "^(?P<head>\\w+) (?P<body>\\{.*)",
      actions: [
        { type: "parse_json", from: "{{body}}" },
        forward({
          value: '{{head}}:{{json.a.b}}:{{json.list.1}}:{{json.a | json}}:{{json.none | default: "-"}}',
        }),
      ],
    }],
    message: 'get {"a":{"b":1.5},"list":["x",false]}',
    want: 'get:1.5:false:{"b":1.5}:-',
  },
  {
    name: "parse_json reads what merge made",
    rules: [
      rule(
        { type: "merge", json: { a: 2 } },
        { type: "parse_json", name: "made" },
        forward({ value: "{{made.a}}" }),
      ),
    ],
    message: '{"a":1}',
    want: "2",
  },
  {
    name: "parse_json sends what is no JSON to the dead letter",
    rules: [rule(forward({ continue: true }), { type: "parse_json" }, forward())],
    message: "{broken",
    want: "dead_letter parse_json_failed",
  },
  {
    name: "members are own members alone",
    rules: [rule(
      { type: "parse_json" },
      forward({
        value:
          "<{{json.constructor}}{{json.list.length}}{{json.list.map}}{{json.text.length}}{{json.toString.name}}>",
      }),
    )],
    message: '{"list":[1],"text":"abc"}',
    want: "<>",
  },
  {
    name: "members called __proto__ are data",
    rules: [rule({ type: "parse_json" }, forward({ value: "{{json.__proto__.a}}" }))],
    message: '{"__proto__":{"a":7}}',
    want: "7",
  },
  {
    name: "dead_letter ends the line with its reason, copies and all",
    rules: [
      rule(forward({ continue: true }), { type: "dead_letter", reason: "unknown_tenant" }),
      rule(forward()),
    ],
    message: "x",
    want: "dead_letter unknown_tenant",
  },
  {
    name: "dead_letter has a reason of its own",
    rules: [rule({ type: "dead_letter" })],
    message: "x",
    want: "dead_letter rule_dead_letter",
  },
  {
    name: "sample of nothing drops",
    rules: [rule({ type: "sample", rate: 0 }, forward())],
    message: "x",
    want: "drop rule_sample",
  },
  {
    name: "sample of all goes on",
    rules: [rule({ type: "sample", rate: "1/1" }, forward({ value: "raw" }))],
    message: "x",
    want: "raw",
  },
  {
    name: "sample after a copy keeps the copy",
    rules: [rule(forward({ continue: true, value: "raw" }), { type: "sample", rate: 0 }, forward())],
    message: "x",
    want: "raw",
  },
  {
    name: "redact holds for later rules, templates and forwards",
    rules: [
      rule({ type: "redact", patterns: ["email"] }),
      {
        regex: "to (?P<who>\\S+)",
        actions: [
          forward({ continue: true }),
          forward({ value: "{{who}}|{{msg}}", continue: true }),
          forward({ value: "raw" }),
        ],
      },
    ],
    message: "to ada@example.org",
    want: `to [email] + [email]|to [email] + ${frameOf("to [email]")}`,
  },
  {
    name: "redact holds where no rule forwards the line",
    rules: [rule({ type: "redact", patterns: ["email"] })],
    message: "to ada@example.org",
    want: frameOf("to [email]"),
  },
  {
    name: "redact leaves the bytes of a line that has nothing to redact",
    rules: [rule({ type: "redact", patterns: ["email"] }), rule(forward())],
    message: "nothing",
    want: "message",
  },
  {
    name: "redact works on what merge made, and merge on what redact made",
    rules: [rule(
      { type: "merge", json: { a: "x@y.zz" } },
      { type: "redact", patterns: ["email"] },
      { type: "merge", json: { b: 1 } },
      forward(),
    )],
    message: '{"m":"ada@example.org"}',
    want: '{"b":1,"a":"[email]","m":"[email]"}',
  },
  {
    name: "matchers see the redacted message alone",
    rules: [
      rule({ type: "redact", patterns: ["email"] }),
      { prefix: "ada@", actions: [{ type: "drop" }] },
      { prefix: "[email]", actions: [forward()] },
    ],
    message: "ada@example.org wrote",
    want: "[email] wrote",
  },
  {
    name: "JMESPath sees the redacted message alone",
    rules: [
      { jmespath: "who", actions: [{ type: "redact", patterns: ["email"] }] },
      { jmespath: "who", actions: [{ type: "merge", json: { whoAgain: "{{value}}" } }, forward()] },
    ],
    message: '{"who":"ada@example.org"}',
    want: '{"whoAgain":"[email]","who":"[email]"}',
  },
];

for (const { name, rules, message, want } of table) {
  test(`actions: ${name}`, () => assert.equal(resultOf(rules, message), want));
}

test("hotdog's dialect keeps value a text in merges, and takes members and filters of nothing for nothing", () => {
  const rules = [{
    field: "msg",
    jmespath: "v",
    actions: [
      { type: "merge", json: { a: "{{value}}", b: "{{value.x}}", c: "{{nosuch.thing}}" } },
      forward(),
    ],
  }];
  assert.equal(resultOf(rules, '{"v":5}', "hotdog"), '{"a":"5","b":"","c":"","v":5}');
});

test("set is forgotten with the line", () => {
  const program = programOf([
    { regex: "^set (?P<v>.*)", actions: [{ type: "set", name: "a", value: "{{v}}" }] },
    rule(forward({ value: "<{{a}}>" })),
  ]);
  const text = (message: string) => shown(program.apply(new StubLine(frameOf(message))));
  assert.equal(text("set one"), "<one>");
  assert.equal(text("other"), "<>");
});

function forwardOf(action: Action, message = "m"): Outcome["forwards"][number] {
  const outcome = programOf([rule(forward(action))]).apply(new StubLine(frameOf(message)));
  assert.equal(outcome.kind, "forward", outcome.message);
  return outcome.forwards[0]!;
}

test("forward gives headers by name, and has them encoded where they are constant", () => {
  const { headers } = forwardOf({ headers: { source: "{{peer}}", version: "v{{version}}" } });
  assert.deepEqual([...headers!.names], ["source", "version"]);
  assert.deepEqual([...headers!.values], ["192.0.2.1:514", "v1.2.3"]);
  assert.equal(headers!.encoded, undefined);
  const own = forwardOf({ headers: JSON.parse('{"__proto__":"p","constructor":"c"}') as Action });
  assert.deepEqual([...own.headers!.names], ["__proto__", "constructor"]);
  assert.ok(own.headers!.encoded!.length > 0);
  assert.equal(forwardOf({ headers: {} }).headers, undefined);
});

test("forward gives the partition that a number or a template says, else -1", () => {
  assert.equal(forwardOf({}).partition, -1);
  assert.equal(forwardOf({ partition: 7 }).partition, 7);
  assert.equal(forwardOf({ partition: "{{msg}}" }, "12").partition, 12);
  assert.equal(forwardOf({ partition: "{{msg}}" }, "00").partition, 0);
});

for (const message of ["", "-1", "1.5", "x", "100000", "99999999999", " 1", "1e3", "٣"]) {
  test(`forward sends a line with the partition ${JSON.stringify(message)} to the dead letter`, () => {
    assert.equal(
      resultOf([rule(forward({ partition: "{{msg}}" }))], message),
      "dead_letter partition_not_legal",
    );
  });
}

test("forward writes the JSON form with every field that the line has", () => {
  assert.deepEqual(JSON.parse(forwardOf({ value: "json" }, 'q"\\ \u0000é😀').text), {
    timestamp: "2026-01-02T03:04:05Z",
    hostname: "web",
    appname: "app",
    procid: "42",
    msgid: "ID7",
    severity: "notice",
    facility: "user",
    sd: { "origin@32473": { ip: "10.0.0.9", note: 'a "b" ]' } },
    msg: 'q"\\ \u0000é😀',
    peer: "192.0.2.1:514",
  });
  const outcome = programOf([rule(forward({ value: "json" }))]).apply(new StubLine("no header"));
  assert.deepEqual(JSON.parse(outcome.forwards[0]!.text), { msg: "no header", peer: "192.0.2.1:514" });
});

test("structuredDataJson() keeps repeated parameters and elements, and names of any kind", () => {
  const data = '[a x="1" y="2" x="3"][b][a z="\\\\\\"\\]\\n"][__proto__ constructor="c"]';
  assert.equal(
    structuredDataJson(data),
    '{"a":{"x":["1","3"],"y":"2","z":"\\\\\\"]\\\\n"},"b":{},"__proto__":{"constructor":"c"}}',
  );
});

test("forward with headers or a partition is never the same for every line", () => {
  assert.notEqual(programOf([rule(forward())]).uniform, undefined);
  assert.equal(programOf([rule(forward({ headers: { a: "b" } }))]).uniform, undefined);
  assert.equal(programOf([rule(forward({ partition: 0 }))]).uniform, undefined);
  assert.equal(programOf([rule({ type: "sample", rate: 1 }, forward())]).uniform, undefined);
});

/** Fates of lines as "k" and "d". */
function fates(
  program: Program,
  messages: readonly string[],
  nowMs: (at: number) => number = () => stubNowMs,
): string {
  return messages.map((message, at) => {
    const line = new StubLine(frameOf(message));
    Object.assign(line, { nowMs: nowMs(at) });
    return program.apply(line).kind === "drop" ? "d" : "k";
  }).join("");
}

function compiled(rules: readonly unknown[], options: { workers?: number; seed?: number }): Program {
  const result = compileRules(ruleSetOf(rules), { version: "1", defaultTopic: "logs", ...options });
  assert.ok(result.ok, JSON.stringify(result));
  return result.program;
}

test("sample by a key gives all lines of a key one fate, on every worker and with every seed", () => {
  const rules = [rule({ type: "sample", rate: 0.3, by: "{{msg}}" }, forward())];
  const messages = Array.from({ length: 3000 }, (_, at) => `key-${at % 1000}`);
  const all = fates(compiled(rules, { seed: 1 }), messages);
  assert.equal(all, all.slice(0, 1000).repeat(3));
  assert.equal(fates(compiled(rules, { seed: 2, workers: 4 }), messages), all);
  const kept = [...all.slice(0, 1000)].filter((fate) => fate === "k").length;
  assert.ok(kept > 220 && kept < 380, `${kept} of 1000 keys`);
});

test("sample without a key repeats its choices for a seed, and differs between seeds and actions", () => {
  const rules = [rule({ type: "sample", rate: 0.5 }, forward())];
  const messages = Array.from({ length: 500 }, () => "x");
  const first = fates(compiled(rules, { seed: 1 }), messages);
  assert.equal(fates(compiled(rules, { seed: 1 }), messages), first);
  assert.notEqual(fates(compiled(rules, { seed: 2 }), messages), first);
  const twice = fates(compiled([rule({ type: "sample", rate: 0.5 }), ...rules], { seed: 1 }), messages);
  const kept = [...twice].filter((fate) => fate === "k").length;
  assert.ok(kept > 75 && kept < 175, `${kept} of 500 pass both`);
});

test("throttle passes a burst and then the rate, per key, by the time of the lines", () => {
  const rules = [rule({ type: "throttle", key: "{{msg}}", rate: 2, per: "1s", burst: 3 }, forward())];
  assert.equal(fates(compiled(rules, {}), ["a", "a", "a", "a", "b", "a"]), "kkkdkd");
  const steady = fates(
    compiled(rules, {}),
    Array.from({ length: 30 }, () => "a"),
    (at) => stubNowMs + at * 500,
  );
  assert.equal(steady, "k".repeat(30));
  const perHour = [rule({ type: "throttle", rate: 1, per: "1h" }, forward())];
  assert.equal(fates(compiled(perHour, {}), ["a", "b", "c"], (at) => stubNowMs + at * 1_800_001), "kdk");
});

test("throttle gives each worker its part of rate and burst, and at least one line at once", () => {
  const rules = [rule({ type: "throttle", rate: 8, burst: 8 }, forward())];
  const messages = Array.from({ length: 12 }, () => "a");
  assert.equal(fates(compiled(rules, { workers: 4 }), messages), "kkdddddddddd");
  assert.equal(fates(compiled(rules, { workers: 100 }), messages), "kddddddddddd");
});

const act = (...actions: readonly unknown[]) => [{ regex: "(?P<group>a)", actions }];

const faults: { name: string; actions: readonly unknown[]; want: string[] }[] = [
  {
    name: "names that set cannot give",
    actions: [
      { type: "set", name: "msg", value: "" },
      { type: "set", name: "group", value: "" },
      { type: "set", name: "a-b", value: "" },
    ],
    want: ["rules.0.actions.2.name: a variable's name is letters, digits and _"],
  },
  {
    name: "names that are taken",
    actions: [{ type: "set", name: "msg", value: "" }, { type: "parse_json", name: "group" }],
    want: [
      'rules.0.actions.0.name@1: "msg" is taken; choose another name',
      'rules.0.actions.1.name@1: "group" is a named group of this rule',
    ],
  },
  {
    name: "a variable that is set later",
    actions: [forward({ key: "{{late}}", continue: true }), { type: "set", name: "late", value: "" }],
    want: ['rules.0.actions.0.key@1: unknown variable "late"'],
  },
  {
    name: "templates in every place",
    actions: [
      forward({ headers: { h: "{{x1}}" }, partition: "{{x2}}", key: "{{group | uper}}" }),
      { type: "throttle", key: "{{x3}}", rate: 1 },
      { type: "sample", rate: 1, by: "{{x4}}" },
      { type: "dead_letter", message: "{{x5}}" },
      { type: "parse_json", from: "{{x6}}" },
      { type: "set", name: "a", value: "x {{x7}}" },
    ],
    want: [
      'rules.0.actions.0.key@11: unknown filter "uper"; did you mean "upper"?',
      'rules.0.actions.0.headers.h@1: unknown variable "x1"',
      'rules.0.actions.0.partition@1: unknown variable "x2"',
      'rules.0.actions.1.key@1: unknown variable "x3"',
      'rules.0.actions.2.by@1: unknown variable "x4"',
      'rules.0.actions.3.message@1: unknown variable "x5"',
      'rules.0.actions.4.from@1: unknown variable "x6"',
      'rules.0.actions.5.value@3: unknown variable "x7"',
    ],
  },
  {
    name: "numbers out of range",
    actions: [
      { type: "sample", rate: 1.5 },
      { type: "sample", rate: "1/0" },
      { type: "throttle", rate: 0 },
      { type: "throttle", rate: 1, per: "1d" },
      { type: "throttle", rate: 1, burst: 0 },
      forward({ partition: -1 }),
      forward({ partition: 1.5 }),
      forward({ headers: { a: 1 } }),
      { type: "dead_letter", reason: "Not a name" },
    ],
    want: [
      "rules.0.actions.0.rate: must be from 0 to 1, or 1/N",
      "rules.0.actions.1.rate: must be from 0 to 1, or 1/N",
      "rules.0.actions.2.rate: must be more than 0",
      "rules.0.actions.3.per: must be a time such as 1s, 500ms, 5m, 1h",
      "rules.0.actions.4.burst: must be a whole number from 1 on",
      "rules.0.actions.5.partition: must be a whole number from 0 to 99999",
      "rules.0.actions.6.partition: must be a whole number from 0 to 99999",
      "rules.0.actions.7.headers: must be a mapping of names to templates",
      "rules.0.actions.8.reason: a reason is up to 64 of a-z, 0-9 and _, such as unknown_tenant",
    ],
  },
  {
    name: "a constant partition that is none",
    actions: [forward({ partition: "first" })],
    want: ['rules.0.actions.0.partition@1: must be a whole number from 0 to 99999, is "first"'],
  },
  {
    name: "redactions that make no sense",
    actions: [
      { type: "redact", patterns: ["emial", { regx: "a" }, { regex: "a", name: "a b" }] },
      { type: "redact", patterns: [] },
      { type: "redact", patterns: ["ip"], replacement: "0" },
      { type: "redact", patterns: ["ip"], replacement: "" },
      { type: "redact", patterns: ["ip"], hash: {} },
      { type: "redact", patterns: ["ip"], hash: { kye: "a" } },
    ],
    want: [
      'rules.0.actions.0.patterns.0: unknown pattern "emial"; did you mean "email"?; it is one of email, ip, card, bearer or { regex: … }',
      'rules.0.actions.0.patterns.1.regx: unknown key "regx"; did you mean "regex"?',
      "rules.0.actions.0.patterns.2.name: a pattern's name is 1 to 32 letters, digits, _ and -",
      "rules.0.actions.1.patterns: the list is empty",
      "rules.0.actions.2.replacement: must have a letter or bracket in it, so that what stands beside it cannot grow together",
      "rules.0.actions.3.replacement: must have a letter or bracket in it, so that what stands beside it cannot grow together",
      'rules.0.actions.4.hash: needs exactly one of "key" and "key_env"',
      'rules.0.actions.5.hash.kye: unknown key "kye"; did you mean "key"?',
    ],
  },
  {
    name: "patterns of one's own that RE2 refuses or that match nothing",
    actions: [{ type: "redact", patterns: ["ip", { regex: "x(?!y)" }, { regex: "a*" }] }],
    want: [
      "rules.0.actions.0.patterns.1.regex@2: negative look-ahead is not supported: it cannot be run in linear time",
      "rules.0.actions.0.patterns.2.regex@1: the pattern matches the empty text",
    ],
  },
];

for (const { name, actions, want } of faults) {
  test(`compileRules() tells ${name}`, () => {
    const found = faultsOf(act(...actions));
    for (const fault of want) assert.ok(found.includes(fault), `${fault} is not among\n${found.join("\n")}`);
  });
}

test("compileRules() does not blame later rules for the variable of a rule that it refuses", () => {
  const found = faultsOf([
    { regexp: "a", actions: [{ type: "set", name: "a", value: "" }, { type: "parse_json" }] },
    { regex: "(", actions: [{ type: "set", name: "b", value: "{{any}}" }] },
    rule(forward({ value: "{{a}}{{b}}{{json.x}}" })),
  ]);
  assert.ok(found.length > 0 && found.every((fault) => !fault.startsWith("rules.2")), found.join("\n"));
});

test("redact takes its key from the environment, and is refused where that has none", () => {
  const rules = [rule({ type: "redact", patterns: ["email"], hash: { key_env: "REDACT_KEY" } }, forward())];
  const withKey = (key: string | undefined) =>
    compileRules(ruleSetOf(rules), { version: "1", defaultTopic: "logs", environment: () => key });
  const without = withKey(undefined);
  assert.ok(!without.ok && /"REDACT_KEY" is not set/.test(without.faults[0]!.message));
  assert.ok(!withKey("").ok);
  const text = (key: string) => {
    const result = withKey(key);
    assert.ok(result.ok);
    return shown(result.program.apply(new StubLine(frameOf("ada@example.org"))));
  };
  assert.match(text("one"), /^\[email:[0-9a-f]{32}\]$/);
  assert.notEqual(text("one"), text("two"));
  assert.equal(text("one"), text("one"));
});

test("merge, set and parse_json never change a prototype, for any JSON", () => {
  const keys = fc.constantFrom("__proto__", "constructor", "prototype", "toString", "polluted", "a");
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.constantFrom(1, "x", null, true),
      fc.array(tie("value"), { maxLength: 3 }),
      fc.array(fc.tuple(keys, tie("value")), { maxLength: 4 }).map((entries) =>
        Object.defineProperties(
          {},
          Object.fromEntries(entries.map(([key, item]) => [
            key,
            { value: item, enumerable: true, configurable: true, writable: true },
          ])),
        )
      ),
    ),
  }));
  const members = fc.array(keys, { minLength: 1, maxLength: 3 });
  fc.assert(
    fc.property(value, value, members, (document, merged, path) => {
      const json = JSON.parse(
        `{"a":${JSON.stringify(merged)},"__proto__":${JSON.stringify(merged)}}`,
      ) as unknown;
      const program = programOf([rule(
        { type: "parse_json" },
        { type: "set", name: "copy", value: `{{json.${path.join(".")}}}` },
        { type: "merge", json },
        { type: "merge", json: { copy: "{{copy}}" } },
        forward(),
      )]);
      const message = JSON.stringify({ in: document });
      const outcome = program.apply(new StubLine(frameOf(message)));
      assert.equal(outcome.kind, "forward", outcome.message);
      const result = JSON.parse(outcome.forwards[0]!.text) as Record<string, unknown>;
      assert.deepEqual(JSON.stringify(result["in"]), JSON.stringify(document));
      assert.ok(Object.hasOwn(result, "__proto__") && Object.hasOwn(result, "copy"));
      assert.equal(({} as Record<string, unknown>)["polluted"], undefined);
      assert.deepEqual(Object.keys(Object.prototype), []);
      assert.equal(Object.getPrototypeOf({}), Object.prototype);
    }),
    { numRuns: 300 },
  );
});
