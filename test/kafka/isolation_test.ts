/**
 * One topic or one broker that stops does not slow the others: fifty topics, one of them without a leader, through
 * one connection.
 *
 * @module
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Corndog, dial, finish, write } from "../support/corndog.ts";
import { needs, startKafka, uniqueTopic } from "./harness/kafka.ts";

const slow = { timeout: 240_000 };
const topics = 50;

/** The line names its topic. */
const config = (bootstrap: string, prefix: string, more: string) => `
listen: [{ syslog: "tcp://127.0.0.1:0" }]
admin: { listen: "127.0.0.1:0" }
sink: kafka
kafka:
  brokers: ["${bootstrap}"]
  topic: ${prefix}-0
  topics: { allow: ["${prefix}-*"] }
  topic_wait: 2s
  ${more}
dead_letter: { file: dead_letter.ndjson }
workers: 1
rules:
  - name: by-tag
    field: msg
    regex: "^(?P<to>[^ ]+) "
    actions: [{ type: forward, topic: "${prefix}-{{to}}" }]
`;

const padding = "x".repeat(150);

describe("corndog with a topic that stops", { skip: needs.ownRealBroker }, () => {
  it(
    "delivers 49 topics at nine tenths of their speed or more when the fiftieth has no leader",
    slow,
    async () => {
      await using kafka = await startKafka({ brokers: 3 });
      const prefix = uniqueTopic("iso");
      // The last broker has the last topic alone; the other topics live on the other brokers.
      for (let id = 0; id < topics; id++) {
        await kafka.createTopic(`${prefix}-${id}`, {
          assignment: [id === topics - 1 ? [2] : id % 2 === 0 ? [0, 1] : [1, 0]],
          config: { "min.insync.replicas": "1" },
          exactName: true,
        });
      }
      const corndog = await (await Corndog.start(config(kafka.bootstrap.split(",")[0]!, prefix, "")))
        .started();
      try {
        let sent = 0;
        /** Seconds until `lines` lines are delivered, but for those of the last topic, which come in the same connection. */
        const take = async (lines: number): Promise<number> => {
          const { delivered } = (await corndog.stats()).ledger;
          const socket = await dial(corndog.port("tcp"));
          const startedMs = performance.now();
          let text = "";
          for (let line = 0; line < lines; line++) {
            text += `<13>1 - web app - - - ${line % topics} ${line} ${padding}\n`;
            if (line % 500 === 499) {
              await write(socket, text);
              text = "";
            }
          }
          await finish(socket);
          sent += lines;
          const others = lines - lines / topics;
          await corndog.statsWhen("others", ({ ledger }) => ledger.delivered >= delivered + others, 60_000);
          return (performance.now() - startedMs) / 1000;
        };
        /** The best of several, until it is good enough: others use this machine too, and never make it faster. */
        const best = async (rounds: number, enough = 0): Promise<number> => {
          let seconds = Infinity;
          for (let round = 0; round < rounds && seconds > enough; round++) {
            seconds = Math.min(seconds, await take(150_000));
          }
          return seconds;
        };
        const whole = await best(3);
        const troubles = [
          { name: "is killed", begin: () => kafka.kill(2), end: () => kafka.restart(2) },
          { name: "stands still", begin: () => kafka.pause(2), end: () => kafka.continue(2) },
        ];
        for (const { name, begin, end } of troubles) {
          await begin();
          const without = await best(12, whole / 0.9);
          console.log(`150,000 lines: ${whole.toFixed(2)} s; when a broker ${name}: ${without.toFixed(2)} s`);
          const { ledger } = await corndog.stats();
          assert.equal(ledger.balanced, true);
          assert.equal(ledger.dead_lettered, 0);
          assert.ok(ledger.delivered < sent, "the last topic waits");
          assert.ok(without <= whole / 0.9, `${without} s when a broker ${name}, ${whole} s before`);
          await end();
          await corndog.statsWhen("all is delivered", (s) => s.ledger.delivered === sent, 60_000);
        }
        assert.equal(await corndog.stop(), 0);
      } finally {
        await corndog.dispose();
      }
    },
  );
});
