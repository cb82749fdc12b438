/**
 * A latency histogram in shared memory with a fixed number of buckets, after the idea of HdrHistogram: each
 * power of two is cut into 32 equal buckets, from 1 µs to 1 h.
 *
 * The bucket is read from the bits of the number itself: the exponent of an IEEE 754 double is the power of two,
 * the five highest bits of its mantissa are the bucket in it. A bucket is at most 1/32 of its lower end wide and
 * is reported by its middle, hence an error of at most 1.6 %.
 *
 *     0       sum of values, ms f64
 *     8       greatest value, ms f64
 *     16      bucketCount x f64
 *
 * One writer per row (plain adds, no lock): a count may be seen an instant before the sum it belongs to, never torn.
 *
 * Hot path: `HistogramRow.record`.
 *
 * @module
 */
import type { Percentiles } from "../admin/stats_view.ts";

const octaves = 32;
const bucketsPerOctave = 32;
const bucketBits = 5;
/** 1 µs to 2^32 µs, which is 71 minutes. */
const bucketCount = octaves * bucketsPerOctave;
const headWords = 2;
const rowWords = headWords + bucketCount;

/** Values outside are counted as the nearest bound. */
const microsecondsMin = 1;
const microsecondsMax = 3_600_000_000;

/** Exponent of 1.0 in the upper word of a double, with the mantissa bits that choose a bucket. */
const bucketOfOne = 1023 << bucketBits;

const asDouble = new Float64Array(1);
const asWords = new Uint32Array(asDouble.buffer);
const upperWord = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1 ? 1 : 0;

function bucketOf(microseconds: number): number {
  asDouble[0] = microseconds;
  return (asWords[upperWord] >>> (20 - bucketBits)) - bucketOfOne;
}

/** Lower end of a bucket in milliseconds; `bucketCount` gives the upper end of the last one. */
function lowerEndMs(bucket: number): number {
  const octave = bucket >>> bucketBits;
  return 2 ** octave * (1 + (bucket & (bucketsPerOctave - 1)) / bucketsPerOctave) / 1000;
}

/** Shared memory for so many rows: each has one writer. */
export function createHistogramRows(rows: number): SharedArrayBuffer {
  return new SharedArrayBuffer(rowWords * 8 * rows);
}

/** How many rows there are. */
export function histogramRowsOf(rows: SharedArrayBuffer): number {
  return rows.byteLength / (rowWords * 8);
}

/** The writer's side of one row. */
export class HistogramRow {
  readonly #words: Float64Array;

  constructor(rows: SharedArrayBuffer, row: number) {
    this.#words = new Float64Array(rows, row * rowWords * 8, rowWords);
  }

  /** Counts `count` occurrences of `valueMs`; a batch is one call. */
  record(valueMs: number, count: number): void {
    let microseconds = valueMs * 1000;
    // Written so that NaN becomes the minimum.
    if (!(microseconds > microsecondsMin)) microseconds = microsecondsMin;
    else if (microseconds > microsecondsMax) microseconds = microsecondsMax;
    const words = this.#words;
    words[headWords + bucketOf(microseconds)] += count;
    words[0] += microseconds / 1000 * count;
    if (valueMs > words[1]) words[1] = valueMs;
  }
}

/** Histograms of any number of workers added up, at one moment. */
export class HistogramSnapshot {
  readonly #buckets: Float64Array;
  readonly count: number;
  readonly sumMs: number;
  readonly maxMs: number;

  /** Of rows in which nothing is recorded; quicker than to look, and a process has many. */
  static readonly empty: HistogramSnapshot = new HistogramSnapshot(new Float64Array(bucketCount), 0, 0, 0);

  private constructor(buckets: Float64Array, sumMs: number, maxMs: number, count = sumOf(buckets)) {
    this.#buckets = buckets;
    this.sumMs = sumMs;
    this.maxMs = maxMs;
    this.count = count;
  }

  /** Adds up `count` rows of `rows` from `first` on; all of them unless said otherwise. */
  static of(
    rows: SharedArrayBuffer,
    first = 0,
    count = histogramRowsOf(rows) - first,
  ): HistogramSnapshot {
    const buckets = new Float64Array(bucketCount);
    const row = new Float64Array(rowWords);
    let sumMs = 0;
    let maxMs = 0;
    for (let nth = first; nth < first + count; nth++) {
      row.set(new Float64Array(rows, nth * rowWords * 8, rowWords));
      sumMs += row[0];
      maxMs = Math.max(maxMs, row[1]);
      for (let bucket = 0; bucket < bucketCount; bucket++) buckets[bucket] += row[headWords + bucket];
    }
    return new HistogramSnapshot(buckets, sumMs, maxMs);
  }

  /** `sumMs` of a snapshot that were taken now, without taking it: every value that is recorded raises it. */
  static sumOf(rows: SharedArrayBuffer, first: number, count: number): number {
    const words = new Float64Array(rows);
    let sumMs = 0;
    for (let nth = first; nth < first + count; nth++) sumMs += words[nth * rowWords]!;
    return sumMs;
  }

  /** What was recorded after `earlier`, a snapshot of the same rows. Its greatest value is exact to its bucket. */
  since(earlier: HistogramSnapshot): HistogramSnapshot {
    const buckets = new Float64Array(bucketCount);
    let highest = -1;
    for (let bucket = 0; bucket < bucketCount; bucket++) {
      buckets[bucket] = this.#buckets[bucket] - earlier.#buckets[bucket];
      if (buckets[bucket] > 0) highest = bucket;
    }
    const maxMs = highest < 0 ? 0 : Math.min(lowerEndMs(highest + 1), this.maxMs);
    return new HistogramSnapshot(buckets, this.sumMs - earlier.sumMs, maxMs);
  }

  /** The value that a share of `quantile` (0 to 1) does not exceed, in milliseconds; 0 when nothing was recorded. */
  quantile(quantile: number): number {
    const rank = Math.max(1, Math.ceil(this.count * quantile));
    let seen = 0;
    for (let bucket = 0; bucket < bucketCount; bucket++) {
      seen += this.#buckets[bucket];
      if (seen >= rank) return Math.min((lowerEndMs(bucket) + lowerEndMs(bucket + 1)) / 2, this.maxMs);
    }
    return 0;
  }

  /** The percentiles that `/admin/stats` shows, rounded to a tenth of a microsecond. */
  percentiles(): Percentiles {
    return {
      count: this.count,
      p50: rounded(this.quantile(0.5)),
      p99: rounded(this.quantile(0.99)),
      p999: rounded(this.quantile(0.999)),
      max: rounded(this.maxMs),
    };
  }

  /** For each upper bound (milliseconds, rising) how many values lie below it, exact to the bucket's width. */
  cumulative(boundsMs: readonly number[]): number[] {
    const counts: number[] = [];
    let bucket = 0;
    let seen = 0;
    for (const bound of boundsMs) {
      while (bucket < bucketCount && (lowerEndMs(bucket) + lowerEndMs(bucket + 1)) / 2 <= bound) {
        seen += this.#buckets[bucket++];
      }
      counts.push(seen);
    }
    return counts;
  }
}

function sumOf(buckets: Float64Array): number {
  let sum = 0;
  for (let bucket = 0; bucket < bucketCount; bucket++) sum += buckets[bucket];
  return sum;
}

function rounded(valueMs: number): number {
  return Math.round(valueMs * 10_000) / 10_000;
}
