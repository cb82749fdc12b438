/**
 * What `corndog demo` prints: a live line of counters and a summary with the ledger. Pure: stats in, text out.
 *
 * @module
 */
import type { Stats } from "../admin/stats_view.ts";

/** One line of counters, for example `12.0 s  60,000 lines  5,000/s  0.9 MB/s  p99 7.1 ms  in flight 25  dropped 0`. */
export function liveLine(stats: Stats, before: Stats | undefined): string {
  const seconds = stats.uptime_s - (before?.uptime_s ?? 0);
  const rate = seconds > 0 ? (stats.ledger.received - (before?.ledger.received ?? 0)) / seconds : 0;
  const bytes = seconds > 0
    ? (stats.totals.bytes_received - (before?.totals.bytes_received ?? 0)) / seconds
    : 0;
  const { p99 } = stats.latency_ms.recent ?? stats.latency_ms.receive_to_ack;
  return [
    `${stats.uptime_s.toFixed(0).padStart(3)} s`,
    `${number(stats.ledger.received)} lines`,
    `${number(rate)} lines/s`,
    `${(bytes / 1e6).toFixed(1)} MB/s`,
    `p99 ${p99.toFixed(1)} ms`,
    `connections ${stats.totals.connections_open}`,
    `in flight ${number(stats.ledger.in_flight)}`,
    `dead letters ${number(stats.ledger.dead_lettered)}`,
  ].join("  ");
}

/** The ledger as an addition that a person can check, and where the lines went. */
export function summary(stats: Stats, sent: number, where: string): string {
  const { ledger, latency_ms: { receive_to_ack: latency } } = stats;
  const dropped = Object.entries(ledger.dropped).filter(([, lines]) => lines > 0);
  const rows: [string, number][] = [
    ["delivered", ledger.delivered],
    ["in flight", ledger.in_flight],
    ["dead letters", ledger.dead_lettered],
    ...dropped.map(([reason, lines]): [string, number] => [`dropped: ${reason}`, lines]),
  ];
  const width = Math.max(...rows.map(([name]) => name.length), "received + copies".length) + 2;
  const row = (name: string, lines: number) => `  ${name.padEnd(width)}${number(lines).padStart(12)}`;
  const topics = Object.entries(stats.kafka.topics)
    .sort(([, a], [, b]) => b.delivered - a.delivered)
    .map(([topic, counts]) => row(topic, counts.delivered));
  return [
    "",
    `corndog ${stats.version} on ${stats.runtime}: ${number(sent)} lines were sent in ${
      stats.uptime_s.toFixed(0)
    } s`,
    "",
    "Ledger",
    row("received + copies", ledger.received + ledger.fan_out),
    ...rows.map(([name, lines]) => row(name, lines)),
    `  ${
      ledger.balanced
        ? "balanced: every line is in exactly one place"
        : "NOT BALANCED: this is a bug, please report it"
    }`,
    "",
    "Topics",
    ...topics,
    "",
    `Latency from reading to written: p50 ${latency.p50.toFixed(1)} ms, p99 ${
      latency.p99.toFixed(1)
    } ms, max ${latency.max.toFixed(1)} ms`,
    where,
    "",
  ].join("\n");
}

function number(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}
