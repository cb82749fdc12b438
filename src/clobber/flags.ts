/**
 * Reads single flags: numbers, rates, times. What cannot be read is said with what to write instead.
 *
 * @module
 */
import { readCount, readRate, readTime } from "./units.ts";

/** Messages per second beyond this are a slip of the pen. */
export const rateMax = 1e9;
/** Longest time that a flag may give. */
export const timeMsMax = 7 * 86_400_000;

/** Flags as the command line gives them. */
export interface Flags {
  readonly switches: ReadonlySet<string>;
  readonly values: ReadonlyMap<string, readonly string[]>;
  readonly rest: readonly string[];
}

/** Something that the user wrote makes no sense; the message says what. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** Ends reading: `--flag: what is wrong`. */
export function refuse(flag: string, problem: string): never {
  throw new UsageError(`--${flag}: ${problem}`);
}

/** Reads single flags. */
export class FlagReader {
  readonly flags: Flags;

  constructor(flags: Flags) {
    this.flags = flags;
  }

  has(name: string): boolean {
    return this.flags.switches.has(name);
  }

  text(name: string): string | undefined {
    return this.flags.values.get(name)?.[0];
  }

  all(name: string): readonly string[] {
    return this.flags.values.get(name) ?? [];
  }

  count(name: string, low: number, high: number): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const count = readCount(text);
    if (count === undefined || count < low || count > high) {
      refuse(name, `write a number from ${low} to ${high}, not "${text}"`);
    }
    return count;
  }

  rate(name: string): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const rate = readRate(text);
    if (rate === undefined || rate <= 0 || rate > rateMax) {
      refuse(name, `write messages per second, such as 500, 50k or 1.5M, not "${text}"`);
    }
    return rate;
  }

  /** Milliseconds. A number alone is milliseconds only where `plainMs` says so: as clobber's timeouts had it. */
  time(name: string, plainMs = false): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const ms = plainMs && /^\d+$/.test(text) ? Number(text) : readTime(text);
    if (ms === undefined || ms > timeMsMax) {
      refuse(name, `write a time such as 500ms, 10s or 1m30s, not "${text}"`);
    }
    return ms;
  }

  /** The same, longer than nothing. */
  span(name: string, plainMs = false): number | undefined {
    const ms = this.time(name, plainMs);
    return ms === 0 ? refuse(name, "write a time longer than nothing") : ms;
  }
}
