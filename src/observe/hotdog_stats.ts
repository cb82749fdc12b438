/**
 * `GET /stats` as hotdog answers it, for the dashboards and checks that people have: a message and a flat map of
 * counters. The names are hotdog's; a metric that has no counterpart here is left out.
 *
 * As in hotdog, `kafka.submitted` counts what Kafka has acknowledged. Unlike there, the number behind a topic's
 * name is that topic's own.
 *
 * @module
 */
import type { Stats } from "../admin/stats_view.ts";

/** Body of `GET /stats`. */
export interface HotdogStats {
  readonly message: string;
  readonly stats: Readonly<Record<string, number>>;
}

/** The counters under hotdog's names: they never fall while the process lives. */
export function hotdogCounters(stats: Stats): Record<string, number> {
  const counters: Record<string, number> = {
    "lines": stats.ledger.received,
    "error.log_parse": stats.totals.unparsed,
    "kafka.submitted": 0,
    "kafka.producer.error": 0,
  };
  for (const [topic, counts] of Object.entries(stats.kafka.topics)) {
    counters["kafka.submitted"] += counts.delivered;
    counters["kafka.producer.error"] += counts.dead_lettered;
    counters[`kafka.submitted.${topic}`] = counts.delivered;
  }
  return counters;
}

/** The typical time from reading a line to Kafka's acknowledgement, microseconds (hotdog's `kafka.producer.sent`). */
export function sentMicroseconds(stats: Stats): number {
  return Math.round((stats.latency_ms.recent ?? stats.latency_ms.receive_to_ack).p50 * 1000);
}

/** The whole body. */
export function hotdogStats(stats: Stats): HotdogStats {
  return {
    message: `corndog ${stats.version}`,
    stats: {
      "connections": stats.totals.connections_open,
      ...hotdogCounters(stats),
      "kafka.producer.sent": sentMicroseconds(stats),
    },
  };
}
