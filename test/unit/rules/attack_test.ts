import assert from "node:assert/strict";
import { test } from "node:test";
import { BytesLine } from "./bytes_line.ts";
import { programOf } from "./stub_line.ts";

const lineBytes = 65_536;
/** The promise. The best of some attempts counts: a machine that runs other things at once must not fail the test. */
const lineMsMax = 50;
const attempts = 8;

const forward = [{ type: "forward", topic: "t", continue: true }];

/** Texts made to hold an engine: runs of what loops take, with an end that does not fit. */
const lines = ["a", "ab", "0.", "a=b ", "user=", "x1 ", "\u00e9", "foo,"].flatMap((unit) => {
  const run = unit.repeat(Math.floor((lineBytes - 8) / new TextEncoder().encode(unit).length));
  return [run, `${run}!`, `b${run} end`];
});

const counted = (count: number, pattern: (index: number) => string) =>
  Array.from({ length: count }, (_, index) => ({ regex: pattern(index), actions: forward }));

const sets: readonly { readonly name: string; readonly rules: readonly unknown[] }[] = [
  {
    name: "1,000 native patterns with much to try",
    rules: counted(1000, (n) => `^(?:[a-z]=[a-z]* ?)+[${n % 10}]$`),
  },
  {
    name: "300 patterns of the linear engine, captures wanted",
    rules: Array.from({ length: 300 }, (_, n) => ({
      regex: `(?P<a>(?:a|aa|ab)+)${n}?(?:b|ab)*$`,
      actions: [{ type: "forward", topic: "t", key: "{{a}}", continue: true }],
    })),
  },
  {
    name: "300 patterns whose automaton is not small",
    rules: counted(300, (n) => `(?:a|b)*a(?:a|b){${n % 20}}\\pL`),
  },
  { name: "1,000 patterns that are quadratic", rules: counted(1000, (n) => `[a-z]+[a-z0-9=. ]*x${n}`) },
  { name: "1,000 short literals", rules: counted(1000, (n) => `q${String.fromCharCode(97 + n % 26)}`) },
  {
    name: "5,000 texts of the same letters",
    rules: Array.from({ length: 5000 }, (_, n) => ({
      contains: n.toString(2).padStart(13, "0").replaceAll("0", "a").replaceAll("1", "b") + "c",
      actions: forward,
    })),
  },
  {
    name: "200 long texts whose ends repeat",
    rules: Array.from({ length: 200 }, (_, n) => ({
      contains: `${"a".repeat(500)}${n % 2 ? "b" : "c"}${"a".repeat(500 + n)}`,
      actions: forward,
    })),
  },
  {
    name: "1,000 rules that match and copy",
    rules: Array.from({ length: 1000 }, () => ({
      regex: "[^q]$",
      actions: [{ type: "replace", template: "{{msg}}!" }, ...forward],
    })),
  },
  {
    name: "1,000 conjunctions",
    rules: Array.from({ length: 1000 }, (_, n) => ({
      any: [{ all: [{ regex: "\\w+\\W+$" }, { regex: `(?:${n})?.*!` }] }, { not: { regex: "^[^!]*$" } }],
      actions: forward,
    })),
  },
];

for (const { name, rules } of sets) {
  test(`apply() with ${name} holds no worker on hostile lines of 64 KiB`, () => {
    const program = programOf(rules);
    for (const text of lines) {
      const line = new BytesLine(text);
      let best = Infinity;
      for (let attempt = 0; attempt < attempts && best > lineMsMax; attempt++) {
        const start = performance.now();
        program.apply(line);
        best = Math.min(best, performance.now() - start);
      }
      assert(best <= lineMsMax, `${best.toFixed(1)} ms on ${JSON.stringify(text.slice(0, 12))}…`);
    }
  });
}

test("apply() gives a line to the dead letter when the rules took too long with it", () => {
  const program = programOf(sets[0].rules);
  const outcome = program.apply(new BytesLine(`${"a=b ".repeat(16_000)}!`));
  assert.deepEqual([outcome.kind, outcome.reason], ["dead_letter", "regex_too_costly"]);
  assert.match(outcome.message, /the rules together take too long/);
});

test("apply() takes an ordinary line through thousands of rules that all have to be tried", () => {
  const program = programOf([
    ...counted(2000, (n) => `\\d+[x-z]${n % 10}`),
    { regex: "GET", actions: [{ type: "forward", topic: "last" }] },
  ]);
  const outcome = program.apply(new BytesLine(`10.0.0.1 - - "GET /a HTTP/1.1" 200 ${"b".repeat(800)}`));
  assert.equal(outcome.kind, "forward");
  assert.equal(outcome.forwards[outcome.count - 1].topic, "last");
});
