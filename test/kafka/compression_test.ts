/**
 * Every codec through corndog and a real broker: kcat (librdkafka) and Kafka's own console consumer read the same
 * bytes, and the batches that lie in the log are compressed with it.
 * Runs on both: @runtimes bun deno
 *
 * @module
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Corndog, dial, finish, write } from "../support/corndog.ts";
import { consoleRead } from "./harness/console_consumer.ts";
import { needs, sharedKafka } from "./harness/kafka.ts";

interface CompressionStats {
  readonly codec: string;
  readonly on?: boolean;
  readonly batches_packed: number;
  readonly bytes_in: number;
  readonly bytes_out: number;
}

function config(bootstrap: string, topic: string, compression: string): string {
  return `
listen: [{ syslog: "tcp://127.0.0.1:0" }]
admin: { listen: "127.0.0.1:0" }
sink: kafka
kafka: { brokers: ["${bootstrap}"], topic: "${topic}", topics: { allow: ["*"] }, compression: "${compression}" }
dead_letter: { file: dead_letter.ndjson }
workers: 1
`;
}

/** Lines that shrink, with bytes that are no UTF-8, and some of one batch's size that span blocks of the formats. */
function lines(count: number): Buffer[] {
  return Array.from({ length: count }, (_, id) => {
    const text = `<13>1 2026-01-02T03:04:05Z web-${id % 7} nginx 77 - - GET /orders/${
      id * 7919 % 9973
    } id=${id} `;
    return Buffer.concat([
      Buffer.from(text),
      Buffer.from([0xc3, 0x28]),
      Buffer.alloc(id % 50 === 0 ? 9000 : 20, "y"),
    ]);
  });
}

describe("compression", { skip: needs.broker }, () => {
  const sent = lines(2000);
  const topics: string[] = [];

  for (const compression of ["zstd", "gzip:1", "lz4", "snappy", "auto", "none"]) {
    it(`corndog's batches are read by kcat when compression is ${compression}`, async () => {
      const kafka = await sharedKafka();
      const topic = await kafka.createTopic("packed", { partitions: 1 });
      const corndog = await (await Corndog.start(config(kafka.bootstrap, topic, compression))).started();
      try {
        const socket = await dial(corndog.port("tcp"));
        await write(socket, Buffer.concat(sent.flatMap((line) => [line, Buffer.from("\n")])));
        await finish(socket);
        const records = await kafka.readUntil(topic, sent.length);
        assert.deepEqual(
          records.map((record) => Buffer.from(record.value!).toString("latin1")),
          sent.map((line) => line.toString("latin1")),
        );
        const stats = await corndog.statsWhen("all delivered", (s) => s.ledger.delivered === sent.length);
        assert.equal(stats.ledger.balanced, true);
        const { compression: told } = stats.workers[0] as { compression?: CompressionStats };
        if (compression === "none") assert.equal(told, undefined);
        else {
          assert.equal(told!.codec, compression === "auto" ? "zstd" : compression.replace(/:.*/, ""));
          // `auto` is off where the machine that runs the tests is busy.
          if (compression !== "auto") {
            assert.ok(told!.batches_packed > 0 && told!.bytes_out * 2 < told!.bytes_in, JSON.stringify(told));
          }
        }
        assert.equal(await corndog.stop(), 0);
        topics.push(topic);
      } finally {
        await corndog.dispose();
      }
    });
  }

  it(
    "Kafka's console consumer reads what corndog wrote with each codec",
    { skip: needs.realBroker },
    async () => {
      const kafka = await sharedKafka();
      assert.equal(topics.length, 6, "all topics were written");
      const read = await consoleRead(kafka.bootstrap, topics, topics.length * sent.length);
      const sorted = (values: readonly Buffer[]) => values.map((value) => value.toString("latin1")).sort();
      assert.deepEqual(sorted(read), sorted(topics.flatMap(() => sent)));
    },
  );
});
