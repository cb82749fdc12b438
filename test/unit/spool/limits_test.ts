import assert from "node:assert/strict";
import { test } from "node:test";
import { SimMachine } from "./sim_machine.ts";

const text = "x".repeat(1000);

test("append() waits when bytes_max is reached, and goes on when batches were settled", async () => {
  const machine = new SimMachine();
  const spool = await machine.open({ bytesMax: 10_000 });
  const committed = [];
  for (let i = 0; i < 9; i++) committed.push(await machine.append("t", text));
  let late = 0;
  for (let i = 0; i < 3; i++) void machine.begin("t", text).then(() => late++);
  await machine.until("the spool is full", () => spool.full);
  assert.match(spool.stats().problem!, /holds \d+ bytes, 10000 are allowed \(spool\.bytes_max\)/);
  assert.equal(spool.state.kind, "full");
  await machine.clock.advance(5000);
  assert.equal(late, 0);
  assert.ok(spool.stats().bytes <= 10_000 + 1200, `${spool.stats().bytes} bytes`);
  for (const spooled of committed) spool.settle(spooled, "delivered");
  await machine.until("there is room", () => !spool.full && late === 3);
  assert.equal(machine.events.roomCount, 1);
  assert.ok(machine.events.logged.some((line) => line.startsWith("spool_full")));
});

test("append() waits when the file system has less free than free_min, and goes on by itself", async () => {
  const machine = new SimMachine();
  const spool = await machine.open({ freeBytesMin: 1_000_000 });
  await machine.append("t", text);
  machine.disk.freeBytesNow = 1_000_500;
  await machine.clock.advance(1500);
  let late = 0;
  void machine.begin("t", text).then(() => late++);
  await machine.until("the spool is full", () => spool.full);
  assert.match(spool.stats().problem!, /has 0 MiB free, 1000000 bytes are to stay free \(spool\.free_min\)/);
  machine.disk.freeBytesNow = 2_000_000;
  await machine.until("there is room", () => late === 1 && !spool.full);
});

test("withdraw() takes a batch back when it is not being written", async () => {
  const machine = new SimMachine();
  const spool = await machine.open({ bytesMax: 10_000 });
  for (let i = 0; i < 10; i++) void machine.begin("t", text);
  await machine.until("the spool is full", () => spool.full);
  const calls: string[] = [];
  const waiting = spool.append(machine.memory.batch("t", "last"), () => calls.push("committed"));
  assert.ok(spool.withdraw(waiting));
  assert.equal(waiting.state, "withdrawn");
  assert.ok(!spool.withdraw(waiting));
  await machine.clock.advance(2000);
  assert.deepEqual(calls, []);
});

for (const code of ["EIO", "ENOSPC", "EROFS", "EDQUOT"]) {
  test(`append() keeps trying and commits once when the disk says ${code} for a while`, async () => {
    const machine = new SimMachine();
    const spool = await machine.open();
    await machine.append("t", "before");
    machine.disk.faults = { fail: 1, codes: [code], short: 0, spare: /lock$/ };
    let commits = 0;
    for (let i = 0; i < 3; i++) void machine.begin("t", `while ${i}`).then(() => commits++);
    await machine.until("the spool fails", () => spool.state.kind === "failing");
    await machine.clock.advance(20_000);
    assert.equal(commits, 0);
    assert.ok(spool.full);
    assert.match(spool.stats().problem!, new RegExp(`Cannot write into "/s/w0": .*${code}`));
    machine.disk.faults = { fail: 0, codes: [], short: 0 };
    await machine.until("the disk is well", () => spool.state.kind === "ready");
    assert.equal(commits, 3);
    assert.ok(!spool.full);
    machine.die(true);
    await machine.open();
    assert.deepEqual(machine.texts(await machine.take()), ["before", "while 0", "while 1", "while 2"]);
  });
}

test("append() goes on after a failed disk when the pipeline took its batches back", async () => {
  const machine = new SimMachine();
  const spool = await machine.open();
  machine.disk.faults = { fail: 1, codes: ["EIO"], short: 0, spare: /lock$/ };
  const waiting = spool.append(machine.memory.batch("t", "x"), () => assert.fail("it was taken back"));
  await machine.until("the spool fails", () => spool.full);
  await machine.until("it is not being written", () => spool.withdraw(waiting));
  machine.disk.faults = { fail: 0, codes: [], short: 0 };
  await machine.until("the spool is tried again", () => !spool.full);
  await machine.append("t", "y");
});

