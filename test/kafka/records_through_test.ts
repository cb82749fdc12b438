/**
 * corndog as a process, with keys, headers, record times, records that are too large and a parked topic, down to what
 * kcat reads.
 *
 * @module
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { partitionOfKey } from "../../src/kafka/partitioner.ts";
import { Corndog, dial, finish, write } from "../support/corndog.ts";
import { until } from "../support/until.ts";
import { needs, sharedKafka, uniqueTopic, values } from "./harness/kafka.ts";

const slow = { timeout: 120_000 };

function config(bootstrap: string, kafka: string, rules: string): string {
  return `
listen: [{ syslog: "tcp://127.0.0.1:0" }]
admin: { listen: "127.0.0.1:0" }
sink: kafka
kafka: { brokers: ["${bootstrap}"], ${kafka} }
dead_letter: { file: dead_letter.ndjson }
workers: 1
rules:
${rules}`;
}

const keyed = (topic: string) => `
  - name: by-host
    field: msg
    regex: ".*"
    actions: [{ type: forward, topic: "${topic}", key: "{{hostname}}", headers: { source: "{{appname}}", fixed: "1" } }]
`;

describe("corndog and records", { skip: needs.realBroker }, () => {
  it(
    "sends each host's lines to its key's partition, with headers and the message's own time",
    slow,
    async () => {
      const kafka = await sharedKafka();
      const topic = await kafka.createTopic("hosts", { partitions: 5 });
      const text = config(kafka.bootstrap, `topic: ${topic}, timestamp: event`, keyed(topic));
      const corndog = await (await Corndog.start(text)).started();
      try {
        const socket = await dial(corndog.port("tcp"));
        const startMs = Date.now();
        const hosts = Array.from({ length: 40 }, (_, id) => `host-${id}`);
        for (let round = 0; round < 25; round++) {
          const lines = hosts.map((host, id) => {
            const time = new Date(startMs - 60_000 * id + round).toISOString();
            return `<13>1 ${time} ${host} app-${id} - - - ${round}\n`;
          });
          await write(socket, lines.join(""));
        }
        await finish(socket);
        const records = await kafka.readUntil(topic, 1000);
        assert.equal(records.length, 1000);
        const rounds = new Map<string, number>();
        for (const { key, partition, value, headers, timestampMs } of records) {
          const host = Buffer.from(key!).toString();
          const id = Number(host.split("-")[1]);
          const round = Number(Buffer.from(value!).toString());
          assert.equal(partition, partitionOfKey(key!, 0, key!.length, 5));
          assert.equal(round, (rounds.get(host) ?? -1) + 1, `order of ${host}`);
          assert.equal(headers, `source=app-${id},fixed=1`);
          assert.equal(timestampMs, startMs - 60_000 * id + round);
          rounds.set(host, round);
        }
        assert.equal(await corndog.stop(), 0);
      } finally {
        await corndog.dispose();
      }
    },
  );

  for (const compression of ["none", "zstd"]) {
    it(
      `puts a line that is too large into the dead letter, whole and with its peer, when compression is ${compression}`,
      slow,
      async () => {
        const kafka = await sharedKafka();
        const topic = await kafka.createTopic("small", { config: { "max.message.bytes": "20000" } });
        const settings = `topic: ${topic}, compression: ${compression}`;
        const corndog = await (await Corndog.start(config(kafka.bootstrap, settings, keyed(topic))))
          .started();
        try {
          const socket = await dial(corndog.port("tcp"));
          // Nothing makes 30,000 bytes of such text fit into 20,000.
          const noise = (bytes: number) => randomBytes(bytes).toString("base64").slice(0, bytes);
          const line = (id: number, rest: string) => `<13>1 - web app - - - ${id} ${rest}\n`;
          const large = [noise(30_000), noise(40_000)];
          let text = "";
          for (let id = 0; id < 300; id++) text += line(id, id === 150 ? large[0]! : noise(100));
          await write(socket, text);
          await corndog.statsWhen(
            "the first",
            ({ ledger }) => ledger.delivered === 299 && ledger.dead_lettered === 1,
          );
          // The limit of the topic may be known by now: then a line is refused before it enters a batch.
          await write(socket, line(300, noise(100)) + line(301, large[1]!) + line(302, noise(100)));
          await corndog.statsWhen(
            "the second",
            ({ ledger }) => ledger.delivered === 301 && ledger.dead_lettered === 2,
          );
          await finish(socket);
          const letters = readFileSync(join(corndog.dir, "dead_letter.ndjson"), "utf8").trim().split("\n")
            .map((letter) => JSON.parse(letter));
          assert.equal(letters.length, 2);
          for (const [index, letter] of letters.entries()) {
            assert.deepEqual([letter.reason, letter.topic], ["record_too_large", topic]);
            assert.match(letter.peer, /^127\.0\.0\.1:\d+$/);
            assert.ok(letter.value.endsWith(large[index]), "the whole record");
          }
          const wanted = Array.from({ length: 303 }, (_, id) => id).filter((id) => id !== 150 && id !== 301);
          const ids = values(await kafka.readUntil(topic, wanted.length)).map((value) =>
            Number.parseInt(value, 10)
          );
          assert.deepEqual(ids, wanted);
          assert.equal((await corndog.stats()).ledger.balanced, true);
          assert.equal(await corndog.stop(), 0);
        } finally {
          await corndog.dispose();
        }
      },
    );
  }

  it("keeps lines of a parked topic through an end of the process until the topic comes", slow, async () => {
    const kafka = await sharedKafka();
    const topic = await kafka.createTopic("flows", {});
    const parked = uniqueTopic("parked");
    const rules = `
  - name: audit
    field: msg
    regex: "^audit"
    actions: [{ type: forward, topic: "${parked}" }]
`;
    const text = config(kafka.bootstrap, `topic: ${topic}, topic_fault: park, topic_wait: 1s`, rules);
    let corndog = await (await Corndog.start(text)).started();
    try {
      const send = async (from: number, count: number): Promise<void> => {
        const socket = await dial(corndog.port("tcp"));
        for (let id = from; id < from + count; id++) {
          await write(socket, `<13>1 - web app - - - ${id % 2 === 0 ? "audit" : "other"} ${id}\n`);
        }
        await finish(socket);
      };
      await send(0, 100);
      await corndog.event("kafka_topic_unavailable");
      await send(100, 100);
      const stats = await corndog.statsWhen("the others flow", ({ ledger }) => ledger.delivered === 100);
      assert.equal(stats.ledger.dead_lettered, 0);
      assert.equal(stats.ledger.balanced, true);
      await corndog.stop();
      corndog = await (await Corndog.start(text, { dir: corndog.dir })).started();
      await send(200, 20);
      await kafka.createTopic(parked, { exactName: true });
      const records = await until(
        "parked lines",
        async () => {
          const found = await kafka.readAll(parked).catch(() => []);
          return found.length >= 110 ? found : undefined;
        },
        60_000,
        300,
      );
      const got = values(records).map((value) => Number(value.split(" ").at(-1))).sort((a, b) => a - b);
      assert.deepEqual([...new Set(got)], Array.from({ length: 110 }, (_, index) => index * 2));
      assert.equal(await corndog.stop(), 0);
    } finally {
      await corndog.dispose();
    }
  });
});
