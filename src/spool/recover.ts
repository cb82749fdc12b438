/**
 * What a folder holds when it is opened: its segments as far as they are whole, in time proportional to their number.
 *
 * A segment that was ended has its index at its end, and only its first and last 64 bytes are read here. One that was
 * in writing when the process died is scanned, cut behind its last whole batch, and given its index. A segment that
 * is no segment is renamed to `.bad`; one of a later version is left alone. Nothing here is fatal: what cannot be
 * mended (a read-only disk) is kept as it is, in memory as if mended.
 *
 * @module
 */
import { codeOf, ioProblem } from "../core/io_problem.ts";
import type { CursorState } from "./cursor.ts";
import type { Disk, DiskFile } from "./disk.ts";
import {
  readSegmentHeader,
  readTrailer,
  segmentHeaderBytes,
  segmentName,
  segmentNumber,
  trailerBytes,
} from "./format.ts";
import { type BadRegion, scanSegment, ScanWindow } from "./scan.ts";
import { Segment } from "./segment.ts";
import { writeIndex } from "./segment_writer.ts";
import { isSpareName } from "./spare_segments.ts";

/** Files that are looked at at the same time. */
const parallelMax = 8;

/** Something that was wrong with a segment. */
export interface SegmentDamage {
  readonly reason: "unreadable_segment" | "newer_version" | "crc_mismatch" | "torn";
  readonly file: string;
  readonly region: BadRegion | undefined;
  readonly message: string;
}

/** What a folder holds. */
export interface Recovered {
  /** By number. */
  readonly segments: Segment[];
  readonly damages: readonly SegmentDamage[];
  /** Segments that had to be read from the beginning to the end. */
  readonly scanned: number;
  /** The greatest number of any file that was there, readable or not. */
  readonly numberMax: number;
}

/** Where a recovery works. */
export interface RecoverOptions {
  readonly disk: Disk;
  readonly folder: string;
  readonly cursor: CursorState;
  /** False: nothing is changed on the disk (somebody only looks). */
  readonly mend: boolean;
  readonly sync: boolean;
}

/** Reads the segments of a folder. @throws the system's error if the folder cannot be listed */
export async function recover(options: RecoverOptions): Promise<Recovered> {
  const names = (await options.disk.list(options.folder)).map(({ name }) => name);
  const numbers = names.map(segmentNumber).filter((number) => number !== undefined).sort((a, b) => a - b);
  if (options.mend) await removeSpares(options, names);
  const job = new Recovery(options);
  const found: (Segment | undefined)[] = new Array(numbers.length);
  let taken = 0;
  const work = async (): Promise<void> => {
    while (taken < numbers.length) {
      const place = taken++;
      found[place] = await job.segment(numbers[place]!);
    }
  };
  await Promise.all(Array.from({ length: Math.min(parallelMax, numbers.length) }, work));
  const others = names.map((name) => Number(/^(\d{10})\.seg\.bad/.exec(name)?.[1] ?? 0));
  return {
    segments: found.filter((segment) => segment !== undefined),
    damages: job.damages,
    scanned: job.scanned,
    numberMax: Math.max(0, ...numbers, ...others),
  };
}

/** Files that were kept to be written over; nobody looks into them. */
async function removeSpares({ disk, folder }: RecoverOptions, names: readonly string[]): Promise<void> {
  for (const name of names.filter(isSpareName)) await disk.unlink(`${folder}/${name}`).catch(() => {});
}

class Recovery {
  readonly damages: SegmentDamage[] = [];
  scanned = 0;
  readonly #options: RecoverOptions;
  readonly #progress: ReadonlyMap<number, CursorState["segments"][number]>;
  /** Scans take turns: they share one window. */
  #scans: Promise<unknown> = Promise.resolve();
  #window: ScanWindow | undefined;

  constructor(options: RecoverOptions) {
    this.#options = options;
    this.#progress = new Map(options.cursor.segments.map((segment) => [segment.number, segment]));
  }

  /** Reads one segment; undefined where nothing of it is of use. Never rejects. */
  async segment(number: number): Promise<Segment | undefined> {
    const { disk, folder } = this.#options;
    const path = `${folder}/${segmentName(number)}`;
    try {
      const file = await disk.open(path, "read");
      try {
        return await this.#read(number, path, file);
      } finally {
        await file.close().catch(() => {});
      }
    } catch (error) {
      // Anything but a broken device may be over at the next start (permissions, descriptors): then it stays.
      await this.#setAside(number, ioProblem("read", path, error), codeOf(error) === "EIO");
      return undefined;
    }
  }

