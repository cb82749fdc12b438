/**
 * Mends a folder of a spool that no process uses: torn ends are cut, missing indexes written, what is no segment is
 * renamed, a damaged cursor is written anew. With `requeue` what lies in quarantine and in `.bad` files and is whole
 * goes back into the line, to be sent again.
 *
 * @module
 */
import { randomBytes } from "node:crypto";
import { crc32c } from "../batch/crc32c.ts";
import { systemClock } from "./clock.ts";
import type { Disk } from "./disk.ts";
import { readWhole } from "./disk.ts";
import { headBytesMin, readHead, writeHead } from "./format.ts";
import { Home } from "./home.ts";
import { quarantineName } from "./quarantine.ts";
import { scanSegment, ScanWindow } from "./scan.ts";
import type { Outgoing } from "./segment_writer.ts";

/** Files that are put back are read whole. */
const requeueBytesMax = 1024 * 1024 * 1024;
const segmentBytesMax = 64 * 1024 * 1024;

/** What was done. */
export interface Repaired {
  readonly folder: string;
  /** In words, one per thing that was mended. */
  readonly mended: readonly string[];
  /** Batches that go back into the line. */
  readonly requeued: number;
  /** Why something could not be done. */
  readonly problems: readonly string[];
}

/** Mends one folder, whose lock the caller holds. @throws the system's error */
export async function repairFolder(disk: Disk, folder: string, requeue: boolean): Promise<Repaired> {
  const problems: string[] = [];
  const home = await Home.open({
    disk,
    folder,
    clock: systemClock,
    sync: true,
    segmentBytesMax,
    newId: () => randomBytes(4).readUInt32LE() || 1,
    freed: () => {},
    problem: (message) => void (message !== undefined && problems.push(message)),
  });
  const mended = home.recovered.damages.map(({ message }) => message);
  for (const name of home.cursorDamaged) mended.push(`"${folder}/${name}" was damaged and is written anew`);
  let requeued = 0;
  if (requeue) {
    for (const path of await kept(disk, folder)) requeued += await putBack(disk, home, path);
  }
  await home.close(home.clean);
  return { folder, mended, requeued, problems };
}

/** Files that may hold batches which are not in the line. */
async function kept(disk: Disk, folder: string): Promise<string[]> {
  const bad = (await disk.list(folder)).filter(({ name }) => name.endsWith(".seg.bad"));
  const inside = await disk.list(`${folder}/${quarantineName}`).catch(() => []);
  return [
    ...bad.map(({ name }) => `${folder}/${name}`),
    ...inside.filter(({ isFolder }) => !isFolder).map(({ name }) => `${folder}/${quarantineName}/${name}`),
  ].sort();
}

/** Commits the whole batches of a file anew and removes it, if there are any. */
async function putBack(disk: Disk, home: Home, path: string): Promise<number> {
  const bytes = await readWhole(disk, path, requeueBytesMax);
  if (bytes === undefined) return 0;
  let count = 0;
  for (const stretch of await wholeBatches(disk, path, bytes)) {
    await home.commit([outgoing(stretch)]);
    count++;
  }
  if (count > 0) await disk.unlink(path);
  return count;
}

async function wholeBatches(disk: Disk, path: string, bytes: Uint8Array): Promise<Uint8Array[]> {
  if (!path.endsWith(".bad")) {
    const head = headOf(bytes);
    const whole = head !== undefined && crc32c(bytes.subarray(head.headBytes)) === head.recordCrc;
    return whole ? [bytes] : [];
  }
  const file = await disk.open(path, "read");
  try {
    const { index } = await scanSegment(new ScanWindow(), file, bytes.length, undefined);
    const found: Uint8Array[] = [];
    for (let batch = 0; batch < index.length; batch++) {
      if (!index.has(batch)) continue;
      const at = index.offset(batch);
      found.push(bytes.slice(at, at + index.headBytes(batch) + index.recordBytes(batch)));
    }
    return found;
  } finally {
    await file.close();
  }
}

function headOf(bytes: Uint8Array) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return readHead(view, 0, bytes.length, (at, length) => crc32c(bytes.subarray(at, at + length)));
}

/** A batch as it stands in a file, on its way into another segment. */
function outgoing(found: Uint8Array): Outgoing {
  const bytes = found.slice();
  const view = new DataView(bytes.buffer);
  const head = headOf(bytes)!;
  const topic = bytes.slice(headBytesMin, head.headBytes);
  return {
    topic: head.topic,
    headBytes: head.headBytes,
    recordBytes: head.recordBytes,
    count: head.count,
    timestampMs: head.baseTimestampMs,
    stamp(segmentId, index, groupPlace) {
      writeHead(
        view,
        0,
        { ...head, segmentId, index, groupPlace },
        topic,
        (at, length) => crc32c(bytes.subarray(at, at + length)),
      );
      return bytes;
    },
  };
}
