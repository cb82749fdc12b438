import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { openSpool } from "../../../src/spool/open_spool.ts";
import { BatchMemory, CountedEvents, settings } from "./support.ts";

const dirs: string[] = [];
after(async () => {
  for (const dir of dirs) await rm(dir, { recursive: true, force: true });
});

const memory = new BatchMemory(4 * 1024 * 1024);
const child = fileURLToPath(new URL("killed_child.ts", import.meta.url));
const options = "Bun" in globalThis ? [] : ["run", "-A", "--no-check"];

interface Ended {
  readonly lines: string[];
  readonly killed: boolean;
}

function run(dir: string, point: string, count: number): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const args = [...options, child, dir, point, String(count)];
    execFile(process.execPath, args, { timeout: 60_000 }, (error, stdout, stderr) => {
      if (error !== null && error.signal !== "SIGKILL" && error.code !== 137) {
        reject(new Error(`${error.message}${stderr}`));
      } else resolve({ lines: stdout.trim().split("\n"), killed: error !== null });
    });
  });
}

const points: readonly (readonly [string, number])[] = [
  ["segment-create", 2],
  ["commit-half", 30],
  ["commit-write", 30],
  ["commit-sync", 31],
  ["folder-sync", 4],
  ["cursor-write", 3],
  ["cursor-sync", 2],
  ["index-write", 3],
  ["segment-unlink", 1],
  ["segment-spare", 2],
  ["segment-reuse-half", 2],
  ["segment-reuse", 3],
];

for (const [point, count] of points) {
  test(`openSpool() finds what was committed on a real disk when the process is killed at ${point}`, {
    timeout: 120_000,
  }, async () => {
    const dir = await mkdtemp(join(tmpdir(), "corndog-killed-"));
    dirs.push(dir);
    const { lines, killed } = await run(dir, point, count);
    assert.ok(killed, `${point} was reached`);
    const numbers = (word: string) =>
      lines.filter((line) => line.startsWith(word)).map((line) => Number(line.split(" ")[1]));
    const settled = new Set(numbers("settled"));
    const owed = numbers("committed").filter((id) => !settled.has(id));

    memory.reset();
    const events = new CountedEvents();
    const spool = await openSpool({
      settings: settings(dir),
      worker: 0,
      workers: 1,
      memory: memory.kernel,
      events,
    });
    const found = new Set<number>();
    for (let idle = 0; spool.stats().backlogBatches > 0 && idle < 2000;) {
      const wish = memory.wish();
      const answer = await spool.next(wish);
      for (const spooled of wish.taken) {
        found.add(Number(memory.text(spooled.batch).split(" ")[0]));
        memory.release(spooled.batch.at);
        spool.settle(spooled, "delivered");
      }
      if (answer.kind === "batch") continue;
      idle++;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    assert.deepEqual(owed.filter((id) => !found.has(id)), [], "nothing that was committed is lost");
    assert.deepEqual(events.damages.filter(({ reason }) => reason !== "torn"), []);
    await spool.close(1000);
  });
}
