/**
 * How many chunks of chunked bodies are parsed in a turn of the event loop: a body may be sent as chunks of one byte, of
 * which 512 KiB as they are read hold 87,000, so that bytes alone say little about the work.
 *
 *     one connection alone   |1,024|1,024|1,024|
 *     beside many alike      |1,024 × 8, then 64 64 64|1,024 …|
 *
 * @module
 */
import { setImmediate } from "node:timers";

/** Of one connection: 0.1 ms, a millisecond where the code has not been compiled. */
const shareMax = 1024;
/** Of all connections of a listener. */
const turnMax = 8 * 1024;
/** What each has in any case, so that none waits for ever. */
const shareMin = 64;

/** The chunks that one listener's connections in a worker may parse. */
export class Pieces {
  #spent = 0;

  /** How many a connection may parse now. */
  get share(): number {
    return Math.max(shareMin, Math.min(shareMax, turnMax - this.#spent));
  }

  /** So many were parsed. */
  spend(pieces: number): void {
    if (pieces === 0) return;
    if (this.#spent === 0) setImmediate(this.#end);
    this.#spent += pieces;
  }

  readonly #end = (): void => {
    this.#spent = 0;
  };
}
