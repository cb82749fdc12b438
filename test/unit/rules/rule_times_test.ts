import assert from "node:assert/strict";
import { test } from "node:test";
import { linesPerSample, RuleTimes } from "../../../src/rules/rule_times.ts";
import { frameOf, programOf, StubLine } from "./stub_line.ts";

test("RuleTimes.lap() gives each rule the time until the next lap", () => {
  let nowMs = 0;
  const times = new RuleTimes(3, () => nowMs);
  for (const [rule, takesMs] of [[0, 2], [2, 5], [-1, 100], [2, 1], [-1, 0]] as const) {
    times.lap(rule);
    nowMs += takesMs;
  }
  assert.deepEqual([...times.tries], [1, 0, 2]);
  assert.deepEqual([...times.ms], [2, 0, 6]);
});

test("apply() samples one line in linesPerSample, and only the rules that it tries", () => {
  const program = programOf([
    { contains: "a", actions: [] },
    { contains: "b", actions: [{ type: "drop" }] },
    { contains: "c", actions: [] },
  ]);
  for (let line = 0; line < linesPerSample * 3; line++) program.apply(new StubLine(frameOf("a b c")));
  assert.deepEqual([...program.times.tries], [3, 3, 0]);
  assert.deepEqual([...program.hits], [linesPerSample * 3, linesPerSample * 3, 0]);
  assert(program.times.ms.every((ms) => ms >= 0));
});
