/**
 * What all rules together may do with one line, so that no set of rules holds a worker.
 *
 * Each search names the most steps that it can take, which is often many times what it does take. So steps are given
 * out in slices: the first is large and free, and lines of ordinary length never need another. Then the clock is
 * asked. Until `lineMsMax` has gone by since, the next slice is given; a search that is larger than a slice gets one
 * of its size. The longest a line can take is the first slice, `lineMsMax`, and one largest search: 12 + 10 + 24 ms
 * at the 40 ns of the slowest step.
 *
 * Hot path: `take` is a comparison and a subtraction.
 *
 * @module
 */

/** Steps of the largest search, those of the linear engine: 40 ns each at the most. */
export const searchStepsMax = 600_000;

/** Steps that every line has. */
export const firstSliceSteps = 300_000;

/** Steps that are given out at a time when these are used up. */
export const sliceSteps = 100_000;

/** So long after the first slice a line gets no further one. */
export const lineMsMax = 10;

/** Edges that a native engine tries in the time of one step: 5 ns each at the most. */
export const edgesPerStep = 8;

/** Characters of a line for each of which a rule takes a step, beside what its patterns take: to be looked through, copied, parsed. */
export const charsPerStep = 32;

/** The budget of one line at a time. */
export class StepBudget {
  readonly #nowMs: () => number;
  #left = firstSliceSteps;
  /** When the first slice was used up. */
  #sinceMs = Number.NaN;

  /** `nowMs` is a clock that never goes back. */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** Begins with a new line. */
  begin(): void {
    this.#left = firstSliceSteps;
    this.#sinceMs = Number.NaN;
  }

  /** Takes `steps`; false if the line has had its time, or if they are too many for any line. */
  take(steps: number): boolean {
    if (steps <= this.#left) {
      this.#left -= steps;
      return true;
    }
    return this.#refill(steps);
  }

  #refill(steps: number): boolean {
    if (steps > searchStepsMax) return false;
    const nowMs = this.#nowMs();
    if (Number.isNaN(this.#sinceMs)) this.#sinceMs = nowMs;
    else if (nowMs - this.#sinceMs > lineMsMax) return false;
    this.#left = Math.max(sliceSteps, steps) - steps;
    return true;
  }
}