  async #read(number: number, path: string, file: DiskFile): Promise<Segment | undefined> {
    const size = await file.size();
    const start = new Uint8Array(segmentHeaderBytes);
    if (size >= segmentHeaderBytes) await file.read(start, 0);
    const header = readSegmentHeader(start);
    if (!header.ok && header.fault === "newer_version") {
      const message = `"${path}" was written by a later version of corndog and is left alone`;
      this.damages.push({ reason: "newer_version", file: segmentName(number), region: undefined, message });
      return undefined;
    }
    const id = header.ok ? header.header.id : undefined;
    const reusedBytes = header.ok ? header.header.reusedBytes : 0;
    return await this.#indexed(number, file, size, id) ??
      await this.#scan(number, path, file, size, id, reusedBytes);
  }

  /** A segment that was ended in order. */
  async #indexed(
    number: number,
    file: DiskFile,
    size: number,
    id: number | undefined,
  ): Promise<Segment | undefined> {
    if (size < segmentHeaderBytes + trailerBytes) return undefined;
    const bytes = new Uint8Array(trailerBytes);
    await file.read(bytes, size - trailerBytes);
    const trailer = readTrailer(bytes);
    if (trailer === undefined || trailer.number !== number || trailer.id !== (id ?? trailer.id)) {
      return undefined;
    }
    if (trailer.indexAt + trailer.indexBytes + trailerBytes !== size) return undefined;
    const segment = new Segment({
      number,
      id: trailer.id,
      earlier: true,
      end: trailer.indexAt,
      fileBytes: size,
      batches: trailer.batches,
      records: trailer.records,
      oldestMs: trailer.oldestMs,
      index: undefined,
      trailer,
      ended: true,
    });
    this.#restore(segment);
    return segment;
  }

  /** A segment that was in writing, or whose end is damaged. */
  async #scan(
    number: number,
    path: string,
    file: DiskFile,
    size: number,
    id: number | undefined,
    reusedBytes: number,
  ): Promise<Segment | undefined> {
    this.scanned++;
    const before = await this.#endByNext(number, id);
    const { committedId, committedEnd } = this.#options.cursor;
    const committed = before ?? (committedId === id ? committedEnd : 0);
    const scan = this.#scans.then(() =>
      scanSegment(this.#window ??= new ScanWindow(), file, Math.min(before ?? size, size), id, committed)
    );
    this.#scans = scan.catch(() => {});
    const { index, end, seen, records, oldestMs, id: found, bad } = await scan;
    if (index.length === 0) return await this.#nothing(number, path, file, size, id);
    const segment = new Segment({
      number,
      id: found,
      earlier: true,
      end,
      fileBytes: size,
      batches: index.length,
      records,
      oldestMs,
      index,
      trailer: undefined,
      ended: true,
    });
    segment.loseMissing();
    // What an older segment left in the file is not torn.
    const written = reusedBytes > 0 && size <= reusedBytes ? seen : size;
    this.#report(number, path, bad, Math.min(before ?? written, written) - end);
    this.#restore(segment);
    if (this.#options.mend) await this.#end(path, segment);
    return segment;
  }

  /** How much of a segment was committed, if the one after it says so. */
  async #endByNext(number: number, id: number | undefined): Promise<number | undefined> {
    const { disk, folder } = this.#options;
    const bytes = new Uint8Array(segmentHeaderBytes);
    try {
      const file = await disk.open(`${folder}/${segmentName(number + 1)}`, "read");
      try {
        await file.read(bytes, 0);
      } finally {
        await file.close().catch(() => {});
      }
    } catch {
      return undefined;
    }
    const next = readSegmentHeader(bytes);
    return next.ok && next.header.beforeId === id ? next.header.beforeEnd : undefined;
  }

  /** No batch was found: a segment that was begun and never used, or no segment at all. */
  async #nothing(
    number: number,
    path: string,
    file: DiskFile,
    size: number,
    id: number | undefined,
  ): Promise<undefined> {
    const isRemnant = id !== undefined || size <= segmentHeaderBytes || await isBlank(file, size);
    if (!isRemnant) return void await this.#setAside(number, `"${path}" is not a segment`);
    if (this.#options.mend) await this.#options.disk.unlink(path).catch(() => {});
  }

  /** Cuts the torn end off and writes the index. */
  async #end(path: string, segment: Segment): Promise<void> {
    try {
      const file = await this.#options.disk.open(path, "write");
      try {
        await file.truncate(segment.end);
        await writeIndex(file, segment, this.#options.sync);
      } finally {
        await file.close().catch(() => {});
      }
    } catch {
      // It is scanned again the next time.
    }
  }

  #report(number: number, path: string, bad: readonly BadRegion[], tornBytes: number): void {
    const file = segmentName(number);
    for (const region of bad) {
      if (region.batches === 0) continue;
      const reason = region.acknowledged ? "crc_mismatch" : "torn";
      this.damages.push({ reason, file, region, message: regionMessage(path, region) });
    }
    if (tornBytes === 0 || bad.at(-1)?.acknowledged === true) return;
    const message = `"${path}" ended with ${tornBytes} bytes of a batch that was being written`;
    this.damages.push({ reason: "torn", file, region: undefined, message });
  }

  #restore(segment: Segment): void {
    const progress = this.#progress.get(segment.number);
    if (progress?.id === segment.id) segment.restore(progress.done, progress.records);
  }

  async #setAside(number: number, message: string, rename = true): Promise<void> {
    const { disk, folder } = this.#options;
    const mend = this.#options.mend && rename;
    const name = segmentName(number);
    let problem = message;
    if (mend) {
      try {
        await disk.rename(`${folder}/${name}`, `${folder}/${name}.bad`);
        problem = `${message}; it is now ${name}.bad`;
      } catch (error) {
        if (codeOf(error) === "ENOENT") return;
      }
    }
    this.damages.push({ reason: "unreadable_segment", file: name, region: undefined, message: problem });
  }
}

/** `"…/0000000012.seg" has 2 batches at 64 to 1104 that are damaged` */
export function regionMessage(path: string, { batches, from, to, acknowledged }: BadRegion): string {
  const what = batches === 1 ? "a batch" : `${batches} batches`;
  return `"${path}" has ${what} at ${from} to ${to} that ${batches === 1 ? "is" : "are"} ${
    acknowledged ? "damaged" : "torn"
  }`;
}

/** Only zeros: a file whose size was kept over a power cut, and its bytes not. */
async function isBlank(file: DiskFile, size: number): Promise<boolean> {
  const bytes = new Uint8Array(64 * 1024);
  for (let at = 0; at < size; at += bytes.length) {
    const read = await file.read(bytes, at);
    if (bytes.subarray(0, read).some((byte) => byte !== 0)) return false;
  }
  return true;
}
