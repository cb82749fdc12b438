import assert from "node:assert/strict";
import { test } from "node:test";
import { Exposition } from "../../../src/observe/exposition.ts";
import { sampleStats } from "./stats_sample.ts";

/** Parses the text format strictly enough that a broken line fails. */
function parse(text: string): Map<string, number> {
  const samples = new Map<string, number>();
  const types = new Map<string, string>();
  assert.ok(text.endsWith("\n"));
  for (const line of text.slice(0, -1).split("\n")) {
    const type = /^# TYPE (\S+) (counter|gauge|histogram)$/.exec(line);
    if (type !== null) {
      assert.equal(types.has(type[1]), false, `${type[1]} has one TYPE`);
      types.set(type[1], type[2]);
      continue;
    }
    if (/^# HELP \S+ \S/.test(line)) continue;
    const sample =
      /^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{(?:[a-z_]+="(?:[^"\\\n]|\\[\\"n])*"(?:,(?!\})|(?=\})))+\})? (\S+)$/.exec(
        line,
      );
    assert.ok(sample, `not a sample: ${line}`);
    const family = sample[1].replace(/_(bucket|sum|count)$/, "");
    assert.ok(types.has(sample[1]) || types.get(family) === "histogram", `${sample[1]} has a TYPE before it`);
    const series = sample[1] + (sample[2] ?? "");
    assert.equal(samples.has(series), false, `${series} appears once`);
    assert.equal(Number.isFinite(Number(sample[3])), true, line);
    samples.set(series, Number(sample[3]));
  }
  return samples;
}

const wanted: [string, number][] = [
  ["corndog_lines_received_total", 1000],
  ["corndog_lines_fan_out_total", 20],
  ["corndog_lines_split_total", 5],
  ["corndog_spool_ready", 0],
  ["corndog_spool_bytes", 4096],
  ["corndog_spool_bytes_max", 8192],
  ["corndog_spool_lines", 31],
  ["corndog_spool_backlog_lines", 8],
  ["corndog_spool_replay_lines", 6],
  ["corndog_spool_pending_bytes", 1024],
  ["corndog_spool_oldest_age_seconds", 7.5],
  ['corndog_spool_commit_seconds{quantile="0.99"}', 0.002],
  ["corndog_spool_commits_total", 41],
  ["corndog_spool_committed_batches_total", 42],
  ["corndog_spool_committed_bytes_total", 43],
  ["corndog_spool_given_up_batches_total", 44],
  ["corndog_spool_read_back_batches_total", 45],
  ["corndog_spool_passed_by_batches_total", 46],
  ["corndog_spool_damaged_batches_total", 47],
  ["corndog_spool_quarantined_batches_total", 48],
  ['corndog_spool_parked_lines{topic="stuck"}', 21],
  ["corndog_lines_replayed_total", 7],
  ["corndog_lines_joined_total", 4],
  ["corndog_lines_delivered_total", 900],
  ["corndog_lines_in_flight", 60],
  ["corndog_lines_dead_lettered_total", 10],
  ['corndog_lines_dropped_total{reason="rule_stop"}', 40],
  ["corndog_ledger_balanced", 1],
  ["corndog_received_bytes_total", 200_000],
  ["corndog_connections", 3],
  ['corndog_connections_refused_total{reason="connections"}', 1],
  ['corndog_connections_refused_total{reason="network"}', 2],
  ["corndog_tls_handshakes_failed_total", 9],
  ['corndog_connections_ended_total{reason="idle"}', 10],
  ['corndog_connections_ended_total{reason="partial"}', 11],
  ["corndog_connections_held_total", 12],
  ['corndog_certificate_end_timestamp_seconds{listener="127.0.0.1:6514"}', 1_798_859_045],
  ["corndog_datagrams_refused_total", 13],
  ["corndog_datagrams_lost_total", 14],
  ["corndog_frames_damaged_total", 14],
  ["corndog_connections_foreign_total", 15],
  ["corndog_lines_unparsed_total", 5],
  ["corndog_pauses_total", 7],
  ["corndog_http_requests_total", 61],
  ["corndog_http_failures_total", 62],
  ["corndog_http_timeouts_total", 63],
  ['corndog_topic_delivered_total{topic="orders"}', 600],
  ['corndog_topic_submitted_total{topic="logs"}', 320],
  ['corndog_rule_hits_total{rule="by-topic"}', 800],
  ["corndog_rules_version", 4],
  ["corndog_rules_last_swap_refused", 0],
  ['corndog_sink_ready{sink="kafka"}', 1],
  ['corndog_worker_heartbeat_age_seconds{worker="0"}', 0.25],
  ['corndog_state{state="running"}', 1],
  ['corndog_state{state="draining"}', 0],
  ['corndog_build_info{version="0.1.0",runtime="bun 1.4.5"}', 1],
  ['corndog_receive_to_ack_seconds_bucket{le="0.01"}', 890],
  ['corndog_receive_to_ack_seconds_bucket{le="+Inf"}', 900],
  ["corndog_receive_to_ack_seconds_sum", 3.6],
  ["corndog_receive_to_ack_seconds_count", 900],
];

test("Exposition.render() has every figure when Stats are complete", () => {
  const samples = parse(new Exposition().render(sampleStats()));
  for (const [series, value] of wanted) assert.equal(samples.get(series), value, series);
});

test("Exposition.render() is valid when nothing has happened", () => {
  parse(
    new Exposition().render(
      sampleStats({
        workers: [],
        kafka: { brokers: [], topics: {} },
        latency_ms: { receive_to_ack: { count: 0, p50: 0, p99: 0, p999: 0, max: 0 } },
      }),
    ),
  );
});

test("Exposition.render() escapes labels when a rule's name holds quotes, backslashes and newlines", () => {
  const stats = sampleStats();
  const text = new Exposition().render(
    sampleStats({ rules: { ...stats.rules, hits: [{ rule: 'a"b\\c\nd', hits: 1 }] } }),
  );
  assert.equal(parse(text).get('corndog_rule_hits_total{rule="a\\"b\\\\c\\nd"}'), 1);
});

test("Exposition.render() caps topics when a log line invents many", () => {
  const exposition = new Exposition(3);
  const counts = (n: number) => ({ submitted: n, delivered: n, dead_lettered: 0 });
  const series = (topics: Record<string, ReturnType<typeof counts>>) => {
    const samples = parse(exposition.render(sampleStats({ kafka: { brokers: [], topics } })));
    return Object.fromEntries(
      [...samples].filter(([name]) => name.startsWith("corndog_topic_delivered")).map(([name, value]) => [
        name.slice('corndog_topic_delivered_total{topic="'.length, -2),
        value,
      ]),
    );
  };
  assert.deepEqual(series({ a: counts(1), b: counts(2) }), { a: 1, b: 2 });
  // Later ones share a series even if they come first in the object, so that no counter ever falls.
  assert.deepEqual(series({ z: counts(100), y: counts(50), other: counts(7), b: counts(3), a: counts(1) }), {
    z: 100,
    other: 57,
    b: 3,
    a: 1,
  });
  const many = Object.fromEntries(Array.from({ length: 100_000 }, (_, index) => [`t${index}`, counts(1)]));
  assert.equal(series(many).other, 100_000);
});
