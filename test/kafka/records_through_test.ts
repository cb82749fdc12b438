/**
 * corndog as a process, with keys, headers, record times, records that are too large and a parked topic, down to what
 * kcat reads.
 *
 * @module
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
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

  it(
    "puts a line that is too large into the dead letter, alone and whole, and delivers those around it",
    slow,
    async () => {
      const kafka = await sharedKafka();
      const topic = await kafka.createTopic("small", { config: { "max.message.bytes": "20000" } });
      const corndog = await (await Corndog.start(config(kafka.bootstrap, `topic: ${topic}`, keyed(topic))))
        .started();
      try {
        const socket = await dial(corndog.port("tcp"));
        const line = (id: number, bytes = 100) => `<13>1 - web app - - - ${String(id).padEnd(bytes, "x")}\n`;
        // Whether the topic's limit is known when the first large one comes is a matter of milliseconds.
        let text = "";
        for (let id = 0; id < 300; id++) text += line(id, id === 150 ? 30_000 : 100);
        await write(socket, text);
        await corndog.statsWhen(
          "the first",
          ({ ledger }) => ledger.delivered === 299 && ledger.dead_lettered === 1,
        );
        const lettersNow = () =>
          readFileSync(join(corndog.dir, "dead_letter.ndjson"), "utf8").trim().split("\n")
            .map((letter) => JSON.parse(letter));
        // Once the topic's limit is known, such a line is refused before it enters a batch, and its peer is named.
        const wanted = Array.from({ length: 300 }, (_, id) => id).filter((id) => id !== 150);
        let id = 300;
        const named = await until(
          "a letter that names its peer",
          async () => {
            const letters = (await corndog.stats()).ledger.dead_lettered;
            wanted.push(id);
            await write(socket, line(id++) + line(id++, 40_000));
            await corndog.statsWhen("one more", ({ ledger }) => ledger.dead_lettered === letters + 1);
            return lettersNow().find(({ peer }) => peer !== undefined);
          },
          60_000,
          200,
        );
        await finish(socket);
        assert.match(named.peer, /^127\.0\.0\.1/);
        assert.match(named.message, /\d+ bytes is too large .* max\.message\.bytes is 20000/);
        const ids = values(await kafka.readUntil(topic, wanted.length)).map((value) =>
          Number.parseInt(value, 10)
        );
        assert.deepEqual(ids, wanted);
        const letters = lettersNow();
        for (const letter of letters) {
          assert.deepEqual([letter.reason, letter.topic], ["record_too_large", topic]);
        }
        assert.ok(letters[0].value.endsWith("150".padEnd(30_000, "x")), "the whole record");
        assert.equal((await corndog.stats()).ledger.balanced, true);
        assert.equal(await corndog.stop(), 0);
      } finally {
        await corndog.dispose();
      }
    },
  );

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
