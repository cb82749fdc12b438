/**
 * How long work takes that nothing interrupts, on a machine whose cores others use too: they make it slower, never
 * faster, so the best of some tries is what the work itself needs.
 *
 * @module
 */
import { performance } from "node:perf_hooks";

/** After so long nothing is tried again: what is slow by itself is told, not repeated. */
const patienceMs = 20_000;

/** Milliseconds of the best of up to `triesMax` runs of `work`; the first that takes less than `enoughMs` is the last. */
export function bestMs(work: () => void, enoughMs: number, triesMax = 30): number {
  const endMs = performance.now() + patienceMs;
  let best = Infinity;
  for (let nth = 0; nth < triesMax && best >= enoughMs; nth++) {
    const startMs = performance.now();
    if (startMs > endMs) break;
    work();
    best = Math.min(best, performance.now() - startMs);
  }
  return best;
}
