/**
 * Searches the highest rate that holds: up in factors of two until a step fails, then by halving the interval, then a
 * longer run at what was found. Pure: it names the next step and is told how it went.
 *
 * The search is deterministic and ends: each phase has a bound on its steps.
 *
 * @module
 */

/** One step to be run. */
export interface FindStep {
  readonly kind: "ramp" | "search" | "confirm";
  readonly rate: number;
  readonly ms: number;
}

/** How long the steps of a search take. */
export interface FindTimes {
  readonly stepMs: number;
  readonly confirmMs: number;
}

const rampFactor = 2;
/** 2^30 times the first rate is beyond every machine. */
const rampStepsMax = 30;
const searchStepsMax = 10;
/** Bounds closer than this are one. */
const closeEnough = 1.02;
const confirmsMax = 4;
/** A rate that did not hold for long is lowered by this. */
const confirmFactor = 0.93;
/** Below it nothing is a rate. */
const rateMin = 1;

/** The search. */
export class FindMax {
  readonly #times: FindTimes;
  #kind: FindStep["kind"] | "done" = "ramp";
  #rate: number;
  #held = 0;
  #stepHeld = 0;
  #broke = Infinity;
  #steps = 0;
  #confirms = 0;
  #confirmed = false;

  constructor(from: number, times: FindTimes) {
    this.#rate = Math.max(rateMin, from);
    this.#times = times;
  }

  /** The step to run now; undefined when the search is over. */
  get step(): FindStep | undefined {
    if (this.#kind === "done") return undefined;
    const ms = this.#kind === "confirm" ? this.#times.confirmMs : this.#times.stepMs;
    return { kind: this.#kind, rate: this.#rate, ms };
  }

  /** The highest rate that held; 0 for none. */
  get rate(): number {
    return this.#held;
  }

  /** The highest rate that held a short step. */
  get stepRate(): number {
    return this.#stepHeld;
  }

  /** Whether that rate held in the long run too. */
  get confirmed(): boolean {
    return this.#confirmed;
  }

  /** The present step is over. */
  report(passed: boolean): void {
    this.#steps++;
    if (passed && this.#kind !== "confirm") this.#stepHeld = Math.max(this.#stepHeld, this.#rate);
    switch (this.#kind) {
      case "ramp":
        return this.#afterRamp(passed);
      case "search":
        return this.#afterSearch(passed);
      case "confirm":
        return this.#afterConfirm(passed);
      case "done":
        return;
    }
  }

  #afterRamp(passed: boolean): void {
    if (passed) this.#held = this.#rate;
    else this.#broke = this.#rate;
    if (passed && this.#broke === Infinity && this.#steps < rampStepsMax) {
      this.#rate *= rampFactor;
    } else if (!passed && this.#held === 0) {
      // Already the first rate was too much: down until one holds.
      if (this.#rate === rateMin) this.#kind = "done";
      this.#rate = Math.max(rateMin, this.#rate / (2 * rampFactor));
    } else {
      this.#steps = 0;
      this.#kind = "search";
      this.#halve();
    }
  }

  #afterSearch(passed: boolean): void {
    if (passed) this.#held = this.#rate;
    else this.#broke = this.#rate;
    this.#halve();
  }

  #halve(): void {
    if (
      this.#broke === Infinity || this.#broke / this.#held <= closeEnough || this.#steps >= searchStepsMax
    ) {
      this.#kind = "confirm";
      this.#rate = this.#held;
      return;
    }
    this.#rate = Math.sqrt(this.#held * this.#broke);
  }

  #afterConfirm(passed: boolean): void {
    this.#confirms++;
    this.#held = passed ? this.#rate : this.#rate * confirmFactor;
    this.#confirmed = passed;
    if (passed || this.#confirms >= confirmsMax) {
      if (!passed) this.#held = 0;
      this.#kind = "done";
      return;
    }
    this.#rate = this.#held;
  }
}

/** A point of the curve: rate and latency. */
export interface CurvePoint {
  readonly rate: number;
  readonly p99: number;
}

/**
 * Where a curve of latency over rate begins to bend: the point farthest below the line from its first to its last.
 * Undefined where it does not bend.
 */
export function kneeOf(points: readonly CurvePoint[]): number | undefined {
  const sorted = [...points].sort((a, b) => a.rate - b.rate);
  const [first, last] = [sorted[0], sorted[sorted.length - 1]];
  if (sorted.length < 4 || first === undefined || last === undefined) return undefined;
  const [width, height] = [last.rate - first.rate, last.p99 - first.p99];
  if (width <= 0 || height <= first.p99) return undefined;
  let knee: CurvePoint | undefined;
  let farthest = 0.1; // of the line's length: less is no bend
  for (const point of sorted) {
    const below = (point.rate - first.rate) / width - (point.p99 - first.p99) / height;
    if (below > farthest) {
      farthest = below;
      knee = point;
    }
  }
  return knee?.rate;
}
