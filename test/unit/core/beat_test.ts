import assert from "node:assert/strict";
import { test } from "node:test";
import { everyBeat, longestBeats, untilBeatMs } from "../../../src/core/beat.ts";
import { until } from "../../support/until.ts";

test("untilBeatMs() ends at moments that all threads of a process share, a period apart", () => {
  for (const periodMs of [500, 1_000, 2_000]) {
    for (let epochMs = 1_700_000_000_000; epochMs < 1_700_000_004_000; epochMs += 7) {
      const delayMs = untilBeatMs(periodMs, epochMs, 4711);
      const late = untilBeatMs(periodMs, epochMs + delayMs, 4711);
      assert.ok(delayMs >= periodMs / 4, `${delayMs} after ${epochMs}`);
      assert.ok(delayMs <= periodMs * longestBeats, `${delayMs} after ${epochMs}`);
      assert.equal(late, periodMs, "where it ends a whole period begins");
    }
  }
});

test("untilBeatMs() waits for the next moment but one when a timer came too early", () => {
  const beatMs = 1_700_000_000_000 + untilBeatMs(1_000, 1_700_000_000_000, 4711);
  assert.equal(untilBeatMs(1_000, beatMs - 1, 4711), 1_001);
  assert.equal(untilBeatMs(1_000, beatMs + 1, 4711), 999);
});

test("untilBeatMs() has other moments for other processes", () => {
  const moments = Array.from({ length: 100 }, (_, pid) => untilBeatMs(1_000, 1_700_000_000_000, 4711 + pid));
  assert.ok(new Set(moments).size > 90, "neighbours do not wake together");
});

test("everyBeat() calls again and again until it is ended", async () => {
  let calls = 0;
  const stop = everyBeat(20, () => calls++);
  await until("three calls", () => calls >= 3 || undefined);
  stop();
  const atEnd = calls;
  await new Promise((resolve) => setTimeout(resolve, 60));
  assert.equal(calls, atEnd);
});
