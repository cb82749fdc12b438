import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { spawn } from "node:child_process";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { createBlackholeSink } from "../../../src/sink/blackhole.ts";
import { createStdoutSink } from "../../../src/sink/stdout.ts";
import { batchOf, isoTime, kernel, Notes, until, using } from "./bench.ts";

const child = fileURLToPath(new URL("./stdout_child.ts", import.meta.url));

/** Runs the child program with the runtime of this test. */
function run(workers: number, batches: number, ...more: string[]) {
  const deno = "Deno" in globalThis ? ["run", "-A", "--no-check"] : [];
  return spawn(process.execPath, [...deno, child, `${workers}`, `${batches}`, ...more], {
    stdio: ["ignore", "pipe", "pipe"],
  });
}

test("stdout sink writes whole lines of all workers, in the order of each, when the reader is slow", async () => {
  const running = run(3, 20);
  const chunks: Buffer[] = [];
  let chunkCount = 0;
  running.stdout.on("data", (chunk: Buffer) => {
    chunks.push(chunk);
    // A pipe that is full for a while, again and again.
    if (chunkCount++ % 16 === 0) {
      running.stdout.pause();
      setTimeout(() => running.stdout.resume(), 5);
    }
  });
  let problem = "";
  running.stderr.on("data", (chunk: Buffer) => problem += chunk);
  const code = await new Promise((resolve) => running.on("close", resolve));
  assert.equal(problem, "");
  assert.equal(code, 0);
  const seen = new Map<string, number>();
  for (const text of Buffer.concat(chunks).toString().trimEnd().split("\n")) {
    const line = JSON.parse(text);
    assert.equal(line.time, isoTime);
    const next = seen.get(line.topic) ?? 0;
    assert.equal(Number.parseInt(line.value), next);
    seen.set(line.topic, next + 1);
  }
  assert.deepEqual([...seen].sort(), [["t0", 2000], ["t1", 2000], ["t2", 2000]]);
});

test("stdout sink says that the reader is gone when it is", async () => {
  const running = run(1, 500);
  running.stdout.once("data", () => running.stdout.destroy());
  let problem = "";
  running.stderr.on("data", (chunk: Buffer) => problem += chunk);
  const code = await new Promise((resolve) => running.on("close", resolve));
  assert.equal(problem.trim(), 'Cannot write "stdout": the reader is gone (EPIPE)');
  assert.equal(code, 3);
});

test("stdout sink goes on where it stopped when a pipe takes a part, nothing, or is gone for a while", async () => {
  const notes = new Notes();
  let written = "";
  let calls = 0;
  let gone = true;
  const sink = createStdoutSink({
    kernel,
    events: notes,
    write: (bytes, offset) => {
      calls++;
      if (written.length > 100 && gone) {
        return Promise.reject(Object.assign(new Error("x"), { code: "EPIPE" }));
      }
      if (calls % 3 === 0) return Promise.reject(Object.assign(new Error("x"), { code: "EAGAIN" }));
      const part = Buffer.from(bytes.subarray(offset, offset + 37));
      written += part.toString("latin1");
      return Promise.resolve(part.length);
    },
  });
  const values = Array.from({ length: 20 }, (_, i) => `${i}`);
  await using(sink, async () => {
    assert.equal(sink.hungry, true);
    sink.send(batchOf("t", values));
    assert.equal(sink.hungry, false);
    await until(() => !sink.status().ready, "the problem is said");
    assert.equal(notes.settledBatches.length, 0);
    gone = false;
    await until(() => notes.settledBatches.length === 1, "settled");
    assert.equal(sink.status().ready, true);
    await until(() => sink.hungry, "hungry again");
    assert.equal(notes.wanted, 1);
  });
  const lines = written.trimEnd().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(lines.map((line) => [line.topic, line.value]), values.map((value) => ["t", value]));
});

test("stdout sink closes in time when nobody reads", async () => {
  const notes = new Notes();
  const sink = createStdoutSink({
    kernel,
    events: notes,
    write: () => Promise.reject(Object.assign(new Error("x"), { code: "EPIPE" })),
  });
  sink.send(batchOf("t", ["x"]));
  await until(() => !sink.status().ready, "the problem is said");
  await sink.close();
  assert.equal(notes.settledBatches.length, 0);
});

test("stdout sink says that nobody reads when a write waits for 10 s, and goes on when it ends", async () => {
  const notes = new Notes();
  let nowMs = 5;
  let end: (() => void) | undefined;
  const sink = createStdoutSink({
    kernel,
    events: notes,
    nowMs: () => nowMs,
    write: (bytes, offset) => new Promise((resolve) => end = () => resolve(bytes.length - offset)),
  });
  await using(sink, async () => {
    nowMs += 60_000; // To have nothing to write is no stall.
    assert.equal(sink.status().ready, true);
    sink.send(batchOf("t", ["x"]));
    nowMs += 9_999;
    assert.equal(sink.status().ready, true);
    nowMs += 1;
    assert.equal(
      sink.status().problem,
      'Cannot write "stdout": nobody reads it, a write waits for more than 10 s',
    );
    await until(() => end !== undefined, "the write began");
    end!();
    await until(() => notes.settledBatches.length === 1, "settled");
    assert.equal(sink.status().ready, true);
  });
});

test("stdout sink closes in time, and settles nothing after, when a write never ends or another worker has the turn", async () => {
  for (const turn of [undefined, new Int32Array([1])]) {
    const notes = new Notes();
    let end: (() => void) | undefined;
    const sink = createStdoutSink({
      kernel,
      events: notes,
      ...(turn === undefined ? {} : { turn }),
      write: (bytes) => new Promise((resolve) => end = () => resolve(bytes.length)),
    });
    sink.send(batchOf("t", ["x"]));
    if (turn === undefined) await until(() => end !== undefined, "the write began");
    await sink.close();
    end?.();
    await new Promise((resolve) => setTimeout(resolve, 5));
    assert.equal(notes.settledBatches.length, 0);
  }
});

test("stdout sink holds up nothing but itself when nobody reads", async () => {
  const running = run(2, 50, "ticks");
  let ticks = "";
  running.stderr.on("data", (chunk: Buffer) => ticks += chunk);
  running.stdout.pause();
  await until(() => /ticks 200\b/.test(ticks), "the loop turns on");
  const chunks: Buffer[] = [];
  running.stdout.on("data", (chunk: Buffer) => chunks.push(chunk)).resume();
  assert.equal(await new Promise((resolve) => running.on("close", resolve)), 0);
  assert.equal(Buffer.concat(chunks).toString().trimEnd().split("\n").length, 10_000);
});

test("blackhole sink settles every batch once, after send returned", async () => {
  const notes = new Notes();
  const sink = createBlackholeSink({ events: notes });
  await using(sink, async () => {
    for (let i = 0; i < 10; i++) sink.send(batchOf("t", ["x"]));
    assert.equal(notes.settledBatches.length, 0);
    assert.equal(sink.status().batchesInFlight, 10);
    assert.equal(sink.hungry, true);
    await until(() => notes.settledBatches.length === 10, "settled");
    assert.equal(sink.status().bytesInFlight, 0);
  });
});
