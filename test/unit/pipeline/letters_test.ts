import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { setImmediate } from "node:timers";
import fc from "fast-check";
import { Receipt } from "../../../src/batch/receipt.ts";
import type { BatchOutcome, ClosedBatch } from "../../../src/batch/record_batch.ts";
import { counter } from "../../../src/observe/row.ts";
import { until } from "../../support/until.ts";
import { deadTopic, LettersBench } from "./letters_bench.ts";

const rejected = (reason: string) => (): BatchOutcome => ({
  kind: "rejected",
  reason,
  message: `no: ${reason}`,
});
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

test("Letters.write() sends a line to the topic with its headers when Kafka takes it", async () => {
  await using bench = new LettersBench();
  assert.equal(
    bench.write("<13>caf\u00e9", {
      rule: "r",
      topic: "meant",
      peer: "192.0.2.1:5140",
      truncated: true,
    }),
    undefined,
  );
  assert.equal(bench.ledger().in_flight, 1);
  await bench.finish();
  assert.deepEqual(bench.delivered, [{
    topic: deadTopic,
    key: undefined,
    value: "<13>caf\u00e9",
    headers: {
      "corndog.reason": "rule_failed",
      "corndog.message": "why",
      "corndog.received": "2026-01-02T03:04:05.678Z",
      "corndog.kind": "line",
      "corndog.topic": "meant",
      "corndog.rule": "r",
      "corndog.peer": "192.0.2.1:5140",
      "corndog.truncated": "true",
    },
  }]);
  assert.deepEqual(bench.lines(), []);
  assert.equal(bench.ledger().topic, 1);
  assert.deepEqual(bench.letters.report().reasons, { rule_failed: 1 });
});

test("Letters.settled() makes letters of the records of a rejected batch, key and order kept", async () => {
  await using bench = new LettersBench();
  for (let id = 0; id < 1200; id++) {
    while (!bench.forward("gone", `line ${id}`, `k${id % 7}`)) bench.settle(rejected("unknown_topic"));
    await turn();
  }
  bench.batcher.closeAll();
  const refuseGone = (batch: ClosedBatch): BatchOutcome =>
    batch.topic === "gone" ? rejected("unknown_topic")() : { kind: "delivered" };
  await bench.finish(refuseGone);
  assert.equal(bench.delivered.length, 1200);
  assert.deepEqual(
    bench.delivered.map(({ value }) => value),
    Array.from({ length: 1200 }, (_, id) => `line ${id}`),
  );
  assert.ok(bench.delivered.every(({ key }, id) => key === `k${id % 7}`));
  const { headers } = bench.delivered[0]!;
  assert.equal(headers["corndog.kind"], "record");
  assert.equal(headers["corndog.topic"], "gone");
  assert.equal(headers["corndog.reason"], "unknown_topic");
  assert.equal(bench.ledger().topic, 1200);
  assert.deepEqual(bench.topics.report().find(({ topic }) => topic === "gone")?.deadLettered, 1200);
});

const toFile: readonly { name: string; prepare?: (bench: LettersBench) => void; reason?: string }[] = [
  { name: "the sink cannot deliver", prepare: (bench) => bench.outage() },
  { name: "the records are too large for Kafka", reason: "record_too_large" },
];
for (const { name, prepare, reason = "unknown_topic" } of toFile) {
  test(`Letters.settled() writes a rejected batch to the file when ${name}`, async () => {
    await using bench = new LettersBench();
    prepare?.(bench);
    bench.forward("gone", "one", "k");
    bench.forward("gone", "two");
    await bench.finish(rejected(reason));
    assert.deepEqual(bench.delivered, []);
    assert.deepEqual(bench.lines().map(({ value, kind, topic, key }) => ({ value, kind, topic, key })), [
      { value: "one", kind: "record", topic: "gone", key: "k" },
      { value: "two", kind: "record", topic: "gone", key: undefined },
    ]);
    assert.equal(bench.ledger().file, 2);
  });
}

