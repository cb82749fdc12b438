/**
 * What of the plan falls to one thread.
 *
 * @module
 */

/** Share of `total` that thread `index` of `threads` takes; the shares add up to `total`. */
export function shareOf(total: number, index: number, threads: number): number {
  return Math.floor(total / threads) + (index < total % threads ? 1 : 0);
}
