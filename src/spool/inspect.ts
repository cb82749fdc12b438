/**
 * Looks into the folders of a spool without changing anything, whether a process uses them or not.
 *
 * What a running process writes meanwhile may be seen half: a torn end of its newest segment is no damage, and a
 * segment that goes away in between is no loss.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { openBatch } from "../batch/decode.ts";
import type { RecordReader } from "../batch/record_reader.ts";
import { crc32c } from "../batch/crc32c.ts";
import { codeOf, ioProblem } from "../core/io_problem.ts";
import { batchHeaderBytes } from "../kernel/kernel.ts";
import { emptyCursor, readCursor } from "./cursor.ts";
import type { Disk } from "./disk.ts";
import { homeOf, parkedName, parkedTopic, workerNumber } from "./folder_names.ts";
import { type BatchHead, readHead, segmentName, segmentNumber } from "./format.ts";
import { type LockState, type Processes, readLock } from "./lock.ts";
import { quarantineName } from "./quarantine.ts";
import { closedBatchOf } from "./reader.ts";
import { recover, regionMessage } from "./recover.ts";
import { scanSegment, ScanWindow } from "./scan.ts";
import { batchState, type Segment } from "./segment.ts";
import { scannedIndex, storedIndex } from "./stored_index.ts";

/** One folder of a spool. */
export interface FolderReport {
  readonly folder: string;
  /** The topic whose parking place it is. */
  readonly topic: string | undefined;
  readonly lock: LockState;
  readonly cursor: "fine" | "damaged" | "absent";
  readonly segments: readonly Segment[];
  /** Bytes of its segments. */
  readonly bytes: number;
  /** Batches and records that are not done with. */
  readonly batches: number;
  readonly records: number;
  /** Receive time of the oldest of them, epoch ms; undefined where there is none. */
  readonly oldestMs: number | undefined;
  /** Files `*.seg.bad`. */
  readonly bad: readonly string[];
  readonly quarantinedFiles: number;
  readonly quarantinedBytes: number;
  /** What is wrong, in words. */
  readonly problems: readonly string[];
}

/** The folders of a spool, or the one that `dir` itself is. @throws the system's error */
export async function findFolders(disk: Disk, dir: string): Promise<string[]> {
  const entries = await disk.list(dir);
  const isHome = entries.some(({ name }) => segmentNumber(name) !== undefined || name.startsWith("cursor."));
  const workers = entries.filter(({ name, isFolder }) => isFolder && workerNumber(name) !== undefined)
    .map(({ name }) => `${dir}/${name}`)
    .sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  const homes = isHome ? [dir] : workers;
  const folders: string[] = [];
  for (const home of homes) {
    const parked = await listIfThere(disk, `${home}/${parkedName}`);
    for (const { name, isFolder } of parked) if (isFolder) folders.push(`${home}/${parkedName}/${name}`);
    folders.push(home);
  }
  return folders;
}

/** Looks at one folder; with `verify` every byte of it is checked. @throws the system's error */
export async function inspectFolder(
  disk: Disk,
  folder: string,
  processes: Processes,
  epochMs: number,
  verify: boolean,
): Promise<FolderReport> {
  const lock = await readLock(disk, homeOf(folder), processes, epochMs);
  const cursor = await readCursor(disk, folder);
  const { segments, damages } = await recover({
    disk,
    folder,
    cursor: cursor.newest?.state ?? emptyCursor,
    mend: false,
    sync: false,
  });
  const problems = damages.filter(({ reason }) => reason !== "torn").map(({ message }) => message);
  for (const name of cursor.damaged) problems.push(`"${folder}/${name}" is damaged`);
  if (verify) {
    for (const segment of segments) problems.push(...await verifySegment(disk, folder, segment));
  }
  const names = await disk.list(folder);
  const quarantined = await listIfThere(disk, `${folder}/${quarantineName}`);
  let quarantinedBytes = 0;
  for (const { name } of quarantined) {
    quarantinedBytes += (await disk.stat(`${folder}/${quarantineName}/${name}`)).bytes;
  }
  const waiting = segments.filter((segment) => segment.doneBatches < segment.batches);
  return {
    folder,
    topic: parkedTopic(folder),
    lock,
    cursor: cursor.damaged.length > 0 ? "damaged" : cursor.newest === undefined ? "absent" : "fine",
    segments,
    bytes: segments.reduce((sum, { fileBytes }) => sum + fileBytes, 0),
    batches: segments.reduce((sum, { backlogBatches }) => sum + backlogBatches, 0),
    records: segments.reduce((sum, { backlogRecords }) => sum + backlogRecords, 0),
    oldestMs: waiting.length === 0 ? undefined : Math.min(...waiting.map(({ oldestMs }) => oldestMs)),
    bad: names.filter(({ name }) => name.endsWith(".bad")).map(({ name }) => name),
    quarantinedFiles: quarantined.length,
    quarantinedBytes,
    problems,
  };
}

