/**
 * How fast a thread opens connections: at the pace that was asked for on the way up, never more at once than a
 * listener's backlog takes, and those that fail again and again less and less often.
 *
 * @module
 */
import type { Random } from "../payload/random.ts";

/** Wait before a slot is dialled again, doubled with each failure. */
const retryMsMin = 20;
/** Longest such wait. */
export const retryMsMax = 1000;
/** Dials under way in one thread; more only overflow the listener's backlog. */
const dialsMax = 256;

/** The pace of one thread. */
export class DialPace {
  readonly #perSecond: number;
  readonly #slots: number;
  readonly #random: Random;
  #underWay = 0;
  #begun = 0;
  #firstMs = 0;

  /**
   * @param perSecond new connections per second on the way up; 0 is all at once
   * @param slots connections of the way up: one that is opened again is churn and is not paced
   */
  constructor(perSecond: number, slots: number, random: Random) {
    this.#perSecond = perSecond;
    this.#slots = slots;
    this.#random = random;
  }

  /** Whether one more may be dialled now. */
  may(now: number): boolean {
    if (this.#underWay >= dialsMax) return false;
    if (this.#perSecond === 0) return true;
    if (this.#begun === 0) this.#firstMs = now;
    if (this.#begun >= this.#slots) return true;
    return this.#begun < (now - this.#firstMs) / 1000 * this.#perSecond + 1;
  }

  /** One was dialled. */
  began(): void {
    this.#underWay++;
    this.#begun++;
  }

  /** One opened, or failed. */
  ended(): void {
    this.#underWay--;
  }

  /** How long a slot waits after so many failures in a row; a part of it is chance, so that slots do not march in step. */
  waitMs(failuresInRow: number): number {
    if (failuresInRow === 0) return 0;
    const most = Math.min(retryMsMax, retryMsMin * 2 ** Math.min(10, failuresInRow - 1));
    return most * (0.5 + this.#random.fraction() / 2);
  }
}
