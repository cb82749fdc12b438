/**
 * Whether a batch that answers wait for should stay open for a moment because more requests are about to come. Clients
 * on kept connections send the next request as soon as they are answered: those that were answered together come
 * together. A batch that leaves with the first of them leaves the others to the next one, so that each request waits
 * for batches that carry a few, one behind the other.
 *
 *     answers of a batch ──> the same clients come back within a moment ──> their batch leaves
 *                        └──> they did not the last time: it leaves at once, as without this
 *
 * What the last answers were followed by says what these will be: who sends at a rate of its own waits for nobody.
 *
 * @module
 */

/** They are back by then, or they do not come. */
export const gatherMs = 1;
/** Fewer are not waited for. */
export const gatherMin = 8;
/** Of those that were answered so many are enough: the slowest does not hold up the others. */
const enoughShare = 3 / 4;

/** Watches the requests of one worker come and go. */
export class Gathering {
  readonly #nowMs: () => number;
  #untilMs = -Infinity;
  #answered = 0;
  #back = 0;
  /** What came of the last answers: most were followed by a request within the moment. */
  #comesTrue = false;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** True while requests are about to come that are worth waiting for. */
  get isOpen(): boolean {
    return this.#comesTrue && this.#answered >= gatherMin && !this.#isEnough && this.#nowMs() < this.#untilMs;
  }

  /** A request was answered because its batch had come as far as was asked. */
  answered(): void {
    const nowMs = this.#nowMs();
    if (nowMs >= this.#untilMs) {
      if (this.#answered >= gatherMin) this.#comesTrue = this.#isEnough;
      this.#answered = this.#back = 0;
      this.#untilMs = nowMs + gatherMs;
    }
    this.#answered++;
  }

  /** A request came whose batch is to leave soon. True where it is the one that was waited for. */
  came(): boolean {
    if (this.#answered < gatherMin || this.#isEnough || this.#nowMs() >= this.#untilMs) return false;
    this.#back++;
    return this.#isEnough && this.#comesTrue;
  }

  get #isEnough(): boolean {
    return this.#back >= this.#answered * enoughShare;
  }
}
