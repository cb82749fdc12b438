/**
 * Has garbage collected at once, where the runtime can be told so: Bun. Only faults on purpose do that.
 *
 * @module
 */
import { bunGlobal } from "./globals.ts";

/** Collects all garbage of this thread, and returns when that is done; elsewhere it does nothing. */
export function collectGarbage(): void {
  bunGlobal?.gc(true);
}
