import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32c } from "../../../src/batch/crc32c.ts";
import { segmentHeaderBytes } from "../../../src/spool/format.ts";
import type { SpooledBatch } from "../../../src/spool/spool.ts";
import { SimMachine } from "./sim_machine.ts";

/** Head of a batch of topic "t", and its text. */
const batchBytes = 60 + 1 + 10;
const ten = (i: number) => `text ${i}`.padEnd(10, ".");

/** A machine whose spool has `count` batches of ten bytes, committed one by one, and was closed or killed. */
async function filled(count: number, closed: boolean): Promise<SimMachine> {
  const machine = new SimMachine();
  await machine.open();
  for (let i = 0; i < count; i++) await machine.append("t", ten(i), { count: 3 });
  if (closed) await machine.done(machine.spool.close(1000));
  // Long enough for the cursor to be written.
  else await machine.rest(1100);
  machine.die();
  return machine;
}

const segment = "/s/w0/0000000001.seg";

const damages: {
  name: string;
  closed: boolean;
  spoil: (machine: SimMachine) => void;
  missing: number[];
  reasons: string[];
}[] = [
  {
    name: "a byte of a batch's records is wrong in a segment that was killed in writing",
    closed: false,
    spoil: ({ disk }) => disk.spoil(segment, segmentHeaderBytes + 2 * batchBytes + 65),
    missing: [2],
    reasons: ["crc_mismatch"],
  },
  {
    name: "a byte of a batch's records is wrong in a segment that was ended",
    closed: true,
    spoil: ({ disk }) => disk.spoil(segment, segmentHeaderBytes + 2 * batchBytes + 65),
    missing: [2],
    reasons: ["crc_mismatch"],
  },
  {
    name: "a byte of a batch's head is wrong",
    closed: false,
    spoil: ({ disk }) => disk.spoil(segment, segmentHeaderBytes + 3 * batchBytes + 20),
    missing: [3],
    reasons: ["crc_mismatch"],
  },
  {
    name: "the magic of two batches is wrong",
    closed: false,
    spoil: ({ disk }) => {
      disk.spoil(segment, segmentHeaderBytes + batchBytes);
      disk.spoil(segment, segmentHeaderBytes + 2 * batchBytes);
    },
    missing: [1, 2],
    reasons: ["crc_mismatch"],
  },
  {
    name: "the last batch is damaged, which the cursor knows to have been committed",
    closed: false,
    spoil: ({ disk }) => disk.spoil(segment, segmentHeaderBytes + 5 * batchBytes + 64),
    missing: [5],
    reasons: ["crc_mismatch"],
  },
  {
    name: "the segment's header is damaged",
    closed: false,
    spoil: ({ disk }) => disk.spoil(segment, 3),
    missing: [],
    reasons: [],
  },
  {
    name: "the index is damaged",
    closed: true,
    spoil: ({ disk }) => disk.spoil(segment, segmentHeaderBytes + 6 * batchBytes + 5),
    missing: [],
    reasons: [],
  },
  {
    name: "the trailer is damaged",
    closed: true,
    spoil: ({ disk }) => disk.spoil(segment, disk.bytesOf(segment)!.length - 10),
    missing: [],
    reasons: [],
  },
  {
    name: "one cursor is damaged",
    closed: true,
    spoil: ({ disk }) => disk.spoil("/s/w0/cursor.a", 10),
    missing: [],
    reasons: ["cursor_damaged"],
  },
  {
    name: "both cursors are damaged",
    closed: true,
    spoil: ({ disk }) => {
      disk.spoil("/s/w0/cursor.a", 10);
      disk.spoil("/s/w0/cursor.b", 90);
    },
    missing: [],
    reasons: ["cursor_damaged", "cursor_damaged"],
  },
];

for (const { name, closed, spoil, missing, reasons } of damages) {
  test(`openSpool() loses nothing but what is damaged when ${name}`, async () => {
    const machine = await filled(6, closed);
    spoil(machine);
    const spool = await machine.open();
    const texts = machine.texts(await machine.take());
    const want = [0, 1, 2, 3, 4, 5].filter((i) => !missing.includes(i)).map(ten);
    assert.deepEqual(texts, want);
    const told = machine.events.damages.filter(({ reason }) => reason !== "torn");
    assert.deepEqual(told.map(({ reason }) => reason), reasons);
    assert.equal(told.reduce((sum, { batches }) => sum + batches, 0), missing.length);
    // The ledger: what was counted at the start came, or was told to be lost.
    const lost = told.reduce((sum, { counted, records }) => sum + (counted ? records : 0), 0);
    assert.equal(spool.opened.records, 3 * texts.length + lost);
    for (const { reason, path } of told) {
      if (reason === "crc_mismatch") assert.ok(machine.disk.bytesOf(path!)!.length > 0, "its bytes are kept");
    }
    // It is told once.
    await machine.done(spool.close(1000));
    machine.die();
    await machine.open();
    assert.deepEqual(machine.events.damages, []);
    assert.deepEqual(machine.texts(await machine.take()), want);
  });
}

