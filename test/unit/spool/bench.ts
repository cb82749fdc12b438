/**
 * How fast batches are committed, and how fast a full spool starts. Prints; asserts nothing.
 *
 *     bun test/unit/spool/bench.ts [DIR]
 *     deno run -A test/unit/spool/bench.ts [DIR]
 *     bun test/unit/spool/bench.ts DIR commits           `os` alone, five times; with --cpu-prof: what takes the time
 *
 * `raw` is one writev of eight batches and one fdatasync, again and again, without a spool: what the disk takes.
 *
 * @module
 */
import { spawn } from "node:child_process";
import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import type { ClosedBatch } from "../../../src/batch/record_batch.ts";
import { openSpool } from "../../../src/spool/open_spool.ts";
import { promptDisk } from "../../../src/spool/prompt_disk.ts";
import type { Durability, Spool, SpooledBatch } from "../../../src/spool/spool.ts";
import { BatchMemory, CountedEvents, settings } from "./support.ts";

const bytesPerRun = 512 * 1024 * 1024;
/** Batches that are committed at the same time, as a worker's arena would hold them. */
const inWorkMax = 32;

const backlogBatches = 100_000;
const backlogBytes = 8 * 1024;

const memory = new BatchMemory(32 * 1024 * 1024);
const parent = process.argv[2] ?? tmpdir();
const name = "Bun" in globalThis ? "bun " : "deno";

if (process.argv[3] === "fill") await fillAndDie(process.argv[2]!);
else await main();

async function main(): Promise<void> {
  if (process.argv[3] === "start") return await inDir(startUp);
  if (process.argv[3] === "commits") {
    for (let i = 0; i < 5; i++) await inDir((dir) => commits(dir, 512 * 1024, 2048, "os"));
    return;
  }
  for (const bytes of [512 * 1024, 64 * 1024]) {
    const count = bytesPerRun / bytes;
    for (const sync of [false, true]) await inDir((dir) => raw(dir, bytes, count, sync));
    for (const durability of ["os", "fsync"] as const) {
      await inDir((dir) => commits(dir, bytes, count, durability));
    }
  }
  await inDir(startUp);
}

async function inDir(run: (dir: string) => Promise<void>): Promise<void> {
  const dir = await mkdtemp(join(parent, "corndog-bench-"));
  memory.reset();
  try {
    await run(dir);
  } finally {
    await rm(dir, { recursive: true });
  }
}

function report(
  what: string,
  bytes: number,
  count: number,
  startMs: number,
  startCpu: NodeJS.CpuUsage,
): void {
  const s = (performance.now() - startMs) / 1000;
  const { user, system } = process.cpuUsage(startCpu);
  const rate = `${(count / s).toFixed(0).padStart(6)} batches/s ${
    (count * bytes / s / 1e6).toFixed(0).padStart(5)
  } MB/s`;
  console.log(
    `${name} ${what.padEnd(22)} ${bytes / 1024} KiB ${rate}  cpu ${
      ((user + system) / 1000 / count).toFixed(3)
    } ms/batch`,
  );
}

async function raw(dir: string, bytes: number, count: number, sync: boolean): Promise<void> {
  const views = Array.from({ length: 8 }, (_, i) => memory.kernel.bytes.subarray(i * bytes, (i + 1) * bytes));
  const file = await open(join(dir, "raw"), "w");
  const cpu = process.cpuUsage();
  const start = performance.now();
  for (let i = 0; i < count; i += 8) {
    await file.writev(views, i * bytes);
    if (sync) await file.datasync();
  }
  report(sync ? "raw fdatasync" : "raw", bytes, count, start, cpu);
  await file.close();
}

function opened(dir: string, durability: Durability): Promise<Spool> {
  return openSpool({
    settings: settings(dir, { durability, bytesMax: 64 * 1024 ** 3, replayBytesPerS: 64 * 1024 ** 3 }),
    worker: 0,
    workers: 1,
    memory: memory.kernel,
    events: new CountedEvents(),
    // As workers have it.
    disk: promptDisk(),
  });
}

/** Commits and settles at once, as with a Kafka that is never behind. */
async function commits(dir: string, bytes: number, count: number, durability: Durability): Promise<void> {
  const spool = await opened(dir, durability);
  const idle: ClosedBatch[] = [];
  for (let i = 0; i < inWorkMax; i++) idle.push(memory.batch("logs", new Uint8Array(bytes - 61).fill(120)));
  const cpu = process.cpuUsage();
  const start = performance.now();
  let begun = 0;
  await new Promise<void>((resolve) => {
    let done = 0;
    const fill = (): void => {
      for (let batch = begun < count ? idle.pop() : undefined; batch !== undefined; batch = idle.pop()) {
        begun++;
        spool.append(batch, (spooled) => {
          spool.settle(spooled, "delivered");
          idle.push(spooled.batch);
          if (++done === count) resolve();
          else setImmediate(fill);
        });
        if (begun === count) return;
      }
    };
    fill();
  });
  report(durability, bytes, count, start, cpu);
  const { commitMs } = spool.stats();
  console.log(`     commit p50 ${commitMs.p50} ms, p99 ${commitMs.p99} ms, max ${commitMs.max} ms`);
  await spool.close(1000);
}

/** Fills a spool and dies. */
async function fillAndDie(dir: string): Promise<void> {
  const spool = await opened(dir, "os");
  const many = Array.from(
    { length: 64 },
    () => memory.batch("logs", new Uint8Array(backlogBytes).fill(120), { count: 40 }),
  );
  for (let begun = 0; begun < backlogBatches; begun += many.length) {
    const group = many.slice(0, backlogBatches - begun);
    await Promise.all(
      group.map((batch) => new Promise<void>((resolve) => spool.append(batch, () => resolve()))),
    );
  }
  process.kill(process.pid, "SIGKILL");
}

/** What it takes to open a backlog of 100,000 batches after a kill, and to read it. */
async function startUp(dir: string): Promise<void> {
  const isDeno = !("Bun" in globalThis);
  const args = [...(isDeno ? ["run", "-A"] : []), fileURLToPath(import.meta.url), dir, "fill"];
  await new Promise((resolve) => spawn(process.execPath, args, { stdio: "inherit" }).on("exit", resolve));
  const start = performance.now();
  const spool = await opened(dir, "os");
  const ms = performance.now() - start;
  const { segments, bytes: total } = spool.stats();
  console.log(
    `${name} start-up with ${spool.opened.batches} batches, ${segments} segments, ${
      (total / 1e6).toFixed(0)
    } MB: ${ms.toFixed(0)} ms`,
  );
  const read = performance.now();
  let taken = 0;
  const wish = {
    mayGo: () => true,
    room: (recordBytes: number) => memory.room(recordBytes),
    release: (at: number) => memory.release(at),
    take: (spooled: SpooledBatch) => {
      memory.release(spooled.batch.at);
      spool.settle(spooled, "delivered");
      taken++;
    },
  };
  while (taken < backlogBatches) {
    const answer = await spool.next(wish);
    if (answer.kind === "later") await new Promise((resolve) => setTimeout(resolve, answer.delayMs));
    else if (answer.kind !== "batch") break;
  }
  const s = (performance.now() - read) / 1000;
  console.log(
    `${name} read back ${taken} batches of 8 KiB: ${(taken / s).toFixed(0)} batches/s ${
      (taken * backlogBytes / s / 1e6).toFixed(0)
    } MB/s`,
  );
  await spool.close(1000);
}
