/**
 * The runtime this process runs on.
 *
 * @module
 */

import { ForwarderError } from "../core/errors.ts";
import { bunRuntime } from "./bun.ts";
import { denoRuntime } from "./deno.ts";
import type { Dial } from "./dial.ts";
import { bunDial } from "./dial_bun.ts";
import { denoDial } from "./dial_deno.ts";
import { dialNode } from "./dial_node.ts";
import { bunGlobal, denoGlobal } from "./globals.ts";
import type { Runtime } from "./runtime.ts";

function choose(): Runtime {
  if (bunGlobal !== undefined) return bunRuntime(bunGlobal);
  if (denoGlobal !== undefined) return denoRuntime(denoGlobal);
  throw new ForwarderError("not_supported", "Cannot run here: neither Bun nor Deno");
}

/** The runtime of this process. */
export const runtime: Runtime = choose();

/** Outgoing connections of this process. */
export const dial: Dial = bunGlobal !== undefined
  ? bunDial(bunGlobal)
  : denoGlobal !== undefined
  ? denoDial(denoGlobal)
  : dialNode;
