import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { textSearch } from "../../../src/rules/text_search.ts";

test("textSearch() answers as includes() does, for short and long texts", () => {
  const run = fc.tuple(
    fc.constantFrom("a", "ab", "aab", "é😀"),
    fc.integer({ min: 1, max: 300 }),
    fc.constantFrom("", "b", "c"),
  )
    .map(([unit, count, end]) => unit.repeat(count) + end);
  const runs = fc.array(run, { minLength: 1, maxLength: 3 }).map((all) => all.join(""));
  let found = 0;
  fc.assert(
    fc.property(runs, runs, fc.boolean(), (wanted, text, isIn) => {
      const whole = isIn ? text + wanted + text : text;
      const want = whole.includes(wanted);
      assert.equal(textSearch(wanted)(whole), want);
      if (want && wanted.length > 250) found++;
    }),
    { numRuns: 500 },
  );
  assert(found > 20);
});
