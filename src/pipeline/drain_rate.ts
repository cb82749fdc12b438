/**
 * How fast batches leave, for the Retry-After of requests that find no room. Pure: the clock and the count come in.
 *
 * @module
 */

/** Weight of the newest look; half of what is known is two looks old. */
const weight = 0.3;
/** Nobody is asked to come again sooner, or later. */
const retryMsMin = 100;
const retryMsMax = 60_000;

/** A moving average of bytes per second. */
export class DrainRate {
  readonly #bytesDone: () => number;
  #lookedAtMs = -1;
  #bytes = 0;
  /** Zero where nothing left lately, or nothing was looked at yet. */
  bytesPerSecond = 0;

  constructor(bytesDone: () => number) {
    this.#bytesDone = bytesDone;
  }

  /** Takes a sample; a few times per second. */
  look(nowMs: number): void {
    const bytes = this.#bytesDone();
    if (this.#lookedAtMs >= 0 && nowMs > this.#lookedAtMs) {
      const now = (bytes - this.#bytes) * 1000 / (nowMs - this.#lookedAtMs);
      this.bytesPerSecond += weight * (now - this.bytesPerSecond);
      if (this.bytesPerSecond < 1) this.bytesPerSecond = 0;
    }
    this.#lookedAtMs = nowMs;
    this.#bytes = bytes;
  }

  /** When `bytes` will have left, in bounds; the upper one where nothing leaves. */
  msFor(bytes: number): number {
    if (bytes === 0) return retryMsMin;
    const ms = this.bytesPerSecond === 0 ? retryMsMax : bytes * 1000 / this.bytesPerSecond;
    return Math.round(Math.min(retryMsMax, Math.max(retryMsMin, ms)));
  }
}