test("openSpool() cuts a torn end and tells that nothing acknowledged was in it", async () => {
  const machine = new SimMachine();
  await machine.open();
  for (let i = 0; i < 4; i++) await machine.append("t", ten(i));
  machine.die();
  machine.disk.cut(segment, segmentHeaderBytes + 4 * batchBytes - 3);
  await machine.open();
  assert.deepEqual(machine.texts(await machine.take()), [0, 1, 2].map(ten));
  assert.deepEqual(machine.events.damages.map(({ reason, batches, counted }) => [reason, batches, counted]), [
    ["torn", 0, false],
  ]);
  machine.die();
  await machine.open();
  assert.deepEqual(machine.events.damages, []);
});

test("openSpool() renames a segment that is none, leaves one of a later version alone, and goes on", async () => {
  const machine = new SimMachine();
  await machine.open();
  for (let i = 0; i < 80; i++) await machine.append("t", `${ten(i)}${"x".repeat(150)}`);
  await machine.done(machine.spool.close(1000));
  machine.die();
  const { disk } = machine;
  disk.replace("/s/w0/0000000002.seg", new Uint8Array(500).fill(65));
  const later = disk.bytesOf("/s/w0/0000000003.seg")!.slice();
  const view = new DataView(later.buffer);
  view.setUint16(8, 9, true);
  view.setUint32(60, crc32c(later.subarray(0, 60)), true);
  disk.replace("/s/w0/0000000003.seg", later);
  await machine.open();
  const count = machine.texts(await machine.take()).length;
  assert.ok(count > 20 && count < 80, `${count} batches`);
  assert.deepEqual(machine.events.damages.map(({ reason }) => reason).sort(), [
    "newer_version",
    "unreadable_segment",
  ]);
  assert.ok(disk.bytesOf("/s/w0/0000000002.seg.bad") !== undefined);
  assert.ok(disk.bytesOf("/s/w0/0000000003.seg") !== undefined);
  await machine.append("t", "new");
});

test("openSpool() does not take what an old cursor says of one segment for another with its number", async () => {
  const machine = await filled(6, false);
  await machine.open();
  for (const spooled of await machine.take()) machine.spool.settle(spooled, "delivered");
  const cursors = ["/s/w0/cursor.a", "/s/w0/cursor.b"];
  await machine.clock.advance(60);
  const old = cursors.map((path) => machine.disk.bytesOf(path)!.slice());
  await machine.done(machine.spool.close(1000));
  machine.die();
  for (const path of machine.disk.paths()) if (/cursor|seg/.test(path)) machine.disk.replace(path, undefined);
  await machine.open();
  for (let i = 0; i < 6; i++) await machine.append("t", `new ${i}`);
  machine.die();
  cursors.forEach((path, i) => machine.disk.replace(path, old[i]));
  await machine.open();
  assert.equal((await machine.take()).length, 6);
});

test("next() passes over a batch that the disk refuses, and comes back to it", async () => {
  const machine = await filled(4, true);
  const spool = await machine.open();
  machine.disk.refuseRead = (path, at) => path === segment && at === segmentHeaderBytes + batchBytes;
  assert.deepEqual(machine.texts(await machine.take()), [ten(0), ten(2), ten(3)]);
  assert.match(spool.stats().problem!, /Cannot read "\/s\/w0": the device reported an error \(EIO\)/);
  assert.deepEqual([spool.stats().batches, spool.stats().damagedBatches], [4, 0]);
  machine.disk.refuseRead = () => false;
  const before = machine.events.wantsCount;
  await machine.rest(60_000);
  assert.ok(machine.events.wantsCount > before);
  assert.deepEqual(machine.texts(await machine.take()), [ten(1)]);
});

