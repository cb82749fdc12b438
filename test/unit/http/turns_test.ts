import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Reading, Turns, wholly } from "../../../src/http/turns.ts";
import { until } from "../../support/until.ts";

/** Yields `steps` times; each step takes a millisecond of `clock`. */
function* steps(count: number, clock: { now: number }, log: string[], name: string): Reading<string> {
  for (let step = 0; step < count; step++) {
    clock.now++;
    log.push(`${name}${step}`);
    yield;
  }
  return `${name} is done`;
}

describe("Turns", () => {
  it("run() gives the result when it comes within a turn", () => {
    const clock = { now: 0 };
    const turns = new Turns(() => clock.now);
    const done = turns.run(steps(1, clock, [], "a"), () => true, () => assert.fail("not later"));
    assert.deepEqual(done?.value, "a is done");
    assert.equal(turns.waiting, 0);
  });

  it("run() goes on in later turns, one of those in line in each, when there is more", async () => {
    const clock = { now: 0 };
    const turns = new Turns(() => clock.now);
    const log: string[] = [];
    const results: unknown[] = [];
    for (const name of ["a", "b"]) {
      const now = turns.run(steps(5, clock, log, name), () => true, (result) => results.push(result));
      assert.equal(now, undefined);
    }
    assert.deepEqual(log, ["a0", "a1"]);
    await until("both", () => results.length === 2 || undefined);
    assert.deepEqual(log, ["a0", "a1", "a2", "a3", "b0", "b1", "a4", "b2", "b3", "b4"]);
    assert.deepEqual(results, ["a is done", "b is done"]);
    assert.equal(turns.waiting, 0);
  });

  it("run() lets bodies stand in line when those of one turn have taken 5 ms together", async () => {
    const clock = { now: 0 };
    const turns = new Turns(() => clock.now);
    const results: unknown[] = [];
    const run = (name: string, count: number) =>
      turns.run(steps(count, clock, [], name), () => true, (result) => results.push(result))?.value;
    for (let round = 0; round < 2; round++) {
      const atOnce = Array.from({ length: 9 }, (_, index) => run(`${index}`, 1));
      assert.deepEqual(
        atOnce,
        [...["0", "1", "2", "3"].map((name) => `${name} is done`), ...Array(5).fill(undefined)],
      );
      assert.equal(turns.waiting, 5);
      await until("the others", () => results.length === 5 || undefined);
      assert.deepEqual(results, ["4", "5", "6", "7", "8"].map((name) => `${name} is done`), "in order");
      results.length = 0;
    }
    for (let index = 0; index < 4; index++) assert.notEqual(run(`${index}`, 1), undefined);
    const before = clock.now;
    assert.equal(run("long", 3), undefined);
    assert.equal(clock.now - before, 1, "the last one is read until the turn ends");
    await until("the long one", () => results.length === 1 || undefined);
  });

  it("run() reads no more when nobody wants it", async () => {
    const clock = { now: 0 };
    const turns = new Turns(() => clock.now);
    const log: string[] = [];
    const results: unknown[] = [];
    let isWanted = true;
    turns.run(steps(50, clock, log, "a"), () => isWanted, (result) => results.push(result));
    isWanted = false;
    await until("the end", () => results.length === 1 || undefined);
    assert.deepEqual([log, results], [["a0", "a1"], [undefined]]);
  });
});

describe("wholly()", () => {
  it("reads to the end", () => {
    assert.equal(wholly(steps(9, { now: 0 }, [], "a")), "a is done");
  });
});
