import assert from "node:assert/strict";
import { test } from "node:test";
import {
  firstSliceSteps,
  lineMsMax,
  searchStepsMax,
  sliceSteps,
  StepBudget,
} from "../../../src/rules/step_budget.ts";

/** A budget with a clock that the test moves, and how often the clock was asked. */
function budgetAt(): { budget: StepBudget; clock: { nowMs: number; asked: number } } {
  const clock = { nowMs: 1000, asked: 0 };
  const budget = new StepBudget(() => {
    clock.asked++;
    return clock.nowMs;
  });
  budget.begin();
  return { budget, clock };
}

test("take() gives the first slice without asking the clock", () => {
  const { budget, clock } = budgetAt();
  for (let i = 0; i < 10; i++) assert(budget.take(firstSliceSteps / 10));
  assert.equal(clock.asked, 0);
  assert(budget.take(1));
  assert.equal(clock.asked, 1);
});

test("take() gives slices while the line has had less than its time, and none after it", () => {
  const { budget, clock } = budgetAt();
  assert(budget.take(firstSliceSteps));
  for (let ms = 0; ms <= lineMsMax; ms++) {
    clock.nowMs = 1000 + ms;
    assert(budget.take(sliceSteps), `after ${ms} ms`);
  }
  clock.nowMs = 1000 + lineMsMax + 0.001;
  assert.equal(budget.take(1), false);
  budget.begin();
  assert(budget.take(1), "the next line begins anew");
});

test("take() gives the largest search whole, and refuses a larger one", () => {
  const { budget } = budgetAt();
  assert(budget.take(firstSliceSteps));
  assert(budget.take(searchStepsMax));
  assert.equal(budget.take(searchStepsMax + 1), false);
  assert(budget.take(sliceSteps), "a refusal takes nothing");
});
