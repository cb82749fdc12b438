/**
 * Latency counts in shared memory, in the layout of an HDR histogram with three significant digits.
 *
 * The thread that measures adds one to a cell; the main thread copies the cells whenever it likes and builds HDR
 * histograms (`histogram.ts`) of them and of the differences between two copies. Hot path: no allocation, no lock.
 * A cell is a float64, so that a run of days does not overflow it.
 *
 * @module
 */

/** Latencies are counted in units of 100 ns: fine enough for an answer over loopback. */
export const unitsPerMs = 10_000;

/** Longest latency that is told apart, 214.7 s; longer ones count as this. */
export const unitsMax = 2 ** 31 - 1;

// HDR's terms: three digits need 2 x 10^3 single steps, so 2048 sub-buckets, of which upper buckets use half.
const subBucketHalfBits = 10;
const subBucketHalf = 1 << subBucketHalfBits;
const subBucketMask = 2 * subBucketHalf - 1;
/** Buckets until 2^31: the first holds 2048 steps, each further one doubles. */
const buckets = 31 - subBucketHalfBits;

/** Cells of one histogram. */
export const countsLength = (buckets + 1) * subBucketHalf;

/** The cell of a latency in units; clamped to what can be told apart. */
export function cellOf(units: number): number {
  const value = units <= 0 ? 0 : units >= unitsMax ? unitsMax : units | 0;
  const bucket = 32 - Math.clz32(value | subBucketMask) - subBucketHalfBits - 1;
  return ((bucket + 1) << subBucketHalfBits) + ((value >>> bucket) - subBucketHalf);
}

/** The lowest latency, in units, that falls into a cell. */
export function lowestOf(cell: number): number {
  const bucket = (cell >> subBucketHalfBits) - 1;
  if (bucket < 0) return cell;
  return ((cell & (subBucketHalf - 1)) + subBucketHalf) * 2 ** bucket;
}

/** Counts one latency, in milliseconds. */
export function countMs(cells: Float64Array, ms: number): void {
  cells[cellOf(ms * unitsPerMs)]! += 1;
}

/**
 * Counts `n` latencies of messages that were due evenly between `firstMs` ago and `lastMs` ago (firstMs >= lastMs).
 * A bundle of lines is handed over in one write, and each of its lines has an own due time.
 */
export function countSpreadMs(cells: Float64Array, firstMs: number, lastMs: number, n: number): void {
  if (n === 1) {
    countMs(cells, firstMs);
    return;
  }
  const step = (firstMs - lastMs) / (n - 1);
  for (let index = 0; index < n; index++) countMs(cells, firstMs - index * step);
}
