import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { WrittenMatcher } from "../../../src/rules/matcher_schema.ts";
import { faultsOf, frameOf, programOf, StubLine } from "./stub_line.ts";

/** A rule with this matcher; it forwards what its template gives. */
const ruleOf = (matcher: WrittenMatcher, value = "{{msg}}") => ({
  name: "tree",
  ...matcher,
  actions: [{ type: "forward", topic: "hit", value }],
});

function valueFor(matcher: WrittenMatcher, value: string, frame: string): string | undefined {
  const outcome = programOf([ruleOf(matcher, value)]).apply(new StubLine(frame));
  return outcome.kind === "forward" ? outcome.forwards[0]!.text : undefined;
}

/** `<13>` is user.notice; the frame has hostname web, appname app and structured data. */
const table: { name: string; matcher: WrittenMatcher; message: string; want: boolean }[] = [
  {
    name: "all when all match",
    matcher: { all: [{ prefix: "a" }, { contains: "b" }] },
    message: "ab",
    want: true,
  },
  {
    name: "all when one does not",
    matcher: { all: [{ prefix: "a" }, { contains: "b" }] },
    message: "ac",
    want: false,
  },
  {
    name: "any when the last matches",
    matcher: { any: [{ equals: "x" }, { equals: "a" }] },
    message: "a",
    want: true,
  },
  {
    name: "any when none does",
    matcher: { any: [{ equals: "x" }, { equals: "y" }] },
    message: "a",
    want: false,
  },
  { name: "not when it does not match", matcher: { not: { regex: "x" } }, message: "a", want: true },
  { name: "not when it does", matcher: { not: { regex: "x" } }, message: "axa", want: false },
  { name: "not of not", matcher: { not: { not: { contains: "x" } } }, message: "axa", want: true },
  {
    name: "fields of their own",
    matcher: {
      all: [{ field: "hostname", equals: "web" }, { field: "appname", prefix: "a" }, { contains: "m" }],
    },
    message: "m",
    want: true,
  },
  {
    name: "structured data",
    matcher: {
      all: [{ field: "sd.origin@32473.ip", prefix: "10." }, {
        field: "sd.origin@32473.note",
        equals: 'a "b" ]',
      }],
    },
    message: "m",
    want: true,
  },
  {
    name: "structured data that is not there",
    matcher: { field: "sd.origin@32473.port", regex: "" },
    message: "m",
    want: false,
  },
  {
    name: "peer and raw",
    matcher: { all: [{ field: "peer", prefix: "192.0.2.1:" }, { field: "raw", prefix: "<13>1 " }] },
    message: "m",
    want: true,
  },
  {
    name: "timestamp, procid and msgid",
    matcher: {
      all: [{ field: "timestamp", prefix: "2026-" }, { field: "procid", equals: "42" }, {
        field: "msgid",
        regex: "^ID\\d$",
      }],
    },
    message: "m",
    want: true,
  },
  { name: "severity by order", matcher: { severity: "<= notice" }, message: "m", want: true },
  { name: "severity that is not", matcher: { severity: "< notice" }, message: "m", want: false },
  { name: "facility in a list", matcher: { facility: ["auth", "user"] }, message: "m", want: true },
  {
    name: "severity inside all",
    matcher: { all: [{ severity: ["notice", "info"] }, { facility: "!= cron" }] },
    message: "m",
    want: true,
  },
  {
    name: "JMESPath and regex",
    matcher: { all: [{ jmespath: "a.b" }, { regex: "x+" }] },
    message: '{"a":{"b":"xx"}}',
    want: true,
  },
];

for (const { name, matcher, message, want } of table) {
  test(`matchers ${want ? "match" : "do not match"} ${name}`, () => {
    assert.equal(valueFor(matcher, "{{msg}}", frameOf(message)) !== undefined, want);
  });
}

test("severity and facility match no line without a priority, not even by !=", () => {
  for (
    const matcher of [{ severity: "!= err" }, { facility: ">= 0" }, { severity: [0, 1, 2, 3, 4, 5, 6, 7] }]
  ) {
    assert.equal(valueFor(matcher, "{{msg}}", "no header"), undefined);
  }
  assert.equal(valueFor({ not: { severity: "err" } }, "{{msg}}", "no header"), "no header");
});

