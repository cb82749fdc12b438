import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { test } from "node:test";
import { DeadLetter, type DeadLetterOptions, type Letter } from "../../../src/sink/dead_letter.ts";
import { batchOf, epoch, isoTime, kernel, linesOf, Notes, TempDir, until } from "./bench.ts";

/** A dead letter, and what it said. */
function make(path: string, options: Partial<DeadLetterOptions> = {}) {
  const said = { rooms: 0 };
  const deadLetter = new DeadLetter({
    path,
    bytesMax: 1 << 20,
    memory: kernel.bytes,
    room: () => said.rooms++,
    ...options,
  });
  return { deadLetter, said };
}

function letter(value: string | Uint8Array, more: Partial<Letter> = {}): Letter {
  return {
    timeMs: epoch,
    reason: "rule_failed",
    message: "why",
    kind: "line",
    value: Buffer.from(value as string),
    ...more,
  };
}

test("DeadLetter.write() puts a line into the file and then calls it durable", async () => {
  using temp = new TempDir();
  const { deadLetter } = make(temp.at("sub", "dead.ndjson"));
  const scratch = Buffer.from("first");
  let onDisk = "";
  assert.ok(
    deadLetter.write(
      letter("", { value: scratch, rule: "r", topic: "t", peer: "p:1", truncated: true }),
      () => {
        onDisk = readFileSync(temp.at("sub", "dead.ndjson"), "utf8");
      },
    ),
  );
  scratch.fill(0);
  assert.equal(onDisk, "");
  assert.ok(deadLetter.write(letter(Uint8Array.of(0xff)), () => {}));
  await until(() => onDisk !== "", "durable");
  await deadLetter.close();
  assert.ok(onDisk.includes('"value":"first"'));
  assert.deepEqual(linesOf(temp.at("sub", "dead.ndjson")), [
    {
      time: isoTime,
      reason: "rule_failed",
      message: "why",
      kind: "line",
      topic: "t",
      rule: "r",
      peer: "p:1",
      truncated: true,
      value: "first",
    },
    { time: isoTime, reason: "rule_failed", message: "why", kind: "line", value_b64: "/w==" },
  ]);
});

