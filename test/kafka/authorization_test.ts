/**
 * Rights against brokers that check them (StandardAuthorizer): a topic that may not be written to, not even be seen,
 * a client that may write nowhere, rights that are given and taken while lines flow.
 * Runs on both: @runtimes bun deno
 *
 * @module
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { KafkaConfig } from "../../src/config/config.ts";
import { authorizerProperties, setRight } from "./harness/acls.ts";
import { checkTopic, eventually, Feed } from "./feed.ts";
import { type Kafka, needs, saslUser, startKafka } from "./harness/kafka.ts";

const slow = { timeout: 240_000 };
const { username } = saslUser;

let started: Promise<Kafka> | undefined;

/** One broker for the file; it ends with the process. */
function brokers(): Promise<Kafka> {
  return started ??= startKafka({ listeners: ["sasl"], properties: authorizerProperties });
}

function feedOf(kafka: Kafka, topic: string, changes: Partial<KafkaConfig> = {}): Feed {
  const sasl: KafkaConfig["sasl"] = { mechanism: "scram-sha-256", ...saslUser };
  return new Feed(kafka.bootstrapOf("sasl"), topic, { sasl, ...changes });
}

describe("KafkaSink at a broker that checks rights", { skip: needs.ownRealBroker }, () => {
  it("is not ready and says why while it may write nowhere, and delivers all when it may", slow, async () => {
    const kafka = await brokers();
    const topic = await kafka.createTopic("closed", { partitions: 2 });
    await setRight(kafka.bootstrap, "give", username, "DESCRIBE", topic);
    await using feed = feedOf(kafka, topic);
    await feed.send(topic, 1000);
    await eventually(
      "the refusal is named",
      () => /CLUSTER_AUTHORIZATION_FAILED/.test(feed.sink.status().problem ?? ""),
      60_000,
    );
    assert.equal(feed.sink.status().ready, false);
    assert.deepEqual([feed.delivered, feed.rejected], [0, 0]);
    await setRight(kafka.bootstrap, "give", username, "WRITE", topic);
    await feed.settled();
    assert.deepEqual([feed.delivered, feed.rejected], [1000, 0]);
    await eventually("it is ready", () => feed.sink.status().ready, 30_000);
    await checkTopic(kafka, topic, 1000);
  });

  for (const rights of [["DESCRIBE"], []] as const) {
    const may = rights.length === 0 ? "not even be seen" : "be seen and not written to";
    it(
      `refuses the lines of a topic that may ${may}, by name, and delivers those of others`,
      slow,
      async () => {
        const kafka = await brokers();
        const [open, closed] = [await kafka.createTopic("open"), await kafka.createTopic("closed")];
        await setRight(kafka.bootstrap, "give", username, "WRITE", open);
        for (const right of rights) await setRight(kafka.bootstrap, "give", username, right, closed);
        await using feed = feedOf(kafka, open);
        for (let round = 0; round < 5; round++) {
          await feed.send(open, 200, 100);
          await feed.send(closed, 20, 10);
        }
        await feed.settled();
        assert.deepEqual([feed.delivered, feed.rejected], [1000, 100]);
        const reasons = new Set(
          feed.outcomes.flatMap(({ batch, outcome }) =>
            outcome.kind === "rejected" ? [`${batch.topic === closed} ${outcome.reason}`] : []
          ),
        );
        assert.deepEqual([...reasons], ["true topic_authorization_failed"]);
        assert.equal((await kafka.readUntil(open, 1000)).length, 1000);
        assert.equal(feed.sink.status().ready, true);
      },
    );
  }

  it("keeps the lines of a parked topic until it may be written to", slow, async () => {
    const kafka = await brokers();
    const [open, closed] = [await kafka.createTopic("open"), await kafka.createTopic("closed")];
    await setRight(kafka.bootstrap, "give", username, "WRITE", open);
    await setRight(kafka.bootstrap, "give", username, "DESCRIBE", closed);
    await using feed = feedOf(kafka, open, { topicFault: "park", parkedBytesMax: 1_000_000 });
    await feed.send(closed, 50, 10);
    await feed.send(open, 500);
    await eventually("the topic is parked", () => feed.events.includes("kafka_topic_unavailable"), 60_000);
    await eventually("the others are delivered", () => feed.delivered === 500, 60_000);
    await setRight(kafka.bootstrap, "give", username, "WRITE", closed);
    await feed.settled();
    assert.deepEqual([feed.delivered, feed.rejected], [550, 0]);
    assert.ok(feed.events.includes("kafka_topic_recovered"));
    const numbers = (await kafka.readUntil(closed, 50)).map(({ value }) =>
      Number.parseInt(new TextDecoder().decode(value!), 10)
    );
    assert.deepEqual(numbers, Array.from({ length: 50 }, (_, number) => number), "once, and in order");
  });

  it(
    "refuses what comes for a topic after its right was taken, and delivers again when it is back",
    slow,
    async () => {
      const kafka = await brokers();
      const [open, topic] = [await kafka.createTopic("open"), await kafka.createTopic("fickle")];
      for (const name of [open, topic]) await setRight(kafka.bootstrap, "give", username, "WRITE", name);
      await using feed = feedOf(kafka, open);
      await feed.send(topic, 100);
      await feed.settled();
      await setRight(kafka.bootstrap, "take", username, "WRITE", topic);
      await eventually("a line is refused", async () => {
        await feed.send(topic, 1);
        await feed.settled();
        return feed.rejected > 0;
      }, 60_000);
      await setRight(kafka.bootstrap, "give", username, "WRITE", topic);
      const { delivered } = feed;
      await eventually("a line is delivered", async () => {
        await feed.send(topic, 1);
        await feed.settled();
        return feed.delivered > delivered;
      }, 90_000);
      const last = feed.outcomes.findLast(({ outcome }) => outcome.kind === "rejected")!.outcome;
      assert.equal(last.kind === "rejected" && last.reason, "topic_authorization_failed");
    },
  );
});
