import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { LineContext } from "../../../src/rules/line_context.ts";
import { Prefilter } from "../../../src/rules/prefilter.ts";
import { type NeedAtom, type Needs, regexNeeds } from "../../../src/rules/prefilter_needs.ts";
import type { Outcome } from "../../../src/rules/program.ts";
import { checkRegex } from "../../../src/rules/regex.ts";
import { parseRegex } from "../../../src/rules/regex_syntax.ts";
import { BytesLine } from "./bytes_line.ts";
import { frameOf, programOf, StubLine } from "./stub_line.ts";

const patternNeeds: readonly { readonly pattern: string; readonly want: readonly (readonly string[])[] }[] = [
  { pattern: "session", want: [["session"]] },
  { pattern: "^order-17: ", want: [["order-17: "]] },
  { pattern: "abc", want: [] },
  {
    pattern: "Failed (?:password|key) for",
    want: [["failed password for", "failed key for"]],
  },
  { pattern: "user=(?P<u>\\w+) from", want: [["user="], [" from"]] },
  { pattern: "https?://", want: [["https://", "http://"]] },
  { pattern: "(?:[0-9]+ error|warning)", want: [[" error", "warning"]] },
  { pattern: "(?:error|[0-9]+)", want: [] },
  { pattern: "(?:error)?", want: [] },
  { pattern: "(?:error)+!", want: [["error"]] },
  { pattern: "(?:error){0,3}done", want: [["done"]] },
  { pattern: "status=[45]\\d\\d", want: [["status="], ["status=4", "status=5"]] },
  { pattern: "(?i)error", want: [["error"]] },
  { pattern: "caf\u00e9 noir", want: [[" noir"]] },
  { pattern: "\\bsession\\b$", want: [["session"]] },
  { pattern: ".*", want: [] },
  { pattern: "[^x]{4}", want: [] },
];

for (const { pattern, want } of patternNeeds) {
  test(`regexNeeds() of ${pattern} has the texts that a match cannot be without`, () => {
    const needs = regexNeeds("msg", parseRegex(pattern));
    assert.deepEqual(needs.map((clause) => clause.map(({ text }) => text)), want);
  });
}

test("regexNeeds() says where a letter's other case is beyond ASCII", () => {
  const [clause] = regexNeeds("msg", parseRegex("(?i)disk"));
  assert.deepEqual(clause, [{ field: "msg", how: "in", text: "disk", asciiOnly: true }]);
  assert.equal(regexNeeds("msg", parseRegex("(?i)error"))[0][0].asciiOnly, false);
});

test("regexNeeds() takes an anchored literal on a short field for its value", () => {
  const [clause] = regexNeeds("appname", parseRegex("^sshd$"));
  assert.deepEqual(clause, [{ field: "appname", how: "is", text: "sshd", asciiOnly: false }]);
  assert.deepEqual(regexNeeds("appname", parseRegex("^sshd")), []);
});

const forward = { type: "forward", topic: "t", continue: true };

/** Few words, so that rules and lines meet. */
const word = fc.constantFrom(
  "error",
  "Error",
  "timeout",
  "session",
  "order-17",
  "order-18",
  "user=",
  "disk",
  "di\u017f\u212a",
  "caf\u00e9 noir",
  "\ud83d\ude00 smile",
  "GET /a",
  "status=5",
  "topic",
  "to",
  "a",
  " ",
);
const words = fc.array(word, { maxLength: 6 }).map((all) => all.join(""));
const quoted = (text: string) => text.replaceAll(/[\\^$.|?*+()[\]{}]/g, "\\$&");

const pattern = fc.letrec<{ node: string; atom: string }>((tie) => ({
  atom: fc.oneof(
    { maxDepth: 2 },
    { weight: 6, arbitrary: word.map(quoted) },
    { weight: 2, arbitrary: fc.constantFrom("\\w+", ".*", "[45]", "\\d", "^", "$", "\\b", "[^ ]*") },
    { weight: 1, arbitrary: tie("node").map((node) => `(?:${node})`) },
    { weight: 1, arbitrary: tie("node").map((node) => `(?:${node})?`) },
    { weight: 1, arbitrary: tie("node").map((node) => `(?:${node}){1,2}`) },
    { weight: 1, arbitrary: tie("node").map((node) => `(?i:${node})`) },
    {
      weight: 2,
      arbitrary: fc.array(tie("node"), { minLength: 2, maxLength: 3 }).map((all) => `(?:${all.join("|")})`),
    },
  ),
  node: fc.array(tie("atom"), { minLength: 1, maxLength: 3 }).map((all) => all.join("")),
})).node.filter((source) => checkRegex(source).ok);

const textField = fc.constantFrom("msg", "raw");
const matcher = fc.oneof(
  { weight: 4, arbitrary: fc.record({ field: textField, regex: pattern }) },
  { weight: 2, arbitrary: fc.record({ field: textField, contains: words }) },
  { weight: 1, arbitrary: fc.record({ field: textField, prefix: words }) },
  { weight: 1, arbitrary: fc.record({ field: textField, equals: words }) },
  {
    weight: 1,
    arbitrary: fc.record({
      field: fc.constantFrom("appname", "hostname"),
      equals: fc.constantFrom("app", "web", "db"),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      field: fc.constantFrom("appname"),
      regex: fc.constantFrom("^app$", "^ap", "^db$"),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ jmespath: fc.constantFrom("topic", "order.topic", "topic || order", "a") }),
  },
);
const rule = fc.tuple(
  matcher,
  fc.constantFrom([forward], [{ type: "drop" }], [{ ...forward, continue: false }], [
    { ...forward, key: "{{appname}}" },
  ]),
).map(([match, actions]) => ({ ...match, actions }));

