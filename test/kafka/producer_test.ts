/**
 * The Kafka sink against real brokers: nothing lost, nothing doubled, order kept in every partition, while brokers
 * are killed, stopped and started; topics that are missing or too small; TLS and SASL. kcat reads back.
 *
 * @module
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { KafkaConfig } from "../../src/config/config.ts";
import { checkTopic, eventually, Feed } from "./feed.ts";
import { type Kafka, needs, saslUser, sharedKafka, startKafka, uniqueTopic } from "./harness/kafka.ts";

/** Brokers start and fail over on a busy machine with two cores. */
const slow = { timeout: 240_000 };
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
    listener: "plain" | "tls" | "mtls" | "sasl";
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
      want:
        /^Broker "127\.0\.0\.1:\d+" shows a certificate of an authority that kafka\.tls\.ca does not name: /,
    },
    {
      name: "TLS is off on a TLS port",
      listener: "tls",
      config: () => ({}),
      want: /^Broker "127\.0\.0\.1:\d+" speaks TLS, kafka\.tls is off$/,
    },
    {
      name: "TLS is on and the port has none",
      listener: "plain",
      config: () => ({ tls: { verify: true } }),
      want: /^Broker "127\.0\.0\.1:\d+" speaks plain text, kafka\.tls is on$/,
    },
    {
      name: "the port wants a login and there is none",
      listener: "sasl",
      config: () => ({}),
      want: /closed the connection: does this port want a login \(kafka\.sasl\)\?$/,
    },
    {
      name: "the port takes no login and there is one",
      listener: "plain",
      config: () => ({ sasl: { mechanism: "plain", ...saslUser } }),
      want: /^Broker "127\.0\.0\.1:\d+" takes no login on this port/,
    },
    {
      name: "the port wants a client certificate",
      listener: "mtls",
      config: (kafka) => ({ tls: { verify: true, caFile: clientFiles(kafka).ca } }),
      want: /refuses the client certificate, or wants one \(kafka\.tls\.cert\)/,
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
        const bootstrap = listener === "plain" ? kafka.bootstrap : kafka.bootstrapOf(listener);
        await using feed = new Feed(bootstrap, "secure", config(kafka));
        await eventually("a problem", () => feed.sink.status().problem !== "Connecting to Kafka", 15_000);
        const { ready, problem } = feed.sink.status();
        assert.equal(ready, false);
        assert.match(problem!, want);
      },
    );
  }
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
