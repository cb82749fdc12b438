/**
 * Has garbage collected, where the runtime can be told so. At once only for faults on purpose, and where a thread
 * watches its heap.
 *
 * @module
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { bunGlobal, denoGlobal } from "./globals.ts";

/** The garbage-collected memory of one thread. */
export interface Heap {
  /** What the last collection left, and what was found worth keeping since, in bytes; memory outside that objects hold counts. */
  bytes(): number;
  /** Collects all garbage, and returns what is left, in bytes. The thread waits for it. */
  collect(): number;
}

/** Functions of bun:jsc. `fullGC` keeps compiled code, which `Bun.gc` throws away. */
interface BunHeap {
  heapSize(): number;
  fullGC(): number;
}

/** The heap of this thread; undefined where the runtime shows none. */
export async function openHeap(): Promise<Heap | undefined> {
  if (bunGlobal === undefined) return undefined;
  // A variable, so that Deno does not try to resolve it.
  const specifier = "bun:jsc";
  const { heapSize, fullGC } = await import(specifier) as BunHeap;
  return { bytes: heapSize, collect: fullGC };
}

/** V8's collector: only contexts that are made under its flag have it. */
let collectOnV8: (() => void) | undefined;

/** Collects all garbage of this thread, and returns when that is done. */
export function collectGarbage(): void {
  if (denoGlobal === undefined) return bunGlobal?.gc(true);
  if (collectOnV8 === undefined) {
    setFlagsFromString("--expose-gc");
    collectOnV8 = runInNewContext("gc") as () => void;
  }
  collectOnV8();
}

/** Has garbage of this thread collected soon, mostly beside its work; elsewhere it does nothing. */
export function collectSoon(): void {
  bunGlobal?.gc(false);
}