const json = fc.constantFrom(
  '{"topic":"x"}',
  '{"\\u0074opic":"x"}',
  ' {"order":{"topic":1}}',
  '{"order":{"t\\u006fpic":1},"a":null}',
  "[1]",
);
const message = fc.oneof({ weight: 4, arbitrary: words }, { weight: 1, arbitrary: json });
const frame = fc.tuple(message, fc.boolean()).map(([text, isBare]) => isBare ? text : frameOf(text));

function copyOf({ forwards, ...rest }: Outcome): unknown {
  return { ...rest, forwards: forwards.slice(0, rest.count).map((one) => ({ ...one })) };
}

test("apply() with the prefilter does what trying every rule in order does, hits included", () => {
  let matches = 0;
  fc.assert(
    fc.property(
      fc.array(rule, { minLength: 20, maxLength: 40 }),
      fc.array(frame, { minLength: 1, maxLength: 8 }),
      (rules, frames) => {
        const filtered = programOf(rules);
        const tried = programOf(rules);
        for (const text of frames) {
          const want = copyOf(tried.apply(new StubLine(text)));
          assert.deepEqual(copyOf(filtered.apply(new BytesLine(text))), want, JSON.stringify(text));
        }
        assert.deepEqual([...filtered.hits], [...tried.hits]);
        matches += filtered.hits.reduce((sum, count) => sum + count, 0);
      },
    ),
    { numRuns: 200 },
  );
  assert(matches > 200, "rules matched");
});

/** Needs of one text in the message. */
function textNeed(text: string): Needs {
  return [[{ field: "msg", how: "in", text, asciiOnly: false } satisfies NeedAtom]];
}

/** The candidates of a line. */
function candidatesOf(prefilter: Prefilter, text: string, count: number): number[] {
  const line = new BytesLine(text);
  const context = new LineContext(1);
  context.begin(line);
  prefilter.look(context, line.frame);
  const found: number[] = [];
  for (let at = prefilter.next(0); at < count; at = prefilter.next(at + 1)) found.push(at);
  return found;
}

test("look() finds a text at every place in a line, at its ends too", () => {
  const texts = [
    "alpha-service",
    "beta-service!",
    "gamma",
    "delt",
    "epsilon-and-much-longer-than-what-is-compared",
  ];
  for (const least of [4, 5, 7, 11, 20]) {
    const chosen = texts.filter((text) => text.length >= least);
    const prefilter = new Prefilter(chosen.map(textNeed));
    assert.deepEqual(prefilter.unfiltered, candidatesOf(prefilter, "", chosen.length));
    for (const [index, text] of chosen.entries()) {
      for (let before = 0; before < 20; before++) {
        for (const behind of ["", ".", "..........."]) {
          const line = "#".repeat(before) + text.toUpperCase() + behind;
          assert(candidatesOf(prefilter, line, chosen.length).includes(index), line);
        }
      }
    }
  }
});

test("look() tells apart thousands of texts, and forgets the line before", () => {
  const count = 5000;
  const texts = Array.from({ length: count }, (_, index) => `service-${index} failed;`);
  const prefilter = new Prefilter(texts.map(textNeed));
  for (const index of [0, 31, 32, 33, 4095, 4999]) {
    assert.deepEqual(candidatesOf(prefilter, `now ${texts[index]} again`, count), [index]);
    assert.deepEqual(candidatesOf(prefilter, "nothing of the kind", count), []);
  }
});

test("look() takes every rule for a candidate where a line is made of what thousands of texts have in common", () => {
  const count = 4096;
  const texts = Array.from({ length: count }, (_, index) => index.toString(2).padStart(12, "0"));
  const prefilter = new Prefilter(texts.map(textNeed));
  const few = candidatesOf(prefilter, texts[77], count);
  assert(few.includes(77) && few.length < 50);
  const mixed = texts.map((text) => `${text.slice(0, 11)} `).join("");
  assert.equal(candidatesOf(prefilter, mixed, count).length, count);
  assert.deepEqual(candidatesOf(prefilter, "b".repeat(65_536), count), []);
});

test("apply() tries the rules behind a redaction on what it made of the line", () => {
  const program = programOf([
    {
      regex: "card=",
      actions: [{ type: "redact", patterns: [{ regex: "card=[0-9]+" }], replacement: "nothing-left" }],
    },
    ...Array.from({ length: 20 }, (_, n) => ({ contains: `never ${n} there`, actions: [{ type: "drop" }] })),
    { contains: "nothing-left", actions: [{ type: "forward", topic: "redacted" }] },
  ]);
  const outcome = program.apply(new BytesLine("pays with card=4711"));
  assert.deepEqual([outcome.kind, outcome.forwards[0].topic], ["forward", "redacted"]);
});

test("apply() finds letters whose other case is beyond ASCII", () => {
  const program = programOf([
    ...Array.from({ length: 20 }, (_, n) => ({ contains: `never ${n} there`, actions: [{ type: "drop" }] })),
    { regex: "(?i)disk full", actions: [{ type: "forward", topic: "found" }] },
  ]);
  for (const text of ["Disk FULL", "di\u017fk full", "dis\u212a full"]) {
    assert.equal(program.apply(new BytesLine(text)).kind, "forward", text);
  }
  assert.equal(program.apply(new BytesLine("dis full")).kind, "default");
});
