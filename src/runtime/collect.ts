/**
 * Has garbage collected, where the runtime can be told so. At once only for faults on purpose.
 *
 * @module
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { bunGlobal, denoGlobal } from "./globals.ts";

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
