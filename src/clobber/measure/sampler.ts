/**
 * Reads the threads' shared rows: sums, and what changed from one window to the next.
 *
 * @module
 */
import { Latency } from "./histogram.ts";
import { at, type Column, columns, failures, type HistogramName, type SharedRow } from "./row.ts";

/** Sums over all threads. */
export class Totals {
  readonly #numbers: Float64Array;

  constructor(numbers: Float64Array) {
    this.#numbers = numbers;
  }

  get(column: Column): number {
    return this.#numbers[at[column]]!;
  }

  /** Failures of all classes. */
  get failed(): number {
    return Object.keys(failures).reduce((sum, name) => sum + this.get(name as Column), 0);
  }

  /** Failures that happened, by what they are called. */
  get failureCounts(): readonly (readonly [string, number])[] {
    return Object.entries(failures).map(([name, text]) => [text, this.get(name as Column)] as const)
      .filter(([, count]) => count > 0);
  }

  /** Counters since `earlier`; gauges as they are now. */
  since(earlier: Totals): Totals {
    return new Totals(
      this.#numbers.map((value, index) => gauges.has(index) ? value : value - earlier.#numbers[index]!),
    );
  }
}

const gauges: ReadonlySet<number> = new Set([at.open, at.busy, at.wanted, at.backlog]);

/** One window of the series. Times are milliseconds, rates per second. */
export interface Window {
  /** Seconds since the start at which it ended. */
  readonly t: number;
  readonly seconds: number;
  readonly wantedRate: number | null;
  readonly sentRate: number;
  readonly answeredRate: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
  readonly rawP99: number;
  readonly latenessP99: number;
  readonly failed: number;
  readonly open: number;
  readonly wanted: number;
  readonly backlog: number;
  readonly cpu: number;
}

/** All rows of a run. */
export class Sampler {
  readonly #rows: readonly SharedRow[];

  constructor(rows: readonly SharedRow[]) {
    this.#rows = rows;
  }

  totals(): Totals {
    const sum = new Float64Array(columns.length);
    for (const { numbers } of this.#rows) {
      for (let index = 0; index < columns.length; index++) sum[index]! += numbers[index]!;
    }
    return new Totals(sum);
  }

  latency(name: HistogramName): Latency {
    return Latency.sum(this.#rows.map(({ histograms }) => histograms[name]));
  }

  /** Processor time and waiting of each thread, milliseconds; zeros where the system does not say. */
  threads(): { readonly cpuMs: number; readonly cpuWaitMs: number }[] {
    return this.#rows.map(({ numbers }) => ({
      cpuMs: numbers[at.cpuMs]!,
      cpuWaitMs: numbers[at.cpuWaitMs]!,
    }));
  }
}

/** Everything at one moment. */
export interface Snapshot {
  readonly atMs: number;
  readonly totals: Totals;
  readonly latency: Readonly<Record<HistogramName, Latency>>;
  readonly threads: readonly { readonly cpuMs: number; readonly cpuWaitMs: number }[];
  /** Processor time of the whole process, milliseconds. */
  readonly processCpuMs: number;
}

/** Takes a snapshot. */
export function snapshot(sampler: Sampler, atMs: number, processCpuMs: number): Snapshot {
  return {
    atMs,
    totals: sampler.totals(),
    latency: {
      corrected: sampler.latency("corrected"),
      uncorrected: sampler.latency("uncorrected"),
      lateness: sampler.latency("lateness"),
      connect: sampler.latency("connect"),
    },
    threads: sampler.threads(),
    processCpuMs,
  };
}

/** What happened between two snapshots. */
export function windowOf(from: Snapshot, to: Snapshot, startMs: number, wantedRate: number | null): Window {
  const seconds = (to.atMs - from.atMs) / 1000;
  const change = to.totals.since(from.totals);
  const corrected = to.latency.corrected.since(from.latency.corrected);
  return {
    t: round((to.atMs - startMs) / 1000),
    seconds: round(seconds),
    wantedRate,
    sentRate: round(change.get("sent") / seconds),
    answeredRate: round(change.get("answered") / seconds),
    p50: corrected.percentileMs(50),
    p99: corrected.percentileMs(99),
    p999: corrected.percentileMs(99.9),
    max: corrected.maxMs,
    rawP99: to.latency.uncorrected.since(from.latency.uncorrected).percentileMs(99),
    latenessP99: to.latency.lateness.since(from.latency.lateness).percentileMs(99),
    failed: change.failed,
    open: change.get("open"),
    wanted: change.get("wanted"),
    backlog: change.get("backlog"),
    cpu: round((to.processCpuMs - from.processCpuMs) / (seconds * 1000)),
  };
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
