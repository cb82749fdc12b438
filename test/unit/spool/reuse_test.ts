import { Buffer } from "node:buffer";
import assert from "node:assert/strict";
import { test } from "node:test";
import { segmentHeaderBytes, segmentName } from "../../../src/spool/format.ts";
import { spareIdleMs } from "../../../src/spool/home.ts";
import { SpareSegments } from "../../../src/spool/spare_segments.ts";
import { Random } from "./random.ts";
import { SimDisk } from "./sim_disk.ts";
import { SimMachine } from "./sim_machine.ts";

/** Four of these and their heads fill a segment. */
const body = "x".repeat(900);
const segmentBytes = segmentHeaderBytes + 4 * (61 + 904);

const spares = ({ disk }: SimMachine) => disk.paths().filter((path) => path.endsWith(".spare"));
const segments = ({ disk }: SimMachine) => disk.paths().filter((path) => path.endsWith(".seg"));

/** A machine that wrote some segments, all of which are done with but the last batches. */
async function worn(): Promise<SimMachine> {
  const machine = new SimMachine();
  await machine.open({}, { segmentBytesMax: segmentBytes });
  for (let i = 0; i < 13; i++) {
    const spooled = await machine.append("t", `old${i % 10}${body}`);
    machine.spool.settle(spooled, "delivered");
  }
  await machine.until("files are spare", () => spares(machine).length === 2);
  return machine;
}

test("append() writes over the file of a segment that is done with when commits are synced", async () => {
  const machine = await worn();
  const before = spares(machine);
  for (let i = 0; i < 5; i++) await machine.append("t", `new${i}${body}`);
  assert.equal(spares(machine).length, 1);
  const newest = segments(machine).sort().at(-1)!;
  const [taken] = before.filter((path) => !spares(machine).includes(path));
  assert.equal(machine.disk.bytesOf(newest)!.length, segmentBytes, `${newest} is what ${taken} was`);
  assert.match(Buffer.from(machine.disk.bytesOf(newest)!).toString("latin1"), /old\d/);
});

test("openSpool() sends nothing that a file held before when it was written over and the power is cut", async () => {
  const machine = await worn();
  for (let i = 0; i < 5; i++) await machine.append("t", `new${i}${body}`);
  machine.die(true);
  const spool = await machine.open({}, { segmentBytesMax: segmentBytes });
  assert.deepEqual(spares(machine), []);
  const texts = machine.texts(await machine.take()).map((text) => text.slice(0, 4));
  // What was settled within the last second may come again.
  assert.deepEqual(texts.filter((text) => text.startsWith("new")), ["new0", "new1", "new2", "new3", "new4"]);
  assert.ok(texts.length <= 7, texts.join());
  assert.deepEqual(machine.events.damages, [], "what is left of an older segment is no damage");
  assert.equal(spool.stats().damagedBatches, 0);
});

test("openSpool() tells of a torn batch when it was being written over an older segment", async () => {
  const machine = await worn();
  for (let i = 0; i < 5; i++) await machine.append("t", `new${i}${body}`);
  const newest = segments(machine).sort().at(-1)!;
  // The last batch lost the end of its records.
  const at = Buffer.from(machine.disk.bytesOf(newest)!).indexOf("new4");
  assert.ok(at > 0);
  machine.die();
  machine.disk.spoil(newest, at + 500);
  machine.disk.replace("/s/w0/cursor.a", undefined);
  machine.disk.replace("/s/w0/cursor.b", undefined);
  await machine.open({}, { segmentBytesMax: segmentBytes });
  assert.deepEqual(machine.events.damages.map(({ reason }) => reason), ["torn"]);
});

test("spare files go when nothing was written for a while, when there is no room, and at the end", async () => {
  const idle = await worn();
  await idle.rest(spareIdleMs + 1000);
  assert.deepEqual(spares(idle), []);

  const full = await worn();
  full.disk.freeBytesNow = 0;
  await full.rest(1100);
  void full.begin("t", "more");
  await full.until("the spool looks for room", () => spares(full).length === 0);

  const closed = await worn();
  await closed.done(closed.spool.close(1000));
  assert.deepEqual(spares(closed), []);
});

test("append() makes new files when commits are not synced", async () => {
  const machine = new SimMachine();
  await machine.open({ durability: "os" }, { segmentBytesMax: segmentBytes });
  for (let i = 0; i < 13; i++) machine.spool.settle(await machine.append("t", `old${body}`), "delivered");
  await machine.until("segments go", () => segments(machine).length === 1);
  assert.deepEqual(spares(machine), []);
});

test("drop() knows the spare files that stay when the disk refuses to remove one", async () => {
  const disk = new SimDisk(new Random(1));
  await disk.makeFolder("/s");
  const spares = new SpareSegments(disk, "/s", 1);
  for (const number of [1, 2]) {
    const path = `/s/${segmentName(number)}`;
    await disk.open(path, "create");
    await spares.keep(path, number, 1000);
    // The name of the second one is not durable.
    if (number === 1) spares.synced();
  }
  const unlink = disk.unlink.bind(disk);
  for (const [refused, left] of [["0000000001.spare", 2], ["0000000002.spare", 1]] as const) {
    disk.unlink = (path) =>
      path.endsWith(refused)
        ? Promise.reject(Object.assign(new Error("refused"), { code: "EIO" }))
        : unlink(path);
    await assert.rejects(spares.drop(), { code: "EIO" });
    assert.equal(disk.paths().length, left);
    assert.equal(spares.bytes, left * 1000, "what stays is known, and counts");
    assert.equal(spares.wants(1000), left < 2);
  }
  disk.unlink = unlink;
  assert.equal(await spares.drop(), true);
  assert.deepEqual([disk.paths(), spares.bytes, await spares.drop()], [[], 0, false]);
});

test("bytes of spare files count, and give way, when bytes_max is reached", async () => {
  const machine = new SimMachine();
  const bytesMax = 2.5 * segmentBytes;
  const spool = await machine.open({ bytesMax }, { segmentBytesMax: segmentBytes });
  for (let i = 0; i < 13; i++) spool.settle(await machine.append("t", `old${body}`), "delivered");
  await machine.until("a file is spare", () => spares(machine).length > 0);
  for (let i = 0; i < 6; i++) {
    await machine.append("t", `new${body}`);
    assert.ok(spool.stats().bytes <= bytesMax + 1000, `${spool.stats().bytes} of ${bytesMax} bytes`);
  }
  assert.equal(spool.state.kind, "ready");
});
