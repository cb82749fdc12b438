import assert from "node:assert/strict";
import { test } from "node:test";
import { ForwarderError } from "../../../src/core/errors.ts";
import { type LockOwner, type Processes, readLock } from "../../../src/spool/lock.ts";
import type { SpooledBatch } from "../../../src/spool/spool.ts";
import { processesOf, SimMachine } from "./sim_machine.ts";

/** Gives up batches as a pipeline has to: the newest first. */
function giveUp(machine: SimMachine, batches: readonly SpooledBatch[]): void {
  for (const spooled of batches.toReversed()) {
    machine.memory.release(spooled.batch.at);
    machine.spool.giveUp(spooled);
  }
}

test("openSpool() takes over the folders of workers that are no more, and removes them when they are empty", async () => {
  const machine = new SimMachine();
  for (let worker = 0; worker < 5; worker++) {
    await machine.open({}, { worker, workers: 5 });
    await machine.append("t", `of ${worker}`, { count: 2 });
    await machine.done(machine.spool.close(1000));
  }
  const seen: string[][] = [];
  for (const worker of [0, 1]) {
    const spool = await machine.open({}, { worker, workers: 2 });
    seen.push([...spool.opened.adopted]);
    const batches = await machine.take();
    seen.push(machine.texts(batches));
    assert.equal(spool.opened.records, 2 * batches.length);
    for (const spooled of batches) spool.settle(spooled, "delivered");
    await machine.done(spool.close(1000));
  }
  assert.deepEqual(seen, [["w2", "w4"], ["of 2", "of 4", "of 0"], ["w3"], ["of 3", "of 1"]]);
  assert.deepEqual(machine.disk.paths().filter((path) => !path.includes("cursor")), []);
  assert.deepEqual(new Set(machine.disk.paths().map((path) => path.split("/")[2])), new Set(["w0", "w1"]));
});

test("openSpool() leaves a folder alone while a process that lives has it", async () => {
  const machine = new SimMachine();
  await machine.open({}, { worker: 3, workers: 4 });
  await machine.append("t", "x");
  const alive: Processes = { ...processesOf(77), startedOf: (pid) => String(pid) };
  const other = machine.spool;
  const adopting = await machine.open({}, { worker: 1, workers: 2, processes: alive });
  assert.deepEqual(adopting.opened.adopted, []);
  assert.match(
    adopting.stats().problem!,
    /Cannot take over the spool folder "w3": .* process 1 on h uses it/,
  );
  await assert.rejects(
    machine.open({}, { worker: 3, workers: 4, processes: alive }),
    (error) =>
      error instanceof ForwarderError && error.code === "spool_locked" &&
      /another spool\.dir/.test(error.message),
  );
  await machine.done(other.close(1000));
});

test("openSpool() of a successor begins a folder of its own, and takes over the former one when that is left", async () => {
  const machine = new SimMachine();
  const former = await machine.open();
  await machine.append("t", "one", { count: 3 });
  const alive: Processes = { ...processesOf(77), startedOf: (pid) => String(pid) };
  const spool = await machine.open({}, { processes: alive, succeeds: true });
  assert.deepEqual([spool.opened.records, spool.stats().dir], [0, "/s/w1"]);
  assert.equal(spool.stats().problem, undefined);
  const own = await machine.append("t", "two");

  // Not while the former one has it, and not while that is not wanted.
  await machine.rest(3000);
  assert.equal(machine.events.adoptedCount, 0);
  await machine.done(spool.adoptFolders!(false));
  await machine.done(former.close(1000));
  await machine.rest(3000);
  assert.equal(machine.events.adoptedCount, 0);
  await machine.done(spool.adoptFolders!(true));
  await machine.until("the former folder", () => machine.events.adoptedCount > 0);
  assert.equal(machine.events.adoptedCount, 3);
  assert.equal(spool.stats().replayRecords, 3);
  giveUp(machine, [own]);
  const batches = await machine.take();
  assert.deepEqual(machine.texts(batches).sort(), ["one", "two"]);
  for (const spooled of batches) spool.settle(spooled, "delivered");
  await machine.done(spool.close(1000));
  assert.deepEqual(new Set(machine.disk.paths().map((path) => path.split("/")[2])), new Set(["w1"]));

  // The next plain start begins with its own number again, and finds what is left elsewhere.
  const after = await machine.open();
  assert.deepEqual([after.opened.records, after.stats().dir], [0, "/s/w0"]);
  await machine.done(after.close(1000));
});

