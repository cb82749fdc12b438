import assert from "node:assert/strict";
import { test } from "node:test";
import { Exposition } from "../../../src/observe/exposition.ts";
import { LabelCap } from "../../../src/observe/label_cap.ts";
import { metricFormatOf } from "../../../src/observe/metric_text.ts";
import { peersMax, PeerTroubles, sumTroubles } from "../../../src/pipeline/peer_troubles.ts";
import { sampleBroker, sampleStats } from "./stats_sample.ts";

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
  ['corndog_stage_seconds_bucket{stage="kafka",le="0.01"}', 891],
  ['corndog_stage_seconds_bucket{stage="kafka",le="+Inf"}', 900],
  ['corndog_stage_seconds_sum{stage="kafka"}', 2.7],
  ['corndog_kafka_broker_connections{broker="kafka-1:9092"}', 2],
  ['corndog_kafka_broker_in_flight_requests{broker="kafka-1:9092"}', 3],
  ['corndog_kafka_broker_in_flight_bytes{broker="kafka-1:9092"}', 4096],
  ['corndog_kafka_broker_silent_seconds{broker="kafka-1:9092"}', 1.5],
  ['corndog_kafka_broker_requests_total{broker="kafka-1:9092"}', 71],
  ['corndog_kafka_broker_requests_unanswered_total{broker="kafka-1:9092"}', 8],
  ['corndog_kafka_broker_sent_bytes_total{broker="kafka-1:9092"}', 72_000],
  ['corndog_kafka_broker_answer_seconds_bucket{broker="kafka-1:9092",le="0.01"}', 59],
  ['corndog_kafka_broker_answer_seconds_count{broker="kafka-1:9092"}', 60],
  ['corndog_sender_troubles_total{peer="192.0.2.7",trouble="oversize"}', 81],
  ['corndog_sender_troubles_total{peer="192.0.2.7",trouble="damaged"}', 83],
  ["corndog_batch_memory_bytes", 16_777_216],
  ["corndog_batch_memory_used_bytes", 1_048_576],
  ["corndog_connections_waiting", 2],
  ["corndog_stalls_total", 91],
  ["corndog_orphans_total", 92],
  ["process_resident_memory_bytes", 50_000_000],
  ["process_cpu_seconds_total", 1.5],
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

test("Exposition.render() is valid OpenMetrics when that is asked for", () => {
  const text = new Exposition().render(sampleStats(), "openmetrics");
  assert.ok(text.endsWith("\n# EOF\n"));
  const types = new Map([...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name!, type!]));
  assert.equal(types.get("corndog_lines_received"), "counter");
  assert.equal(types.get("corndog_stage_seconds"), "histogram");
  for (const line of text.split("\n").filter((one) => one !== "" && !one.startsWith("#"))) {
    const [name] = /^[a-z_:]+/.exec(line)!;
    const plain = name.replace(/_(total|bucket|sum|count)$/, "");
    assert.equal(types.get(plain) === "counter", name.endsWith("_total"), line);
    assert.ok(types.has(plain) || types.has(name), line);
    const le = /[{,]le="([^"]+)"/.exec(line)?.[1];
    assert.ok(le === undefined || le === "+Inf" || /^\d+\.\d+$/.test(le), line);
  }
});

test("metricFormatOf() is OpenMetrics only when the header names it", () => {
  const wide = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1";
  assert.equal(metricFormatOf(wide), "openmetrics");
  assert.equal(metricFormatOf("text/plain"), "prometheus");
  assert.equal(metricFormatOf(undefined), "prometheus");
});

test("Exposition.render() has a bounded number of series when 100,000 peers, topics and brokers come", () => {
  const exposition = new Exposition();
  const peers = Array.from(
    { length: 100_000 },
    (_, index) => `10.${index >> 16}.${index >> 8 & 255}.${index & 255}`,
  );
  const workers = [new PeerTroubles(), new PeerTroubles()];
  const named = new LabelCap(peersMax);
  const seriesOf = () => {
    const stats = sampleStats({
      senders: sumTroubles(workers.map((troubles) => troubles.report()), named),
      kafka: {
        brokers: peers.map((peer, index) => sampleBroker(index, `${peer}:9092`)),
        topics: Object.fromEntries(
          peers.map((peer) => [peer, { submitted: 1, delivered: 1, dead_lettered: 0 }]),
        ),
      },
      rules: { ...sampleStats().rules, hits: peers.map((rule) => ({ rule, hits: 1 })) },
      spool: {
        ...sampleStats().spool!,
        parked: peers.map((topic) => ({ topic, lines: 1, bytes: 1, full: false })),
      },
    });
    return parse(exposition.render(stats));
  };
  peers.forEach((peer, index) => workers[index & 1]!.add(`${peer}:514`, "oversize", 1));
  const before = seriesOf();
  assert.ok(before.size < 4000, `${before.size} series`);
  const unparsed = (series: Map<string, number>, trouble: string) =>
    [...series].filter(([name]) => name.startsWith("corndog_sender_troubles") && name.includes(trouble))
      .reduce((sum, [, count]) => sum + count, 0);
  assert.equal(unparsed(before, "oversize"), 100_000, "none is lost, those beyond the bound are others");
  // Others come in another order: no series is new, and no counter falls.
  peers.toReversed().forEach((peer, index) => workers[index & 1]!.add(`${peer}:514`, "unparsed", 1));
  const after = seriesOf();
  assert.equal(unparsed(after, "unparsed"), 100_000);
  assert.deepEqual([...after.keys()], [...before.keys()]);
  for (const [name, value] of before) {
    if (name.includes("_total")) assert.ok(after.get(name)! >= value, name);
  }
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
