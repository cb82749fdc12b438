/**
 * How often an event is written: so many lines in a period, each event name apart, so that one part of corndog that has
 * much to say leaves the others their lines. What is left out is counted and told.
 *
 * @module
 */
import type { LogLevel } from "../core/log_names.ts";

/** Lines of one event name per period: enough to see a pattern, few enough not to fill a disk. */
export const linesPerPeriodMax = 10;
/** The same for events of the level `debug`: whoever asks for them wants to see them, for a while. */
export const debugLinesPerPeriodMax = 500;
/** @see linesPerPeriodMax */
export const periodMs = 10_000;

/** Event names that are counted apart; names are constants of the source, so that this is never met. */
const namesMax = 1000;

interface Quota {
  startedAtMs: number;
  printed: number;
  leftOut: number;
}

/** The quotas of one log. */
export class LogQuota {
  readonly #quotas = new Map<string, Quota>();

  /**
   * How many lines of this event were left out before this one; -1 if this one is left out too. `before` is what who
   * hands the line on has left out already.
   */
  admit(level: LogLevel, event: string, nowMs: number, before = 0): number {
    let quota = this.#quotas.get(event);
    if (quota === undefined) {
      if (this.#quotas.size >= namesMax) return -1;
      quota = { startedAtMs: nowMs, printed: 0, leftOut: 0 };
      this.#quotas.set(event, quota);
    }
    if (nowMs - quota.startedAtMs >= periodMs || nowMs < quota.startedAtMs) {
      quota.startedAtMs = nowMs;
      quota.printed = 0;
    }
    if (quota.printed >= (level === "debug" ? debugLinesPerPeriodMax : linesPerPeriodMax)) {
      quota.leftOut += 1 + before;
      return -1;
    }
    quota.printed++;
    const leftOut = quota.leftOut + before;
    quota.leftOut = 0;
    return leftOut;
  }

  /** Lines of this event were left out before they came here. */
  skipped(event: string, count: number): void {
    const quota = this.#quotas.get(event);
    if (quota !== undefined) quota.leftOut += count;
  }

  /** What was left out and not told yet, by event; it counts as told from now on. */
  takeLeftOut(): [event: string, leftOut: number][] {
    const left: [string, number][] = [];
    for (const [event, quota] of this.#quotas) {
      if (quota.leftOut === 0) continue;
      left.push([event, quota.leftOut]);
      quota.leftOut = 0;
    }
    return left;
  }
}
