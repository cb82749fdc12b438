/**
 * `GET /admin/stats`, made of the counters in shared memory and of what the workers report.
 *
 * @module
 */
import process from "node:process";
import type { RulesView } from "../admin/rules_view.ts";
import type { Stats, TopicStats } from "../admin/stats_view.ts";
import type { Config } from "../config/config.ts";
import type { LabelCap } from "../observe/label_cap.ts";
import { ledgerOf, sumRows, totalsOf, workerStatsOf } from "../observe/ledger.ts";
import { brokerTotals } from "./broker_totals.ts";
import type { CompressionReport } from "./compression.ts";
import { deadLetterStats } from "./letter_stats.ts";
import { sumTroubles } from "./peer_troubles.ts";
import { sinkTroubles } from "./plane_health.ts";
import type { ListenerReport, WorkerReport } from "./protocol.ts";
import { spoolTotals } from "./spool_totals.ts";

/** What the statistics are made of. */
export interface StatsParts {
  readonly config: Config;
  readonly reports: readonly WorkerReport[];
  readonly listeners: readonly ListenerReport[];
  /** Counters, by worker. */
  readonly rows: readonly Parameters<typeof workerStatsOf>[1][];
  /** How long a worker has not moved, by worker. */
  readonly agesMs: readonly number[];
  readonly latency: Stats["latency_ms"];
  readonly rules: RulesView;
  /** What keeps lines from being delivered. */
  readonly problems: readonly string[];
  /** Senders that are named. */
  readonly senders: LabelCap;
  /** Times that a worker was held. */
  readonly stalls: number;
  readonly uptimeMs: number;
  readonly version: string;
  readonly runtime: string;
  readonly state: Stats["state"];
}

/** Joins them. */
export function statsOf(parts: StatsParts): Stats {
  const { config, reports, rows, agesMs, rules: view, problems } = parts;
  const sum = sumRows(rows);
  const hits = view.names.map((rule, index) => ruleStats(reports, view.version, rule, index));
  return {
    ledger: ledgerOf(sum),
    totals: totalsOf(sum),
    latency_ms: parts.latency,
    rules: {
      version: view.version,
      hash: view.hash,
      loaded_at: view.loaded_at,
      source: view.source,
      hits,
      never_hit: hits.flatMap(({ rule, hits }) => hits === 0 ? [rule] : []),
      ...(view.last_error === undefined ? {} : { last_error: view.last_error }),
    },
    workers: rows.map((row, worker) => ({
      ...workerStatsOf(worker, row, agesMs[worker]!),
      ...workerDetails(reports.find((report) => report.worker === worker)),
    })),
    listeners: parts.listeners.map((listener, index) => listenerStats(config, reports, listener, index)),
    io: { wanted: config.io, ...reports[0]?.io },
    sink: { name: config.sink, ready: problems.length === 0, problems, troubles: sinkTroubles(reports) },
    kafka: { brokers: brokerTotals(reports.map(({ sink }) => sink)), topics: topicsOf(reports) },
    senders: sumTroubles(reports.map(({ troubles }) => troubles), parts.senders),
    watch: {
      stalls: parts.stalls,
      orphans: reports.reduce((total, { orphans }) => total + orphans, 0),
    },
    process: processStats(),
    dead_letter: deadLetterStats(reports.map(({ deadLetter }) => deadLetter), sum),
    spool: spoolTotals(reports.map(({ spool }) => spool)),
    uptime_s: Math.round(parts.uptimeMs / 100) / 10,
    version: parts.version,
    runtime: parts.runtime,
    state: parts.state,
  };
}

/** Hits of a rule, and what a try of it takes on average; no average before a line was sampled. */
function ruleStats(
  reports: readonly WorkerReport[],
  version: number,
  rule: string,
  index: number,
): Stats["rules"]["hits"][number] {
  let [hits, tries, ms] = [0, 0, 0];
  for (const report of reports) {
    if (report.rulesVersion !== version) continue;
    hits += report.hits[index] ?? 0;
    tries += report.times.tries[index] ?? 0;
    ms += report.times.ms[index] ?? 0;
  }
  return tries === 0 ? { rule, hits } : { rule, hits, mean_ns: Math.round(ms / tries * 1e6) };
}

function listenerStats(
  config: Config,
  reports: readonly WorkerReport[],
  listener: ListenerReport,
  index: number,
): Stats["listeners"][number] {
  const sum = (pick: (listener: ListenerReport) => number) =>
    reports.reduce((total, { listeners }) => total + (listeners[index] ? pick(listeners[index]) : 0), 0);
  return {
    kind: config.listen[index]!.kind,
    transport: listener.transport,
    address: listener.address,
    ...certificateEnd(reports[0]?.listeners[index] ?? listener),
    connections: sum(({ connections }) => connections),
    lines: sum(({ lines }) => lines),
  };
}

/** What the operating system gives this process. */
function processStats(): Stats["process"] {
  const { user, system } = process.cpuUsage();
  return { resident_bytes: process.memoryUsage.rss(), cpu_s: (user + system) / 1e6 };
}

function workerDetails(report: WorkerReport | undefined): Record<string, unknown> {
  if (report === undefined) return {};
  const compression = report.compression === undefined
    ? {}
    : { compression: compressionStats(report.compression) };
  const { arena, waiting, sink, pacing } = report;
  const reads = { pauses: pacing.pauses, paused_s: Number((pacing.pausedMs / 1_000).toFixed(3)) };
  return { arena, ...compression, waiting, reads, sink };
}

function compressionStats(report: CompressionReport): Record<string, unknown> {
  const { codec, need } = report;
  return {
    codec,
    ...(need === undefined
      ? {}
      : { on: need.on, reason: need.reason, cpu_busy: Number(need.busyShare.toFixed(2)) }),
    batches_packed: report.batchesPacked,
    batches_left_raw: report.batchesLeftRaw,
    batches_passed: report.batchesPassed,
    bytes_in: report.bytesIn,
    bytes_out: report.bytesOut,
  };
}

function certificateEnd({ certificateEndsAtMs: endsAtMs }: ListenerReport): Record<string, unknown> {
  return endsAtMs === undefined ? {} : { certificate_ends_at: new Date(endsAtMs).toISOString() };
}

function topicsOf(reports: readonly WorkerReport[]): Record<string, TopicStats> {
  // A map, because log lines choose the names: "__proto__" is a legal topic.
  const topics = new Map<string, { submitted: number; delivered: number; dead_lettered: number }>();
  for (const report of reports) {
    for (const { topic, submitted, delivered, deadLettered } of report.topics) {
      const sum = topics.get(topic) ?? { submitted: 0, delivered: 0, dead_lettered: 0 };
      sum.submitted += submitted;
      sum.delivered += delivered;
      sum.dead_lettered += deadLettered;
      topics.set(topic, sum);
    }
  }
  return Object.fromEntries(topics);
}