test("openSpool() of a successor takes over what a killed process left at once, and its folder is its own number's", async () => {
  const machine = new SimMachine();
  await machine.open();
  await machine.append("t", "one");
  machine.die();
  const spool = await machine.open({}, { succeeds: true });
  assert.deepEqual([spool.opened.records, spool.stats().dir], [1, "/s/w0"]);
  await machine.done(spool.close(1000));
});

const self: LockOwner = { pid: 5, started: "100", boot: "b", namespace: "n", host: "h" };
const locks: { name: string; owner: LockOwner; alive: boolean; ageMs: number; want: string }[] = [
  {
    name: "its process lives",
    owner: { ...self, pid: 7 },
    alive: true,
    ageMs: 99_999,
    want: "held, certain",
  },
  { name: "its process is gone", owner: { ...self, pid: 7 }, alive: false, ageMs: 0, want: "stale" },
  {
    name: "its number was given to another process",
    owner: { ...self, pid: 7, started: "99" },
    alive: true,
    ageMs: 0,
    want: "stale",
  },
  {
    name: "the machine was started anew",
    owner: { ...self, boot: "a" },
    alive: true,
    ageMs: 0,
    want: "stale",
  },
  {
    name: "it is of another container that wrote it lately",
    owner: { ...self, namespace: "m" },
    alive: false,
    ageMs: 3000,
    want: "held, uncertain",
  },
  {
    name: "it is of another container that is silent",
    owner: { ...self, namespace: "m" },
    alive: true,
    ageMs: 11_000,
    want: "stale",
  },
  {
    name: "it is of another machine that wrote it lately",
    owner: { ...self, boot: "z", host: "i" },
    alive: false,
    ageMs: 3000,
    want: "held, uncertain",
  },
];

for (const { name, owner, alive, ageMs, want } of locks) {
  test(`readLock() says ${want} when ${name}`, async () => {
    const { disk } = new SimMachine();
    await disk.makeFolder("/f");
    const file = await disk.open("/f/lock", "write");
    await file.write([new TextEncoder().encode(JSON.stringify(owner))], 0);
    const processes: Processes = {
      self,
      startedOf: () => alive ? owner.started === "99" ? "100" : owner.started : undefined,
    };
    const state = await readLock(disk, "/f", processes, ageMs);
    const found = state.kind === "held" ? `held, ${state.certain ? "certain" : "uncertain"}` : state.kind;
    assert.equal(found, want);
  });
}

test("openSpool() waits for a lock of another container until it is known to be stale", async () => {
  const machine = new SimMachine();
  await machine.open();
  await machine.append("t", "x");
  machine.die();
  const elsewhere: Processes = {
    self: { pid: 1, started: "1", boot: "boot", namespace: "other", host: "i" },
    startedOf: () => "1",
  };
  await machine.open({}, { processes: elsewhere, clock: machine.clock });
  assert.equal(machine.spool.opened.records, 1);
});

test("park() moves a topic's batches aside, so that the segments of the others are removed", async () => {
  const machine = new SimMachine();
  const spool = await machine.open();
  const bad: SpooledBatch[] = [];
  for (let i = 0; i < 30; i++) {
    const good = await machine.append("good", `good ${i} ${"x".repeat(400)}`);
    spool.settle(good, "delivered");
    bad.push(await machine.append("bad", `bad ${i}`, { count: 2 }));
  }
  giveUp(machine, bad);
  await machine.rest(2000);
  assert.ok(spool.stats().segments > 3, "they pin the segments");
  spool.park("bad");
  await machine.until("all of it was moved", () => spool.stats().parked[0]?.batches === 30);
  await machine.until("the segments are gone", () => spool.stats().segments <= 3);
  assert.equal(spool.stats().records, 60);
  assert.ok(spool.mustWait("bad"));
  assert.deepEqual(machine.texts(await machine.take()), []);

  // What comes meanwhile is moved behind it.
  giveUp(machine, [await machine.append("bad", "bad 30")]);
  await machine.until("it was moved, too", () => spool.stats().parked[0]?.batches === 31);
  spool.unpark("bad");
  giveUp(machine, [await machine.append("bad", "bad 31")]);
  const back = await machine.take();
  assert.deepEqual(machine.texts(back), Array.from({ length: 32 }, (_, i) => `bad ${i}`));
  assert.ok(!spool.mustWait("bad"));
  for (const spooled of back) spool.settle(spooled, "delivered");
  await machine.done(spool.close(1000));
  assert.deepEqual(machine.disk.paths().filter((path) => path.includes("parked")), []);
});

