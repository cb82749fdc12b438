/**
 * The whole producer, kafkajs' connection included, over real sockets against a broker that does what a real one
 * cannot be made to do. Whatever it does: each record is in its log once, in order.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import net from "node:net";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type KafkaClock, systemClock } from "../../../src/kafka/clock.ts";
import type { KafkaConfig } from "../../../src/config/config.ts";
import { createKafkajsCarrier } from "../../../src/kafka/kafkajs_carrier.ts";
import { kafkaConfig } from "./bench_sink.ts";
import { eventually, Feed } from "../../kafka/feed.ts";
import { api, type Misdeed, SocketBroker } from "./socket_broker.ts";

/** Time passes twenty times as fast: back-off and deadlines take milliseconds. */
const speed = 20;
const hasty: KafkaClock = {
  nowMs: () => systemClock.nowMs() * speed,
  after: (delayMs, task) => systemClock.after(delayMs / speed, task),
  random: systemClock.random,
};

const noEvents = { closed: () => {}, usable: () => {} };

/** A broker with topic "t" of two partitions, and a producer for it. */
async function withBroker(use: (broker: SocketBroker, feed: Feed) => Promise<void>): Promise<void> {
  const broker = await new SocketBroker().listen();
  broker.create("t", 2);
  const feed = new Feed(`127.0.0.1:${broker.port}`, "t", { requestTimeoutMs: 4000 }, undefined, hasty);
  try {
    await use(broker, feed);
  } finally {
    await feed.sink.close();
    await broker.close();
  }
}

/** Numbers 0 to `records` - 1, each once, ascending in each partition. */
function check(broker: SocketBroker, records: number): void {
  const logs = broker.topics.get("t")!.map(({ log }) => log.map((value) => Number.parseInt(value, 10)));
  for (const log of logs) assert.deepEqual(log, [...log].sort((a, b) => a - b), "order");
  assert.deepEqual(logs.flat().sort((a, b) => a - b), Array.from({ length: records }, (_, index) => index));
}

const misdeeds: { name: string; misdeed: Misdeed }[] = [
  { name: "answers late", misdeed: { lateMs: 30 } },
  { name: "does not answer in time", misdeed: { lateMs: 600 } },
  { name: "closes before it reads", misdeed: { close: "before" } },
  { name: "closes after it appended", misdeed: { close: "after" } },
  { name: "closes in the middle of its answer's head", misdeed: { cutAt: 6 } },
  { name: "closes in the middle of its answer", misdeed: { cutAt: 20 } },
  { name: "answers another request", misdeed: { wrongCorrelation: true } },
  { name: "answers with garbage", misdeed: { garbage: Buffer.alloc(100, 0xa5) } },
  {
    name: "answers with the beginning of a frame of 1 GiB",
    misdeed: { garbage: Buffer.from([64, 0, 0, 0, 0, 0, 0, 0]) },
  },
  { name: "reads nothing for a while", misdeed: { deafMs: 150 } },
  { name: "answers byte by byte", misdeed: { pieces: 1 } },
  { name: "refuses one partition", misdeed: { refuse: ({ partition }) => partition === 1 ? 19 : undefined } },
  { name: "appends and says that it did not", misdeed: { refuse: () => 20, appends: true } },
  { name: "is not the leader", misdeed: { refuse: () => 6 } },
  { name: "fenced the producer", misdeed: { refuse: () => 47 } },
  { name: "lost the producer", misdeed: { refuse: () => 59 } },
];