test("append() commits whole batches when the disk writes only parts", async () => {
  const machine = new SimMachine();
  await machine.open();
  machine.disk.faults = { fail: 0, codes: [], short: 0.8 };
  for (let i = 0; i < 20; i++) await machine.append("t", `${i} ${text}`);
  machine.die(true);
  await machine.open();
  assert.deepEqual(machine.texts(await machine.take()), Array.from({ length: 20 }, (_, i) => `${i} ${text}`));
  assert.deepEqual(machine.events.damages, []);
});

test("close() gives back what the disk did not take when its time is over", async () => {
  const machine = new SimMachine();
  const spool = await machine.open();
  machine.disk.faults = { fail: 1, codes: ["EIO"], short: 0, spare: /lock$|cursor/ };
  const waiting = spool.append(machine.memory.batch("t", "x"), () => assert.fail("it cannot be written"));
  assert.deepEqual(await machine.done(spool.close(500)), [waiting]);
  assert.equal(spool.state.kind, "closed");
});

test("settle() removes a segment only after a cursor that says so is durable", async () => {
  const machine = new SimMachine();
  const spool = await machine.open();
  const batches = [];
  for (let i = 0; i < 8; i++) batches.push(await machine.append("t", text));
  machine.disk.trace.length = 0;
  for (const spooled of batches) spool.settle(spooled, "delivered");
  await machine.until("the segments are gone", () => spool.stats().segments <= 1);
  const steps = machine.disk.trace.map((line) => line.split(" ")).map(([, what, path]) => `${what} ${path}`);
  // With sync its file becomes a spare one.
  const unlinked = steps.findIndex((step) => /^(?:unlink|rename) .*\.seg$/.test(step));
  const synced = steps.findIndex((step) => /^sync .*cursor/.test(step));
  assert.ok(synced >= 0 && synced < unlinked, steps.join("\n"));
  assert.ok(
    steps.slice(unlinked).includes("syncFolder /s/w0"),
    "the folder is synced when names were removed",
  );
});

test("stats() tell how much waits, how old it is and how long commits take", async () => {
  const machine = new SimMachine();
  const spool = await machine.open();
  const nowMs = machine.clock.epochMs();
  const first = await machine.append("t", text, { count: 7, baseTimestampMs: nowMs - 60_000 });
  await machine.append("t", text, { count: 5, baseTimestampMs: nowMs });
  const stats = spool.stats();
  assert.deepEqual([stats.batches, stats.records, stats.backlogBatches, stats.segments], [2, 12, 0, 1]);
  assert.ok(stats.oldestAgeMs >= 60_000 && stats.oldestAgeMs < 65_000, `${stats.oldestAgeMs}`);
  assert.equal(stats.batchesCommitted, 2);
  assert.ok(stats.commitMs.max >= stats.commitMs.p50);
  machine.memory.release(first.batch.at);
  spool.giveUp(first);
  assert.deepEqual([spool.stats().backlogRecords, spool.stats().records], [7, 12]);
});

test("settle() goes on removing segments when the disk has a bad spot in one of them", async () => {
  const machine = new SimMachine();
  const spool = await machine.open();
  const batches = [];
  for (let i = 0; i < 4; i++) batches.push(await machine.append("t", `${i} ${text}`));
  // The index of the first segment would go there.
  const end = machine.disk.bytesOf("/s/w0/0000000001.seg")!.length;
  machine.disk.refuseWrite = (path, at) => path.endsWith("/0000000001.seg") && at >= end - 1100;
  for (let i = 4; i < 20; i++) batches.push(await machine.append("t", `${i} ${text}`));
  for (const spooled of batches.slice(1)) spool.settle(spooled, "delivered");
  await machine.until("the others are removed", () => spool.stats().segments <= 2);
  await machine.rest(1500);
  machine.die(true);
  await machine.open();
  assert.deepEqual(machine.texts(await machine.take()), [`0 ${text}`]);
  assert.deepEqual(machine.events.damages, []);
});
