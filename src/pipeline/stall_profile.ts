/**
 * After a worker was held for the first time it watches itself: it samples its work in short windows for a minute, and
 * tells what the time of a window went into in which it was held again.
 *
 * @module
 */
import { type Profile, profileFor, restProfiler } from "../runtime/profiler.ts";

/** One window; a stall makes it longer. */
const windowMs = 1_000;
/** How long it watches after a stall. */
const armedMs = 60_000;
/** A window that took so much longer had a stall in it. */
const heldMsMin = 80;

/** A window in which the worker was held. */
export interface StallProfile extends Profile {
  /** How long at least. */
  readonly heldMs: number;
}

/** One worker's side. */
export class StallProfiler {
  readonly #tell: (profile: StallProfile) => void;
  readonly #sample: typeof profileFor;
  readonly #rest: typeof restProfiler;
  #untilMs = 0;
  #running = false;

  constructor(
    tell: (profile: StallProfile) => void,
    sample: typeof profileFor = profileFor,
    rest: typeof restProfiler = restProfiler,
  ) {
    this.#tell = tell;
    this.#sample = sample;
    this.#rest = rest;
  }

  /** The worker was held: it watches from now on, or for longer. */
  arm(nowMs: number): void {
    this.#untilMs = nowMs + armedMs;
    if (!this.#running) void this.#run();
  }

  /** It watches no more when the window is over. */
  stop(): void {
    this.#untilMs = 0;
  }

  async #run(): Promise<void> {
    this.#running = true;
    let failed = false;
    for (let fromMs = performance.now(); fromMs < this.#untilMs; fromMs = performance.now()) {
      const profile = await this.#sample(windowMs);
      if (profile === undefined) {
        failed = true;
        break;
      }
      const heldMs = performance.now() - fromMs - windowMs;
      if (heldMs >= heldMsMin && profile.samples > 0 && this.#untilMs > 0) {
        this.#tell({ ...profile, heldMs: Math.round(heldMs) });
      }
    }
    await this.#rest();
    this.#running = false;
    // It was armed meanwhile.
    if (performance.now() < this.#untilMs && !failed) void this.#run();
  }
}
