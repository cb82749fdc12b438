import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { copyFile, mkdtemp, open, readdir, rm, stat, truncate } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { createKernel } from "../../../src/kernel/instance.ts";
import { openSpool } from "../../../src/spool/open_spool.ts";
import type { Spool, SpooledBatch } from "../../../src/spool/spool.ts";
import { BatchMemory, CountedEvents, settings } from "../spool/support.ts";
import { cli } from "./fake_io.ts";

const dirs: string[] = [];
after(async () => {
  for (const dir of dirs) await rm(dir, { recursive: true, force: true });
});

const memory = new BatchMemory();
const encoder = createKernel({ arenaBytes: 64 * 1024 });

/** The records of a batch, as the kernel encodes them. */
function recordsOf(values: readonly (string | Uint8Array)[]): Uint8Array {
  let end = encoder.arenaAt;
  values.forEach((value, offset) => {
    const bytes = typeof value === "string" ? Buffer.from(value) : value;
    encoder.bytes.set(bytes, encoder.scratchAt);
    end = encoder.encodeRecord(end, offset, 0, 0, -1, encoder.scratchAt, bytes.length, 0, 0);
  });
  return encoder.bytes.slice(encoder.arenaAt, end);
}

async function opened(dir: string): Promise<Spool> {
  return await openSpool({
    settings: settings(dir),
    worker: 0,
    workers: 1,
    memory: memory.kernel,
    events: new CountedEvents(),
  });
}

/** A closed spool with three batches, of which the first was delivered. */
async function filled(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "corndog-spool-"));
  dirs.push(dir);
  const spool = await opened(dir);
  const texts: [string, (string | Uint8Array)[]][] = [
    ["logs", ["sent"]],
    ["logs", ["one", "two"]],
    ["orders", ["three", new Uint8Array([0xff, 0xfe])]],
  ];
  const handles: SpooledBatch[] = [];
  for (const [topic, values] of texts) {
    const batch = memory.batch(topic, recordsOf(values), {
      count: values.length,
      baseTimestampMs: 1_700_000_000_000,
    });
    handles.push(await new Promise((resolve) => spool.append(batch, resolve)));
  }
  spool.settle(handles[0]!, "delivered");
  await spool.close(1000);
  return dir;
}

async function spoil(path: string, at: number): Promise<void> {
  const file = await open(path, "r+");
  await file.write(Buffer.from("X"), 0, 1, at);
  await file.close();
}

test("spool ls shows what waits when nobody uses the spool, and who uses it when somebody does", async () => {
  const dir = await filled();
  const ran = await cli(["spool", "ls", dir, "--segments"]);
  assert.equal(ran.exitCode, 0, ran.err);
  assert.match(ran.out, /^w0 +nobody +1 +\S+ B +2 +4 /m);
  assert.match(ran.out, /^w0 +1 +\S+ B +2 of 3 +4 of 5 .* ended$/m);
  const json = JSON.parse((await cli(["spool", "ls", dir, "--json"])).out);
  assert.deepEqual([json.batches, json.records, json.lock, json.cursor], [2, 4, "free", "fine"]);
  const spool = await opened(dir);
  try {
    const used = await cli(["spool", "ls", dir]);
    assert.match(used.out, /^w0 +process \d+ +1 /m);
    const refused = await cli(["spool", "repair", dir]);
    assert.equal(refused.exitCode, 1);
    assert.match(refused.err, /w0 is in use by process \d+ on .*; stop it first/);
  } finally {
    await spool.close(1000);
  }
});

test("spool cat writes the lines that wait, all lines, those of a topic, and bytes that are no text", async () => {
  const dir = await filled();
  assert.equal((await cli(["spool", "cat", dir, "--topic", "logs"])).out, "one\ntwo\n");
  assert.equal(
    (await cli(["spool", "cat", join(dir, "w0"), "--all"])).out,
    "sent\none\ntwo\nthree\n\ufffd\ufffd\n",
  );
  const lines = (await cli(["spool", "cat", dir, "--json", "--topic", "orders"])).out.trim().split("\n");
  assert.deepEqual(lines.map((line) => JSON.parse(line)), [
    { topic: "orders", time: "2023-11-14T22:13:20.000Z", segment: 1, batch: 2, value: "three" },
    { topic: "orders", time: "2023-11-14T22:13:20.000Z", segment: 1, batch: 2, value_b64: "//4=" },
  ]);
});