test("park() leaves batches where they are when the topic's place is full, and tells so", async () => {
  const machine = new SimMachine();
  const spool = await machine.open({ parkedBytesMax: 3000 });
  const bad: SpooledBatch[] = [];
  for (let i = 0; i < 20; i++) bad.push(await machine.append("bad", `bad ${i} ${"x".repeat(500)}`));
  giveUp(machine, bad);
  spool.park("bad");
  await machine.until("its place is full", () => spool.stats().parked[0]?.full === true);
  await machine.rest(3000);
  const { batches, bytes } = spool.stats().parked[0]!;
  assert.ok(batches < 20 && bytes <= 3000 + 8 * 600, `${batches} batches, ${bytes} bytes`);
  assert.equal(spool.stats().batches, 20);
  spool.unpark("bad");
  assert.equal((await machine.take()).length, 20);
});

test("openSpool() finds what was parked by an earlier process, and sends it before what is newer", async () => {
  const machine = new SimMachine();
  await machine.open();
  giveUp(machine, [
    await machine.append("bad", "old"),
    await machine.append("bad", "older"),
  ]);
  machine.spool.park("bad");
  await machine.until("it was moved", () => machine.spool.stats().parked[0]?.batches === 2);
  // Until the cursor says so they are in both places.
  await machine.rest(2000);
  machine.spool.unpark("bad");
  await machine.append("bad", "new");
  machine.die(true);
  const spool = await machine.open();
  assert.equal(spool.opened.records, 3);
  assert.deepEqual(machine.texts(await machine.take()), ["old", "older", "new"]);
});

test("next() passes over topics that may not go, and comes back to them", async () => {
  const machine = new SimMachine();
  await machine.open();
  const batches: SpooledBatch[] = [];
  for (let i = 0; i < 40; i++) batches.push(await machine.append(i % 2 === 0 ? "a" : "b", `${i}`));
  giveUp(machine, batches);
  const odd = machine.texts(await machine.take((topic) => topic === "b"));
  assert.deepEqual(odd, Array.from({ length: 20 }, (_, i) => `${2 * i + 1}`));
  const even = machine.texts(await machine.take());
  assert.deepEqual(even, Array.from({ length: 20 }, (_, i) => `${2 * i}`));
});

test("next() keeps to replay_rate when live_first, and lets what this session gave up go before", async () => {
  const machine = new SimMachine();
  await machine.open();
  for (let i = 0; i < 40; i++) await machine.append("t", `old ${i} ${"x".repeat(1000)}`);
  await machine.done(machine.spool.close(1000));
  const spool = await machine.open({ replayBytesPerS: 10_000 });
  assert.ok(!spool.mustWait("t"));
  const startMs = machine.clock.monoMs();
  const fresh = await machine.append("t", "new");
  giveUp(machine, [fresh]);
  const texts = machine.texts(await machine.take());
  assert.equal(texts[0], "new");
  assert.equal(texts.length, 41);
  const s = (machine.clock.monoMs() - 3000 - startMs) / 1000;
  assert.ok(s > 3 && s < 6, `${s} s for 40 KB at 10 KB/s`);
});

test("next() gives earlier sessions one of eight when live_first, however much this session has", async () => {
  const machine = new SimMachine();
  await machine.open();
  for (let i = 0; i < 3; i++) await machine.append("t", "old");
  await machine.done(machine.spool.close(1000));
  await machine.open();
  const fresh: SpooledBatch[] = [];
  for (let i = 0; i < 40; i++) fresh.push(await machine.append("t", "new"));
  giveUp(machine, fresh);
  const texts = machine.texts(await machine.take());
  const places = texts.flatMap((text, place) => text === "old" ? [place] : []);
  assert.deepEqual(places, [7, 15, 23]);
});

