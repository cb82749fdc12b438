/**
 * The spool's folder and bounds from what was written under `spool`. Only batches for Kafka pass a spool.
 *
 * @module
 */
import { isAbsolute, join } from "node:path";
import * as v from "valibot";
import type { Config } from "./config.ts";
import { formatSize } from "./fields.ts";
import type { Findings, ResolveContext } from "./findings.ts";
import type { WrittenConfig } from "./schema.ts";
import { spoolSchema } from "./schema_spool.ts";

/** Below this a worker's segments would be smaller than a few batches. */
export const spoolBytesMinPerWorker = 16 * 1024 * 1024;

/** Reads the section for a configuration with this sink and so many workers. */
export function resolveSpool(
  written: WrittenConfig,
  sink: Config["sink"],
  workers: number,
  context: ResolveContext,
  findings: Findings,
): Config["spool"] {
  const { spool } = written;
  if (sink !== "kafka") {
    if (spool !== undefined) {
      findings.warn(["spool"], `the sink is ${sink}, which has no spool before it; the key changes nothing`);
    }
    return undefined;
  }
  const { dir, durability, bytes_max, free_min, replay, replay_rate, parked_max } = spool ?? spoolDefaults;
  const least = workers * spoolBytesMinPerWorker;
  if (bytes_max < least) {
    findings.fault(
      ["spool", "bytes_max"],
      `${workers} worker(s) need ${formatSize(least)} at least; write more or lower workers`,
    );
  }
  return {
    dir: dir === undefined ? defaultDir(context) : context.absolute(dir),
    durability,
    bytesMax: bytes_max,
    freeBytesMin: free_min,
    replay,
    replayBytesPerS: replay_rate,
    parkedBytesMax: parked_max,
  };
}

/** What a configuration without the key has. */
const spoolDefaults: NonNullable<WrittenConfig["spool"]> = v.parse(spoolSchema, {});

/** The service manager's folder, else where the desktop keeps state, else beside where corndog was started. */
function defaultDir({ env, dataDir }: ResolveContext): string {
  const xdg = env["XDG_STATE_HOME"];
  const hasOwn = (env["STATE_DIRECTORY"] ?? "") !== "";
  return !hasOwn && xdg !== undefined && isAbsolute(xdg)
    ? join(xdg, "corndog", "spool")
    : join(dataDir, "spool");
}