const variables: { name: string; matcher: WrittenMatcher; value: string; message: string; want: string }[] = [
  {
    name: "come from every element of all",
    matcher: { all: [{ regex: "a=(?P<a>\\d)" }, { regex: "b=(?P<b>\\d)" }] },
    value: "{{a}}{{b}}",
    message: "a=1 b=2",
    want: "12",
  },
  {
    name: "come from the later element that has the same name",
    matcher: { all: [{ regex: "a=(?P<x>\\d)" }, { regex: "b=(?P<x>\\d)" }] },
    value: "{{x}}",
    message: "a=1 b=2",
    want: "2",
  },
  {
    name: "come from the first element of any that matches",
    matcher: { any: [{ regex: "b=(?P<b>\\d)" }, { regex: "a=(?P<a>\\d)" }] },
    value: "<{{a}}|{{b}}>",
    message: "a=1 b=2",
    want: "<|2>",
  },
  {
    name: "of an all that fails are taken back",
    matcher: { any: [{ all: [{ regex: "a=(?P<a>\\d)" }, { contains: "no" }] }, { contains: "b" }] },
    value: "<{{a}}>",
    message: "a=1 b=2",
    want: "<>",
  },
  {
    name: "of the elements around an all that fails stay",
    matcher: {
      all: [{ regex: "a=(?P<x>\\d)" }, {
        any: [{ all: [{ regex: "b=(?P<x>\\d)" }, { contains: "no" }] }, { contains: "b" }],
      }],
    },
    value: "<{{x}}>",
    message: "a=1 b=2",
    want: "<1>",
  },
  {
    name: "of JMESPath are value, also inside any",
    matcher: { any: [{ jmespath: "x" }, { jmespath: "y" }] },
    value: "<{{value}}>",
    message: '{"y":7}',
    want: "<7>",
  },
  {
    name: "of JMESPath stand beside groups",
    matcher: { all: [{ jmespath: "y" }, { field: "hostname", regex: "(?P<h>.)b$" }] },
    value: "{{value}}{{h}}",
    message: '{"y":7}',
    want: "7e",
  },
];

for (const { name, matcher, value, message, want } of variables) {
  test(`variables ${name}`, () => assert.equal(valueFor(matcher, value, frameOf(message)), want));
}

test("variables are not those of an earlier line when the element that sets them did not match", () => {
  const program = programOf([
    ruleOf({ any: [{ regex: "a=(?P<a>\\d)" }, { jmespath: "v" }, { contains: "" }] }, "<{{a}}{{value}}>"),
  ]);
  const text = (message: string) => program.apply(new StubLine(frameOf(message))).forwards[0]!.text;
  assert.equal(text("a=1"), "<1>");
  assert.equal(text('{"v":"x"}'), "<x>");
  assert.equal(text("other"), "<>");
});

const deep = (depth: number): unknown =>
  Array.from({ length: depth }).reduce((matcher: unknown) => ({ not: matcher }), { equals: "a" });
const act = [{ type: "stop" }];

const faults: { name: string; rules: unknown[]; want: string[] }[] = [
  {
    name: "no matcher in an element",
    rules: [{ all: [{ field: "msg" }], actions: act }],
    want: [
      "rules.0.all.0: has no matcher; write one of regex, jmespath, equals, prefix, contains, severity, facility, all, any, not",
    ],
  },
  {
    name: "two matchers in an element",
    rules: [{ any: [{ equals: "a", regex: "b" }], actions: act }],
    want: ["rules.0.any.0: has 2 matchers (regex, equals); write exactly one"],
  },
  {
    name: "two matchers beside each other",
    rules: [{ severity: "err", not: { equals: "a" }, actions: act }],
    want: ["rules.0: has 2 matchers (severity, not); write exactly one"],
  },
  { name: "an empty list", rules: [{ all: [], actions: act }], want: ["rules.0.all: the list is empty"] },
  {
    name: "a list where one is wanted, and the other way round",
    rules: [{ not: [{ equals: "a" }], actions: act }, { any: { equals: "a" }, actions: act }],
    want: ["rules.0.not: must be a mapping, is a list", "rules.1.any: must be a list, is a mapping"],
  },
  {
    name: "a misspelt key inside",
    rules: [{ not: { prefx: "a", equals: "b" }, actions: act }],
    want: ['rules.0.not.prefx: unknown key "prefx"; did you mean "prefix"?'],
  },
  {
    name: "a misspelt field inside",
    rules: [{ all: [{ field: "hostnam", equals: "a" }], actions: act }],
    want: ['rules.0.all.0.field: unknown field "hostnam"; did you mean "hostname"?'],
  },
  {
    name: "faults of patterns at any depth, all at once",
    rules: [{
      all: [{ regex: "(" }, { not: { any: [{ jmespath: "a[" }, { regex: "a(?=b)" }] } }],
      actions: act,
    }],
    want: [
      "rules.0.all.0.regex@1: RE2 does not take the pattern: missing closing ): `(`",
      "rules.0.all.1.not.any.1.regex@2: look-ahead is not supported: it cannot be run in linear time",
    ],
  },
  {
    name: "comparisons",
    rules: [{ severity: "<= warm", actions: act }, { all: [{ facility: ["auth", "crno"] }], actions: act }, {
      severity: true,
      actions: act,
    }],
    want: [
      'rules.0.severity: unknown severity "warm"; did you mean "warn"?; it is a name or a number from 0 to 7',
      'rules.1.all.0.facility.1: unknown facility "crno"; did you mean "cron"?; it is a name or a number from 0 to 23',
      "rules.2.severity: must be a name, a number, a comparison or a list, is true",
    ],
  },
  {
    name: "a field where it means nothing",
    rules: [{ field: "hostname", any: [{ equals: "a" }], actions: act }, {
      field: "msg",
      severity: "err",
      actions: act,
    }],
    want: [
      "rules.0: field has no meaning beside any; write it into each element",
      "rules.1: field has no meaning beside severity; remove it",
    ],
  },
  {
    name: "a variable that only a matcher inside not has",
    rules: [{
      all: [{ not: { regex: "(?P<gone>a)" } }, { regex: "b" }],
      actions: [{ type: "forward", topic: "t", value: "{{gone}}" }],
    }],
    want: ['rules.0.actions.0.value@1: unknown variable "gone"'],
  },
];

