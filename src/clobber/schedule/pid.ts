/**
 * A PID controller, and with it the number of connections that a load needs. Pure.
 *
 * The controller works on the logarithm of the number: a target's rate is proportional to the connections while there
 * are too few, so in logarithms every target has the same gain and one set of constants fits all. Terms use the real
 * time step; the integral stops while the output is at a bound and the error would drive it further (no wind-up).
 *
 * @module
 */

/** Constants of a controller. */
export interface PidGains {
  readonly proportional: number;
  /** Per second. */
  readonly integral: number;
  /** Seconds. */
  readonly derivative: number;
}

/** The controller. */
export class Pid {
  readonly #gains: PidGains;
  readonly #low: number;
  readonly #high: number;
  #sum: number;
  #lastError: number | undefined;

  constructor(gains: PidGains, low: number, high: number, start: number) {
    this.#gains = gains;
    this.#low = low;
    this.#high = high;
    this.#sum = start;
  }

  /** The output for this error, `seconds` after the last one. */
  step(error: number, seconds: number): number {
    const { proportional, integral, derivative } = this.#gains;
    const slope = this.#lastError === undefined || seconds <= 0 ? 0 : (error - this.#lastError) / seconds;
    this.#lastError = error;
    const others = proportional * error + derivative * slope;
    const output = this.#sum + integral * error * seconds + others;
    const drivesOut = (output > this.#high && error > 0) || (output < this.#low && error < 0);
    if (!drivesOut) this.#sum += integral * error * seconds;
    this.#sum = Math.max(this.#low, Math.min(this.#high, this.#sum));
    return Math.max(this.#low, Math.min(this.#high, output));
  }
}

/** What one period showed. */
export interface DemandSample {
  readonly seconds: number;
  readonly answeredRate: number;
  /** Time from sending to the answer: the mean where there is a rate, else the median. */
  readonly latencyMs: number;
  /** Messages that were due and had no connection. */
  readonly backlog: number;
}

/** Part of the connections that is in use when their number is right: the rest takes the bursts. */
export const useWanted = 0.7;
/** Latency over the lowest seen, in a closed loop: above it messages wait for each other. */
export const queueWanted = 1.2;

/** The lowest latency rises by this in each period, so that a target that became slower is not held against its past. */
const forget = 1.0002;

const gains: PidGains = { proportional: 0.35, integral: 0.9, derivative: 0.02 };
/** One: the lowest latency is that of a message which nobody is ahead of. */
const startConnections = 1;
/** Errors are bounded: one odd period must not throw the number about. */
const errorMax = 1;

/**
 * The number of connections by a PID controller. With a rate: as many as are in use (rate times latency, by Little's
 * law) plus a reserve. Without: as many as the target works on at once, judged by latency over its lowest.
 */
export class AutoConnections {
  readonly #pid: Pid;
  readonly #open: boolean;
  #lowestMs = Infinity;
  #connections = startConnections;

  constructor(most: number, open: boolean) {
    this.#open = open;
    this.#connections = Math.min(most, startConnections);
    this.#pid = new Pid(gains, 0, Math.log(most), Math.log(this.#connections));
  }

  get connections(): number {
    return this.#connections;
  }

  /** A period is over; gives the number for the next. */
  step(sample: DemandSample): number {
    if (sample.answeredRate <= 0 && sample.backlog <= 0) return this.#connections;
    const error = this.#open ? this.#useError(sample) : this.#queueError(sample);
    const bounded = Math.max(-errorMax, Math.min(errorMax, error));
    return this.#connections = Math.max(1, Math.round(Math.exp(this.#pid.step(bounded, sample.seconds))));
  }

  #useError({ answeredRate, latencyMs, backlog }: DemandSample): number {
    const used = answeredRate * latencyMs / 1000 + backlog;
    return Math.log(Math.max(0.1, used) / (useWanted * this.#connections));
  }

  #queueError({ latencyMs }: DemandSample): number {
    this.#lowestMs = Math.min(this.#lowestMs * forget, latencyMs);
    return Math.log(queueWanted * this.#lowestMs / latencyMs) *
      (latencyMs > queueWanted * this.#lowestMs ? 1 : 2);
  }
}
