/**
 * Has garbage collected, where the runtime can be told so: Bun. At once only for faults on purpose.
 *
 * @module
 */
import { bunGlobal } from "./globals.ts";

/** Collects all garbage of this thread, and returns when that is done; elsewhere it does nothing. */
export function collectGarbage(): void {
  bunGlobal?.gc(true);
}

/** Has garbage of this thread collected soon, mostly beside its work; elsewhere it does nothing. */
export function collectSoon(): void {
  bunGlobal?.gc(false);
}
