/**
 * The Kafka sink against real brokers: nothing lost, nothing doubled, order kept in every partition, while brokers
 * are killed, stopped and started; topics that are missing or too small; TLS and SASL. kcat reads back.
 *
 * @module
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { describe, it } from "node:test";
import { type BatchOutcome, type ClosedBatch, headroomBytes } from "../../src/batch/record_batch.ts";
import type { KafkaConfig } from "../../src/config/config.ts";
import { createKafkaSink, type KafkaSink } from "../../src/kafka/kafka_sink.ts";
import { createKernel } from "../../src/kernel/instance.ts";
import { batchHeaderBytes, type Kernel } from "../../src/kernel/kernel.ts";
import { until } from "../support/until.ts";
import {
  type Kafka,
  needs,
  saslUser,
  sharedKafka,
  startKafka,
  uniqueTopic,
  values,
} from "./harness/kafka.ts";

/** Brokers start and fail over on a busy machine with two cores. */
const slow = { timeout: 240_000 };
/** Bytes of a slot of the arena: one batch. */
const slotBytes = 128 * 1024;
const slots = 64;
/** Bytes of a numbered record. */
const valueBytes = 200;

/** A sink, and a source of numbered records for it. */
class Feed {
  readonly sink: KafkaSink;
  readonly events: string[] = [];
  readonly outcomes: { batch: ClosedBatch; outcome: BatchOutcome }[] = [];
  delivered = 0;
  rejected = 0;
  given = 0;
  #next = 0;
  #whenFree: () => void = () => {};
  readonly #kernel: Kernel;
  readonly #free: number[];

  constructor(brokers: string, topic: string, changes: Partial<KafkaConfig> = {}) {
    this.#kernel = createKernel({ arenaBytes: slotBytes * slots });
    this.#free = Array.from({ length: slots }, (_, slot) => this.#kernel.arenaAt + slot * slotBytes);
    this.sink = createKafkaSink({
      kernel: this.#kernel,
      config: {
        brokers: brokers.split(","),
        clientId: "producer-test",
        topic,
        compression: { codec: "none" },
        lingerMs: 5,
        batchBytesMax: 65536,
        topicWaitMs: 3000,
        requestTimeoutMs: 10_000,
        topicFault: "dead_letter",
        parkedBytesMax: 65_536,
        timestamp: "receive",
        topicsAllow: ["*"],
        topicsMax: 10,
        ...changes,
      },
      log: (event) => void this.events.push(event),
      events: {
        settled: (batch, outcome) => {
          this.outcomes.push({ batch, outcome });
          if (outcome.kind === "delivered") this.delivered += batch.count - (outcome.refused ?? 0);
          else this.rejected += batch.count;
          this.#free.push(batch.at - headroomBytes);
          this.#whenFree();
        },
        refused: (part, refusal, watch) => {
          this.outcomes.push({ batch: part, outcome: refusal });
          this.rejected += part.count;
          watch.released();
          watch.settled();
        },
        wants: () => {},
      },
    });
    this.sink.start();
  }

  /** Sends `records` records in batches of `perBatch`; waits while the arena is full. */
  async send(topic: string, records: number, perBatch = 300, bytes = valueBytes): Promise<void> {
    for (let left = records; left > 0; left -= perBatch) {
      while (this.#free.length === 0) await new Promise<void>((resolve) => this.#whenFree = resolve);
      this.#batch(topic, Math.min(left, perBatch), bytes);
    }
  }

  #batch(topic: string, count: number, bytes: number): void {
    const kernel = this.#kernel;
    const at = this.#free.shift()! + headroomBytes;
    const nowMs = Date.now();
    let end = at + batchHeaderBytes;
    for (let index = 0; index < count; index++) {
      const value = `${this.#next++} `.padEnd(bytes, "x");
      const length = Buffer.from(value).copy(kernel.bytes, kernel.scratchAt);
      end = kernel.encodeRecord(end, index, 0, 0, -1, kernel.scratchAt, length, 0, 0);
    }
    this.given += count;
    this.sink.send({
      topic,
      partition: -1,
      at,
      end,
      count,
      rawBytes: end - at - batchHeaderBytes,
      attributes: 0,
      baseTimestampMs: nowMs,
      maxTimestampMs: nowMs,
      openedAtMs: performance.now(),
    });
  }

