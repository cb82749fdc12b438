/**
 * HDR histograms made of shared counts: merged over threads, and of the differences between two moments.
 *
 * @module
 */
import hdr, { type Histogram } from "hdr-histogram-js";
import { countsLength, lowestOf, unitsMax, unitsPerMs } from "./counts.ts";

/** Copies of counts, in milliseconds to the outside. */
export class Latency {
  readonly #cells: Float64Array;
  #hdr: Histogram | undefined;

  constructor(cells: Float64Array = new Float64Array(countsLength)) {
    this.#cells = cells;
  }

  /** The sum of several threads' counts as they are now. */
  static sum(threads: readonly Float64Array[]): Latency {
    const cells = new Float64Array(countsLength);
    for (const thread of threads) {
      for (let cell = 0; cell < countsLength; cell++) cells[cell]! += thread[cell]!;
    }
    return new Latency(cells);
  }

  /** What was added since `earlier`. */
  since(earlier: Latency): Latency {
    const cells = new Float64Array(countsLength);
    for (let cell = 0; cell < countsLength; cell++) cells[cell] = this.#cells[cell]! - earlier.#cells[cell]!;
    return new Latency(cells);
  }

  /** Both together. */
  plus(other: Latency): Latency {
    return Latency.sum([this.#cells, other.#cells]);
  }

  /** The HDR histogram, in units of 100 ns. */
  get hdr(): Histogram {
    if (this.#hdr === undefined) {
      this.#hdr = hdr.build({
        bitBucketSize: 64,
        autoResize: false,
        lowestDiscernibleValue: 1,
        highestTrackableValue: unitsMax,
        numberOfSignificantValueDigits: 3,
        useWebAssembly: false,
      });
      for (let cell = 0; cell < countsLength; cell++) {
        if (this.#cells[cell]! > 0) this.#hdr.recordValueWithCount(lowestOf(cell), this.#cells[cell]!);
      }
    }
    return this.#hdr;
  }

  get count(): number {
    let sum = 0;
    for (let cell = 0; cell < countsLength; cell++) sum += this.#cells[cell]!;
    return sum;
  }

  /** Milliseconds below or at which `percentile` (0 to 100) of all lie; 0 where nothing was counted. */
  percentileMs(percentile: number): number {
    return this.count === 0 ? 0 : this.hdr.getValueAtPercentile(percentile) / unitsPerMs;
  }

  get maxMs(): number {
    return this.percentileMs(100);
  }

  get minMs(): number {
    for (let cell = 0; cell < countsLength; cell++) {
      if (this.#cells[cell]! > 0) return lowestOf(cell) / unitsPerMs;
    }
    return 0;
  }

  get meanMs(): number {
    return this.count === 0 ? 0 : this.hdr.mean / unitsPerMs;
  }

  /** How many took longer than `ms`. */
  countAbove(ms: number): number {
    let sum = 0;
    for (let cell = countsLength - 1; cell >= 0 && lowestOf(cell) > ms * unitsPerMs; cell--) {
      sum += this.#cells[cell]!;
    }
    return sum;
  }

  /** The text of a `.hgrm` file, in milliseconds: what HdrHistogram's plotter reads. */
  hgrm(): string {
    return this.hdr.outputPercentileDistribution(5, unitsPerMs);
  }

  /** HDR V2, compressed, base64: for tools that merge histograms. Values are units of 100 ns. */
  encoded(): string {
    return hdr.encodeIntoCompressedBase64(this.hdr);
  }
}
