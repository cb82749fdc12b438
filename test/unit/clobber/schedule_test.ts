/**
 * When messages are due.
 *
 * @module
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { Schedule, type Segment, segmentsOf } from "../../../src/clobber/schedule/schedule.ts";
import { Due, type Phase } from "../../../src/clobber/worker/due.ts";
import { shareOf } from "../../../src/clobber/worker/share.ts";

const segment = fc.record({
  ms: fc.integer({ min: 1, max: 5000 }),
  from: fc.integer({ min: 0, max: 20_000 }),
  to: fc.integer({ min: 0, max: 20_000 }),
});
const segments = fc.array(segment, { minLength: 1, maxLength: 5 })
  .filter((all) => all.some(({ ms, from, to }) => (from + to) / 2 * ms / 1000 >= 2));

describe("Schedule", () => {
  it("timeOf() is k / rate when the rate is constant", () => {
    const schedule = new Schedule([{ ms: 10_000, from: 1000, to: 1000 }]);
    assert.equal(schedule.timeOf(0), 0);
    assert.equal(schedule.timeOf(1234), 1234);
    assert.equal(schedule.timeOf(9999), 9999);
    assert.equal(schedule.timeOf(10_000), Infinity);
  });

  it("timeOf() does not drift over a day at a million per second", () => {
    const schedule = new Schedule([{ ms: 86_400_000, from: 1e6, to: 1e6 }]);
    assert.ok(Math.abs(schedule.timeOf(86_000_000_000) - 86_000_000) < 1e-3);
  });

  it("timeOf() follows the area under a ramp", () => {
    // From 0 to 1000/s in 10 s: 5000 messages; half of the time has a quarter of them.
    const schedule = new Schedule([{ ms: 10_000, from: 0, to: 1000 }]);
    assert.equal(schedule.total, 5000);
    assert.ok(Math.abs(schedule.timeOf(1250) - 5000) < 1e-6);
    const down = new Schedule([{ ms: 10_000, from: 1000, to: 0 }]);
    assert.ok(Math.abs(down.timeOf(3750) - 5000) < 1e-6);
  });

  it("timeOf() never goes back and stays within the duration", () => {
    fc.assert(fc.property(segments, (all: Segment[]) => {
      const schedule = new Schedule(all);
      let last = 0;
      const step = Math.max(1, Math.floor(schedule.total / 500));
      for (let k = 0; k < schedule.total - 1e-6; k += step) {
        const time = schedule.timeOf(k);
        assert.ok(time >= last - 1e-9, `${time} after ${last}`);
        assert.ok(time <= schedule.durationMs + 1e-6);
        last = time;
      }
    }));
  });

  it("dueAt() is the inverse of timeOf()", () => {
    fc.assert(
      fc.property(segments, fc.double({ min: 0, max: 0.999, noNaN: true }), (all: Segment[], part) => {
        const schedule = new Schedule(all);
        const k = Math.floor(part * Math.floor(schedule.total));
        const time = schedule.timeOf(k);
        if (time === Infinity) return;
        assert.ok(schedule.dueAt(time + 1e-6) >= k + 1, `${schedule.dueAt(time)} at the time of ${k}`);
        if (k > 0) assert.ok(schedule.dueAt(schedule.timeOf(k) - 1e-3) <= k + 1);
      }),
    );
  });

  it("dueAt() counts nothing before the start and all at the end", () => {
    const schedule = new Schedule([{ ms: 1000, from: 10, to: 10 }]);
    assert.deepEqual([schedule.dueAt(-1), schedule.dueAt(0), schedule.dueAt(999), schedule.dueAt(5000)], [
      0,
      1,
      10,
      10,
    ]);
  });

  it("segmentsOf() makes ramps between stages, steps where two have one moment, and lasts until the end", () => {
    const stages = [{ atMs: 0, rate: 10 }, { atMs: 1000, rate: 20 }, { atMs: 1000, rate: 50 }];
    assert.deepEqual(segmentsOf(stages, 3000), [{ ms: 1000, from: 10, to: 20 }, {
      ms: 2000,
      from: 50,
      to: 50,
    }]);
  });
});

describe("Due", () => {
  const phase: Phase = {
    id: 1,
    startsAtMs: 0,
    durationMs: 1000,
    segments: [{ ms: 1000, from: 997, to: 997 }],
    limit: 0,
  };

  it("the threads together send each message once, at its time", () => {
    for (const threads of [1, 2, 3, 7]) {
      const times = Array.from({ length: threads }, (_, thread) => {
        const due = new Due(phase, 0, thread, threads);
        return Array.from({ length: due.count(5000) }, (_, n) => due.timeOf(n));
      }).flat().sort((a, b) => a - b);
      assert.equal(times.length, 997);
      times.forEach((time, k) => assert.ok(Math.abs(time - k / 997 * 1000) < 1e-9));
    }
  });

  it("count() never exceeds a thread's share of the limit, also when the limit is less than the threads", () => {
    for (const limit of [1, 2, 3, 10]) {
      const counts = [0, 1, 2, 3].map((thread) => new Due({ ...phase, limit }, 0, thread, 4).count(5000));
      assert.equal(counts.reduce((sum, count) => sum + count, 0), limit);
    }
  });

  it("count() of a closed loop is its limit until the end, and nothing more then", () => {
    const due = new Due({ ...phase, segments: undefined, limit: 5 }, 100, 0, 1);
    assert.deepEqual([due.count(50), due.count(150), due.count(1200)], [0, 5, 0]);
    assert.equal(due.over(1099), false);
    assert.equal(due.over(1100), true);
  });

  it("shareOf() divides without loss", () => {
    fc.assert(fc.property(fc.nat(10_000), fc.integer({ min: 1, max: 64 }), (total, threads) => {
      const shares = Array.from({ length: threads }, (_, thread) => shareOf(total, thread, threads));
      assert.equal(shares.reduce((sum, share) => sum + share, 0), total);
      assert.ok(Math.max(...shares) - Math.min(...shares) <= 1);
    }));
  });
});
