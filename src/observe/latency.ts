/**
 * Makes `Stats.latency_ms` from the workers' histogram rows: since the start, over the last seconds, and as
 * buckets for Prometheus.
 *
 * @module
 */
import type { Stats } from "../admin/control.ts";
import { HistogramSnapshot } from "./histogram.ts";

/** How far `recent` looks back: long enough for a p999 at 100 lines/s, short enough to show what is wrong now. */
const recentMs = 10_000;

/** Snapshots are taken at most this often, so that `recentMs / snapshotIntervalMs` bounds their number. */
const snapshotIntervalMs = 1_000;

/** Upper bounds of the buckets that Prometheus gets; a batch's linger is 5 ms, an outage lasts minutes. */
const bucketBoundsMs = [
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

/** Reads one set of histogram rows; lives on the main thread. */
export class LatencyReader {
  readonly #rows: SharedArrayBuffer;
  #snapshots: { readonly atMs: number; readonly snapshot: HistogramSnapshot }[];

  constructor(rows: SharedArrayBuffer, nowMs: number) {
    this.#rows = rows;
    this.#snapshots = [{ atMs: nowMs, snapshot: HistogramSnapshot.of(rows) }];
  }

  /** Call it for every `stats()` and once a second; `nowMs` is the caller's monotonic clock. */
  read(nowMs: number): Stats["latency_ms"] {
    const now = HistogramSnapshot.of(this.#rows);
    // Keep one snapshot that is older than the window, so that `recent` always covers it wholly.
    while (this.#snapshots.length > 1 && this.#snapshots[1].atMs <= nowMs - recentMs) this.#snapshots.shift();
    const recent = now.since(this.#snapshots[0].snapshot);
    if (nowMs - this.#snapshots[this.#snapshots.length - 1].atMs >= snapshotIntervalMs) {
      this.#snapshots.push({ atMs: nowMs, snapshot: now });
    }
    return {
      receive_to_ack: now.percentiles(),
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
