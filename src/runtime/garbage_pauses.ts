/**
 * How long the collector of garbage has held this thread, where the runtime tells: V8's own times, through Deno's
 * `node:v8`. Bun has the same name, but its times are not those of the pauses; there the collector's threads say it.
 *
 * @module
 */
import { GCProfiler } from "node:v8";
import { denoGlobal } from "./globals.ts";

/** Deno gives nanoseconds where Node.js gives microseconds. */
const unitsPerMs = 1e6;

/** Milliseconds in which this thread stood still for its collector, since the first call. */
export type ReadGarbagePauses = () => number;

/**
 * Begins to count the pauses of this thread; undefined where the runtime does not tell of them. What was collected is
 * known as soon as the thread goes on. The profiler keeps a record per collection until it is asked: ask often.
 */
export function countGarbagePauses(): ReadGarbagePauses | undefined {
  if (denoGlobal === undefined) return undefined;
  try {
    let profiler = begun();
    let totalMs = 0;
    return () => {
      for (const { cost } of profiler.stop().statistics) totalMs += cost / unitsPerMs;
      profiler = begun();
      return totalMs;
    };
  } catch {
    // Help for people, never a reason to fail.
    return undefined;
  }
}

function begun(): GCProfiler {
  const profiler = new GCProfiler();
  profiler.start();
  return profiler;
}