/** One batch with its records, checked. */
export interface InspectedBatch {
  readonly folder: string;
  readonly segment: number;
  readonly batch: number;
  /** It was sent or dead-lettered. */
  readonly done: boolean;
  readonly head: BatchHead;
  /** Undefined where they cannot be read; `problem` then says why. */
  readonly records: RecordReader | undefined;
  readonly problem: string | undefined;
}

/** The batches of a folder in their order; of those that are done only with `all`. @throws the system's error */
export async function* readBatches(disk: Disk, folder: string, all: boolean): AsyncGenerator<InspectedBatch> {
  const cursor = await readCursor(disk, folder);
  const { segments } = await recover({
    disk,
    folder,
    cursor: cursor.newest?.state ?? emptyCursor,
    mend: false,
    sync: false,
  });
  for (const segment of segments) {
    const path = `${folder}/${segmentName(segment.number)}`;
    let file;
    try {
      file = await disk.open(path, "read");
    } catch (error) {
      // Sent in the meantime.
      if (codeOf(error) === "ENOENT") continue;
      throw error;
    }
    try {
      const index = segment.index ?? await storedIndex(segment, file) ??
        await scannedIndex(new ScanWindow(), segment, file);
      for (let batch = 0; batch < index.length; batch++) {
        const done = segment.stateOf(batch) >= batchState.settled;
        if (!index.has(batch) || done && !all) continue;
        const bytes = new Uint8Array(index.headBytes(batch) + index.recordBytes(batch));
        await file.read(bytes, index.offset(batch));
        const read = decodeSpooled(bytes);
        if (read !== undefined) yield { folder, segment: segment.number, batch, done, ...read };
      }
    } finally {
      await file.close();
    }
  }
}

/** Head and records of one batch as it stands in a segment or in quarantine; undefined where there is no head. */
export function decodeSpooled(
  bytes: Uint8Array,
): Pick<InspectedBatch, "head" | "records" | "problem"> | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const checksum = (at: number, length: number) => crc32c(bytes.subarray(at, at + length));
  const head = readHead(view, 0, bytes.length, checksum);
  if (head === undefined) return undefined;
  const records = bytes.subarray(head.headBytes, head.headBytes + head.recordBytes);
  if (records.length < head.recordBytes || crc32c(records) !== head.recordCrc) {
    return { head, records: undefined, problem: "its checksum does not hold" };
  }
  // Laid out as in the kernel's memory, where a header of 61 bytes stands in front.
  const memory = Buffer.alloc(batchHeaderBytes + records.length);
  memory.set(records, batchHeaderBytes);
  const opened = openBatch(memory, closedBatchOf(head, 0, 0));
  return opened.ok
    ? { head, records: opened.records, problem: undefined }
    : { head, records: undefined, problem: opened.fault };
}

/** Reads all of a segment that was ended; of others `recover` did so. */
async function verifySegment(disk: Disk, folder: string, segment: Segment): Promise<string[]> {
  if (segment.trailer === undefined) return [];
  const path = `${folder}/${segmentName(segment.number)}`;
  try {
    const file = await disk.open(path, "read");
    try {
      const { bad } = await scanSegment(new ScanWindow(), file, segment.end, segment.id, segment.end);
      const problems = bad.filter(({ batches }) => batches > 0).map((region) => regionMessage(path, region));
      if (await storedIndex(segment, file) === undefined) problems.push(`"${path}" has a damaged index`);
      return problems;
    } finally {
      await file.close();
    }
  } catch (error) {
    return codeOf(error) === "ENOENT" ? [] : [ioProblem("read", path, error)];
  }
}

async function listIfThere(disk: Disk, folder: string) {
  try {
    return await disk.list(folder);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return [];
    throw error;
  }
}
