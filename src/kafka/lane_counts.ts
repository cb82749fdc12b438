/**
 * What went over the way to one broker since the start: requests, answers, and how long answers took, in buckets as
 * Prometheus counts them.
 *
 * @module
 */

/** Upper bounds of the buckets, milliseconds: acknowledgements within a rack, across regions, and of a broker in need. */
export const answerBoundsMs: readonly number[] = [
  1,
  2.5,
  5,
  10,
  25,
  50,
  100,
  250,
  500,
  1000,
  2500,
  5000,
  10_000,
  30_000,
];

/** As a status shows it. */
export interface LaneCountsReport {
  readonly requests: number;
  readonly answers: number;
  /** Requests that came back without an answer, because the connection ended. */
  readonly unanswered: number;
  readonly bytesSent: number;
  readonly answerMsSum: number;
  /** Pauses that the broker asked for (quota), together. */
  readonly throttledMs: number;
  /** Answers of at most so many milliseconds, by `answerBoundsMs`. */
  readonly answersWithin: readonly number[];
}

/** The counts of one broker. */
export class LaneCounts {
  #requests = 0;
  #answers = 0;
  #unanswered = 0;
  #bytesSent = 0;
  #answerMsSum = 0;
  #throttledMs = 0;
  readonly #buckets = new Float64Array(answerBoundsMs.length);

  sent(bytes: number): void {
    this.#requests++;
    this.#bytesSent += bytes;
  }

  answered(ms: number): void {
    this.#answers++;
    this.#answerMsSum += ms;
    const bucket = answerBoundsMs.findIndex((bound) => ms <= bound);
    if (bucket >= 0) this.#buckets[bucket]!++;
  }

  unanswered(): void {
    this.#unanswered++;
  }

  throttled(ms: number): void {
    this.#throttledMs += ms;
  }

  get throttledMs(): number {
    return this.#throttledMs;
  }

  report(): LaneCountsReport {
    let within = 0;
    return {
      requests: this.#requests,
      answers: this.#answers,
      unanswered: this.#unanswered,
      bytesSent: this.#bytesSent,
      answerMsSum: this.#answerMsSum,
      throttledMs: this.#throttledMs,
      answersWithin: Array.from(this.#buckets, (count) => within += count),
    };
  }
}
