/**
 * Events over HTTP into a real Kafka: an answer with `durable` is worth what it says. kcat reads back and checks every
 * CRC.
 * Runs on both: @runtimes bun deno
 *
 * @module
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { Agent, request } from "node:http";
import { describe, it } from "node:test";
import { Corndog } from "../support/corndog.ts";
import { until } from "../support/until.ts";
import { freePort } from "../support/free_port.ts";
import { needs, sharedKafka, uniqueTopic, values } from "./harness/kafka.ts";

/** HTTP into Kafka; `more` are further keys. */
function config(bootstrap: string, topic: string, ackTimeout: string, more = ""): string {
  return `
listen: [{ http: "http://127.0.0.1:0", ack_timeout: ${ackTimeout} }]
admin: { listen: "127.0.0.1:0" }
sink: kafka
kafka: { brokers: ["${bootstrap}"], topic: "${topic}", topics: { allow: ["*"] } }
dead_letter: { file: dead_letter.ndjson }
workers: 2
${more}`;
}

interface Said {
  readonly status: number;
  readonly body: Record<string, unknown>;
  readonly retryAfter: string | undefined;
}

/** A client that keeps its connections. */
class Client {
  readonly #agent: Agent;
  readonly #port: number;

  constructor(port: number, connections: number) {
    this.#port = port;
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections });
  }

  post(path: string, body: string): Promise<Said> {
    return new Promise((resolve, reject) => {
      const sending = request({
        port: this.#port,
        host: "127.0.0.1",
        method: "POST",
        path,
        agent: this.#agent,
        headers: { "content-type": "text/plain", "content-length": body.length },
      }, (response) => {
        let text = "";
        response.on("data", (data) => text += data);
        response.on("end", () =>
          resolve({
            status: response.statusCode ?? 0,
            body: JSON.parse(text),
            retryAfter: response.headers["retry-after"],
          }));
      });
      sending.on("error", reject);
      sending.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

describe("corndog over HTTP with a broker", { skip: needs.broker }, () => {
  it("has every event in Kafka once when ack=kafka is answered, with the key and topic of the request", async () => {
    const kafka = await sharedKafka();
    const topic = await kafka.createTopic("http", { partitions: 3 });
    const other = await kafka.createTopic("http-other");
    const corndog = await (await Corndog.start(config(kafka.bootstrap, topic, "30s"))).started();
    const client = new Client(corndog.port("http"), 16);
    try {
      await corndog.statsWhen("the sink is ready", ({ sink }) => sink.ready);
      const want: string[] = [];
      await Promise.all(Array.from({ length: 16 }, async (_, sender) => {
        for (let i = 0; i < 25; i++) {
          const event = `event ${sender} ${i}`;
          const said = await client.post("/v1/ingest?ack=kafka", event);
          assert.deepEqual([said.status, said.body], [200, { accepted: 1, durable: true }]);
          want.push(event);
        }
      }));
      const keyed = await client.post(`/v1/ingest/${other}?ack=kafka&key=k1`, "a\nb");
      assert.deepEqual(keyed.body, { accepted: 2, durable: true });
      // What is answered is there now: nothing is waited for.
      const records = await kafka.readUntil(topic, want.length);
      assert.deepEqual(values(records).sort(), want.sort());
      const others = await kafka.readUntil(other, 2);
      assert.deepEqual(others.map(({ key, value }) => `${Buffer.from(key!)} ${Buffer.from(value!)}`), [
        "k1 a",
        "k1 b",
      ]);
      await corndog.statsWhen("all counted", ({ ledger }) => ledger.delivered === want.length + 2);
      assert.equal(await corndog.stop(), 0);
    } finally {
      client.close();
      await corndog.dispose();
    }
  });

  it("keeps events that were answered with ack=disk through SIGKILL while no broker is there", async () => {
    const kafka = await sharedKafka();
    const topic = await kafka.createTopic("http-spool");
    const spool = "spool: { dir: spool }";
    const away = `127.0.0.1:${await freePort()}`;
    const first = await (await Corndog.start(config(away, topic, "5s", spool))).started();
    const client = new Client(first.port("http"), 8);
    const want: string[] = [];
    try {
      await Promise.all(Array.from({ length: 8 }, async (_, sender) => {
        for (let i = 0; i < 10; i++) {
          const event = `kept ${sender} ${i}`;
          const said = await client.post("/v1/ingest?ack=disk", event);
          assert.deepEqual([said.status, said.body], [200, { accepted: 1, durable: true }]);
          want.push(event);
        }
      }));
      const late = await client.post("/v1/ingest?ack=kafka", "kept late");
      assert.deepEqual([late.status, late.body], [202, { accepted: 1, durable: true, spooled: true }]);
      want.push("kept late");
      first.signal("SIGKILL");
      await first.ended();
      const second =
        await (await Corndog.start(config(kafka.bootstrap, topic, "5s", spool), { dir: first.dir }))
          .started();
      try {
        const records = await kafka.readUntil(topic, want.length);
        assert.deepEqual([...new Set(values(records))].sort(), want.sort());
        assert.equal(await second.stop(), 0);
      } finally {
        await second.dispose();
      }
    } finally {
      client.close();
      await first.dispose();
    }
  });

  it("says 503, and when to come again, when nothing but memory has the events in time", async () => {
    const away = `127.0.0.1:${await freePort()}`;
    const corndog = await (await Corndog.start(
      config(
        away,
        uniqueTopic("http-away"),
        "3s",
        "spool: { durability: none, dir: spool }\ndrain_timeout: 1s",
      ),
    )).started();
    const client = new Client(corndog.port("http"), 4);
    try {
      const waits = client.post("/v1/ingest?ack=kafka", "x");
      await until("the request among the waits", async () => {
        const text = await (await fetch(`${corndog.admin}/admin/inflight`)).text();
        return text.includes('"http_reply"') && text.includes('"kind":"request"') || undefined;
      });
      const late = await waits;
      assert.deepEqual([late.status, late.body["code"]], [503, "ack_timeout"]);
      assert.ok(Number(late.retryAfter) >= 1, `${late.retryAfter}`);
      assert.equal((await client.post("/v1/ingest?ack=memory", "x")).status, 202);
    } finally {
      client.close();
      await corndog.dispose();
    }
  });
});