test("DeadLetter of several workers leave whole lines in one file when they write at once", async () => {
  using temp = new TempDir();
  const path = temp.at("dead.ndjson");
  const workers = [make(path), make(path), make(path)];
  let durable = 0;
  for (let i = 0; i < 300; i++) {
    const value = `${i} `.padEnd(i * 31 % 3000, "x");
    assert.ok(workers[i % 3]!.deadLetter.write(letter(value), () => durable++));
    if (i % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await until(() => durable === 300, "durable");
  for (const { deadLetter } of workers) await deadLetter.close();
  const numbers = linesOf(path).map((line) => Number.parseInt(line.value as string));
  assert.deepEqual(numbers.sort((a, b) => a - b), Array.from({ length: 300 }, (_, i) => i));
});

test("DeadLetter.write() takes nothing more at the bound, and goes on when the file was moved away", async () => {
  using temp = new TempDir();
  const path = temp.at("dead.ndjson");
  const { deadLetter, said } = make(path, { bytesMax: 2000 });
  let durable = 0;
  let taken = 0;
  await until(() => {
    while (taken < 20 && deadLetter.write(letter(`${taken}`.padEnd(50, ".")), () => durable++)) taken++;
    return deadLetter.status().problem !== undefined;
  }, "full");
  const status = deadLetter.status();
  assert.equal(deadLetter.full, true);
  assert.equal(status.ready, false);
  assert.match(
    status.problem!,
    /^Cannot write ".*dead\.ndjson": it holds \d+ bytes, 2000 are allowed; move it away to go on$/,
  );
  assert.equal(deadLetter.write(letter("refused"), () => {}), false);
  assert.ok(statSync(path).size <= 2000);
  assert.equal(linesOf(path).length, durable);
  assert.equal(said.rooms, 0);
  for (let moved = 0; durable < taken; moved++) {
    renameSync(path, temp.at(`moved-${moved}.ndjson`));
    const before = durable;
    await until(() => durable > before && (durable === taken || deadLetter.full), "written after the move");
  }
  await until(() => said.rooms > 0, "room is told");
  assert.equal(deadLetter.status().problem, undefined);
  await deadLetter.close();
});

test("DeadLetter.write() writes a line larger than the bound when the file is empty", async () => {
  using temp = new TempDir();
  const { deadLetter } = make(temp.at("dead.ndjson"), { bytesMax: 10 });
  let durable = 0;
  deadLetter.write(letter("x".repeat(1000)), () => durable++);
  deadLetter.write(letter("waits"), () => durable++);
  await until(() => deadLetter.full, "full");
  assert.equal(durable, 1);
  await deadLetter.close();
  assert.equal(linesOf(temp.at("dead.ndjson")).length, 1);
});

test("DeadLetter goes on behind half a line when an earlier process died in it", async () => {
  using temp = new TempDir();
  writeFileSync(temp.at("dead.ndjson"), '{"time":"whole"}\n{"time":"ha');
  const { deadLetter } = make(temp.at("dead.ndjson"));
  let durable = 0;
  deadLetter.write(letter("a"), () => durable++);
  await until(() => durable === 1, "durable");
  deadLetter.write(letter("b"), () => durable++);
  await until(() => durable === 2, "durable");
  await deadLetter.close();
  const lines = readFileSync(temp.at("dead.ndjson"), "utf8").split("\n");
  assert.deepEqual(lines.slice(0, 2), ['{"time":"whole"}', '{"time":"ha']);
  assert.deepEqual(lines.slice(2, 4).map((line) => JSON.parse(line).value), ["a", "b"]);
});

test("DeadLetter repeats the line that was cut when a write was short", async () => {
  using temp = new TempDir();
  let writes = 0;
  const { deadLetter } = make(temp.at("dead.ndjson"), {
    openFile: async (path) => {
      const handle = await open(path, "a+");
      return {
        read: (buffer, offset, length, position) => handle.read(buffer, offset, length, position),
        write: (buffer, offset, length) => handle.write(buffer, offset, writes++ === 1 ? 150 : length),
        stat: () => handle.stat(),
        datasync: () => handle.datasync(),
        close: () => handle.close(),
      };
    },
  });
  const order: number[] = [];
  for (let i = 0; i < 5; i++) deadLetter.write(letter(`${i}`), () => order.push(i));
  await until(() => order.length === 5, "durable");
  await deadLetter.close();
  assert.deepEqual(order, [0, 1, 2, 3, 4]);
  const lines = readFileSync(temp.at("dead.ndjson"), "utf8").trimEnd().split("\n");
  const whole = lines.flatMap((line) => line.endsWith("}") ? [JSON.parse(line).value] : []);
  assert.deepEqual(whole, ["0", "1", "2", "3", "4"]);
  assert.equal(lines.length, 6, "and one half line");
});

const unwritable: {
  name: string;
  path: (temp: TempDir) => string;
  cure: ((temp: TempDir) => void) | undefined;
  want: RegExp;
}[] = [
  {
    name: "a directory is in its place",
    path: (temp) => (mkdirSync(temp.at("dead")), temp.at("dead")),
    cure: (temp) => rmSync(temp.at("dead"), { recursive: true }),
    want: /a directory is in the way \(EISDIR\)$/,
  },
  {
    name: "a file is in the place of its directory",
    path: (temp) => (writeFileSync(temp.at("file"), ""), temp.at("file", "dead")),
    cure: (temp) => rmSync(temp.at("file")),
    want: /a file is in the way of the directory \(E/,
  },
  {
    name: "the disk is full",
    path: () => "/dev/full",
    cure: undefined,
    want: /no space left on the device \(ENOSPC\)$/,
  },
];

for (const { name, path, cure, want } of unwritable) {
  test(`DeadLetter says so and keeps what it took when ${name}`, async () => {
    using temp = new TempDir();
    const { deadLetter } = make(path(temp));
    let durable = 0;
    assert.ok(deadLetter.write(letter("kept"), () => durable++));
    await until(() => deadLetter.status().problem !== undefined, "a problem is said");
    assert.match(deadLetter.status().problem!, want);
    assert.equal(deadLetter.status().ready, false);
    assert.equal(durable, 0);
    if (cure !== undefined) {
      cure(temp);
      await until(() => durable === 1, "durable after the cure");
      assert.equal(deadLetter.status().problem, undefined);
    }
    await deadLetter.close();
    assert.equal(durable, cure === undefined ? 0 : 1);
  });
}

test("DeadLetter.write() is full when its queue is, and says when there is room", async () => {
  using temp = new TempDir();
  mkdirSync(temp.at("dead"));
  const { deadLetter, said } = make(temp.at("dead"), { bytesMax: 1 << 30 });
  let durable = 0;
  let taken = 0;
  await until(
    () =>
      deadLetter.write(letter("x"), () => durable++) && ++taken > 0 &&
      deadLetter.status().problem !== undefined,
    "a problem",
  );
  while (deadLetter.write(letter("x".repeat(10_000)), () => durable++)) {
    assert.ok(taken++ < 1000, "the queue is bounded");
  }
  assert.ok(taken > 50);
  assert.ok(deadLetter.status().bytesWaiting < 2.2 * 1024 * 1024);
  rmSync(temp.at("dead"), { recursive: true });
  await until(() => durable === taken && said.rooms === 1, "durable");
  assert.ok(deadLetter.write(letter("x"), () => {}));
  await deadLetter.close();
});

test("DeadLetter.writeBatch() writes all records of refused batches, in order, when they are more than its queue", async () => {
  using temp = new TempDir();
  const { deadLetter } = make(temp.at("dead.ndjson"), { bytesMax: 1 << 30 });
  const notes = new Notes();
  const wanted: string[] = [];
  for (let i = 0; i < 6; i++) {
    const values = Array.from({ length: 100 }, (_, k) => `${i}.${k} ${"x".repeat(4000)}`);
    wanted.push(...values);
    const batch = batchOf("t", values.map((value) => ({ value, key: "k" })));
    deadLetter.writeBatch(
      { batch, reason: "too_large", message: "The broker refused it" },
      () => notes.settled(batch, { kind: "delivered" }),
    );
  }
  await until(() => notes.settledBatches.length === 6, "durable");
  await deadLetter.close();
  const lines = linesOf(temp.at("dead.ndjson"));
  assert.deepEqual(lines.map((line) => line.value), wanted);
  const { time, reason, message, topic, key } = lines[7]!;
  assert.deepEqual({ time, reason, message, topic, key }, {
    time: isoTime,
    reason: "too_large",
    message: "The broker refused it",
    topic: "t",
    key: "k",
  });
});

test("DeadLetter.writeBatch() keeps the bytes of a batch when its records cannot be read", async () => {
  using temp = new TempDir();
  const { deadLetter } = make(temp.at("dead.ndjson"));
  const batch = batchOf("t", ["one"]);
  kernel.bytes[batch.at + 61] = 0xff;
  const bytes = Buffer.from(kernel.bytes.slice(batch.at, batch.end));
  let durable = 0;
  deadLetter.writeBatch({ batch, reason: "corrupt", message: "The broker refused it" }, () => durable++);
  await until(() => durable === 1, "durable");
  await deadLetter.close();
  const [line] = linesOf(temp.at("dead.ndjson"));
  assert.match(line!.message as string, /^The broker refused it; Cannot read back a batch/);
  assert.ok(Buffer.from(line!.value_b64 as string, "base64").equals(bytes));
});

test("DeadLetter.start() shows trouble before the first letter", async () => {
  using temp = new TempDir();
  mkdirSync(temp.at("dead"));
  const { deadLetter } = make(temp.at("dead"));
  deadLetter.start();
  await until(() => deadLetter.status().problem !== undefined, "a problem is said");
  await deadLetter.close();
});
