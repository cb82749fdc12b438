/**
 * A day of traffic, compressed: 24 rates between night and noon, the same for the same seed.
 *
 * @module
 */

/** Hours of a day. */
export const hours = 24;

/** A day of traffic. */
export interface Day {
  /** Shares of the peak, by hour. */
  readonly shares: readonly number[];
}

/** Random numbers from 0 to 1 (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A wave with its lowest point at four in the morning, uneven as days are. */
export function dayOf(random: () => number): Day {
  const shares = Array.from({ length: hours }, (_, hour) => {
    const wave = (1 - Math.cos((hour - 4) / hours * 2 * Math.PI)) / 2;
    return Math.min(1, 0.1 + 0.8 * wave + 0.1 * random());
  });
  return { shares };
}

/** The `--stages` of clobber for `days` such days of `dayS` seconds each, `peak` messages per second at most. */
export function stagesOf({ shares }: Day, days: number, dayS: number, peak: number): string {
  const points: string[] = [];
  for (let hour = 0; hour < days * hours; hour++) {
    const rate = Math.max(1, Math.round(shares[hour % hours]! * peak));
    points.push(`${(hour * dayS / hours).toFixed(2)}s:${rate}`);
  }
  points.push(`${(days * dayS).toFixed(2)}s:${Math.max(1, Math.round(shares[0]! * peak))}`);
  return points.join(",");
}
