import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { writeAll } from "../../../src/spool/disk.ts";
import { promptDisk, Promptness } from "../../../src/spool/prompt_disk.ts";
import { SimClock } from "./sim_clock.ts";

test("Promptness goes on when writes are quick, and when few of them are slow", async () => {
  const clock = new SimClock();
  const promptness = new Promptness(clock);
  for (let i = 0; i < 10_000; i++) promptness.took(4);
  for (let second = 0; second < 100; second++) {
    promptness.took(50);
    await clock.advance(1000);
  }
  assert.ok(promptness.isPrompt);
});

test("Promptness says no for longer and longer when writes are slow again and again", async () => {
  const clock = new SimClock();
  const promptness = new Promptness(clock);
  const pauses: number[] = [];
  for (let time = 0; time < 8; time++) {
    promptness.took(200);
    assert.ok(promptness.isPrompt, "one slow write is none");
    promptness.took(200);
    const fromMs = clock.monoMs();
    while (!promptness.isPrompt) await clock.advance(500);
    pauses.push(clock.monoMs() - fromMs);
  }
  assert.deepEqual(pauses, [2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000]);
  await clock.advance(120_000);
  promptness.took(1000);
  await clock.advance(2000);
  assert.ok(promptness.isPrompt, "long ago does not count");
});

test("Promptness says no when a sync took long, and not for one that is quick", async () => {
  const clock = new SimClock();
  const promptness = new Promptness(clock);
  promptness.synced(400);
  assert.ok(promptness.isPrompt);
  promptness.synced(600);
  promptness.synced(600);
  assert.ok(!promptness.isPrompt);
  await clock.advance(2000);
  assert.ok(promptness.isPrompt);
});

test("promptDisk() lets the loop go on while a long queue is written", async () => {
  const dir = await mkdtemp(join(tmpdir(), "corndog-prompt-"));
  try {
    const file = await promptDisk().open(join(dir, "file"), "create");
    let turns = 0;
    const count = (): void => {
      turns++;
      immediate = setImmediate(count);
    };
    let immediate = setImmediate(count);
    const bytes = new Uint8Array(1024 * 1024);
    const from = performance.now();
    let writes = 0;
    // On a loop that is held nothing but the clock ends this.
    while (turns < 3 && performance.now() - from < 20_000) {
      await file.write([bytes], writes++ % 8 * bytes.length);
    }
    clearImmediate(immediate);
    assert.ok(turns >= 3, `${turns} turns in ${writes} writes`);
    await file.close();
  } finally {
    await rm(dir, { recursive: true });
  }
});

test("promptDisk() writes what it is given where it is told, and rejects with the system's error", async () => {
  const dir = await mkdtemp(join(tmpdir(), "corndog-prompt-"));
  try {
    const disk = promptDisk();
    const path = join(dir, "file");
    const file = await disk.open(path, "create");
    await writeAll(file, [new Uint8Array([1, 2, 3]), new Uint8Array(0), new Uint8Array([4])], 2);
    await writeAll(file, [new Uint8Array([9])], 0);
    await file.sync();
    assert.equal(await file.size(), 6);
    const into = new Uint8Array(4);
    assert.equal(await file.read(into, 1), 4);
    await file.close();
    assert.deepEqual([...await readFile(path)], [9, 0, 1, 2, 3, 4]);
    assert.deepEqual([...into], [0, 1, 2, 3]);
    await assert.rejects(() => disk.open(path, "create"), { code: "EEXIST" });
    const closed = file.write([new Uint8Array(1)], 0);
    assert.ok(closed instanceof Promise);
    await assert.rejects(closed);
  } finally {
    await rm(dir, { recursive: true });
  }
});