test("spool verify names a damaged batch, and the next start passes it over and keeps its bytes", async () => {
  const dir = await filled();
  const fine = await cli(["spool", "verify", dir]);
  assert.deepEqual([fine.exitCode, fine.err], [0, ""]);
  assert.match(fine.out, /^1 folder, 1 segment, 2 batches wait: fine$/m);
  const path = join(dir, "w0", "0000000001.seg");
  const end = (await stat(path)).size;
  await spoil(path, 64 + 64 + recordsOf(["sent"]).length + 64 + 2);
  const damaged = await cli(["spool", "verify", dir]);
  assert.equal(damaged.exitCode, 1);
  assert.match(damaged.err, /0000000001\.seg" has a batch at \d+ to \d+ that is damaged/);

  // The beginning and the end are gone: it is not known for a segment any more, but one batch in it is whole.
  await spoil(path, 0);
  await spoil(path, end - 64);
  const events = new CountedEvents();
  const spool = await openSpool({
    settings: settings(dir),
    worker: 0,
    workers: 1,
    memory: memory.kernel,
    events,
  });
  assert.equal(spool.opened.records, 2);
  assert.deepEqual(events.damages.map(({ reason, batches }) => [reason, batches]), [["crc_mismatch", 1]]);
  const wish = memory.wish();
  while ((await spool.next(wish)).kind === "batch");
  assert.deepEqual(wish.taken.map(({ batch }) => batch.topic), ["orders"]);
  for (const spooled of wish.taken) spool.settle(spooled, "delivered");
  await spool.close(1000);
  const [kept, ...others] = await readdir(join(dir, "w0", "quarantine"));
  assert.match(kept!, /^0000000001-at1\d\d\.bytes$/);
  assert.deepEqual(others, []);
});

test("spool repair cuts a torn end, and with --requeue brings back what was set aside and is whole", async () => {
  const dir = await filled();
  const path = join(dir, "w0", "0000000001.seg");
  await copyFile(path, join(dir, "w0", "0000000009.seg.bad"));
  await truncate(path, (await stat(path)).size - 100);
  const mended = await cli(["spool", "repair", dir]);
  assert.deepEqual([mended.exitCode, mended.err], [0, ""]);
  assert.match(
    mended.out,
    /0000000001\.seg" ended with \d+ bytes of a batch that was being written\n1 folder: done\n$/,
  );
  assert.equal(JSON.parse((await cli(["spool", "ls", dir, "--json"])).out).records, 4);
  const back = await cli(["spool", "repair", dir, "--requeue"]);
  assert.match(back.out, /w0: 3 batches put back\n/);
  const after = JSON.parse((await cli(["spool", "ls", dir, "--json"])).out);
  assert.deepEqual([after.records, after.bad_segments, after.lock], [9, [], "free"]);
  assert.equal((await cli(["spool", "verify", dir])).exitCode, 0);
});

test("spool says what it wants when it is used wrongly", async () => {
  for (
    const { argv, code, err } of [
      { argv: ["spool"], code: 2, err: /wants an action and a folder; write ls, verify, cat or repair/ },
      { argv: ["spool", "lss", "x"], code: 2, err: /"lss": write ls/ },
      { argv: ["spool", "ls"], code: 2, err: /wants an action and a folder$/m },
      { argv: ["spool", "ls", "/nowhere/at/all"], code: 1, err: /no such directory \(ENOENT\)/ },
    ]
  ) {
    const ran = await cli(argv);
    assert.equal(ran.exitCode, code, argv.join(" "));
    assert.match(ran.err, err);
  }
  const empty = await mkdtemp(join(tmpdir(), "corndog-spool-"));
  dirs.push(empty);
  const ran = await cli(["spool", "ls", empty]);
  assert.equal(ran.exitCode, 1);
  assert.match(ran.err, /is no spool: it has no folder w0/);
});
