/**
 * The runtime this process runs on.
 *
 * @module
 */

import { ForwarderError } from "../core/errors.ts";
import { bunRuntime } from "./bun.ts";
import { denoRuntime } from "./deno.ts";
import { bunGlobal, denoGlobal } from "./globals.ts";
import type { Runtime } from "./runtime.ts";

function choose(): Runtime {
  if (bunGlobal !== undefined) return bunRuntime(bunGlobal);
  if (denoGlobal !== undefined) return denoRuntime(denoGlobal);
  throw new ForwarderError("not_supported", "Cannot run here: neither Bun nor Deno");
}

/** The runtime of this process. */
export const runtime: Runtime = choose();
