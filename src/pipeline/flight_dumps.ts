/**
 * The flight recorder on the disk: when somebody asks by SIGUSR2, and when a worker is held for a second.
 *
 * @module
 */
import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { messageOf } from "../core/errors.ts";
import type { Logger } from "../observe/log.ts";

/** Dumps that are kept; older ones go. */
const dumpsMax = 10;
/** A worker that stumbles again and again does not fill the disk. */
const pauseMs = 60_000;

const name = /^flight-[0-9TZ-]+-[a-z]+\.json$/;

/** Writes dumps into the state folder. */
export class FlightDumps {
  readonly #trace: () => object;
  readonly #log: Logger;
  #lastMs = -Infinity;

  constructor(trace: () => object, log: Logger) {
    this.#trace = trace;
    this.#log = log;
  }

  /** Writes one; `why` is part of its name. Those that nobody asked for are written once a minute at most. */
  write(why: "signal" | "stall" | string): void {
    const nowMs = performance.now();
    if (why !== "signal" && nowMs - this.#lastMs < pauseMs) return;
    this.#lastMs = nowMs;
    void this.#write(why);
  }

  async #write(why: string): Promise<void> {
    // Only where state may be kept: a forwarder that was started by hand leaves nothing about.
    const folder = process.env.STATE_DIRECTORY?.split(":")[0] ?? "corndog-data";
    const path = join(folder, `flight-${new Date().toISOString().replace(/[:.]/g, "-")}-${why}.json`);
    try {
      await mkdir(folder, { recursive: true });
      await writeFile(path, JSON.stringify(this.#trace()), { mode: 0o600 });
      this.#log.info("flight_written", { path, why });
      const old = (await readdir(folder)).filter((file) => name.test(file)).sort().slice(0, -dumpsMax);
      for (const file of old) await rm(join(folder, file), { force: true });
    } catch (error) {
      this.#log.warn("flight_failed", { path, problem: messageOf(error) });
    }
  }
}
