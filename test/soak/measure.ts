/**
 * What a soak looks at once a second, and what it makes of that: medians by day, and how the last day differs from the
 * second. The first is the time in which a runtime compiles, and memory finds its size.
 *
 * @module
 */
import { readdirSync, readFileSync } from "node:fs";
import type { Stats } from "../../src/admin/stats_view.ts";

/** One look. */
export interface Sample {
  /** Seconds since the load began. */
  readonly atS: number;
  /** Resident memory without file pages. */
  readonly rssMiB: number;
  readonly descriptors: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly received: number;
  /** A broker was away then, or had been a moment ago. */
  readonly troubled: boolean;
}

/** Looks at the process. */
export function sampleOf(pid: number, stats: Stats, atS: number, troubled: boolean): Sample {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const { recent } = stats.latency_ms;
  return {
    atS,
    rssMiB: Number(/^RssAnon:\s+(\d+)/m.exec(status)![1]) / 1024,
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
    p50Ms: recent?.p50 ?? 0,
    p99Ms: recent?.p99 ?? 0,
    received: stats.ledger.received,
    troubled,
  };
}

/** What a day was like, in medians. */
export interface DayView {
  readonly day: number;
  readonly lines: number;
  readonly rssMiB: number;
  readonly rssMaxMiB: number;
  readonly descriptors: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** The days. Latency leaves out the seconds of trouble. */
export function daysOf(samples: readonly Sample[], days: number, dayS: number): DayView[] {
  return Array.from({ length: days }, (_, day) => {
    const own = samples.filter(({ atS }) => Math.floor(atS / dayS) === day);
    const quiet = own.filter(({ troubled }) => !troubled);
    return {
      day: day + 1,
      lines: (own.at(-1)?.received ?? 0) - (own[0]?.received ?? 0),
      rssMiB: medianOf(own.map(({ rssMiB }) => rssMiB)),
      rssMaxMiB: Math.max(0, ...own.map(({ rssMiB }) => rssMiB)),
      descriptors: medianOf(own.map(({ descriptors }) => descriptors)),
      p50Ms: medianOf(quiet.map(({ p50Ms }) => p50Ms)),
      p99Ms: medianOf(quiet.map(({ p99Ms }) => p99Ms)),
    };
  });
}

/** Growth per hour of what `pick` gives, by least squares, of the samples after `fromS`. */
export function slopePerHour(
  samples: readonly Sample[],
  fromS: number,
  pick: (sample: Sample) => number,
): number {
  const own = samples.filter(({ atS }) => atS >= fromS);
  if (own.length < 2) return 0;
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [x, y] = [mean(own.map(({ atS }) => atS)), mean(own.map(pick))];
  const square = own.reduce((sum, { atS }) => sum + (atS - x) ** 2, 0);
  return own.reduce((sum, sample) => sum + (sample.atS - x) * (pick(sample) - y), 0) / square * 3600;
}

/** The middle one. */
export function medianOf(values: readonly number[]): number {
  if (values.length === 0) return 0;
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)]!;
}

/** The report, for people. */
export function reportOf(
  views: readonly DayView[],
  slopes: { readonly rss: number; readonly fds: number },
): string {
  const columns = ["day", "lines", "rss MiB", "max MiB", "fds", "p50 ms", "p99 ms"];
  const rows = views.map((view) => [
    String(view.day),
    String(view.lines),
    view.rssMiB.toFixed(0),
    view.rssMaxMiB.toFixed(0),
    String(view.descriptors),
    view.p50Ms.toFixed(1),
    view.p99Ms.toFixed(1),
  ]);
  const table = [columns, ...rows].map((row) => row.map((text) => text.padStart(10)).join("")).join("\n");
  return `${table}\nafter day 1: resident memory ${slopes.rss.toFixed(1)} MiB/h, descriptors ${
    slopes.fds.toFixed(1)
  }/h`;
}
