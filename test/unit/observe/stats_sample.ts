/**
 * A `Stats` object with a number in every place, for tests of what renders it.
 *
 * @module
 */
import type { Stats } from "../../../src/admin/control.ts";

/** Every counter has a value of its own, so that a mix-up shows. */
export function sampleStats(changes: Partial<Stats> = {}): Stats {
  return {
    ledger: {
      received: 1000,
      fan_out: 20,
      split: 5,
      replayed: 7,
      delivered: 900,
      spooled: 8,
      in_flight: 60,
      dead_lettered: 10,
      joined: 4,
      dropped: { rule_stop: 40, rule_drop: 10, shutdown: 0 },
      balanced: true,
    },
    totals: {
      bytes_received: 200_000,
      connections_open: 3,
      connections_accepted: 8,
      connections_refused: 3,
      connections_refused_by: { connections: 1, network: 2 },
      handshakes_failed: 9,
      connections_idled: 10,
      connections_partial: 11,
      connections_held: 12,
      datagrams_refused: 13,
      datagrams_lost: 14,
      frames_empty: 2,
      frames_truncated: 4,
      frames_damaged: 14,
      connections_foreign: 15,
      unparsed: 5,
      datagrams: 6,
      pauses: 7,
      http_requests: 61,
      http_failures: 62,
      http_timeouts: 63,
    },
    latency_ms: {
      receive_to_ack: { count: 900, p50: 3.5, p99: 9, p999: 12, max: 15 },
      recent: { count: 100, p50: 3.1, p99: 8, p999: 11, max: 14 },
      buckets: { upper_bounds_ms: [1, 10], cumulative: [100, 890], sum_ms: 3600, count: 900 },
    },
    rules: {
      version: 4,
      loaded_at: "2026-01-02T03:04:05.000Z",
      source: "rules/main.yml",
      hits: [{ rule: "by-topic", hits: 800 }, { rule: "rest", hits: 200 }],
    },
    workers: [{ worker: 0, received: 1000, heartbeat_age_ms: 250 }],
    listeners: [{ kind: "syslog", transport: "tcp", address: "127.0.0.1:1514" }, {
      kind: "syslog",
      transport: "tls",
      address: "127.0.0.1:6514",
      certificate_ends_at: "2027-01-02T03:04:05.000Z",
    }],
    sink: { name: "kafka", ready: true, problems: [] },
    kafka: {
      brokers: [{ address: "kafka-1:9092", connected: true }],
      topics: {
        orders: { submitted: 700, delivered: 600, dead_lettered: 4 },
        logs: { submitted: 320, delivered: 300, dead_lettered: 6 },
      },
    },
    dead_letter: {
      file: {
        path: "/d/dead_letter.ndjson",
        lines: 3,
        bytes: 4096,
        bytes_max: 1_073_741_824,
        bytes_waiting: 0,
        ready: true,
      },
      topic: { name: "logs-dead", lines: 7, ready: true },
      reasons: { unknown_topic: 6, rule_failed: 4 },
    },
    uptime_s: 12.5,
    version: "0.1.0",
    runtime: "bun 1.4.5",
    state: "running",
    ...changes,
  };
}
