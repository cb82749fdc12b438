/**
 * Who may work for how long in a turn of the event loop. A turn has a budget over all streams, and each stream a share
 * of it, which is small while others send little: they wait for a part of a turn, not for all of it. What is over its
 * share goes on in the next turn.
 *
 *     one stream alone              |████████ 2 ms|████████|████████|
 *     beside others that send much  |████████|others|  5 ms at most
 *     beside others that send little|██ 0.5 ms|·|·|██|·|██|·|·|·|██|
 *
 * Who sends little is what the books of the connections say (src/io/rests.ts).
 *
 * @module
 */
import { setImmediate } from "node:timers";
import { thinBytesMax } from "../io/rests.ts";

/** What one stream may take of a turn. */
const streamMs = 2;
/** The same beside others that send little. */
const besideThinMs = 0.5;
/** What all streams together may take of a turn of the event loop. */
const turnMs = 5;
/** What small requests may take of it beyond that: to let one wait costs more than to place it. */
const smallRequestMs = 5;
/** Bytes of a small request. */
const smallRequestBytesMax = 4 * 1024;

/** The books of one stream. */
export interface TurnShare {
  /** The turn in which it was last at work, and for how long. */
  turn: number;
  turnMs: number;
}

/** The turns of one worker. */
export class TurnShares {
  readonly #nextTurn: () => void;
  readonly #besideThin: (nowMs: number) => boolean;
  /** End of this turn's budget on the monotonic clock; 0 where the turn has not begun. */
  #endsMs = 0;
  /** Turns that were begun. */
  #turns = 0;

  /**
   * `nextTurn` is called when a turn is over that somebody worked in; `besideThin` tells whether connections that send
   * little were here lately.
   */
  constructor(nextTurn: () => void, besideThin: (nowMs: number) => boolean) {
    this.#nextTurn = nextTurn;
    this.#besideThin = besideThin;
  }

  /** Until when a stream may work that has `bytes`; the first who asks in a turn begins it. */
  untilMs(share: TurnShare, bytes: number, isRequest: boolean, nowMs: number): number {
    if (this.#endsMs === 0) {
      this.#turns++;
      this.#endsMs = nowMs + turnMs;
      setImmediate(this.#end);
    }
    if (share.turn !== this.#turns) {
      share.turn = this.#turns;
      share.turnMs = 0;
    }
    const grace = isRequest && bytes <= smallRequestBytesMax ? smallRequestMs : 0;
    return Math.min(this.#endsMs + grace, nowMs + this.#shareMs(bytes, nowMs) - share.turnMs);
  }

  /** Whether this turn has time left. */
  hasTime(): boolean {
    return this.#endsMs === 0 || performance.now() < this.#endsMs;
  }

  #shareMs(bytes: number, nowMs: number): number {
    return bytes > thinBytesMax && this.#besideThin(nowMs) ? besideThinMs : streamMs;
  }

  readonly #end = (): void => {
    this.#endsMs = 0;
    this.#nextTurn();
  };
}
