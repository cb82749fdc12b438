/**
 * What each rule costs, from samples: one line in `linesPerSample` is timed rule by rule, which costs the others
 * nothing but a counter.
 *
 * @module
 */

/** Power of two. At 1 M lines/s a thousand samples a second. */
export const linesPerSample = 1024;

/** Sampled times by rule index. */
export class RuleTimes {
  /** Sampled tries of each rule. */
  readonly tries: Float64Array;
  /** Milliseconds of them together. */
  readonly ms: Float64Array;
  readonly #nowMs: () => number;
  #rule = -1;
  #sinceMs = 0;

  constructor(rules: number, nowMs: () => number) {
    this.tries = new Float64Array(rules);
    this.ms = new Float64Array(rules);
    this.#nowMs = nowMs;
  }

  /** The try of `rule` begins, that of the one before ends; -1 ends the line. */
  lap(rule: number): void {
    const now = this.#nowMs();
    if (this.#rule >= 0) {
      this.tries[this.#rule]!++;
      this.ms[this.#rule]! += now - this.#sinceMs;
    }
    this.#rule = rule;
    this.#sinceMs = now;
  }
}
