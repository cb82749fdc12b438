/** What the sink tells of a part of the delivery that is held up, on a fake cluster and virtual time. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ForwarderError } from "../../../src/core/errors.ts";
import { BenchSink } from "./bench_sink.ts";

/** Longer than a trouble is kept back. */
const soonMs = 7000;

describe("KafkaSink.troubles()", () => {
  it("names topic, partitions and error when replicas are missing, and no more when they are back", async () => {
    const bench = new BenchSink();
    bench.cluster.create("logs", 2);
    bench.cluster.create("orders", 1);
    await bench.started();
    bench.cluster.fault = () => ({ refuse: ({ topic }) => topic === "logs" ? 19 : undefined });
    bench.send("logs", ["a"], 0);
    bench.send("logs", ["b"], 1);
    await bench.clock.advance(1000);
    assert.deepEqual(bench.sink.troubles().texts, [], "younger troubles mend themselves");
    await bench.clock.advance(soonMs);
    const { texts, stalled } = bench.sink.troubles();
    assert.deepEqual(texts.map((text) => text.replace(/: fewer replicas .*$/, "")), [
      'Topic "logs": partitions 0, 1 refused with NOT_ENOUGH_REPLICAS',
    ]);
    assert.equal(stalled, true);
    assert.equal(bench.sink.status().ready, true);
    const refused = bench.events.find(({ event }) => event === "kafka_produce_failed")!.fields;
    assert.match(String(refused.meaning), /min\.insync\.replicas/);
    bench.send("orders", ["c"]);
    assert.equal(bench.sink.troubles().stalled, false, "the others go on");
    bench.cluster.fault = () => ({});
    await bench.settled(3000);
    assert.deepEqual(bench.sink.troubles(), { texts: [], stalled: false });
  });

  it("names the partitions that have no leader while lines wait for them", async () => {
    const bench = new BenchSink({ brokers: 2 });
    bench.cluster.create("logs", 2);
    await bench.started();
    bench.cluster.down(2);
    const stuck = bench.send("logs", ["stuck"], 1);
    await bench.clock.advance(soonMs + 2000);
    assert.equal(bench.outcomeOf(stuck), "none");
    assert.deepEqual(bench.sink.troubles().texts, ['Topic "logs": partition 1 without a leader']);
    bench.cluster.up(2);
    await bench.settled(3000);
    assert.deepEqual(bench.sink.troubles().texts, []);
  });

  it("names a broker whose advertised address cannot be reached, and where that address comes from", async () => {
    const bench = new BenchSink({ brokers: 2 });
    bench.cluster.create("logs", 2);
    const { connect } = bench.cluster;
    const refusal = new ForwarderError(
      "kafka_unreachable",
      'Cannot reach broker "broker-2:9092": ENOTFOUND',
      {
        retryable: true,
      },
    );
    bench.cluster.connect = (broker, events) =>
      broker.id === 2 ? Promise.reject(refusal) : connect.call(bench.cluster, broker, events);
    await bench.started();
    bench.send("logs", ["a"], 0);
    const stuck = bench.send("logs", ["b"], 1);
    await bench.clock.advance(soonMs);
    const want = 'Cannot reach broker "broker-2:9092": ENOTFOUND; the cluster names this address ' +
      "(advertised.listeners of broker 2)";
    assert.deepEqual(bench.sink.troubles().texts, [want]);
    assert.equal(bench.sink.status().ready, true);
    assert.equal(bench.outcomeOf(stuck), "none");
    const told = bench.events.find(({ event }) => event === "kafka_broker_unreachable")!.fields;
    assert.equal(told.message, want);
    bench.cluster.connect = connect;
    await bench.settled(3000);
    assert.deepEqual(bench.sink.troubles().texts, []);
  });

  it("names a broker that does not answer, and a refusal that took long to come at once", async () => {
    const bench = new BenchSink();
    bench.cluster.create("logs", 1);
    await bench.started();
    bench.cluster.fault = () => ({ delayMs: 8000, refuse: () => 7 });
    bench.send("logs", ["a"]);
    await bench.clock.advance(6000);
    assert.deepEqual(bench.sink.troubles().texts, [
      'Broker "broker-1:9092" does not answer, though requests are out',
    ]);
    await bench.clock.advance(2500);
    const [text] = bench.sink.troubles().texts;
    assert.match(text!, /^Topic "logs": partition 0 refused with REQUEST_TIMED_OUT: /);
    bench.cluster.fault = () => ({});
    await bench.settled(20_000);
    assert.deepEqual(bench.sink.troubles().texts, []);
  });

  it("names the broker that makes this client pause, counts the pauses, and forgets them", async () => {
    const bench = new BenchSink();
    bench.cluster.create("logs", 1);
    await bench.started();
    bench.cluster.fault = () => ({ throttleMs: 500 });
    bench.send("logs", ["a"]);
    await bench.settled(100);
    const want = 'Broker "broker-1:9092" slows this client down: it is over a quota of the cluster';
    assert.deepEqual(bench.sink.troubles().texts, [want]);
    assert.ok(
      bench.events.some(({ event, fields }) => event === "kafka_throttled" && fields.pause_ms === 500),
    );
    const [broker] = bench.sink.status().details.brokers as { throttledMs: number }[];
    assert.equal(broker!.throttledMs, 500);
    await bench.clock.advance(11_000);
    assert.deepEqual(bench.sink.troubles().texts, []);
  });

  it("names a topic that is refused, with the cure and what becomes of its lines", async () => {
    const bench = new BenchSink();
    bench.cluster.create("logs", 1);
    bench.cluster.create("closed", 1);
    await bench.started();
    bench.cluster.fault = () => ({ refuse: ({ topic }) => topic === "closed" ? 29 : undefined });
    bench.send("closed", ["a"]);
    await bench.settled(1000);
    assert.deepEqual(bench.sink.troubles().texts, [
      'Topic "closed" refused: TOPIC_AUTHORIZATION_FAILED; give this client\'s user Write on the topic; ' +
      "its lines go to the dead letter",
    ]);
    await bench.clock.advance(70_000);
    assert.deepEqual(bench.sink.troubles().texts, [], "nobody sends to it any more");
  });
});
