/**
 * What a broker does with single records: sizes, times, keys, headers; against both lines of Apache Kafka that are
 * supported. kcat reads back, and is the other producer whose keys must meet ours.
 *
 * @module
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { spawnSync } from "node:child_process";
import { describe, it } from "node:test";
import { partitionByKey } from "../../src/batch/record_batch.ts";
import { systemClock } from "../../src/kafka/clock.ts";
import { createKafkajsCarrier } from "../../src/kafka/kafkajs_carrier.ts";
import { partitionOfKey } from "../../src/kafka/partitioner.ts";
import { eventually, Feed } from "./feed.ts";
import { type Kafka, needs, sharedKafka, startKafka, values } from "./harness/kafka.ts";

/** Brokers start on a busy machine with two cores. */
const slow = { timeout: 240_000 };
const hourMs = 3_600_000;

const keys = Array.from({ length: 300 }, (_, index) => `host-${index}.example`);

function checks(kafkaOf: () => Promise<Kafka>): void {
  for (const isKnown of [true, false]) {
    const how = isKnown ? "is told the topic's limit" : "may not ask for the topic's limit";
    it(
      `divides what is too large and refuses only the record that is, in order, when it ${how}`,
      slow,
      async () => {
        const kafka = await kafkaOf();
        const topic = await kafka.createTopic("small", { config: { "max.message.bytes": "20000" } });
        await using feed = new Feed(kafka.bootstrap, topic, {}, (config) => {
          const carrier = createKafkajsCarrier(config, systemClock);
          if (!isKnown) carrier.batchBytesMax = () => Promise.resolve(new Map());
          return carrier;
        });
        await feed.send(topic, 50, 50);
        await feed.settled();
        const limit = isKnown ? 20_000 : Infinity;
        await eventually(`the limit is ${limit}`, () => feed.sink.batchBytesMaxOf(topic) === limit, 20_000);
        const numbered = (from: number, count: number) =>
          Array.from({ length: count }, (_, index) => ({ value: `${from + index} `.padEnd(300, "x") }));
        feed.give(topic, [
          ...numbered(50, 20),
          { value: "too large ".padEnd(30_000, "x"), key: "large" },
          ...numbered(70, 130),
        ]);
        feed.give(topic, [{ value: "alone ".padEnd(25_000, "x") }]);
        feed.give(topic, numbered(200, 10));
        await feed.settled();
        assert.equal(feed.delivered, 210);
        assert.equal(feed.rejected, 2);
        const reasons = feed.outcomes.flatMap(({ outcome }) => outcome.kind === "rejected" ? [outcome] : []);
        assert.deepEqual(reasons.map(({ reason }) => reason), ["record_too_large", "record_too_large"]);
        if (isKnown) {
          for (const { message } of reasons) assert.match(message, /max\.message\.bytes is 20000/);
        }
        const got = values(await kafka.readUntil(topic, 210)).map((value) => Number.parseInt(value, 10));
        assert.deepEqual(got, Array.from({ length: 210 }, (_, index) => index));
      },
    );
  }

  it("refuses only the records whose time the topic does not take", slow, async () => {
    const kafka = await kafkaOf();
    const config = { "message.timestamp.before.max.ms": String(hourMs) };
    const topic = await kafka.createTopic("times", { config });
    await using feed = new Feed(kafka.bootstrap, topic);
    const nowMs = Date.now();
    const at = (value: string, offsetMs: number) => ({ value, timestampMs: nowMs + offsetMs });
    feed.give(topic, [
      at("a", 0),
      at("old", -2 * hourMs),
      at("b", -1000),
      at("older", -50 * hourMs),
      at("c", -500),
    ]);
    await feed.settled();
    const records = await kafka.readUntil(topic, 3);
    assert.deepEqual(records.map(({ timestampMs }) => timestampMs), [nowMs, nowMs - 1000, nowMs - 500]);
    assert.deepEqual(values(records), ["a", "b", "c"]);
    assert.equal(feed.rejected, 2);
    assert.ok(
      feed.outcomes.some(({ outcome }) =>
        outcome.kind === "rejected" && outcome.reason === "invalid_timestamp"
      ),
    );
  });

  it("refuses only the records without a key when the topic is compacted", slow, async () => {
    const kafka = await kafkaOf();
    const topic = await kafka.createTopic("compacted", { config: { "cleanup.policy": "compact" } });
    await using feed = new Feed(kafka.bootstrap, topic);
    feed.give(topic, [{ value: "1", key: "a" }, { value: "2" }, { value: "3", key: "b" }, { value: "4" }], 0);
    await feed.settled();
    assert.deepEqual(values(await kafka.readUntil(topic, 2)), ["1", "3"]);
    assert.equal(feed.rejected, 2);
    const refusal = feed.outcomes.map(({ outcome }) => outcome).find(({ kind }) => kind === "rejected");
    assert.equal((refusal as { reason: string }).reason, "invalid_record");
  });

  it(
    "puts keys where another producer puts them, whether or not the partitions were known",
    slow,
    async () => {
      const kafka = await kafkaOf();
      const topic = await kafka.createTopic("keyed", { partitions: 7 });
      const other = spawnSync(
        "kcat",
        ["-b", kafka.bootstrap, "-P", "-t", topic, "-K", "|", "-X", "topic.partitioner=murmur2_random"],
        { input: keys.map((key) => `${key}|kcat\n`).join("") },
      );
      assert.equal(other.status, 0, String(other.stderr));
      await using feed = new Feed(kafka.bootstrap, topic);
      assert.equal(feed.sink.partitionsOf(topic), 0);
      feed.give(topic, keys.map((key) => ({ key, value: "early" })), partitionByKey);
      await feed.settled();
      assert.equal(feed.sink.partitionsOf(topic), 7);
      for (let partition = 0; partition < 7; partition++) {
        const own = keys.filter((key) => partitionOfKey(Buffer.from(key), 0, key.length, 7) === partition);
        feed.give(topic, own.map((key) => ({ key, value: "late" })), partition);
      }
      await feed.settled();
      const partitionOf = new Map<string, number>();
      const seen = new Map<string, string[]>();
      for (const { key, partition, value } of await kafka.readUntil(topic, 900)) {
        const name = Buffer.from(key!).toString();
        assert.equal(partitionOf.get(name) ?? partition, partition, name);
        partitionOf.set(name, partition);
        seen.set(name, [...seen.get(name) ?? [], Buffer.from(value!).toString()]);
      }
      assert.equal(seen.size, 300);
      for (const all of seen.values()) assert.deepEqual(all, ["kcat", "early", "late"]);
    },
  );

  it("delivers headers and times as they were written", slow, async () => {
    const kafka = await kafkaOf();
    const topic = await kafka.createTopic("headers", {});
    await using feed = new Feed(kafka.bootstrap, topic);
    // Two headers: "rule" = "by-host", and "empty" without a value.
    const headers = Buffer.concat([
      Buffer.from([4, 8]),
      Buffer.from("rule"),
      Buffer.from([14]),
      Buffer.from("by-host"),
      Buffer.from([10]),
      Buffer.from("empty"),
      Buffer.from([1]),
    ]);
    const nowMs = Date.now();
    feed.give(topic, [
      { value: "with", headers, timestampMs: nowMs },
      { value: "without", timestampMs: nowMs - hourMs },
      { value: "keyed", key: "k", headers, timestampMs: nowMs + 1000 },
    ]);
    await feed.settled();
    const records = await kafka.readUntil(topic, 3);
    assert.deepEqual(records.map((record) => record.headers), [
      "rule=by-host,empty=NULL",
      "",
      "rule=by-host,empty=NULL",
    ]);
    assert.deepEqual(records.map(({ timestampMs }) => timestampMs), [nowMs, nowMs - hourMs, nowMs + 1000]);
  });

  it(
    "finds new partitions within the age of its metadata when a topic grows while lines flow",
    slow,
    async () => {
      const kafka = await kafkaOf();
      const topic = await kafka.createTopic("growing", { partitions: 1 });
      await using feed = new Feed(kafka.bootstrap, topic);
      await feed.send(topic, 100, 10);
      await feed.settled();
      await kafka.growTopic(topic, 3);
      await eventually("the cluster knows them", async () => {
        const { topics } = await kafka.describe(topic);
        return topics[0].partitions.filter(({ leader }) => leader >= 0).length === 3;
      }, 20_000);
      // A partition that it does not know makes it ask at once.
      feed.give(topic, [{ value: "2" }], 2);
      await feed.settled();
      assert.equal(feed.sink.partitionsOf(topic), 3);
      await eventually("all partitions are used", async () => {
        await feed.send(topic, 30, 10);
        await feed.settled();
        return new Set((await kafka.readAll(topic)).map(({ partition }) => partition)).size === 3;
      }, 20_000);
      assert.equal(feed.rejected, 0);
    },
  );
}

describe("KafkaSink and records, Kafka 4", { skip: needs.realBroker }, () => checks(() => sharedKafka()));

describe("KafkaSink and records, Kafka 3.9", { skip: needs.ownRealBroker }, () => {
  let kafka: Promise<Kafka> | undefined;
  checks(() => kafka ??= startKafka({ version: "3.9" }));
  it("ends", slow, async () => await (await kafka)?.stop());
});
