/**
 * Connections that send much rest for a moment after each chunk while others send little, so that these find the
 * processor free: the turns of one worker alone do not help who waits for a core, and what a chunk costs behind its
 * worker (the system's buffers, Kafka's connection) is paid after its turn.
 *
 *     alone                       |chunk|chunk|chunk|chunk|chunk|
 *     beside who sends little     |chunk|· ·|chunk|· ·|chunk|· ·|
 *
 * Who sends little is decided here, by connection, for the turns of the intake too: a request of RELP or HTTP is a new
 * stream there, and the last piece of much would be one that sends little. Nor does the first piece of much count: the
 * handler hears of a large chunk before its bytes are looked at.
 *
 * Hot path: a small chunk costs two comparisons, a large one a look at the clock.
 *
 * @module
 */
import type { Tracked } from "./tracked.ts";

/** A larger chunk is from a connection that sends much. */
export const thinBytesMax = 16 * 1024;
/** Others that sent little were here so lately. */
const thinLatelyMs = 100;
/** Who sent much is one who does for so many sweeps, a second or so. */
const muchSweeps = 4;
/** A moment: what the timers of both runtimes can keep. A longer one lets more come meanwhile, and at once. */
const restMs = 1;

/** The connections of one worker that rest. */
export class Rests {
  readonly #nowMs: () => number;
  readonly #resting = new Set<Tracked<unknown>>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** One that sent little since the last look, whether others did too, and when a look found any. */
  #thin: Tracked<unknown> | undefined;
  #thinOthers = false;
  #thinMs = -Infinity;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** A chunk of `bytes` is about to be handled. */
  receives(tracked: Tracked<unknown>, bytes: number): void {
    if (bytes <= thinBytesMax) return;
    // What it sent before was the beginning of much.
    if (this.#thin === tracked && !this.#thinOthers) this.#thin = undefined;
    tracked.muchSweeps = muchSweeps;
  }

  /** A chunk of `bytes` was handled. */
  received(tracked: Tracked<unknown>, bytes: number): void {
    if (bytes <= thinBytesMax) {
      // The last piece of much is nothing of its own.
      if (tracked.muchSweeps === 0 && this.#thin !== tracked) {
        if (this.#thin === undefined) this.#thin = tracked;
        else this.#thinOthers = true;
      }
      return;
    }
    if (!this.besideThin(this.#nowMs())) return;
    tracked.rest();
    this.#resting.add(tracked);
    this.#timer ??= setTimeout(this.#over, restMs);
  }

  /** True where connections that send little were here lately. */
  besideThin(nowMs: number): boolean {
    if (this.#thin !== undefined) {
      this.#thin = undefined;
      this.#thinOthers = false;
      this.#thinMs = nowMs;
    }
    return nowMs - this.#thinMs < thinLatelyMs;
  }

  readonly #over = (): void => {
    this.#timer = undefined;
    const resting = [...this.#resting];
    this.#resting.clear();
    for (const tracked of resting) tracked.goOn();
  };
}