describe("KafkaSink on a socket", () => {
  for (const { name, misdeed } of misdeeds) {
    it(`delivers each record once and in order when the broker ${name}`, async () => {
      await withBroker(async (broker, feed) => {
        // The second, third and sixth requests.
        broker.hook = ({ apiKey, nth }) => apiKey === api.produce && [1, 2, 5].includes(nth) ? misdeed : {};
        for (let round = 0; round < 10; round++) await feed.send("t", 40, 8, 60);
        await feed.settled(30_000);
        assert.equal(feed.rejected, 0);
        check(broker, 400);
      });
    });
  }

  it(
    "delivers each record once and in order when everything happens in any order",
    { timeout: 120_000 },
    async () => {
      // A broker that loses a batch's answer and then the producer leaves nothing to know the batch by.
      const left = ["does not answer in time", "fenced the producer", "lost the producer"];
      const quick = misdeeds.filter(({ name }) => !left.includes(name)).map(({ misdeed }) => misdeed);
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.option(fc.constantFrom(...quick), { freq: 2 }), { maxLength: 12 }),
          fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 20 }),
          async (deeds, sizes) => {
            await withBroker(async (broker, feed) => {
              broker.hook = ({ apiKey }) => (apiKey === api.produce ? deeds.shift() : undefined) ?? {};
              for (const size of sizes) await feed.send("t", size, 5, 60);
              await feed.settled(30_000);
              assert.equal(feed.rejected, 0);
              check(broker, feed.given);
            });
          },
        ),
        { numRuns: 25, seed: 20260106 },
      );
    },
  );

  const questions = [
    { name: "metadata", apiKey: api.metadata },
    { name: "a producer id", apiKey: api.initProducerId },
    { name: "topic limits", apiKey: api.describeConfigs },
    { name: "its versions", apiKey: api.apiVersions },
  ];
  for (const { name, apiKey } of questions) {
    it(`delivers in the end when the broker fails in every way at first when asked for ${name}`, {
      timeout: 30_000,
    }, async () => {
      await withBroker(async (broker, feed) => {
        const deeds: Misdeed[] = [
          { close: "before" },
          { cutAt: 7 },
          { wrongCorrelation: true },
          { garbage: Buffer.from("HTTP/1.1 400 Bad Request\r\n\r\n") },
          { cutAt: 12 },
          { lateMs: 300 },
          { pieces: 1 },
        ];
        broker.hook = (request) => request.apiKey === apiKey ? deeds.shift() ?? {} : {};
        await feed.send("t", 20, 5, 60);
        await feed.settled(30_000);
        check(broker, 20);
        await eventually("limits are known", () => feed.sink.batchBytesMaxOf("t") === 1_048_588, 10_000);
      });
    });
  }

  it("speaks Produce v7 when the broker knows no later one", async () => {
    await withBroker(async (broker, feed) => {
      broker.produceVersions = [0, 7];
      await feed.send("t", 20, 5, 60);
      await feed.settled(30_000);
      check(broker, 20);
      const versions = broker.requests.filter(({ apiKey }) => apiKey === api.produce).map(({ version }) =>
        version
      );
      assert.deepEqual([...new Set(versions)], [7]);
    });
  });

  it("status() names a broker that is too old, and goes on when it is not any more", async () => {
    await withBroker(async (broker, feed) => {
      broker.produceVersions = [0, 5];
      await feed.send("t", 20, 5, 60);
      await eventually(
        "the version is named",
        () => /Kafka 2\.1 or later/.test(feed.sink.status().problem ?? ""),
        10_000,
      );
      assert.equal(feed.sink.status().ready, false);
      broker.produceVersions = [3, 11];
      await feed.settled(30_000);
      check(broker, 20);
    });
  });

  const others: {
    name: string;
    tls?: KafkaConfig["tls"];
    greet: (socket: net.Socket) => void;
    want: RegExp;
  }[] = [
    {
      name: "answers a plain connection with an alert of TLS",
      greet: (socket) => socket.once("data", () => socket.end(alert)),
      want: /speaks TLS, kafka\.tls is off/,
    },
    {
      name: "closes a TLS connection and speaks plain text",
      tls: { verify: true },
      greet: (socket) =>
        socket.once("data", (hello) => {
          if (hello[0] === 0x16) socket.end();
          else socket.end(Buffer.from([0, 0, 0, 10, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]));
        }),
      want: /speaks plain text, kafka\.tls is on/,
    },
    {
      name: "closes whatever is tried",
      tls: { verify: true },
      greet: (socket) => socket.once("data", () => socket.end()),
      want: /Broker ".*" closed the connection$|Cannot reach broker/,
    },
  ];
  const alert = Buffer.from([21, 3, 3, 0, 2, 2, 80]);
  for (const { name, tls, greet, want } of others) {
    it(`connect() says ${want.source} when the broker ${name}`, async () => {
      const server = net.createServer((socket) => {
        socket.on("error", () => {});
        greet(socket);
      });
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      const { port } = server.address() as net.AddressInfo;
      const brokers = [`127.0.0.1:${port}`];
      const carrier = createKafkajsCarrier(
        kafkaConfig({ brokers, ...(tls === undefined ? {} : { tls }) }),
        hasty,
      );
      await assert.rejects(carrier.connect({ id: 1, host: "127.0.0.1", port }, noEvents), want);
      await carrier.close();
      await new Promise((resolve) => server.close(resolve));
    });
  }

  it("divides batches by the limit that the broker tells, and refuses a record alone", async () => {
    await withBroker(async (broker, feed) => {
      broker.limits.set("t", 1000);
      await feed.send("t", 1, 1, 60);
      await eventually("the limit is known", () => feed.sink.batchBytesMaxOf("t") === 1000, 10_000);
      await feed.send("t", 99, 50, 60);
      feed.give("t", [{ value: "large".padEnd(2000, "x") }]);
      await feed.settled(30_000);
      assert.equal(feed.rejected, 1);
      check(broker, 100);
      const batches = broker.requests.flatMap(({ parts }) => parts.map(({ batch }) => batch.bytes));
      assert.ok(Math.max(...batches) <= 1000, "nothing too large went out");
    });
  });
});
