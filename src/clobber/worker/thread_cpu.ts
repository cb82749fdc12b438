/**
 * Processor time of the calling thread, and how long it was ready to run and had no processor: Linux tells both in
 * /proc/thread-self/schedstat. Elsewhere there is nothing to read, and reports leave it out.
 *
 * @module
 */
import { readFileSync } from "node:fs";

/** Milliseconds since the thread began; undefined where the system does not say. */
export function threadCpu(): { readonly runMs: number; readonly waitMs: number } | undefined {
  try {
    const [run, wait] = readFileSync("/proc/thread-self/schedstat", "latin1").split(" ").map(Number);
    if (!Number.isFinite(run) || !Number.isFinite(wait)) return undefined;
    return { runMs: run! / 1e6, waitMs: wait! / 1e6 };
  } catch {
    return undefined;
  }
}
