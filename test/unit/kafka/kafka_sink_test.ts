/** What the sink does in each single situation, on a fake cluster and virtual time. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { describe, it } from "node:test";
import type { ClosedBatch } from "../../../src/batch/record_batch.ts";
import { ForwarderError } from "../../../src/core/errors.ts";
import { createKafkaSink } from "../../../src/kafka/kafka_sink.ts";
import { createKernel } from "../../../src/kernel/instance.ts";
import { BenchSink, kafkaConfig } from "./bench_sink.ts";
import type { Fault } from "./fake_cluster.ts";

const topicOf = ({ details }: ReturnType<BenchSink["sink"]["status"]>) =>
  details.topics as Record<string, unknown>;

describe("KafkaSink delivery", () => {
  it("send() puts the batches of one turn, of several topics and partitions, into one request", async () => {
    const bench = new BenchSink();
    bench.cluster.create("logs", 3);
    bench.cluster.create("orders", 2);
    await bench.started();
    bench.send("orders", ["warm"]);
    bench.send("logs", ["warm"]);
    await bench.settled();
    bench.cluster.requests.length = 0;
    for (const topic of ["orders", "logs", "orders", "logs"]) bench.send(topic, ["x"]);
    await bench.settled();
    assert.equal(bench.cluster.requests.length, 1);
    const { request } = bench.cluster.requests[0];
    assert.equal(request.version, 8);
    assert.equal(request.acks, -1);
    assert.equal(request.clientId, "corndog");
    assert.deepEqual(request.parts.map(({ topic }) => topic), ["logs", "logs", "orders", "orders"]);
  });

  it("send() spreads batches evenly over partitions and brokers when nothing is in the way", async () => {
    const bench = new BenchSink({ brokers: 3 });
    bench.cluster.create("logs", 6);
    await bench.started();
    for (let id = 0; id < 60; id++) {
      bench.send("logs", [String(id)]);
      await bench.settled();
    }
    assert.deepEqual(bench.cluster.topics.get("logs")!.map(({ log }) => log.length), [
      10,
      10,
      10,
      10,
      10,
      10,
    ]);
  });

  it("send() keeps at most five requests out and fills the next ones while they are", async () => {
    const bench = new BenchSink();
    bench.cluster.create("logs", 8);
    bench.cluster.ackMs = 50;
    await bench.started();
    for (let id = 0; id < 200; id++) bench.send("logs", [String(id)]);
    await bench.settled();
    assert.ok(
      bench.cluster.requests.length <= 30,
      `${bench.cluster.requests.length} requests for 200 batches`,
    );
    const status = bench.sink.status();
    assert.equal(status.batchesInFlight, 0);
  });

  it("send() in settled() and wants() works when the pipeline does so", async () => {
    const bench = new BenchSink();
    bench.cluster.create("logs", 1);
    await bench.started();
    let again = 20;
    bench.onSettled = () => {
      if (again-- > 0) bench.send("logs", ["again"]);
    };
    bench.send("logs", ["first"]);
    await bench.clock.until(() => bench.outcomes.size === 21, 10_000);
    assert.equal(bench.outcomes.size, 21);
  });

  it("hungry is true until two requests are out, and wants() is called when it turns true again", async () => {
    const bench = new BenchSink();
    bench.cluster.create("logs", 4);
    bench.cluster.ackMs = 100;
    assert.equal(bench.sink.hungry, false);
    await bench.started();
    await bench.clock.advance(100);
    assert.equal(bench.sink.hungry, true);
    assert.equal(bench.wants, 1);
    bench.send("logs", ["a"]);
    await bench.clock.advance(0);
    assert.equal(bench.sink.hungry, true);
    bench.send("logs", ["b"]);
    await bench.clock.advance(0);
    assert.equal(bench.sink.hungry, false);
    await bench.settled();
    assert.equal(bench.sink.hungry, true);
    assert.equal(bench.wants, 2);
  });

  it("createKafkaSink() refuses a client id when a request head with it would not fit in front of a batch", () => {
    const events = { settled: () => {}, wants: () => {}, refused: () => {} };
    const make = (length: number) =>
      createKafkaSink({
        kernel: createKernel({ arenaBytes: 65536 }),
        config: kafkaConfig({ clientId: "c".repeat(length) }),
        events,
      });
    make(223);
    assert.throws(
      () => make(224),
      (error) => error instanceof ForwarderError && error.code === "config_invalid",
    );
  });

  it("close() ends every timer when batches are still out", async () => {
    const bench = new BenchSink({ brokers: 2 });
    bench.cluster.create("logs", 2);
    await bench.started();
    bench.cluster.fault = () => ({ delayMs: 5000, refuse: () => 19 });
    bench.send("logs", ["x"]);
    await bench.clock.advance(100);
    await bench.sink.close();
    await bench.clock.advance(20_000);
    assert.equal(bench.clock.pending, 0);
    assert.equal(bench.outcomes.size, 0);
  });
});

describe("KafkaSink with trouble in the cluster", () => {
  it("start() returns at once and delivers within a second of Kafka coming up when it was down", async () => {
    const bench = new BenchSink();
    bench.cluster.create("logs", 2);
    bench.cluster.down(1);
    bench.sink.start();
    bench.send("logs", ["early"]);
    await bench.clock.advance(30_000);
    const { ready, problem } = bench.sink.status();
    assert.equal(ready, false);
    assert.equal(problem, 'Cannot reach broker "broker-1:9092": ECONNREFUSED');
    bench.cluster.up(1);
    await bench.settled(1100);
    assert.equal(bench.sink.status().ready, true);
    assert.equal(bench.sink.status().problem, undefined);
  });

  it("delivers to a new leader without waiting for the request timeout when the old one falls silent", async () => {
    const bench = new BenchSink({ brokers: 2, config: { requestTimeoutMs: 30_000 } });
    const [partition] = bench.cluster.create("logs", 1);
    await bench.started();
    bench.cluster.fault = (_, broker) => broker === 1 ? { cut: "before", delayMs: 60_000 } : {};
    bench.send("logs", ["x"]);
    await bench.clock.advance(1000);
    partition.leader = 2;
    await bench.settled(3000);
    assert.deepEqual(partition.log, ["x"]);
  });

  it("destroys the connection and sends again when a broker does not answer within the request timeout", async () => {
    const bench = new BenchSink({ config: { requestTimeoutMs: 4000 } });
    const [partition] = bench.cluster.create("logs", 1);
    await bench.started();
    const faults: Fault[] = [{ delayMs: 600_000 }];
    bench.cluster.fault = () => faults.shift() ?? {};
    bench.send("logs", ["x"]);
    await bench.clock.advance(3900);
    assert.equal(bench.outcomes.size, 0);
    await bench.settled(1500);
    assert.deepEqual(partition.log, ["x"], "the broker knew the batch again");
    assert.ok(bench.events.some(({ event }) => event === "kafka_broker_lost"));
  });

  it("one partition without leader does not hold up the others", async () => {
    const bench = new BenchSink({ brokers: 2 });
    bench.cluster.create("logs", 2);
    await bench.started();
    bench.cluster.down(2);
    for (let id = 0; id < 50; id++) bench.send("logs", [String(id)]);
    const stuck = bench.send("logs", ["stuck"], 1);
    await bench.clock.until(() => bench.outcomes.size === 50, 10_000);
    assert.equal(bench.outcomes.size, 50);
    assert.equal(bench.outcomeOf(stuck), "none");
    assert.equal(bench.sink.status().ready, true);
    bench.cluster.up(2);
    await bench.settled(2000);
  });

  for (const [what, choice] of [["any partition", undefined], ["that partition", 0]] as const) {
    it(`looks for a leader at once when the first batch for ${what} comes after it was lost`, async () => {
      const bench = new BenchSink({ brokers: 2 });
      const [partition] = bench.cluster.create("logs", 1);
      await bench.started();
      partition.leader = -1;
      await bench.clock.advance(61_000);
      bench.send("logs", ["late"], choice);
      await bench.clock.advance(3000);
      partition.leader = 2;
      await bench.settled(1500);
      assert.deepEqual(partition.log, ["late"]);
    });
  }

  it("asks on while the cluster names no broker, though nothing waits yet", async () => {
    const bench = new BenchSink();
    const [partition] = bench.cluster.create("logs", 1);
    await bench.started();
    bench.send("logs", ["x"]);
    await bench.settled();
    bench.cluster.down(1);
    await bench.clock.advance(10_000);
    const metadata = bench.cluster.metadata.bind(bench.cluster);
    bench.cluster.metadata = async (topics, create) => {
      const answer = await metadata(topics, create);
      const leaderless = answer.topics.map((topic) => ({
        ...topic,
        partitions: topic.partitions.map((one) => ({ ...one, leader: -1 })),
      }));
      return { brokers: [], topics: leaderless };
    };
    bench.cluster.up(1);
    await bench.clock.advance(2000);
    bench.cluster.metadata = metadata;
    await bench.clock.advance(1500);
    assert.equal(bench.sink.status().ready, true);
    bench.send("logs", ["late"]);
    await bench.settled(100);
    assert.deepEqual(partition.log, ["x", "late"]);
  });

  it("connects to the leader of a topic that was quiet for long when a batch comes for it", async () => {
    const bench = new BenchSink({ brokers: 2 });
    const [logs] = bench.cluster.create("logs", 1);
    const [quiet] = bench.cluster.create("quiet", 1);
    logs.leader = 1;
    quiet.leader = 2;
    await bench.started();
    bench.send("quiet", ["x"]);
    const minutes = async (count: number): Promise<void> => {
      for (let minute = 0; minute < count; minute++) {
        bench.send("logs", ["x"]);
        await bench.settled();
        await bench.clock.advance(65_000);
      }
    };
    await minutes(10);
    bench.cluster.down(2);
    await minutes(2);
    bench.cluster.up(2);
    await minutes(2);
    bench.send("quiet", ["late"]);
    await bench.settled(1500);
    assert.deepEqual(quiet.log, ["x", "late"]);
  });

  it("one topic that is refused for ever with a retriable error does not slow the others", async () => {
    const bench = new BenchSink();
    bench.cluster.create("bad", 4);
    bench.cluster.create("logs", 4);
    await bench.started();
    bench.cluster.fault = () => ({ refuse: ({ topic }) => topic === "bad" ? 19 : undefined });
    for (let id = 0; id < 20; id++) bench.send("bad", [String(id)]);
    await bench.clock.advance(5000);
    const before = bench.clock.nowMs();
    for (let id = 0; id < 100; id++) bench.send("logs", [String(id)]);
    await bench.clock.until(() => bench.outcomes.size === 100, 60_000);
    assert.ok(bench.clock.nowMs() - before < 200, `${bench.clock.nowMs() - before} ms for 100 batches`);
    bench.cluster.fault = () => ({});
    await bench.settled(3000);
  });

  it("new partitions are used when the topic grew", async () => {
    const bench = new BenchSink();
    bench.cluster.create("logs", 1);
    await bench.started();
    bench.cluster.create("logs", 3);
    await bench.clock.advance(61_000);
    for (let id = 0; id < 9; id++) {
      bench.send("logs", [String(id)]);
      await bench.settled();
    }
    assert.deepEqual(bench.cluster.topics.get("logs")!.map(({ log }) => log.length), [3, 3, 3]);
  });

  it("status() says why, and delivery goes on by itself, when authentication failed for a while", async () => {
    const bench = new BenchSink();
    bench.cluster.create("logs", 1);
    const message = 'Cannot authenticate at broker "broker-1:9092": wrong password';
    bench.cluster.denial = new ForwarderError("kafka_authentication_failed", message, { retryable: true });
    bench.sink.start();
    bench.send("logs", ["x"]);
    await bench.clock.advance(60_000);
    assert.equal(bench.sink.status().ready, false);
    assert.equal(bench.sink.status().problem, message);
    bench.cluster.denial = undefined;
    await bench.settled(11_000);
    assert.equal(bench.sink.status().ready, true);
  });

  it("status() names the refusal while the cluster refuses this client's requests", async () => {
    const bench = new BenchSink();
    bench.cluster.create("logs", 1);
    await bench.started();
    bench.cluster.fault = () => ({ refuse: () => 31 });
    bench.send("logs", ["x"]);
    await bench.clock.advance(20_000);
    assert.equal(bench.sink.status().problem, "Cluster refuses this client: CLUSTER_AUTHORIZATION_FAILED");
    assert.ok(bench.cluster.requests.length < 8, "asks every few seconds only");
    bench.cluster.fault = () => ({});
    await bench.settled(6000);
    assert.equal(bench.sink.status().ready, true);
  });

  it("asks once a minute, and sends nothing else, when nothing happens", async () => {
    const bench = new BenchSink({ brokers: 3 });
    bench.cluster.create("logs", 3);
    await bench.started();
    bench.send("logs", ["x"]);
    await bench.settled();
    await bench.clock.advance(10_000);
    const before = bench.cluster.metadataAsked.length;
    await bench.clock.advance(600_000);
    assert.ok(bench.cluster.metadataAsked.length - before <= 10);
    assert.equal(bench.clock.pending, 1);
  });

  it("connects again and delivers when the broker ends idle connections", async () => {
    const bench = new BenchSink();
    bench.cluster.create("logs", 1);
    await bench.started();
    for (let round = 0; round < 3; round++) {
      for (const connection of [...bench.cluster.connections]) connection.lose("idle");
      await bench.clock.advance(2000);
      bench.send("logs", ["x"]);
      await bench.settled(2000);
    }
  });

  it("sends nothing while a session is authenticated again, then goes on", async () => {
    const bench = new BenchSink();
    bench.cluster.create("logs", 1);
    await bench.started();
    const [connection] = bench.cluster.connections;
    connection.setUsable(false);
    bench.send("logs", ["x"]);
    await bench.clock.advance(500);
    assert.equal(bench.cluster.requests.length, 0);
    assert.equal(bench.sink.hungry, false);
    connection.setUsable(true);
    await bench.settled(100);
  });

  it("waits as long as the broker asks when it throttles", async () => {
    const bench = new BenchSink();
    bench.cluster.create("logs", 1);
    await bench.started();
    const faults: Fault[] = [{ throttleMs: 3000 }];
    bench.cluster.fault = () => faults.shift() ?? {};
    bench.send("logs", ["x"]);
    await bench.settled(100);
    bench.send("logs", ["y"]);
    await bench.clock.advance(2900);
    assert.equal(bench.cluster.requests.length, 1);
    await bench.settled(200);
  });

  it("ends the connection and sends again when the answer is garbage or about something else", async () => {
    for (const garbage of [Buffer.alloc(0), Buffer.alloc(8, 0xff), Buffer.from([0, 0, 0, 0, 0, 0, 0, 0])]) {
      const bench = new BenchSink();
      const [partition] = bench.cluster.create("logs", 1);
      await bench.started();
      const faults: Fault[] = [{ garbage }];
      bench.cluster.fault = () => faults.shift() ?? {};
      bench.send("logs", ["x"]);
      await bench.settled(2000);
      assert.deepEqual(partition.log, ["x"]);
    }
  });
});

describe("KafkaSink rejections", () => {
  const cases = [
    { code: 10, reason: "record_too_large" },
    { code: 18, reason: "record_too_large" },
    { code: 32, reason: "invalid_timestamp" },
    { code: 87, reason: "invalid_record" },
    { code: 44, reason: "policy_violation" },
    { code: 2, reason: "corrupt_message" },
    { code: -1, reason: "unknown_server_error" },
    { code: 999, reason: "error_999" },
  ];
  for (const { code, reason } of cases) {
    it(`settles one batch rejected as ${reason} and delivers the ones around it when brokers say ${code}`, async () => {
      const bench = new BenchSink();
      const [partition] = bench.cluster.create("logs", 1);
      await bench.started();
      bench.cluster.fault = () => ({
        refuse: ({ batch }) => batch.values.includes("bad") ? code : undefined,
      });
      const values = ["a", "bad", "b", "c", "bad", "d"];
      const batches = values.map((value) => bench.send("logs", [value]));
      await bench.settled(120_000);
      assert.deepEqual(
        batches.map((batch) => bench.outcomeOf(batch)),
        values.map((value) => value === "bad" ? reason : "delivered"),
      );
      assert.deepEqual(partition.log, ["a", "b", "c", "d"]);
    });
  }

  it("settles a batch rejected as invalid_topic when Kafka could have no topic of that name", async () => {
    const bench = await new BenchSink().started();
    for (const name of ["", ".", "..", "a b", "ä", "x".repeat(250)]) {
      const batch = bench.send(name, ["x"]);
      await bench.settled(10);
      assert.equal(bench.outcomeOf(batch), "invalid_topic");
    }
    assert.ok(!bench.cluster.metadataAsked.some(({ topics }) => topics.includes("a b")));
  });

  it("waits for an unknown topic, then rejects its batches, and delivers again after its creation", async () => {
    const bench = await new BenchSink({ config: { topicWaitMs: 5000 } }).started();
    const first = bench.send("later", ["1"]);
    const addressed = bench.send("later", ["2"], 1);
    await bench.clock.advance(4900);
    assert.equal(bench.outcomes.size, 0);
    await bench.settled(1500);
    assert.equal(bench.outcomeOf(first), "unknown_topic");
    assert.equal(bench.outcomeOf(addressed), "unknown_topic");
    const second = bench.send("later", ["3"]);
    await bench.settled(10);
    assert.equal(bench.outcomeOf(second), "unknown_topic");
    assert.deepEqual(topicOf(bench.sink.status()).unavailable, 1);
    bench.cluster.create("later", 2);
    await bench.clock.advance(3500);
    const third = bench.send("later", ["4"]);
    await bench.settled(100);
    assert.equal(bench.outcomeOf(third), "delivered");
  });

  it("settles a batch rejected as unknown_partition when its topic has fewer, and asks the cluster first", async () => {
    const bench = new BenchSink();
    bench.cluster.create("logs", 2);
    await bench.started();
    const known = bench.send("logs", ["1"], 1);
    await bench.settled(1000);
    await bench.clock.advance(2000);
    const asked = bench.cluster.metadataAsked.length;
    const missing = bench.send("logs", ["2"], 2);
    const beside = bench.send("logs", ["3"], 0);
    await bench.settled(1000);
    assert.equal(bench.outcomeOf(known), "delivered");
    assert.equal(bench.outcomeOf(missing), "unknown_partition");
    assert.equal(bench.outcomeOf(beside), "delivered");
    assert.equal(bench.cluster.metadataAsked.length, asked + 1);
    const again = bench.send("logs", ["4"], 99_999);
    await bench.settled(10);
    assert.equal(bench.outcomeOf(again), "unknown_partition");
    assert.equal(bench.cluster.metadataAsked.length, asked + 1);
    assert.deepEqual(bench.cluster.topics.get("logs")!.map(({ log }) => log), [["3"], ["1"]]);
  });

  it("delivers to a partition that the topic got since it was last described", async () => {
    const bench = new BenchSink();
    bench.cluster.create("logs", 1);
    await bench.started();
    bench.send("logs", ["0"]);
    await bench.settled();
    await bench.clock.advance(2000);
    bench.cluster.create("logs", 3);
    const batch = bench.send("logs", ["1"], 2);
    await bench.settled(1000);
    assert.equal(bench.outcomeOf(batch), "delivered");
    assert.deepEqual(bench.cluster.topics.get("logs")![2]!.log, ["1"]);
  });

  it("rejects a batch for a missing partition when the topic becomes known after the batch came", async () => {
    const bench = await new BenchSink({ config: { topicWaitMs: 60_000 } }).started();
    const batch = bench.send("later", ["1"], 5);
    await bench.clock.advance(500);
    assert.equal(bench.outcomes.size, 0);
    bench.cluster.create("later", 2);
    await bench.settled(5000);
    assert.equal(bench.outcomeOf(batch), "unknown_partition");
  });

  it("waits for an unknown topic only from the time when the cluster says so", async () => {
    const bench = new BenchSink({ config: { topicWaitMs: 2000 } });
    bench.cluster.down(1);
    bench.sink.start();
    bench.send("later", ["1"]);
    await bench.clock.advance(60_000);
    bench.cluster.up(1);
    await bench.clock.advance(2500);
    assert.equal(bench.outcomes.size, 0);
    bench.cluster.create("later", 1);
    await bench.settled(1500);
    assert.deepEqual(bench.cluster.topics.get("later")![0].log, ["1"]);
  });

  it("lets the broker create a topic when batches wait for it, and only then", async () => {
    const bench = new BenchSink();
    bench.cluster.isAutoCreating = true;
    await bench.started();
    await bench.clock.advance(1000);
    assert.ok(!bench.cluster.topics.has("logs"));
    bench.send("logs", ["x"]);
    await bench.settled(100);
    assert.ok(bench.cluster.metadataAsked.every(({ topics, create }) => !create || topics.length > 0));
  });

  it("waits longer than the topic wait while the topic has no leader yet", async () => {
    const bench = await new BenchSink({ config: { topicWaitMs: 1000 } }).started();
    bench.cluster.create("young", 1);
    bench.cluster.topicErrors.set("young", 5);
    bench.send("young", ["x"]);
    await bench.clock.advance(20_000);
    assert.equal(bench.outcomes.size, 0);
    bench.cluster.topicErrors.delete("young");
    await bench.settled(1500);
  });

  it("rejects what is queued for a topic that may not be written to, and tries again later", async () => {
    const bench = new BenchSink();
    const [partition] = bench.cluster.create("secret", 1);
    bench.cluster.create("logs", 1);
    await bench.started();
    bench.cluster.fault = () => ({ refuse: ({ topic }) => topic === "secret" ? 29 : undefined });
    const secrets = Array.from({ length: 10 }, (_, id) => bench.send("secret", [String(id)]));
    const logs = bench.send("logs", ["x"]);
    await bench.settled(100);
    assert.ok(secrets.every((batch) => bench.outcomeOf(batch) === "topic_authorization_failed"));
    assert.equal(bench.outcomeOf(logs), "delivered");
    bench.cluster.fault = () => ({});
    await bench.clock.advance(2000);
    const early = bench.send("secret", ["early"]);
    await bench.settled(10);
    assert.equal(bench.outcomeOf(early), "topic_authorization_failed");
    await bench.clock.advance(5000);
    const late = bench.send("secret", ["late"]);
    await bench.settled(100);
    assert.equal(bench.outcomeOf(late), "delivered");
    assert.deepEqual(partition.log, ["late"]);
  });

  it("parks an unknown topic: its batches wait up to their bound, the others flow, and all go out when it comes", async () => {
    const bench = await new BenchSink({
      config: { topicFault: "park", parkedBytesMax: 1000, topicWaitMs: 2000 },
    })
      .started();
    const [partition] = bench.cluster.create("logs", 1);
    const value = "x".repeat(300);
    const kept = Array.from({ length: 3 }, (_, index) => bench.send("later", [`${index} ${value}`]));
    await bench.clock.advance(10_000);
    assert.deepEqual(bench.parked, ["later true"]);
    assert.equal(bench.outcomes.size, 0);
    const beyond = bench.send("later", ["beyond"]);
    assert.equal(bench.outcomeOf(beyond), "unknown_topic");
    bench.send("logs", ["flows"]);
    await bench.clock.advance(100);
    assert.deepEqual(partition.log, ["flows"]);
    const { faulty } = bench.sink.status().details.topics as { faulty: { topic: string; parked: boolean }[] };
    assert.deepEqual(faulty.map(({ topic, parked }) => [topic, parked]), [["later", true]]);
    const [later] = bench.cluster.create("later", 1);
    await bench.settled(10_000);
    assert.deepEqual(kept.map((batch) => bench.outcomeOf(batch)), ["delivered", "delivered", "delivered"]);
    assert.deepEqual(later.log.map((text) => text.slice(0, 1)), ["0", "1", "2"]);
    assert.deepEqual(bench.parked, ["later true", "later false"]);
    const names = bench.events.map(({ event }) => event).filter((event) => event.startsWith("kafka_topic"));
    assert.deepEqual(names, ["kafka_topic_unavailable", "kafka_topic_recovered"]);
  });

  it("parks a topic that may not be written to, tries it every three seconds, and goes on in order", async () => {
    const bench = await new BenchSink({ config: { topicFault: "park", parkedBytesMax: 100_000 } }).started();
    const [partition] = bench.cluster.create("audit", 1);
    let isAllowed = true;
    bench.cluster.fault = () => ({ refuse: () => isAllowed ? undefined : 29 });
    bench.send("audit", ["0"]);
    await bench.settled();
    isAllowed = false;
    for (let index = 1; index <= 10; index++) bench.send("audit", [String(index)]);
    await bench.clock.advance(100);
    assert.deepEqual(bench.parked, ["audit true"]);
    const before = bench.cluster.requests.length;
    await bench.clock.advance(30_000);
    const tries = bench.cluster.requests.length - before;
    assert.ok(tries >= 5 && tries <= 12, `${tries} requests in 30 s`);
    assert.equal(bench.outcomes.size, 1);
    isAllowed = true;
    await bench.settled(10_000);
    assert.deepEqual(partition.log, Array.from({ length: 11 }, (_, index) => String(index)));
    assert.deepEqual(bench.parked, ["audit true", "audit false"]);
  });

  it("does not park what could never be a topic", async () => {
    const bench = await new BenchSink({ config: { topicFault: "park" } }).started();
    const batch = bench.send("a b", ["x"]);
    await bench.settled(100);
    assert.equal(bench.outcomeOf(batch), "invalid_topic");
    assert.deepEqual(bench.parked, []);
  });

  it("giveBack() gives what never went out, newest first, and to one that is not wanted, while a topic stalls", async () => {
    const bench = await new BenchSink({ brokers: 2 }).started();
    bench.cluster.create("logs", 1);
    const [stopped] = bench.cluster.create("stopped", 1);
    assert.equal(bench.sink.stalls("stopped"), false);
    bench.send("logs", ["x"]);
    await bench.settled();
    stopped.leader = 9;
    const batches: ClosedBatch[] = [];
    for (let index = 0; index < 10; index++) {
      await bench.clock.advance(1);
      batches.push(bench.send("stopped", [String(index)]));
    }
    await bench.clock.advance(500);
    assert.equal(bench.sink.stalls("stopped"), true);
    assert.equal(bench.sink.stalls("logs"), false);
    const given = bench.sink.giveBack("stopped", (batch) => batch !== batches[5]);
    assert.deepEqual(given.map((batch) => batches.indexOf(batch)), [9, 8, 7, 6]);
    assert.equal(bench.sink.status().batchesInFlight, 6);
    assert.equal(bench.sink.held().size, 6);
    stopped.leader = 1;
    assert.ok(await bench.clock.until(() => bench.outcomes.size === 7, 10_000));
    assert.deepEqual(stopped.log, ["0", "1", "2", "3", "4", "5"], "what stays has nothing older behind it");
    assert.equal(bench.sink.stalls("stopped"), false);
    for (const batch of [...given].reverse()) bench.sink.send(batch);
    await bench.settled();
    assert.deepEqual(stopped.log, ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
    await bench.sink.close();
  });

  it("stalls() is true of a topic whose leader's host is gone, while it is tried to connect to it too", async () => {
    const bench = await new BenchSink({ brokers: 2 }).started();
    bench.cluster.create("logs", 1);
    const [far] = bench.cluster.create("far", 1);
    far!.leader = 2;
    bench.cluster.gone.add(2);
    bench.send("logs", ["x"]);
    bench.send("far", ["y"]);
    await bench.clock.advance(1000);
    assert.equal(bench.sink.stalls("far"), false, "a connection may take a second");
    await bench.clock.advance(1500);
    for (let step = 0; step < 100; step++) {
      assert.equal(bench.sink.stalls("far"), true, `after ${2500 + 250 * step} ms`);
      assert.equal(bench.sink.stalls("logs"), false);
      await bench.clock.advance(250);
    }
    bench.cluster.gone.delete(2);
    await bench.settled();
    assert.equal(bench.sink.stalls("far"), false);
    await bench.sink.close();
  });

  it("stalls() is false for every topic while the whole cluster is away", async () => {
    const bench = await new BenchSink().started();
    bench.cluster.create("logs", 1);
    bench.send("logs", ["x"]);
    await bench.settled();
    bench.cluster.down(1);
    bench.send("logs", ["y"]);
    await bench.clock.advance(5000);
    assert.equal(bench.sink.stalls("logs"), false);
    bench.cluster.up(1);
    await bench.settled();
  });

  it("gives a slow broker less while others are quicker", async () => {
    const bench = new BenchSink({ brokers: 3 });
    const partitions = bench.cluster.create("logs", 6);
    await bench.started();
    bench.cluster.fault = (_, broker) => ({ delayMs: broker === 2 ? 100 : 5 });
    for (let round = 0; round < 300; round++) {
      bench.send("logs", [String(round)]);
      await bench.clock.advance(2);
    }
    await bench.settled();
    const counts = new Map<number, number>();
    for (const { leader, log } of partitions) counts.set(leader, (counts.get(leader) ?? 0) + log.length);
    assert.ok(counts.get(2)! * 4 < counts.get(1)!, JSON.stringify([...counts]));
    assert.ok(counts.get(1)! < counts.get(3)! * 1.5 && counts.get(3)! < counts.get(1)! * 1.5);
    assert.ok(counts.get(2)! > 0, "it is not forgotten");
  });

  it("delivers what was in flight to a topic that was deleted and made anew with fewer partitions", async () => {
    const bench = new BenchSink({ config: { topicWaitMs: 60_000 } });
    bench.cluster.create("logs", 4);
    await bench.started();
    for (let id = 0; id < 8; id++) bench.send("logs", [String(id)]);
    await bench.settled();
    bench.cluster.topics.delete("logs");
    for (let id = 8; id < 20; id++) bench.send("logs", [String(id)]);
    await bench.clock.advance(3000);
    bench.cluster.create("logs", 2);
    await bench.settled(5000);
    const logs = bench.cluster.topics.get("logs")!.flatMap(({ log }) => log).map(Number).sort((a, b) =>
      a - b
    );
    assert.deepEqual(logs, Array.from({ length: 12 }, (_, id) => id + 8));
  });
});

describe("KafkaSink sequences", () => {
  it("bumps the epoch of one partition alone when the broker lost its state of the producer", async () => {
    const bench = new BenchSink();
    const [zero, one] = bench.cluster.create("logs", 2);
    await bench.started();
    for (const id of [0, 1, 0, 1]) bench.send("logs", ["x"], id);
    await bench.settled();
    zero.producers.get(1000n)!.last = 77;
    zero.producers.get(1000n)!.recent.length = 0;
    for (const id of [0, 1, 0, 1]) bench.send("logs", ["y"], id);
    await bench.settled();
    assert.deepEqual([zero.log, one.log], [["x", "x", "y", "y"], ["x", "x", "y", "y"]]);
    assert.equal(zero.producers.get(1000n)!.epoch, 1);
    assert.equal(one.producers.get(1000n)!.epoch, 0);
    assert.equal(bench.cluster.producerIds, 1);
  });

  it("gets a new producer id when the broker fences the old one", async () => {
    const bench = new BenchSink();
    const [partition] = bench.cluster.create("logs", 1);
    await bench.started();
    bench.send("logs", ["x"]);
    await bench.settled();
    partition.producers.get(1000n)!.epoch = 9;
    bench.send("logs", ["y"]);
    bench.send("logs", ["z"]);
    await bench.settled(3000);
    assert.deepEqual(partition.log, ["x", "y", "z"]);
    assert.equal(bench.cluster.producerIds, 2);
  });

  it("gets a new producer id when bumping the epoch does not help", async () => {
    const bench = new BenchSink();
    const [partition] = bench.cluster.create("logs", 1);
    await bench.started();
    bench.cluster.fault = () => ({ refuse: ({ batch }) => batch.producerId === 1000n ? 45 : undefined });
    bench.send("logs", ["x"]);
    await bench.settled(10_000);
    assert.deepEqual(partition.log, ["x"]);
    assert.equal(bench.cluster.producerIds, 2);
  });
});
