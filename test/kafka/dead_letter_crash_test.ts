/**
 * Dead letters of a running corndog that is killed, or whose only broker is.
 *
 * @module
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Corndog, dial, finish, write } from "../support/corndog.ts";
import { freePort } from "../support/free_port.ts";
import { until } from "../support/until.ts";
import { needs, sharedKafka, startKafka, uniqueTopic, values } from "./harness/kafka.ts";

const slow = { timeout: 240_000 };

async function send(port: number, lines: readonly string[]): Promise<void> {
  const socket = await dial(port);
  await write(socket, lines.map((line) => `<13>1 - web app - - - ${line}\n`).join(""));
  await finish(socket);
}

describe("corndog's dead letters and SIGKILL", { skip: needs.realBroker }, () => {
  it("have every line that was answered, however often the process is killed in between", slow, async () => {
    const kafka = await sharedKafka();
    const fine = await kafka.createTopic("fine", { partitions: 2 });
    const [gone, dead] = [uniqueTopic("gone"), uniqueTopic("dead")];
    const [http, admin] = [await freePort(), await freePort()];
    const text = `
listen: [{ http: "http://127.0.0.1:${http}" }]
admin: { listen: "127.0.0.1:${admin}" }
sink: kafka
kafka: { brokers: ["${kafka.bootstrap}"], topic: "${fine}", topic_wait: 1s, topics: { allow: ["*"] } }
dead_letter: { topic: "${dead}", file: dead_letter.ndjson }
spool: { dir: spool, durability: os }
workers: 2
rules:
  - { jmespath: bad, actions: [{ type: dead_letter, reason: bad_line }] }
  - { jmespath: topic, actions: [{ type: forward, topic: "{{value}}", value: raw }] }
`;
    let corndog = await (await Corndog.start(text)).started();
    const answered = new Set<number>();
    let next = 0;
    let isOver = false;
    const post = async (): Promise<void> => {
      while (!isOver) {
        const ids = Array.from({ length: 20 }, () => next++);
        const body = ids.map((id) =>
          `${JSON.stringify(id % 3 === 0 ? { id, bad: 1 } : { id, topic: id % 3 === 1 ? gone : fine })}\n`
        ).join("");
        const headers = { "content-type": "application/x-ndjson" };
        const url = `http://127.0.0.1:${http}/v1/ingest?ack=disk`;
        const signal = AbortSignal.timeout(10_000);
        const response = await fetch(url, { method: "POST", headers, body, signal }).catch(() => undefined);
        await response?.text().catch(() => {});
        if (response?.ok === true) { for (const id of ids) answered.add(id); }
        else await new Promise((resolve) => setTimeout(resolve, 50));
      }
    };
    const posters = [post(), post(), post()];
    try {
      for (let kills = 0; kills < 3; kills++) {
        const target = answered.size + 500;
        await until("500 more answers", () => answered.size >= target || undefined, 30_000);
        // A batch that seems to end the process at once, twice, is set aside by the spool.
        await corndog.statsWhen("it lives for a while", (stats) => stats.uptime_s > 2.5);
        corndog.signal("SIGKILL");
        await corndog.ended();
        // At first there is no topic for dead letters: they go to the file.
        if (kills === 1) await kafka.createTopic(dead, { exactName: true });
        corndog = await Corndog.spawn(corndog.dir, ["run", "-c", "corndog.yml"]).started();
      }
      const target = answered.size + 500;
      await until("500 more answers", () => answered.size >= target || undefined, 30_000);
      isOver = true;
      await Promise.all(posters);
      const { ledger } = await corndog.statsWhen(
        "everything settled",
        ({ ledger }) => ledger.in_flight === 0 && ledger.spooled === 0,
        60_000,
      );
      assert.equal(ledger.balanced, true);
      assert.equal(await corndog.stop(), 0);
      const file = readFileSync(join(corndog.dir, "dead_letter.ndjson"), "utf8").split("\n");
      const letters = file.flatMap((line) => {
        try {
          return [JSON.parse(line).value as string];
        } catch {
          return []; // half of a line that SIGKILL cut off
        }
      });
      const inTopics = await Promise.all(
        [fine, dead].map(async (topic) => values(await kafka.readAll(topic))),
      );
      const seen = new Set(
        [...letters, ...inTopics.flat()].map((value) => (JSON.parse(value) as { id: number }).id),
      );
      assert.deepEqual([...answered].filter((id) => !seen.has(id)), [], "every answered line is somewhere");
      assert.ok(letters.length > 0 && inTopics[1]!.length > 0, "both places were in use");
    } finally {
      isOver = true;
      await Promise.all(posters);
      await corndog.dispose();
    }
  });
});

describe("corndog's dead letters with a broker of its own", { skip: needs.ownRealBroker }, () => {
  it(
    "go to the file while Kafka is away, to the topic when it is back, and each line is in one place",
    slow,
    async () => {
      await using kafka = await startKafka();
      const topic = await kafka.createTopic("letters");
      const dead = await kafka.createTopic("dead", { exactName: true });
      const port = await freePort();
      const text = `
listen: [{ syslog: "tcp://127.0.0.1:${port}" }]
admin: { listen: "127.0.0.1:0" }
sink: kafka
kafka: { brokers: ["${kafka.bootstrap}"], topic: "${topic}" }
dead_letter: { topic: "${dead}", file: dead_letter.ndjson }
workers: 2
rules:
  - { prefix: bad, actions: [{ type: dead_letter, reason: bad_line }] }
`;
      const corndog = await (await Corndog.start(text)).started();
      try {
        let sent = 0;
        const sendBad = async (lines: number) => {
          await send(port, Array.from({ length: lines }, () => `bad ${sent++}`));
        };
        await sendBad(100);
        await corndog.statsWhen("the first", ({ ledger }) => ledger.dead_lettered === 100);
        await kafka.kill(0);
        // What comes in the first moment of an outage waits for the topic, as other lines do.
        await until(
          "letters in the file",
          async () => {
            await sendBad(50);
            return (await corndog.stats()).dead_letter!.file.lines > 0 || undefined;
          },
          60_000,
          200,
        );
        await kafka.restart(0);
        await until(
          "it is back",
          async () => (await fetch(`${corndog.admin}/readyz`)).ok || undefined,
          60_000,
        );
        await until(
          "letters in the topic",
          async () => {
            const before = (await corndog.stats()).dead_letter!.topic!.lines;
            await sendBad(50);
            return before > 100 || undefined;
          },
          60_000,
          200,
        );
        const { ledger, dead_letter: letters } = await corndog.statsWhen(
          "all of them",
          ({ ledger }) => ledger.dead_lettered === sent,
          60_000,
        );
        assert.equal(ledger.balanced, true);
        assert.equal(letters!.topic!.lines + letters!.file.lines, sent);
        const inTopic = values(await kafka.readUntil(dead, letters!.topic!.lines));
        const file = readFileSync(join(corndog.dir, "dead_letter.ndjson"), "utf8").trim().split("\n");
        const inFile = file.map((line) => JSON.parse(line).value as string);
        const all = [...inTopic, ...inFile].map((value) => Number(/bad (\d+)$/.exec(value)![1]));
        assert.deepEqual(all.sort((one, other) => one - other), Array.from({ length: sent }, (_, id) => id));
        assert.equal(await corndog.stop(), 0);
      } finally {
        await corndog.dispose();
      }
    },
  );
});
