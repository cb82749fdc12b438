import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { test } from "node:test";
import { hotdogStats } from "../../../src/observe/hotdog_stats.ts";
import { createLogger } from "../../../src/observe/log.ts";
import { packDatagrams, startStatsd, StatsdDifferences } from "../../../src/observe/statsd.ts";
import { sampleStats } from "./stats_sample.ts";

test("hotdogStats() has hotdog's names and each topic's own number when topics differ", () => {
  assert.deepEqual(hotdogStats(sampleStats()), {
    message: "corndog 0.1.0",
    stats: {
      "connections": 3,
      "lines": 1000,
      "error.log_parse": 5,
      "kafka.submitted": 900,
      "kafka.submitted.orders": 600,
      "kafka.submitted.logs": 300,
      "kafka.producer.error": 10,
      "kafka.producer.sent": 3100,
    },
  });
});

test("StatsdDifferences.next() sends differences when called again", () => {
  const differences = new StatsdDifferences();
  const first = sampleStats();
  assert.deepEqual(differences.next(first), [
    "hotdog.connections:3|g",
    "hotdog.lines:1000|c",
    "hotdog.error.log_parse:5|c",
    "hotdog.kafka.submitted:900|c",
    "hotdog.kafka.producer.error:10|c",
    "hotdog.kafka.submitted.orders:600|c",
    "hotdog.kafka.submitted.logs:300|c",
    "hotdog.kafka.producer.sent:3.1|ms",
  ]);
  assert.deepEqual(differences.next(first), ["hotdog.connections:3|g"]);
  const second = sampleStats({
    kafka: {
      brokers: [],
      topics: { ...first.kafka.topics, "we:ird|": { submitted: 2, delivered: 2, dead_lettered: 0 } },
    },
  });
  assert.deepEqual(differences.next(second), [
    "hotdog.connections:3|g",
    "hotdog.kafka.submitted:2|c",
    "hotdog.kafka.submitted.we_ird_:2|c",
    "hotdog.kafka.producer.sent:3.1|ms",
  ]);
});

test("packDatagrams() keeps every line whole and in order when they do not fit one datagram", () => {
  const lines = Array.from({ length: 100 }, (_, index) => `hotdog.line${index}:1|c`);
  const datagrams = packDatagrams(lines, 64);
  assert.ok(datagrams.every((datagram) => datagram.length <= 64));
  assert.ok(datagrams.length > 10);
  assert.deepEqual(datagrams.flatMap((datagram) => datagram.toString().split("\n")), lines);
  assert.deepEqual(packDatagrams([]), []);
});

const quiet = createLogger({ format: "json", level: "error", colors: false, write: () => {}, now: () => 0 });

test("startStatsd() sends the rest when stopped", async () => {
  const server = createSocket("udp4");
  await new Promise<void>((resolve) => server.bind(0, "127.0.0.1", resolve));
  const received = new Promise<string>((resolve) =>
    server.once("message", (message) => resolve(String(message)))
  );
  const sender = startStatsd(
    { hostname: "127.0.0.1", port: server.address().port },
    () => Promise.resolve(sampleStats()),
    quiet,
  );
  await sender.stop();
  assert.match(await received, /^hotdog\.connections:3\|g\nhotdog\.lines:1000\|c\n/);
  await new Promise<void>((resolve) => server.close(() => resolve()));
});

test("startStatsd() goes on when stats() fails or nobody listens", async () => {
  const lines: string[] = [];
  const log = createLogger({
    format: "json",
    level: "warn",
    colors: false,
    write: (line) => lines.push(line),
    now: () => 0,
  });
  const failing = startStatsd(
    { hostname: "127.0.0.1", port: 1 },
    () => Promise.reject(new Error("worker 1 is held")),
    log,
  );
  await failing.stop();
  assert.match(lines[0], /"event":"statsd_failed".*worker 1 is held/);
  await startStatsd({ hostname: "127.0.0.1", port: 1 }, () => Promise.resolve(sampleStats()), log).stop();
});