test("Letters.write() waits for a sink that is not ready for a moment, and no longer", async () => {
  await using bench = new LettersBench();
  bench.isReady = false;
  bench.write("at the start");
  bench.nowMs += 2900;
  bench.write("soon after");
  bench.nowMs += 200;
  bench.write("too late");
  bench.isReady = true;
  bench.nowMs += 250;
  bench.write("back");
  await bench.finish();
  assert.deepEqual(bench.delivered.map(({ value }) => value), ["at the start", "soon after", "back"]);
  assert.deepEqual(bench.lines().map(({ value }) => value), ["too late"]);
});

test("Letters.write() keeps a line on this machine when it was to be redacted and could not be", async () => {
  await using bench = new LettersBench();
  bench.write("secret", { redacted: "failed" });
  bench.write("[card]", { redacted: "done" });
  await bench.finish();
  assert.deepEqual(bench.delivered.map(({ value, headers }) => [value, headers["corndog.redacted"]]), [
    ["[card]", "true"],
  ]);
  assert.deepEqual(bench.lines().map(({ value, redacted }) => [value, redacted]), [["secret", "failed"]]);
});

test("Letters.settled() unfolds letters into the file when Kafka refuses the topic, and rests before it tries again", async () => {
  await using bench = new LettersBench();
  bench.write("one", { rule: "r", topic: "meant", peer: "p:1" });
  await bench.finish(rejected("topic_authorization_failed"));
  assert.deepEqual(bench.lines(), [{
    time: "2026-01-02T03:04:05.678Z",
    reason: "rule_failed",
    message: "why",
    kind: "line",
    topic: "meant",
    rule: "r",
    peer: "p:1",
    undeliverable: "topic_authorization_failed",
    value: "one",
  }]);
  assert.deepEqual(bench.events, ["dead_letter_topic_refused"]);
  assert.equal(bench.letters.report().topic?.problem, "no: topic_authorization_failed");
  bench.write("two");
  assert.deepEqual(bench.sent, [], "the topic rests");
  bench.nowMs += 10_001;
  bench.write("three");
  await bench.finish();
  assert.deepEqual(bench.delivered.map(({ value }) => value), ["three"]);
  assert.equal(bench.letters.report().topic?.problem, undefined);
  assert.deepEqual(bench.lines().map(({ value }) => value), ["one", "two"]);
});

test("Letters.write() asks to wait for memory when the topic's lane finds none, and takes nothing", async () => {
  await using bench = new LettersBench();
  let taken = 0;
  const big = "x".repeat(3000);
  while (bench.write(big) === undefined) assert.ok(taken++ < 1000, "memory is bounded");
  assert.equal(bench.write(big), "room");
  assert.equal(bench.ledger().received, taken);
  await bench.finish();
  assert.equal(bench.ledger().topic, taken);
});

test("Letters.settled() writes to the file what finds no memory for its letters in time", async () => {
  await using bench = new LettersBench();
  const value = "y".repeat(3000);
  let lines = 0;
  while (bench.forward("gone", value)) lines++;
  bench.batcher.closeAll();
  // Everything is refused at once: no batch can give way before another one has its letters placed.
  while (bench.settle(rejected("unknown_topic")));
  await turn();
  await turn();
  assert.equal(bench.letters.waiting, true);
  assert.equal(bench.ledger().in_flight, lines);
  bench.nowMs += 1001;
  bench.letters.wake();
  await bench.finish();
  const { topic, file } = bench.ledger();
  assert.equal(topic + file, lines);
  assert.ok(file > 0);
});

test("Letters.close() gives rejected batches that wait to the file", async () => {
  const bench = new LettersBench();
  for (let id = 0; id < 50; id++) bench.forward("gone", `line ${id}`);
  bench.batcher.closeAll();
  bench.settle(rejected("unknown_topic"));
  await bench.letters.close();
  assert.equal(bench.lines().length, 50);
  assert.equal(bench.ledger().file, 50);
  await bench[Symbol.asyncDispose]();
});

test('Letters.write() says "letters" when the file is at its bound', async () => {
  await using bench = new LettersBench({ topic: false, fileBytesMax: 500 });
  bench.write("x".repeat(300));
  bench.write("x".repeat(300));
  await until("the bound", () => bench.letters.problem);
  assert.equal(bench.letters.full, true);
  assert.equal(bench.write("one more"), "letters");
  bench.ledger();
});

