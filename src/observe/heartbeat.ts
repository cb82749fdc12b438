/**
 * Tells how long a worker's heartbeat has not moved.
 *
 * Each thread has a monotonic clock with a zero of its own (on Bun and on Deno, `performance.now()` and
 * `process.hrtime()` alike), so that ages are taken on the watcher's clock from the moment it saw a change.
 * The age is thus exact to the interval at which the watcher looks.
 *
 * @module
 */

/** Watches the heartbeats of all workers from one thread. */
export class HeartbeatWatch {
  readonly #seen: Float64Array;
  readonly #changedAtMs: Float64Array;

  /** `nowMs` is the watcher's monotonic clock, here and in `look`. */
  constructor(workers: number, nowMs: number) {
    this.#seen = new Float64Array(workers);
    this.#changedAtMs = new Float64Array(workers).fill(nowMs);
  }

  /** Takes note of a worker's heartbeat and returns its age in milliseconds. */
  look(worker: number, heartbeat: number, nowMs: number): number {
    if (heartbeat !== this.#seen[worker]) {
      this.#seen[worker] = heartbeat;
      this.#changedAtMs[worker] = nowMs;
    }
    return nowMs - this.#changedAtMs[worker];
  }
}
