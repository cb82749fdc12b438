import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import fc from "fast-check";
import { LineReader } from "../../../src/pipeline/try_rules.ts";
import { explainLine, type Explanation, type SentRecord } from "../../../src/rules/explain.ts";
import { compileJmesPath, valueText } from "../../../src/rules/jmespath.ts";
import type { Line, Program } from "../../../src/rules/program.ts";
import { parseJsonOracle } from "../kernel/oracle_json.ts";
import { mutatedBytes, names, objectText } from "../kernel/json_texts.ts";
import { programOf } from "../rules/stub_line.ts";

const reader = new LineReader();
const header = Buffer.from("<13>1 - web app - - - ");

function read(message: string | Uint8Array): Line {
  return reader.read(
    Buffer.concat([header, Buffer.from(message as string)]),
    Date.UTC(2026, 0, 2, 3, 4, 5, 678),
  );
}

/** The same line without what it knows of its bytes: rules parse the message and merge into its text. */
function withoutBytes(line: Line): Line {
  return {
    nowMs: line.nowMs,
    text: (field) => line.text(field),
    startsWith: (field, prefix) => line.startsWith(field, prefix),
    severity: () => line.severity(),
    facility: () => line.facility(),
    structured: (id, param) => line.structured(id, param),
    structuredData: () => line.structuredData(),
    json: () => line.json(),
  };
}

function sent(explanation: Explanation): readonly SentRecord[] {
  assert.equal(explanation.result.kind, "forward", JSON.stringify(explanation.result));
  return (explanation.result as { records: readonly SentRecord[] }).records;
}

const messages = fc.oneof(objectText.map((text) => new Uint8Array(Buffer.from(text))), mutatedBytes);
const chains = fc.array(fc.constantFrom(...names.filter((name) => name !== "\ud800")), {
  minLength: 1,
  maxLength: 3,
});

test("a chain of names is found in a line as in the parsed message", () => {
  fc.assert(
    fc.property(messages, chains, (message, chain) => {
      const expression = chain.map((name) => JSON.stringify(name)).join(".");
      const program = programOf([{
        jmespath: expression,
        actions: [{ type: "forward", topic: "t", key: "{{value}}" }],
      }]);
      const compiled = compileJmesPath(expression);
      assert(compiled.ok);
      const line = read(message);
      const { result } = explainLine(program, line);
      const document = parseJsonOracle(line.text("msg")!);
      const want = document === undefined ? null : compiled.path.search(document);
      if (want === null) assert.equal(result.kind, "default");
      else assert.equal((result as { records: readonly SentRecord[] }).records[0].key, valueText(want));
    }),
    { numRuns: 1000 },
  );
});

const ruleText = fc.oneof(
  fc.constantFrom(
    "plain",
    "{{iso8601}}",
    "v{{version}}",
    "<{{value}}>",
    "{{hostname}} é 😀",
    'q"\\',
    "{{msg}}",
    "",
  ),
  fc.string({ maxLength: 5 }).filter((text) => !text.includes("{{")),
);
const { merged } = fc.letrec<{ value: unknown; merged: Record<string, unknown> }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small", maxDepth: 3 },
    ruleText,
    fc.constantFrom(1, -0.5, true, null),
    fc.array(tie("value"), { maxLength: 3 }),
    tie("merged"),
  ),
  merged: fc.dictionary(
    fc.constantFrom("a", "b", "meta", "topic", "é", "constructor", "k{{version}}"),
    tie("value"),
    {
      maxKeys: 4,
    },
  ),
}));

const mergeRules = (json: unknown) => [
  {
    jmespath: "meta",
    actions: [{ type: "merge", json }, { type: "forward", topic: "first", continue: true }],
  },
  {
    jmespath: "a",
    actions: [{ type: "merge", json }, { type: "merge", json }, { type: "forward", topic: "{{value}}" }],
  },
  { regex: ".*", actions: [{ type: "forward", topic: "rest" }] },
];

test("merge into a line's bytes gives what merge into its text gives", () => {
  let spliced = 0;
  fc.assert(
    fc.property(
      messages,
      merged,
      fc.constantFrom("corndog" as const, "hotdog" as const),
      (message, json, dialect) => {
        const program = programOf(mergeRules(json), dialect);
        const got = explainLine(program, read(message));
        const want = explainLine(program, withoutBytes(read(message)));
        assert.deepEqual(got, want);
        const outcome = program.apply(read(message));
        if (outcome.kind === "forward" && outcome.forwards[0].value === "bytes") spliced++;
      },
    ),
    { numRuns: 1000 },
  );
  assert(spliced > 100, `only ${spliced} lines took the fast path`);
});