for (const ends of ["topic", "file"] as const) {
  test(`Letters.settled() answers who waits for a rejected batch when its letters are safe in the ${ends}, not before`, async () => {
    await using bench = new LettersBench();
    const heard: (string | undefined)[] = [];
    const receipt: Receipt = new Receipt("kafka", () => heard.push(receipt.rejection));
    bench.batcher.receipt = receipt;
    for (let id = 0; id < 700; id++) bench.forward("gone", `line ${id}`);
    bench.batcher.receipt = undefined;
    receipt.placed();
    bench.batcher.closeAll();
    while (bench.sent.some(({ topic }) => topic === "gone")) bench.settle(rejected("unknown_topic"));
    await until("the letters are made", () => bench.letters.waiting ? undefined : true);
    assert.deepEqual(heard, [], "letters in memory are not safe");
    assert.equal(bench.done.length, 0);
    await bench.finish(ends === "topic" ? undefined : rejected("unknown_topic"));
    assert.deepEqual(heard, ["unknown_topic"]);
    assert.ok(bench.done.includes("gone"));
    assert.equal(bench.ledger()[ends], 700);
  });
}

test("Letters.write() answers who waits for a line when its letter is safe", async () => {
  await using bench = new LettersBench();
  let heard = 0;
  for (const redacted of [undefined, "failed"] as const) {
    const receipt = new Receipt("kafka", () => heard++);
    bench.batcher.receipt = receipt;
    bench.letters.write(
      { timeMs: 0, reason: "r", message: "m", kind: "line", redacted, value: Buffer.from("x") },
      receipt,
    );
    bench.counters.add(counter.received, 1);
    bench.batcher.receipt = undefined;
    receipt.placed();
  }
  assert.equal(heard, 0);
  await bench.finish();
  assert.equal(heard, 2);
});

/** What the simulated world does next. */
const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant("line" as const), bytes: fc.nat(2000) }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant("forward" as const), bytes: fc.nat(2000) }) },
  {
    weight: 4,
    arbitrary: fc.constantFrom("deliver" as const, "unknown_topic" as const, "record_too_large" as const),
  },
  { weight: 1, arbitrary: fc.constantFrom("down" as const, "up" as const, "time" as const, "turn" as const) },
);

// Every run waits for the disk a few times.
test(
  "Letters keep every line in exactly one place whatever Kafka does in between",
  { timeout: 60_000 },
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 150 }), async (steps) => {
        await using bench = new LettersBench();
        const given = new Set<string>();
        for (const [index, one] of steps.entries()) {
          if (typeof one === "object") {
            const value = `${index}:`.padEnd(one.bytes + 4, "z");
            const taken = one.kind === "line"
              ? bench.write(value) === undefined
              : bench.forward(index % 3 === 0 ? "other" : "logs", value);
            if (taken) given.add(value);
          } else if (one === "deliver") bench.settle();
          else if (one === "down" || one === "up") bench.isReady = one === "up";
          else if (one === "time") bench.nowMs += 1700;
          else if (one === "turn") await turn();
          else {
            bench.batcher.closeAll();
            bench.settle(rejected(one));
          }
          bench.ledger();
        }
        await bench.finish();
        const seen = [
          ...bench.delivered.map(({ value }) => value),
          ...bench.lines().map(({ value }) => value as string),
        ];
        assert.deepEqual(seen.sort(), [...given].sort());
        assert.equal(bench.batcher.stats().arenaBytesUsed, 0, "all memory came back");
      }),
      { numRuns: 25 },
    );
  },
);

test("LetterTopic.line() keeps the scratch of the line at hand", async () => {
  await using bench = new LettersBench();
  const { kernel } = bench;
  const lower = Buffer.from(kernel.bytes.buffer, kernel.scratchAt, kernel.sizes.scratchBytes / 2);
  lower.fill(7);
  bench.write("elsewhere".repeat(100));
  assert.ok(lower.every((byte) => byte === 7));
  await bench.finish();
  assert.equal(bench.delivered[0]!.value, "elsewhere".repeat(100));
});
