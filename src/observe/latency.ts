/**
 * Makes `Stats.latency_ms` from the workers' histogram rows, for the whole way and each stage: since the start, over
 * the last seconds, and as buckets for Prometheus.
 *
 * @module
 */
import type { LatencyBuckets, Percentiles, Stats } from "../admin/stats_view.ts";
import { histogramRowsOf, HistogramSnapshot } from "./histogram.ts";
import { latencyNames, latencyRowAt } from "./stage_latency.ts";

/** How far `recent` looks back: long enough for a p999 at 100 lines/s, short enough to show what is wrong now. */
const recentMs = 10_000;

/** Snapshots are taken at most this often, so that `recentMs / snapshotIntervalMs` bounds their number. */
const snapshotIntervalMs = 1_000;

/** Upper bounds of the buckets that Prometheus gets; a batch's linger is 5 ms, an outage lasts minutes. */
const bucketBoundsMs = [
  0.05,
  0.1,
  0.25,
  0.5,
  1,
  2.5,
  5,
  10,
  25,
  50,
  100,
  250,
  500,
  1000,
  2500,
  5000,
  10_000,
  30_000,
  60_000,
  300_000,
];

/** Reads the histograms of all workers; lives on the main thread. */
export class LatencyReaders {
  readonly #readers: readonly LatencyReader[];

  constructor(rows: SharedArrayBuffer, workers: number, nowMs: number) {
    this.#readers = latencyNames.map((name) =>
      new LatencyReader(rows, nowMs, latencyRowAt(name, workers), workers)
    );
  }

  /** Call it once a second: what is recent can be told then whenever somebody asks. Cheap while nothing is recorded. */
  note(nowMs: number): void {
    for (const reader of this.#readers) reader.note(nowMs);
  }

  /** Call it for every `stats()`; `nowMs` is the caller's monotonic clock. */
  read(nowMs: number): Stats["latency_ms"] {
    const all = this.#readers.map((reader) => reader.read(nowMs));
    const { all: whole, ...rest } = all[0]!;
    const stages = Object.fromEntries(
      latencyNames.slice(1).map((name, index) => {
        const { all: since, ...details } = all[index + 1]!;
        return [name, { ...since, ...details }];
      }),
    );
    return { receive_to_ack: whole, ...rest, stages };
  }
}

/** One histogram: since the start, over the last seconds, and as buckets. */
interface Latency {
  readonly all: Percentiles;
  readonly recent: Percentiles;
  readonly buckets: LatencyBuckets;
}

/** Reads one histogram, which is some rows. */
export class LatencyReader {
  readonly #snapshot: () => HistogramSnapshot;
  /** The sum that a snapshot would have now. */
  readonly #sum: () => number;
  #snapshots: { readonly atMs: number; readonly snapshot: HistogramSnapshot }[];

  constructor(rows: SharedArrayBuffer, nowMs: number, first = 0, count = histogramRowsOf(rows) - first) {
    this.#snapshot = () => HistogramSnapshot.of(rows, first, count);
    this.#sum = () => HistogramSnapshot.sumOf(rows, first, count);
    const isEmpty = this.#sum() === 0;
    this.#snapshots = [{ atMs: nowMs, snapshot: isEmpty ? HistogramSnapshot.empty : this.#snapshot() }];
  }

  /** Keeps a snapshot, if the last one is old; where nothing was recorded since, it is that one. */
  note(nowMs: number): void {
    // Keep one snapshot that is older than the window, so that `recent` always covers it wholly.
    while (this.#snapshots.length > 1 && this.#snapshots[1].atMs <= nowMs - recentMs) this.#snapshots.shift();
    const last = this.#snapshots[this.#snapshots.length - 1];
    if (nowMs - last.atMs < snapshotIntervalMs) return;
    const snapshot = this.#sum() === last.snapshot.sumMs ? last.snapshot : this.#snapshot();
    this.#snapshots.push({ atMs: nowMs, snapshot });
  }

  /** `nowMs` is the caller's monotonic clock. */
  read(nowMs: number): Latency {
    const now = this.#snapshot();
    this.note(nowMs);
    const recent = now.since(this.#snapshots[0].snapshot);
    return {
      all: now.percentiles(),
      recent: recent.percentiles(),
      buckets: {
        upper_bounds_ms: bucketBoundsMs,
        cumulative: now.cumulative(bucketBoundsMs),
        sum_ms: now.sumMs,
        count: now.count,
      },
    };
  }
}
