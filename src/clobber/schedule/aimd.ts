/**
 * Finds the number of connections with which a target answers most, and no more than that: additive increase while
 * there are too few, multiplicative decrease while fewer would do. Pure; one step for each period.
 *
 *     more than 1 % failed                           x 0.7
 *     best so far by 5 %, after going up             x 1.25   there is more to be had
 *     rate within 2 % of the best                    x 0.95   perhaps fewer do it too
 *     rate lower, and latency over that of the best  x 0.8    too many: they wait for each other
 *     rate lower otherwise                           + 5 %, at least one
 *
 * It begins by doubling until doubling brings less than 5 %. The best rate is forgotten slowly, so that a target that
 * has become slower is not held against its past.
 *
 * @module
 */

/** What one period showed. */
export interface PeriodSample {
  /** Answers per second. */
  readonly rate: number;
  /** Median time from sending to the answer. */
  readonly latencyMs: number;
  /** Failed / sent. */
  readonly failed: number;
}

const nearBest = 0.98;
const doublingGainMin = 1.05;
const climbGainMin = 1.05;
const latencyOverBest = 1.2;
const failedMax = 0.01;
const forget = 0.998;

/** The controller. */
export class Aimd {
  readonly #most: number;
  #connections: number;
  #isDoubling = true;
  #lastConnections = 0;
  #lastRate = 0;
  #bestRate = 0;
  #bestLatencyMs = 0;
  #bestConnections: number;

  constructor(most: number) {
    this.#most = most;
    this.#connections = 1;
    this.#bestConnections = 1;
  }

  /** Connections that should be open now. */
  get connections(): number {
    return this.#connections;
  }

  /** The fewest with which nearly the best rate was reached. */
  get best(): number {
    return this.#bestConnections;
  }

  /** A period is over; gives the number of connections for the next. */
  step(sample: PeriodSample): number {
    const now = this.#connections;
    // A period that went wrong may have ended the doubling too early.
    const climbs = now > this.#lastConnections && sample.rate >= this.#bestRate * climbGainMin;
    this.#lastConnections = now;
    this.#remember(sample);
    if (sample.failed > failedMax) {
      this.#isDoubling = false;
      return this.#to(now * 0.7);
    }
    if (this.#isDoubling) {
      const gained = sample.rate >= this.#lastRate * doublingGainMin;
      this.#lastRate = sample.rate;
      if (gained && now < this.#most) return this.#to(now * 2);
      this.#isDoubling = false;
    }
    if (climbs) return this.#to(Math.max(now + 1, now * 1.25));
    if (sample.rate >= nearBest * this.#bestRate) return this.#to(Math.min(now - 1, now * 0.95));
    if (sample.latencyMs > latencyOverBest * this.#bestLatencyMs) return this.#to(now * 0.8);
    return this.#to(now + Math.max(1, now * 0.05));
  }

  #remember({ rate, latencyMs }: PeriodSample): void {
    this.#bestRate *= forget;
    if (rate > this.#bestRate) {
      this.#bestRate = rate;
      this.#bestLatencyMs = latencyMs;
      this.#bestConnections = this.#connections;
    } else if (rate >= nearBest * this.#bestRate && this.#connections < this.#bestConnections) {
      this.#bestConnections = this.#connections;
      this.#bestLatencyMs = latencyMs;
    }
  }

  #to(connections: number): number {
    return this.#connections = Math.max(1, Math.min(this.#most, Math.round(connections)));
  }
}