test("mustWait() holds new batches back until earlier ones went when ordered", async () => {
  const machine = new SimMachine();
  await machine.open();
  for (let i = 0; i < 5; i++) await machine.append("t", `old ${i}`);
  await machine.done(machine.spool.close(1000));
  const spool = await machine.open({ replay: "ordered", replayBytesPerS: 1 });
  assert.ok(spool.mustWait("t"));
  giveUp(machine, [await machine.append("t", "new")]);
  assert.deepEqual(machine.texts(await machine.take()), ["old 0", "old 1", "old 2", "old 3", "old 4", "new"]);
  assert.ok(!spool.mustWait("t"));
});

test("read() brings the bytes of a live batch back, and next() says when there is no room", async () => {
  const machine = new SimMachine();
  const { spool, memory } = { spool: await machine.open(), memory: machine.memory };
  const spooled = await machine.append("t", "hello", { partition: 3, attributes: 4, count: 9 });
  const at = memory.room(5);
  assert.deepEqual(await machine.done(spool.read(spooled, at)), { ok: true });
  assert.equal(
    memory.text({ ...spooled.batch, at, end: spooled.batch.end - spooled.batch.at + at }),
    "hello",
  );
  giveUp(machine, [spooled]);
  const answer = await machine.done(spool.next({ ...memory.wish(), room: () => 0 }));
  assert.deepEqual(answer, { kind: "no_room" });
  const [back] = await machine.take();
  const { partition, attributes, count, baseTimestampMs, maxTimestampMs } = back!.batch;
  assert.deepEqual([partition, attributes, count, baseTimestampMs, maxTimestampMs], [3, 4, 9, 1000, 2000]);
});

for (const isWritable of [true, false]) {
  const when = isWritable ? "another process took the folder" : "it did, and the lock can only be read";
  test(`append() writes nothing more when ${when}`, () => afterTheft(isWritable));
}

async function afterTheft(isWritable: boolean): Promise<void> {
  const machine = new SimMachine();
  const { disk } = machine;
  const open = disk.open.bind(disk);
  if (!isWritable) {
    disk.open = (path, mode) =>
      mode === "update"
        ? Promise.reject(Object.assign(new Error("EROFS"), { code: "EROFS" }))
        : open(path, mode);
  }
  const spool = await machine.open();
  await machine.append("t", "x");
  const thief = { ...processesOf(99).self };
  machine.disk.replace("/s/w0/lock", new TextEncoder().encode(JSON.stringify(thief)));
  await machine.until("it was seen", () => spool.state.kind === "failing");
  assert.match(spool.stats().problem!, /^Process 99 on h took over "\/s\/w0\/lock"/);
  const waiting = spool.append(machine.memory.batch("t", "y"), () => assert.fail("it is not written"));
  machine.disk.trace.length = 0;
  await machine.rest(5000);
  assert.deepEqual(await machine.done(spool.close(100)), [waiting]);
  assert.deepEqual(machine.disk.trace, []);
  assert.ok(machine.disk.bytesOf("/s/w0/lock") !== undefined);
}

test("park() moves what the pipeline has first, and it stays what it is for the pipeline", async () => {
  const machine = new SimMachine();
  const spool = await machine.open();
  const bad: SpooledBatch[] = [];
  for (let i = 0; i < 12; i++) {
    const good = await machine.append("good", "x".repeat(1500));
    spool.settle(good, "delivered");
    bad.push(await machine.append("bad", `bad ${i}`));
  }
  spool.park("bad");
  await machine.until("all of it was moved", () => spool.stats().parked[0]?.batches === 12);
  await machine.until("the segments are gone", () => spool.stats().segments <= 3);
  assert.ok(bad.every(({ state }) => state === "live"));
  assert.equal(spool.stats().backlogBatches, 0);
  for (const spooled of bad.slice(0, 4)) spool.settle(spooled, "delivered");
  giveUp(machine, bad.slice(6));
  await machine.rest(2000);
  machine.die(true);
  await machine.open();
  assert.deepEqual(machine.texts(await machine.take()), Array.from({ length: 8 }, (_, i) => `bad ${i + 4}`));
});
