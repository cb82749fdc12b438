import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { intervalMs, Throttle } from "../../../src/rules/throttle.ts";

/** Floats: tokens add up in fractions. */
const slack = 1e-6;

const event = fc.record({
  key: fc.constantFrom("a", "b", "c", "d", "e", "x".repeat(200), "\ud800"),
  advanceMs: fc.oneof(
    { weight: 5, arbitrary: fc.nat({ max: 50 }) },
    { weight: 1, arbitrary: fc.nat({ max: 5000 }) },
    { weight: 1, arbitrary: fc.integer({ min: -2000, max: 0 }) },
  ),
});

test("passes() never lets more than burst + rate x t of a key through in any interval, whatever the table's size", () => {
  fc.assert(
    fc.property(
      fc.array(event, { maxLength: 200 }),
      fc.double({ min: 0.1, max: 100, noNaN: true }),
      fc.double({ min: 1, max: 20, noNaN: true }),
      fc.integer({ min: 1, max: 6 }),
      (events, rate, burst, keysMax) => {
        const throttle = new Throttle({ rate, burst, keysMax });
        const passed = new Map<string, number[]>();
        let nowMs = 1_700_000_000_000;
        // Steps back count nothing.
        let timeMs = 0;
        for (const { key, advanceMs } of events) {
          nowMs += advanceMs;
          timeMs += Math.max(0, advanceMs);
          if (throttle.passes(key, nowMs)) passed.set(key, [...passed.get(key) ?? [], timeMs]);
          assert.ok(throttle.size <= keysMax);
        }
        for (const times of passed.values()) {
          for (let from = 0; from < times.length; from++) {
            for (let to = from; to < times.length; to++) {
              const bound = burst + rate * (times[to]! - times[from]!) / 1000;
              assert.ok(to - from + 1 <= bound + slack, `${to - from + 1} lines, at most ${bound}`);
            }
          }
        }
      },
    ),
    { numRuns: 1000 },
  );
});

test("passes() lets a steady line at the rate through for ever, and burst at once", () => {
  const throttle = new Throttle({ rate: 10, burst: 3, keysMax: 10 });
  assert.deepEqual([1, 2, 3, 4].map(() => throttle.passes("k", 0)), [true, true, true, false]);
  for (let at = 100; at < 10_000; at += 100) assert.equal(throttle.passes("k", at), true);
  assert.equal(throttle.passes("k", 9_900), false);
});

test("passes() forgets keys that are quiet, so that new ones get a bucket of their own", () => {
  const throttle = new Throttle({ rate: 1, burst: 2, keysMax: 100 });
  for (let n = 0; n < 100; n++) throttle.passes(`old-${n}`, 0);
  // All are busy: strangers share one bucket.
  assert.deepEqual(["s", "t", "u"].map((key) => throttle.passes(key, 0)), [true, true, false]);
  // Two seconds later all are full again, the shared one too.
  for (let n = 0; n < 100; n++) assert.equal(throttle.passes(`new-${n}`, 2000), true);
  assert.equal(throttle.size, 100);
  assert.equal(throttle.passes("new-99", 2000), true);
  assert.equal(throttle.passes("new-99", 2000), false);
});

test("passes() knows keys of any length and of broken text apart", () => {
  const throttle = new Throttle({ rate: 1, burst: 1, keysMax: 10 });
  const long = "x".repeat(100_000);
  for (const key of [`${long}a`, `${long}b`, "\ud800", "\ud801", "", "__proto__"]) {
    assert.equal(throttle.passes(key, 0), true);
    assert.equal(throttle.passes(key, 0), false);
  }
  assert.equal(throttle.size, 6);
});

test("passes() goes on at the rate when the clock jumped ahead and came back", () => {
  const throttle = new Throttle({ rate: 1, burst: 1, keysMax: 10 });
  assert.equal(throttle.passes("k", 1000), true);
  assert.equal(throttle.passes("k", 1e15), true);
  assert.equal(throttle.passes("k", 2000), false);
  assert.equal(throttle.passes("k", 3000), true);
});

test("intervalMs() reads ms, s, m and h", () => {
  assert.deepEqual(["500ms", "1s", "5m", "2h"].map(intervalMs), [500, 1000, 300_000, 7_200_000]);
});
