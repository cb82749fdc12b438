/**
 * A `Stats` object with a number in every place, for tests of what renders it.
 *
 * @module
 */
import type { BrokerStats, Stats } from "../../../src/admin/stats_view.ts";

/** A broker that four fifths of the answers come from at once. */
export function sampleBroker(id: number, host: string): BrokerStats {
  return {
    id,
    host,
    connected: true,
    connections: 2,
    inFlight: 3,
    bytesInFlight: 4096,
    requests: 71,
    unanswered: 8,
    bytesSent: 72_000,
    silent_ms: 1500,
    answer_ms: { upper_bounds_ms: [1, 10], cumulative: [48, 59], sum_ms: 120, count: 60 },
  };
}

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
      stages: {
        kafka: {
          count: 900,
          p50: 2.5,
          p99: 7,
          p999: 8,
          max: 9,
          recent: { count: 100, p50: 2.5, p99: 7, p999: 8, max: 9 },
          buckets: { upper_bounds_ms: [1, 10], cumulative: [200, 891], sum_ms: 2700, count: 900 },
        },
      },
    },
    rules: {
      version: 4,
      hash: "3f2a91c04d17",
      loaded_at: "2026-01-02T03:04:05.000Z",
      source: "rules/main.yml",
      hits: [{ rule: "by-topic", hits: 800 }, { rule: "rest", hits: 200 }],
    },
    workers: [{
      worker: 0,
      received: 1000,
      heartbeat_age_ms: 250,
      arena: { bytes: 16_777_216, bytesInUse: 1_048_576 },
      waiting: { connections: 2 },
    }],
    listeners: [{ kind: "syslog", transport: "tcp", address: "127.0.0.1:1514" }, {
      kind: "syslog",
      transport: "tls",
      address: "127.0.0.1:6514",
      certificate_ends_at: "2027-01-02T03:04:05.000Z",
    }],
    io: { wanted: "auto", used: "native", reason: "auto: the sockets of Bun" },
    sink: { name: "kafka", ready: true, problems: [] },
    kafka: {
      brokers: [sampleBroker(1, "kafka-1:9092")],
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
    spool: {
      dir: "/d/spool",
      durability: "os",
      state: "full",
      problem: "4096 of 8192 bytes are used",
      bytes: 4096,
      bytes_max: 8192,
      segments: 2,
      lines: 31,
      batches: 5,
      backlog_lines: 8,
      backlog_batches: 4,
      replay_lines: 6,
      replay_batches: 1,
      pending_batches: 2,
      pending_bytes: 1024,
      oldest_age_s: 7.5,
      parked: [{ topic: "stuck", lines: 21, bytes: 512, full: false }],
      commit_ms: { p50: 1, p99: 2, p999: 3, max: 4 },
      commits: 41,
      batches_committed: 42,
      bytes_committed: 43,
      given_up: 44,
      read_back: 45,
      held: 0,
      passed_by: 46,
      damaged_batches: 47,
      quarantined_batches: 48,
    },
    senders: { "192.0.2.7": { oversize: 81, unparsed: 82, damaged: 83 } },
    watch: { stalls: 91, orphans: 92 },
    process: { resident_bytes: 50_000_000, cpu_s: 1.5 },
    uptime_s: 12.5,
    version: "0.1.0",
    runtime: "bun 1.4.5",
    state: "running",
    ...changes,
  };
}