test("next() sets a batch aside when the process died twice in a row while it was out alone", async () => {
  const machine = await filled(5, false);
  // Each process dies as soon as it has batch 2.
  const seen: string[][] = [];
  for (let life = 0; life < 6; life++) {
    await machine.open();
    const wish = machine.memory.wish();
    for (let i = 0; i < 400 && machine.spool.stats().backlogBatches > 0; i++) {
      const before = wish.taken.length;
      await machine.done(machine.spool.next(wish));
      if (wish.taken.length === before) await machine.clock.advance(20);
      else if (machine.memory.text(wish.taken.at(-1)!.batch) === ten(2)) break;
      else machine.spool.settle(wish.taken.at(-1)!, "delivered");
    }
    seen.push(machine.texts(wish.taken));
    await machine.rest(100);
    if (machine.events.damages.length > 0) break;
    machine.die();
  }
  assert.deepEqual(seen, [[0, 1, 2].map(ten), [ten(2)], [ten(2)], [3, 4].map(ten)]);
  const [damage] = machine.events.damages;
  assert.deepEqual([damage!.reason, damage!.records, damage!.counted], ["crash_loop", 3, true]);
  assert.ok(machine.disk.bytesOf(damage!.path!)!.length > 0);
  machine.die();
  await machine.open();
  assert.deepEqual(machine.texts(await machine.take()), []);
});

/** What may go now, without waiting for others. */
async function takeNow(machine: SimMachine): Promise<readonly SpooledBatch[]> {
  const wish = machine.memory.wish();
  while ((await machine.done(machine.spool.next(wish))).kind === "batch");
  return wish.taken;
}

for (const lifeMs of [0, 20, 500, 900]) {
  test(`next() convicts nobody when each process is killed ${lifeMs} ms after its start`, async () => {
    const machine = await filled(3, false);
    for (let life = 0; life < 8; life++) {
      await machine.open();
      await takeNow(machine);
      await machine.rest(lifeMs);
      await takeNow(machine);
      assert.deepEqual(machine.events.damages, [], `life ${life}`);
      machine.die();
    }
    await machine.open();
    assert.deepEqual(await takeNow(machine), [], "the suspect waits, and who is behind it");
    await machine.rest(1000);
    assert.deepEqual(machine.texts(await takeNow(machine)), [ten(0)]);
    assert.deepEqual(machine.texts(await machine.take()), [1, 2].map(ten));
    assert.deepEqual(machine.events.damages, []);
  });
}

test("next() counts no crash against a batch that was out for a second without harm", async () => {
  const machine = await filled(2, false);
  await machine.open();
  assert.deepEqual(machine.texts(await takeNow(machine)), [0, 1].map(ten));
  machine.die();
  await machine.open();
  const [suspect] = await takeNow(machine);
  await machine.rest(1000);
  machine.spool.giveUp(suspect!);
  assert.deepEqual(machine.texts(await takeNow(machine)), [ten(0)]);
  machine.die();
  await machine.open();
  assert.deepEqual(machine.texts(await takeNow(machine)), [ten(0)], "at once: this crash was its first");
});

test("next() convicts nobody when the process is killed again and again after a while", async () => {
  const machine = await filled(5, false);
  for (let life = 0; life < 8; life++) {
    await machine.open();
    const wish = machine.memory.wish();
    for (let i = 0; i < 100 && wish.taken.length < 5; i++) {
      if ((await machine.done(machine.spool.next(wish))).kind !== "batch") await machine.clock.advance(200);
    }
    assert.deepEqual(machine.texts(wish.taken), [0, 1, 2, 3, 4].map(ten));
    assert.deepEqual(machine.events.damages, []);
    await machine.rest(1500);
    machine.die();
  }
});

test("append() keeps what it commits when somebody removed the folder that is in use", async () => {
  const machine = new SimMachine();
  const spool = await machine.open();
  await machine.append("t", ten(0));
  for (const path of machine.disk.paths()) machine.disk.replace(path, undefined);
  // The lock is looked at every two seconds.
  await machine.rest(2500);
  assert.match(spool.stats().problem!, /"\/s\/w0" was removed while it is in use; it was made anew/);
  await machine.append("t", ten(1));
  for (const name of ["0000000002.seg", "lock"]) assert.ok(machine.disk.bytesOf(`/s/w0/${name}`), name);
  machine.die();
  await machine.open();
  assert.deepEqual(machine.texts(await machine.take()), [ten(1)]);
});

test("append() goes on in its segment when somebody removed the lock alone", async () => {
  const machine = new SimMachine();
  const spool = await machine.open();
  await machine.append("t", ten(0));
  machine.disk.replace("/s/w0/lock", undefined);
  await machine.rest(2500);
  await machine.append("t", ten(1));
  assert.equal(spool.stats().problem, undefined);
  assert.equal(spool.stats().segments, 1);
  assert.ok(machine.disk.paths().includes("/s/w0/lock"));
});
