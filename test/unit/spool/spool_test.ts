import assert from "node:assert/strict";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { KeptOrigins, keptRunsMax } from "../../../src/spool/kept_origins.ts";
import { openSpool } from "../../../src/spool/open_spool.ts";
import type { Spool, SpooledBatch } from "../../../src/spool/spool.ts";
import { until } from "../../support/until.ts";
import { BatchMemory, CountedEvents, settings } from "./support.ts";

const dirs: string[] = [];
after(async () => {
  for (const dir of dirs) await rm(dir, { recursive: true, force: true });
});

async function tempDir(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "corndog-spool-"));
  dirs.push(dir);
  return dir;
}

function appended(spool: Spool, memory: BatchMemory, topic: string, text: string): Promise<SpooledBatch> {
  return new Promise((resolve) => spool.append(memory.batch(topic, text, { count: 3 }), resolve));
}

async function drained(spool: Spool, memory: BatchMemory): Promise<string[]> {
  const wish = memory.wish();
  while ((await spool.next(wish)).kind === "batch");
  return wish.taken.map(({ batch }) => `${batch.topic}:${memory.text(batch)}`);
}

test("openSpool() finds again what was committed and not settled when the process ended", async () => {
  const dir = await tempDir();
  const memory = new BatchMemory();
  const first = await openSpool({
    settings: settings(dir),
    worker: 0,
    workers: 1,
    memory: memory.kernel,
    events: new CountedEvents(),
  });
  assert.deepEqual(first.opened, { batches: 0, records: 0, clean: true, adopted: [] });
  const handles: SpooledBatch[] = [];
  for (let i = 0; i < 20; i++) {
    handles.push(await appended(first, memory, i % 2 === 0 ? "a" : "b", `text ${i}`));
  }
  for (let i = 0; i < 5; i++) first.settle(handles[i]!, "delivered");
  assert.equal(first.stats().records, 45);
  assert.deepEqual(await first.close(1000), []);

  const events = new CountedEvents();
  const second = await openSpool({
    settings: settings(dir),
    worker: 0,
    workers: 1,
    memory: memory.kernel,
    events,
  });
  assert.deepEqual(second.opened, { batches: 15, records: 45, clean: true, adopted: [] });
  const wish = memory.wish();
  while ((await second.next(wish)).kind === "batch");
  assert.deepEqual(
    wish.taken.map(({ batch }) => memory.text(batch)),
    Array.from({ length: 15 }, (_, i) => `text ${i + 5}`),
  );
  assert.ok(wish.taken.every(({ replayed, batch }) => replayed && batch.count === 3));
  for (const spooled of wish.taken) second.settle(spooled, "delivered");
  await until("the empty segments to be removed", () => second.stats().segments === 0 ? true : undefined);
  assert.deepEqual(events.damages, []);
  await second.close(1000);
  assert.deepEqual((await readdir(join(dir, "w0"))).sort(), ["cursor.a", "cursor.b"]);
});

test("giveUp() brings a batch back in its turn when its memory was wanted", async () => {
  const memory = new BatchMemory();
  const spool = await openSpool({
    settings: settings(await tempDir()),
    worker: 0,
    workers: 1,
    memory: memory.kernel,
    events: new CountedEvents(),
  });
  const texts = ["one", "two", "three"];
  const handles = await Promise.all(texts.map((text) => appended(spool, memory, "t", text)));
  for (const handle of handles.toReversed()) {
    memory.release(handle.batch.at);
    spool.giveUp(handle);
  }
  assert.ok(spool.mustWait("t"));
  assert.ok(!spool.mustWait("u"));
  assert.equal(spool.stats().backlogRecords, 9);
  assert.deepEqual(await drained(spool, memory), ["t:one", "t:two", "t:three"]);
  assert.ok(!spool.mustWait("t"));
  await spool.close(1000);
});

test("giveUp() remembers who sent the records of a batch until it is read back in this process", async () => {
  const dir = await tempDir();
  const memory = new BatchMemory();
  const open = () =>
    openSpool({
      settings: settings(dir),
      worker: 0,
      workers: 1,
      memory: memory.kernel,
      events: new CountedEvents(),
    });
  const first = await open();
  const origins = [{ from: 0, to: 2, peer: "192.0.2.1:514" }, { from: 2, to: 3, peer: "192.0.2.2:514" }];
  const wish = memory.wish();
  for (const text of ["one", "two"]) {
    const handle = await new Promise<SpooledBatch>((resolve) =>
      first.append(memory.batch("t", text, { count: 3, origins }), resolve)
    );
    memory.release(handle.batch.at);
    first.giveUp(handle);
  }
  assert.equal((await first.next(wish)).kind, "batch");
  assert.deepEqual(wish.taken[0]!.batch.origins, origins);
  first.giveUp(wish.taken[0]!);
  assert.equal((await first.next(wish)).kind, "batch");
  assert.deepEqual(wish.taken[1]!.batch.origins, origins, "as often as it goes there");
  await first.close(1000);
  const second = await open();
  assert.equal((await second.next(wish)).kind, "batch");
  assert.equal(wish.taken[2]!.batch.origins, undefined);
  await second.close(1000);
});

test("KeptOrigins forgets the oldest when there are too many", () => {
  const kept = new KeptOrigins();
  const runs = (count: number) =>
    Array.from({ length: count }, (_, index) => ({ from: index, to: index + 1, peer: "a" }));
  kept.keep(1, 0, runs(keptRunsMax / 2));
  kept.keep(1, 1, runs(keptRunsMax / 2));
  kept.keep(1, 2, undefined);
  kept.keep(1, 3, runs(1));
  assert.equal(kept.take(1, 0), undefined);
  assert.equal(kept.take(1, 1)!.length, keptRunsMax / 2);
  assert.equal(kept.take(1, 1), undefined);
  kept.keep(2, 0, runs(keptRunsMax - 1));
  assert.equal(kept.take(1, 3)!.length, 1, "what was taken counts no more");
});
