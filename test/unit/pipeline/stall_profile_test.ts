import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { StallProfiler } from "../../../src/pipeline/stall_profile.ts";
import { profileFor } from "../../../src/runtime/profiler.ts";
import { until } from "../../support/until.ts";

/** Work that a profile can name. */
function greedyRule(ms: number): void {
  for (const untilMs = performance.now() + ms; performance.now() < untilMs;) /(a+)+b/.test("a".repeat(16));
}

describe("profileFor()", () => {
  it("names the function, and on Bun the regular expression in it", async () => {
    const seen = await until("a sample of the work", async () => {
      setTimeout(() => greedyRule(200), 20);
      const profile = await profileFor(300);
      return profile!.samples > 10 ? profile : undefined;
    }, 20_000);
    const [{ stack, share }] = seen!.stacks as [{ stack: string; share: number }];
    // V8 may take the expression for a part of the function.
    assert.match(stack, "Bun" in globalThis ? /^\/\(a\+\)\+b\/ < .*greedyRule/ : /greedyRule/);
    assert.ok(share > 0.5, String(share));
  });
});

describe("StallProfiler", () => {
  it("tells of windows in which the worker was held, and of no others", async () => {
    const told: number[] = [];
    let windows = 0;
    const profiler = new StallProfiler(({ heldMs }) => {
      told.push(heldMs);
      profiler.stop();
    }, async (ms) => {
      windows++;
      // A window is as long as it is; the third has a stall in it.
      await new Promise((resolve) => setTimeout(resolve, ms + (windows === 3 ? 400 : 0)));
      return { samples: 1, stacks: [] };
    });
    profiler.arm(performance.now());
    await until("the stall", () => told.length > 0 || undefined, 20_000);
    assert.ok(told[0]! >= 80);
  });

  it("ends where the runtime has no profiler", async () => {
    let windows = 0;
    const profiler = new StallProfiler(() => assert.fail("nothing is known"), () => {
      windows++;
      return Promise.resolve(undefined);
    });
    profiler.arm(performance.now());
    await until("the only window", () => windows > 0 || undefined);
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(windows, 1);
  });
});