const hotdog = { meta: { hotdog: { version: "{{version}}", timestamp: "{{iso8601}}" } } };

test("merge renders anew what changes from line to line, and only that", () => {
  const program = programOf([{
    jmespath: "n",
    actions: [{ type: "merge", json: { m: "{{value}}!", at: "{{iso8601}}" } }, {
      type: "forward",
      topic: "t",
    }],
  }]);
  for (const [n, ms] of [[1, 0], [1, 0], [2, 0], [2, 1], [1, 1]]) {
    const line = reader.read(`{"n":"${n}"}`, ms);
    assert.equal(
      sent(explainLine(program, line))[0].value,
      `{"m":"${n}!","at":"1970-01-01T00:00:00.00${ms}+00:00","n":"${n}"}`,
    );
  }
});

test("copies of a line with merges of their own do not overwrite each other", () => {
  const program = programOf([
    {
      jmespath: "a",
      actions: [{ type: "merge", json: { n: 1 } }, { type: "forward", topic: "one", continue: true }],
    },
    {
      jmespath: "a",
      actions: [{ type: "merge", json: { n: "two", a: 0 } }, { type: "forward", topic: "two" }],
    },
  ]);
  const records = sent(explainLine(program, read('{"a":"é"}')));
  assert.deepEqual(records.map(({ topic, value }) => [topic, value]), [
    ["one", '{"n":1,"a":"é"}'],
    ["two", '{"n":"two","a":0}'],
  ]);
});

test("what is not UTF-8 is merged as text, with U+FFFD in its place", () => {
  const program = programOf([{
    regex: ".*",
    actions: [{ type: "merge", json: { n: 1 } }, { type: "forward", topic: "t" }],
  }]);
  const message = Buffer.concat([Buffer.from('{"a":"'), Uint8Array.of(0xff), Buffer.from('"}')]);
  assert.equal(sent(explainLine(program, read(message)))[0].value, '{"n":1,"a":"\ufffd"}');
  assert.equal(program.apply(read(message)).forwards[0].value, "text");
});

test("a merge after a merge, a replace or a redaction goes on from its text", () => {
  const run = (...actions: unknown[]) =>
    sent(
      explainLine(
        programOf([{ regex: ".*", actions: [...actions, { type: "forward", topic: "t" }] }]),
        read('{"a":"x@example.com"}'),
      ),
    )[0]
      .value;
  const one = { type: "merge", json: { n: 1 } };
  assert.equal(run(one, { type: "merge", json: { n: 2, m: 3 } }), '{"m":3,"n":2,"a":"x@example.com"}');
  assert.equal(run({ type: "replace", template: "{}" }, one), '{"n":1}');
  assert.equal(run(one, { type: "redact", patterns: ["email"], replacement: "[x]" }), '{"n":1,"a":"[x]"}');
  assert.equal(run({ type: "redact", patterns: ["email"], replacement: "[x]" }, one), '{"n":1,"a":"[x]"}');
});

const frameBytes = 64 * 1024 - header.length;
const fill = (open: string, inner: string, close: string) =>
  open + inner.repeat(Math.floor((frameBytes - open.length - close.length) / inner.length)) + close;

