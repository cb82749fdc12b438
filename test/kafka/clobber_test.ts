/**
 * The load generator reads its lines back from a real Kafka, behind a running corndog: with every compression, over
 * several brokers, and where lines are missing. Runs on both: @runtimes bun deno
 *
 * @module
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Corndog } from "../support/corndog.ts";
import { resultOf } from "../unit/clobber/inline.ts";
import { needs, sharedKafka, uniqueTopic } from "./harness/kafka.ts";

const config = (bootstrap: string, topic: string, compression: string): string => `
listen: [{ syslog: "tcp://127.0.0.1:0" }]
admin: { listen: "127.0.0.1:0" }
sink: kafka
kafka: { brokers: [${bootstrap}], topic: "${topic}", compression: ${compression} }
dead_letter: { file: dead_letter.ndjson }
workers: 1
`;

describe("corndog clobber --verify kafka://", { skip: needs.broker }, () => {
  for (const compression of ["none", "gzip", "snappy", "lz4", "zstd"]) {
    it(`finds each line once when batches are compressed with ${compression}`, async () => {
      const kafka = await sharedKafka(3);
      const topic = await kafka.createTopic("clobber", { partitions: 6 });
      const corndog = await (await Corndog.start(config(kafka.bootstrap, topic, compression))).started();
      try {
        const { endToEnd } = await resultOf([
          `tcp://127.0.0.1:${corndog.port("tcp")}`,
          "-l",
          "5000",
          "-c",
          "4",
          "--size",
          "100-2000",
          "--verify",
          `kafka://${kafka.bootstrap.split(",")[0]}/${topic}`,
        ]);
        const { arrived, duplicates, lost, problem, strange } = endToEnd!;
        assert.deepEqual(
          { arrived, duplicates, lost, problem, strange },
          { arrived: 5000, duplicates: 0, lost: 0, problem: null, strange: 0 },
        );
        assert.ok(endToEnd!.latency!.p50 > 0);
      } finally {
        await corndog.dispose();
      }
    });
  }

  it("counts as lost what goes elsewhere, and says when there is no such topic", async () => {
    const kafka = await sharedKafka();
    const topic = await kafka.createTopic("clobber-here");
    const other = await kafka.createTopic("clobber-there");
    const corndog = await (await Corndog.start(config(kafka.bootstrap, topic, "none"))).started();
    const absent = uniqueTopic("absent");
    try {
      for (const [verified, problem] of [[other, null], [absent, `there is no topic ${absent}`]] as const) {
        const { code, endToEnd, gates } = await resultOf([
          `tcp://127.0.0.1:${corndog.port("tcp")}`,
          "-l",
          "100",
          "--verify",
          `kafka://${kafka.bootstrap}/${verified}`,
          "--verify-timeout",
          "1s",
          "--fail",
          "loss==0",
        ]);
        assert.equal(code, 99);
        assert.deepEqual([endToEnd!.sent, endToEnd!.lost, endToEnd!.problem], [100, 100, problem]);
        assert.equal(gates[0]!.passed, false);
      }
    } finally {
      await corndog.dispose();
    }
  });
});
