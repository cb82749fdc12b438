/**
 * A process that commits to a spool on the real disk and kills itself at a named point, for `kill_test.ts`.
 *
 *     killed_child.ts DIR POINT COUNT       at the COUNTth time that the disk is asked for POINT, before or after it
 *
 * Points: `segment-create`, `commit-write`, `commit-half` (a part of the write is done), `commit-sync`,
 * `folder-sync`, `cursor-write`, `cursor-sync`, `segment-unlink`, `index-write`, `segment-spare` (a segment's file is
 * spare now), `segment-reuse-half` (it has a new header, and the old name) and `segment-reuse`. Each id that is committed, and each
 * that is settled, is written to standard output before anything else happens.
 *
 * @module
 */
import { writeSync } from "node:fs";
import process from "node:process";
import { nodeDisk } from "../../../src/spool/disk.ts";
import type { Disk, DiskFile } from "../../../src/spool/disk.ts";
import { openSpool } from "../../../src/spool/open_spool.ts";
import { BatchMemory, CountedEvents, settings } from "./support.ts";

const [dir = "", point = "", countText = "1"] = process.argv.slice(2);
let left = Number(countText);

/** Ends this process at once, as a crash would. */
function die(): never {
  process.kill(process.pid, "SIGKILL");
  // The signal may take a moment.
  for (;;);
}

function reached(name: string): boolean {
  return name === point && --left === 0;
}

function kindOf(path: string): string {
  if (/\.(?:seg|spare)$/.test(path)) return "segment";
  return path.includes("cursor.") ? "cursor" : "other";
}

function fatal(file: DiskFile, kind: string): DiskFile {
  return {
    read: (into, position) => file.read(into, position),
    size: () => file.size(),
    close: () => file.close(),
    truncate: (bytes) => file.truncate(bytes),
    async write(views, position) {
      // An index is written as two pieces, batches as up to eight, each with its head.
      const isBatch = kind === "segment" && views[0]!.length > 64 &&
        String.fromCharCode(...views[0]!.subarray(0, 4)) === "BTCH";
      if (isBatch && reached("commit-half")) {
        await file.write([views[0]!.subarray(0, views[0]!.length >>> 1)], position);
        die();
      }
      const written = await file.write(views, position);
      if (
        isBatch
          ? reached("commit-write")
          : kind === "segment"
          ? reached("index-write")
          : kind === "cursor" && reached("cursor-write")
      ) die();
      return written;
    },
    async sync() {
      await file.sync();
      if (reached(kind === "segment" ? "commit-sync" : `${kind}-sync`)) die();
    },
  };
}

const disk: Disk = {
  ...nodeDisk,
  async open(path, mode) {
    const file = await nodeDisk.open(path, mode);
    if (mode === "create" && reached("segment-create")) die();
    return fatal(file, kindOf(path));
  },
  async rename(from, to) {
    if (to.endsWith(".seg") && reached("segment-reuse-half")) die();
    await nodeDisk.rename(from, to);
    if (reached(to.endsWith(".seg") ? "segment-reuse" : "segment-spare")) die();
  },
  async unlink(path) {
    await nodeDisk.unlink(path);
    if (kindOf(path) === "segment" && reached("segment-unlink")) die();
  },
  async syncFolder(path) {
    if (reached("folder-sync")) die();
    await nodeDisk.syncFolder(path);
  },
};

const memory = new BatchMemory(4 * 1024 * 1024);
const spool = await openSpool({
  // With sync, files of segments are used again.
  settings: settings(dir, { durability: point === "segment-unlink" ? "os" : "fsync" }),
  worker: 0,
  workers: 1,
  memory: memory.kernel,
  events: new CountedEvents(),
  disk,
  segmentBytesMax: 8192,
});
for (let id = 0; id < 400; id++) {
  const batch = memory.batch(`t${id % 3}`, `${id} ${"x".repeat(500)}`);
  const spooled = await new Promise<Parameters<Parameters<typeof spool.append>[1]>[0]>((resolve) => {
    spool.append(batch, resolve);
  });
  writeSync(1, `committed ${id}\n`);
  memory.release(batch.at);
  if (id < 60 || id % 5 !== 0) {
    writeSync(1, `settled ${id}\n`);
    spool.settle(spooled, "delivered");
  }
  if (id % 40 === 39) await new Promise((resolve) => setTimeout(resolve, 60));
}
await spool.close(1000);