/** Lines that somebody sends to break something; the topic of a hotdog rule, or why there is none. */
const hostile: { name: string; message: string | Uint8Array; want: string }[] = [
  { name: "nothing", message: "", want: "rest" },
  { name: "a NUL", message: "\0", want: "rest" },
  { name: "a NUL behind JSON", message: '{"meta":{"topic":"a"}}\0', want: "rest" },
  { name: "a NUL in a string", message: '{"meta":{"topic":"a\0"}}', want: "rest" },
  { name: "an escaped NUL", message: '{"meta":{"topic":"a\\u0000"}}', want: "a\0" },
  { name: "only broken bytes", message: new Uint8Array(1000).fill(0xff), want: "rest" },
  { name: "100,000 open lists", message: '{"meta":' + "[".repeat(100_000), want: "rest" },
  { name: "100,000 open objects", message: '{"meta":'.repeat(100_000), want: "rest" },
  {
    name: "30,000 lists beside the topic",
    message: `{"a":${"[".repeat(30_000)}${"]".repeat(30_000)},"meta":{"topic":"a"}}`,
    want: "a",
  },
  {
    name: "10,000 objects beside the topic",
    message: `{"a":${'{"":'.repeat(10_000)}1${"}".repeat(10_000)},"meta":{"topic":"a"}}`,
    want: "a",
  },
  {
    name: "64 KiB of members in front of the topic",
    message: fill("{", '"k":1,', '"meta":{"topic":"a"}}'),
    want: "a",
  },
  { name: "64 KiB of one string", message: fill('{"a":"', "x", '","meta":{"topic":"a"}}'), want: "a" },
  { name: "64 KiB of escapes", message: fill('{"a":"', "\\\\", '","meta":{"topic":"a"}}'), want: "a" },
  { name: "64 KiB of white space", message: fill('{"a":1,', " ", '"meta":{"topic":"a"}}'), want: "a" },
  { name: "64 KiB of quotes", message: '"'.repeat(frameBytes), want: "rest" },
  {
    name: "a frame that was cut",
    message: fill('{"meta":{"topic":"a"},"a":"', "x", "") + "x".repeat(100),
    want: "rest",
  },
  {
    name: "a key __proto__",
    message: '{"__proto__":{"topic":"x"},"meta":{"__proto__":{"topic":"x"}}}',
    want: "rest",
  },
  { name: "meta inherited", message: '{"__proto__":{"meta":{"topic":"x"}}}', want: "rest" },
  {
    name: "a constructor",
    message: '{"constructor":{"prototype":{"bad":1}},"meta":{"topic":"a"}}',
    want: "a",
  },
  { name: "a lone surrogate", message: '{"meta":{"topic":"\\ud800"}}', want: "\ud800" },
  { name: "a topic twice", message: '{"meta":{"topic":"a"},"meta":{"topic":"b","topic":"c"}}', want: "c" },
];

const hostileMerges: unknown[] = [
  hotdog,
  JSON.parse('{"__proto__":{"bad":1},"constructor":{"prototype":{"bad":1}},"toString":"x"}'),
  JSON.parse('{"meta":{"__proto__":{"bad":1}},"__proto__":[1],"a":["{{msg}}"]}'),
];

/** What every object inherits, to see that it stays so. */
function prototypes(): unknown[] {
  return [Object.prototype, Array.prototype, Function.prototype, String.prototype].map((prototype) =>
    Reflect.ownKeys(prototype)
  );
}

for (const { name, message, want } of hostile) {
  test(`a line of ${name} gets its topic or goes where the rest goes, and no prototype changes`, () => {
    const before = prototypes();
    for (const json of hostileMerges) {
      const program = programOf([
        {
          jmespath: "meta.topic",
          actions: [{ type: "merge", json }, { type: "forward", topic: "{{value}}" }],
        },
        {
          jmespath: "length(keys(@)) > `0`",
          actions: [{ type: "merge", json }, { type: "forward", topic: "rest" }],
        },
        { regex: ".*", actions: [{ type: "forward", topic: "rest" }] },
      ]);
      const got = explainLine(program, read(message));
      assert.equal(sent(got)[0].topic, want);
      assert.deepEqual(got, explainLine(program, withoutBytes(read(message))));
      if (want !== "rest") assert.doesNotThrow(() => JSON.parse(sent(got)[0].value));
    }
    assert.deepEqual(prototypes(), before);
    assert.equal(({} as { bad?: unknown }).bad, undefined);
  });
}

test("expressions of the interpreter leave prototypes alone, whatever the message says", () => {
  const before = prototypes();
  const message =
    '{"a":[{"k":"__proto__","v":1},{"k":"constructor"},{"k":"toString"}],"__proto__":{"bad":1},' +
    '"p":[["__proto__",{"bad":1}]]}';
  const expressions = [
    "group_by(a, &k)",
    "merge(@, @)",
    "from_items(p)",
    "{__proto__: p, constructor: a}",
    "items(@)",
  ];
  for (const jmespath of expressions) {
    const program: Program = programOf([{
      jmespath,
      actions: [{ type: "forward", topic: "t", key: "{{value}}" }],
    }]);
    explainLine(program, read(message));
    assert.deepEqual(prototypes(), before, jmespath);
    assert.equal(({} as { bad?: unknown }).bad, undefined, jmespath);
  }
});

test("merge that finds no JSON object is a dead letter with its reason", () => {
  const program = programOf([{
    regex: ".*",
    actions: [{ type: "merge", json: { a: 1 } }, { type: "forward", topic: "t" }],
  }]);
  const reasonOf = (message: string) => {
    const { result } = explainLine(program, read(message));
    return result.kind === "dead_letter" ? result.reason : result.kind;
  };
  assert.equal(reasonOf('{"a":1'), "merge_not_json");
  assert.equal(reasonOf("[1]"), "merge_not_object");
  assert.equal(reasonOf('{"a":1}'), "forward");
});