  async settled(deadlineMs = 120_000): Promise<void> {
    const isSettled = () => this.delivered + this.rejected === this.given;
    await eventually(`all batches settled: ${JSON.stringify(this.sink.status())}`, isSettled, deadlineMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.sink.close();
  }
}

/** Every number below `records` once, ascending in each partition. */
async function checkTopic(kafka: Kafka, topic: string, records: number): Promise<void> {
  const lastOf = new Map<number, number>();
  const seen = new Uint8Array(records);
  for (const { partition, value } of await kafka.readUntil(topic, records)) {
    const number = Number.parseInt(Buffer.from(value!).toString("latin1"), 10);
    assert.ok(number > (lastOf.get(partition) ?? -1), `order in partition ${partition} at ${number}`);
    lastOf.set(partition, number);
    seen[number]++;
  }
  assert.equal(seen.findIndex((count) => count !== 1), -1, "every record is in the topic once");
}

describe("KafkaSink with a real broker", { skip: needs.realBroker }, () => {
  it("delivers 200,000 records once and in order when nothing fails", slow, async () => {
    const kafka = await sharedKafka();
    const topic = await kafka.createTopic("producer", { partitions: 4 });
    await using feed = new Feed(kafka.bootstrap, topic);
    await feed.send(topic, 200_000);
    await feed.settled();
    assert.equal(feed.rejected, 0);
    await checkTopic(kafka, topic, 200_000);
  });

  it(
    "rejects a batch as record_too_large and delivers those around it when the topic takes less",
    slow,
    async () => {
      const kafka = await sharedKafka();
      const topic = await kafka.createTopic("small", { config: { "max.message.bytes": "20000" } });
      await using feed = new Feed(kafka.bootstrap, topic);
      for (const perBatch of [50, 50, 300, 50, 300, 50]) await feed.send(topic, perBatch, perBatch);
      await feed.settled();
      assert.equal(feed.delivered, 200);
      assert.equal(feed.rejected, 600);
      const reasons = feed.outcomes.flatMap(({ outcome }) =>
        outcome.kind === "rejected" ? [outcome.reason] : []
      );
      assert.deepEqual(reasons, ["record_too_large", "record_too_large"]);
      const numbers = values(await kafka.readUntil(topic, 200)).map((value) => Number.parseInt(value, 10));
      const range = (from: number, to: number) =>
        Array.from({ length: to - from }, (_, index) => from + index);
      assert.deepEqual(numbers, [...range(0, 100), ...range(400, 450), ...range(750, 800)]);
    },
  );

  it("uses new partitions when the topic grows", slow, async () => {
    const kafka = await sharedKafka();
    const topic = await kafka.createTopic("growing", { partitions: 1 });
    await kafka.growTopic(topic, 3);
    await using feed = new Feed(kafka.bootstrap, topic);
    await feed.send(topic, 3000);
    await feed.settled();
    const records = await kafka.readUntil(topic, 3000);
    assert.equal(new Set(records.map(({ partition }) => partition)).size, 3);
  });

  const ways: {
    name: string;
    listener: "tls" | "mtls" | "sasl" | "sasl_tls";
    mechanism?: "plain" | "scram-sha-256" | "scram-sha-512";
  }[] = [
    { name: "TLS", listener: "tls" },
    { name: "TLS with a client certificate", listener: "mtls" },
    { name: "SASL PLAIN", listener: "sasl", mechanism: "plain" },
    { name: "SASL SCRAM-SHA-256", listener: "sasl", mechanism: "scram-sha-256" },
    { name: "SASL SCRAM-SHA-512 over TLS", listener: "sasl_tls", mechanism: "scram-sha-512" },
  ];
  for (const { name, listener, mechanism } of ways) {
    it(`delivers over ${name}`, { ...slow, skip: needs.ownRealBroker }, async () => {
      const kafka = await sharedKafka();
      const topic = await kafka.createTopic("secure", { partitions: 2 });
      const { ca, cert, key } = clientFiles(kafka);
      await using feed = new Feed(kafka.bootstrapOf(listener), topic, {
        ...(listener === "sasl" ? {} : {
          tls: {
            caFile: ca,
            verify: true,
            ...(listener === "mtls" ? { certFile: cert, keyFile: key } : {}),
          },
        }),
        ...(mechanism === undefined ? {} : { sasl: { mechanism, ...saslUser } }),
      });
      await feed.send(topic, 1000);
      await feed.settled();
      await checkTopic(kafka, topic, 1000);
    });
  }

  const refusals: {
    name: string;
    listener: "tls" | "mtls" | "sasl";
    config: (kafka: Kafka) => Partial<KafkaConfig>;
    want: RegExp;
  }[] = [
    {
      name: "the password is wrong",
      listener: "sasl",
      config: () => ({
        sasl: { mechanism: "scram-sha-512", username: saslUser.username, password: "wrong-secret" },
      }),
      want: /^Cannot authenticate at broker "127\.0\.0\.1:\d+": .*(?<!wrong-secret)$/,
    },
    {
      name: "the broker's certificate is not signed by the CA",
      listener: "tls",
      config: () => ({ tls: { verify: true } }),
      want: /^Cannot reach broker "127\.0\.0\.1:\d+": .*certificate/i,
    },
    {
      name: "TLS is off on a TLS port",
      listener: "tls",
      config: () => ({}),
      want: /TLS|closed the connection/,
    },
    {
      name: "a certificate file is missing",
      listener: "tls",
      config: () => ({ tls: { verify: true, caFile: "/nowhere/ca.crt" } }),
      want: /^Cannot read certificate "\/nowhere\/ca\.crt"/,
    },
  ];
  for (const { name, listener, config, want } of refusals) {
    it(
      `status() is not ready and says why when ${name}`,
      { ...slow, skip: needs.ownRealBroker },
      async () => {
        const kafka = await sharedKafka();
        await using feed = new Feed(kafka.bootstrapOf(listener), "secure", config(kafka));
        await eventually("a problem", () => feed.sink.status().problem !== "Connecting to Kafka", 15_000);
        const { ready, problem } = feed.sink.status();
        assert.equal(ready, false);
        assert.match(problem!, want);
      },
    );
  }
});

describe("KafkaSink with sessions of limited life", { skip: needs.ownRealBroker }, () => {
  it("authenticates again on the open connection, in time, when the broker asks for it", slow, async () => {
    // kafkajs does so ten seconds before the end.
    const properties = { "connections.max.reauth.ms": "12000" };
    await using kafka = await startKafka({ listeners: ["sasl"], properties });
    const topic = await kafka.createTopic("sessions", { partitions: 2 });
    await using feed = new Feed(kafka.bootstrapOf("sasl"), topic, {
      sasl: { mechanism: "plain", ...saslUser },
    });
    const untilMs = performance.now() + 20_000;
    while (performance.now() < untilMs) {
      await feed.send(topic, 100, 10);
      await feed.settled();
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    assert.equal(feed.events.filter((event) => event === "kafka_broker_connected").length, 1);
    assert.ok(!feed.events.includes("kafka_broker_lost"), "the connection stayed");
    await checkTopic(kafka, topic, feed.given);
  });
});

describe("KafkaSink with a broker that is killed", { skip: needs.ownRealBroker }, () => {
  it(
    "loses and doubles nothing and keeps order when the only broker is killed and started again",
    slow,
    async () => {
      await using kafka = await startKafka({ properties: { "auto.create.topics.enable": "false" } });
      const topic = await kafka.createTopic("killed", { partitions: 4 });
      await using feed = new Feed(kafka.bootstrap, topic);
      const sending = feed.send(topic, 100_000, 100);
      await eventually("a third is delivered", () => feed.delivered > 30_000, 60_000);
      await kafka.kill(0);
      const refused = /^Cannot reach broker "127\.0\.0\.1:\d+": ECONNREFUSED$/;
      await eventually("the outage is named", () => refused.test(feed.sink.status().problem ?? ""), 10_000);
      assert.equal(feed.sink.status().ready, false);
      await kafka.restart(0);
      await sending;
      await feed.settled();
      assert.equal(feed.rejected, 0);
      await checkTopic(kafka, topic, 100_000);

      const missing = uniqueTopic("missing");
      await feed.send(missing, 10);
      await feed.settled();
      assert.equal(feed.rejected, 10);
      assert.equal((feed.outcomes.at(-1)!.outcome as { reason: string }).reason, "unknown_topic");
      await kafka.createTopic(missing, { exactName: true });
      await eventually("the topic is found", async () => {
        const before = feed.delivered;
        await feed.send(missing, 1);
        await feed.settled();
        return feed.delivered > before;
      }, 20_000);
    },
  );

  it("starts with Kafka down and delivers when it comes up", slow, async () => {
    await using kafka = await startKafka();
    const topic = await kafka.createTopic("late", { partitions: 2 });
    await kafka.kill(0);
    await using feed = new Feed(kafka.bootstrap, topic);
    await feed.send(topic, 1000);
    await eventually(
      "the problem is named",
      () => /ECONNREFUSED/.test(feed.sink.status().problem ?? ""),
      5000,
    );
    await kafka.restart(0);
    await feed.settled();
    await checkTopic(kafka, topic, 1000);
  });

  it(
    "loses and doubles nothing and keeps order when leaders are killed, ended and stopped",
    slow,
    async () => {
      await using kafka = await startKafka({ brokers: 3 });
      const topic = await kafka.createTopic("moving", { partitions: 6, replicas: 3 });
      await using feed = new Feed(kafka.bootstrap, topic);
      let isOver = false;
      const sending = (async () => {
        while (!isOver) {
          await feed.send(topic, 1000, 100);
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
      })();
      const progress = async (what: string) => {
        const target = feed.delivered + 20_000;
        await eventually(`delivery goes on ${what}`, () => feed.delivered >= target, 60_000);
      };
      await progress("at first");
      await kafka.kill(0);
      await progress("without the first broker");
      await kafka.restart(0);
      await kafka.terminate(1);
      await progress("without the second broker");
      await kafka.restart(1);
      kafka.pause(2);
      await progress("while the third stands still");
      kafka.continue(2);
      await progress("with all");
      isOver = true;
      await sending;
      await feed.settled();
      assert.equal(feed.rejected, 0);
      await checkTopic(kafka, topic, feed.given);
    },
  );
});

function clientFiles(kafka: Kafka): { ca: string; cert: string; key: string } {
  const { certificates } = kafka;
  assert.ok(certificates !== undefined);
  return { ca: certificates.caFile, cert: certificates.clientCertFile, key: certificates.clientKeyFile };
}

async function eventually(
  what: string,
  holds: () => boolean | Promise<boolean>,
  deadlineMs: number,
): Promise<void> {
  await until(what, async () => await holds() || undefined, deadlineMs);
}