for (const { name, rules, want } of faults) {
  test(`compileRules() tells ${name}`, () => {
    const found = faultsOf(rules);
    for (const fault of want) assert.ok(found.includes(fault), `${fault} is not among\n${found.join("\n")}`);
  });
}

test("compileRules() takes matchers ten deep and no deeper", () => {
  assert.deepEqual(faultsOf([{ ...deep(10) as object, actions: act }]), []);
  const [fault] = faultsOf([{ ...deep(11) as object, actions: act }]);
  assert.match(fault!, /^rules\.0(?:\.not){11}: nested deeper than 10$/);
  assert.match(faultsOf([{ ...deep(5000) as object, actions: act }])[0]!, /nested deeper than 10$/);
});

/** What a matcher says, worked out from what is written. */
function oracle(matcher: WrittenMatcher, message: string, priority: number): boolean {
  const text = matcher.field === "hostname" ? "web" : message;
  if (matcher.all !== undefined) return matcher.all.every((one) => oracle(one, message, priority));
  if (matcher.any !== undefined) return matcher.any.some((one) => oracle(one, message, priority));
  if (matcher.not !== undefined) return !oracle(matcher.not, message, priority);
  if (matcher.equals !== undefined) return text === matcher.equals;
  if (matcher.prefix !== undefined) return text.slice(0, matcher.prefix.length) === matcher.prefix;
  if (matcher.contains !== undefined) {
    return text.split(matcher.contains).length > 1 || matcher.contains === "";
  }
  if (matcher.regex !== undefined) {
    return new RegExp(matcher.regex.replaceAll("(?P<", "(?<")).exec(text) !== null;
  }
  return priority % 8 <= Number(String(matcher.severity).slice(3));
}

test("matchers say what a plain evaluation says, for any tree", () => {
  const text = fc.string({ unit: fc.constantFrom("a", "b", "w", "e", "é"), maxLength: 3 });
  const field = fc.constantFrom({}, { field: "hostname" }, { field: "msg" });
  const leaf: fc.Arbitrary<WrittenMatcher> = fc.oneof(
    fc.tuple(
      field,
      fc.oneof(
        text.map((equals) => ({ equals })),
        text.map((prefix) => ({ prefix })),
        text.map((contains) => ({ contains })),
        fc.constantFrom("a", "^a", "b$", "(?P<x>a|b)", "(?P<x>w)e", "a.*b", "").map((regex) => ({ regex })),
      ),
    ).map(([where, what]) => ({ ...where, ...what })),
    fc.nat({ max: 6 }).map((severity) => ({ severity: `<= ${severity}` })),
  );
  const { tree } = fc.letrec<{ tree: WrittenMatcher }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 4 },
      leaf,
      fc.array(tie("tree"), { minLength: 1, maxLength: 4 }).map((all) => ({ all })),
      fc.array(tie("tree"), { minLength: 1, maxLength: 4 }).map((any) => ({ any })),
      tie("tree").map((not) => ({ not })),
    ),
  }));
  fc.assert(
    fc.property(
      tree,
      fc.array(fc.tuple(text, fc.nat({ max: 191 })), { minLength: 1, maxLength: 5 }),
      (matcher, lines) => {
        const program = programOf([ruleOf(matcher)]);
        for (const [message, priority] of lines) {
          const frame = frameOf(message).replace("<13>", `<${priority}>`);
          const matches = program.apply(new StubLine(frame)).kind === "forward";
          assert.equal(matches, oracle(matcher, message, priority));
        }
      },
    ),
    { numRuns: 500 },
  );
});
