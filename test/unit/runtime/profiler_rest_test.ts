import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { profileFor, restProfiler } from "../../../src/runtime/profiler.ts";

/** How often the threads that only JavaScriptCore's sampler has the name of woke up; Deno has none. */
function samplerWakes(): number {
  let wakes = 0;
  for (const id of readdirSync("/proc/self/task")) {
    try {
      if (readFileSync(`/proc/self/task/${id}/comm`, "utf8").trim() !== "thread") continue;
      const status = readFileSync(`/proc/self/task/${id}/status`, "utf8");
      wakes += Number(/\nvoluntary_ctxt_switches:\s+(\d+)/.exec(status)![1]);
    } catch {
      // It ended between the two.
    }
  }
  return wakes;
}

test("restProfiler() leaves nothing that wakes up all the time when a profile was taken", async () => {
  await profileFor(100);
  await restProfiler();
  // One more wake at the former interval may be under way.
  const before = samplerWakes();
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const wakes = samplerWakes() - before;
  assert.ok(wakes < 50, `${wakes} wakes in a second, and every 2 ms would be hundreds`);
});
