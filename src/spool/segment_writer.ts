/**
 * Appends batches to the newest segment of a folder, a group at a time, and begins and ends segments.
 *
 *     commit(group): [begin a segment]  stamp heads  write  [sync]  ── then, and not before, they are in the segment
 *
 * It promises
 *   - a segment's name is durable before the first commit in it is (`fsync`);
 *   - after a failed write the file is cut back to what was committed, or left for good and a new one begun;
 *   - after a failed sync the file is left for good: the system may have dropped what it could not write and say
 *     nothing the second time;
 *   - a failed commit changed nothing: the same group may be committed again.
 *
 * @module
 */
import type { SpoolClock } from "./clock.ts";
import { type Disk, type DiskFile, isThere, writeAll } from "./disk.ts";
import { crc32c } from "../batch/crc32c.ts";
import {
  encodeSegmentHeader,
  encodeTrailer,
  groupBatchesMax,
  segmentHeaderBytes,
  segmentName,
  type Trailer,
  trailerBytes,
} from "./format.ts";
import { invariant } from "../core/invariant.ts";
import { codeOf } from "../core/io_problem.ts";
import { Segment } from "./segment.ts";
import { SegmentIndex } from "./segment_index.ts";
import type { SpareSegments } from "./spare_segments.ts";

/** Batches of one segment: its index is encoded in one go, which must not hold the loop. */
export const segmentBatchesMax = 16_384;

/** A batch on its way into a segment. */
export interface Outgoing {
  readonly topic: string;
  readonly headBytes: number;
  readonly recordBytes: number;
  readonly count: number;
  readonly timestampMs: number;
  /** Writes the head for this place and returns head and records in one piece. */
  stamp(segmentId: number, index: number, groupPlace: number): Uint8Array;
}

/** What a writer is made of. */
export interface SegmentWriterOptions {
  readonly disk: Disk;
  readonly folder: string;
  readonly clock: SpoolClock;
  /** Commits are synced. */
  readonly sync: boolean;
  /** A segment ends when the next group would make it larger. */
  readonly segmentBytesMax: number;
  readonly session: number;
  /** Number of the first segment. */
  readonly next: number;
  /** A random 32-bit number that is not 0. */
  newId(): number;
  /** Files to be written over. */
  readonly spares?: SpareSegments | undefined;
  /** A segment was begun; the folder keeps it. */
  began(segment: Segment, file: DiskFile): void;
  /** A segment takes no more batches; whoever owns it calls `writeIndex` when nothing hurries. */
  ended(segment: Segment, file: DiskFile): void;
}

/** The writing end of one folder. One commit at a time. */
export class SegmentWriter {
  readonly #options: SegmentWriterOptions;
  #next: number;
  #current: { readonly segment: Segment; readonly file: DiskFile } | undefined;
  #before: Segment | undefined;

  constructor(options: SegmentWriterOptions) {
    this.#options = options;
    this.#next = options.next;
  }

  /** Number of the next segment. */
  get next(): number {
    return this.#next;
  }

  /** The segment in writing. */
  get current(): Segment | undefined {
    return this.#current?.segment;
  }

  /** Writes a group; resolves when it is committed, with the segment and the index of its first batch. @throws the system's error */
  async commit(group: readonly Outgoing[]): Promise<{ readonly segment: Segment; readonly first: number }> {
    invariant(
      group.length > 0 && group.length <= groupBatchesMax,
      "a commit has some batches and not too many",
    );
    const { segment, file } = await this.#room(group);
    const first = segment.batches;
    const views = group.map((outgoing, place) => outgoing.stamp(segment.id, first + place, place));
    let synced = true;
    try {
      await writeAll(file, views, segment.end);
      synced = !this.#options.sync;
      if (!synced) await file.sync();
    } catch (error) {
      await this.#undo(synced);
      throw error;
    }
    for (const { topic, headBytes, recordBytes, count, timestampMs } of group) {
      segment.index!.set(segment.batches, segment.end, headBytes, recordBytes, count, topic);
      segment.add(count, timestampMs);
      segment.end += headBytes + recordBytes;
    }
    segment.fileBytes = Math.max(segment.fileBytes, segment.end);
    return { segment, first };
  }

  /** Ends the segment in writing, if there is one. */
  end(): void {
    const current = this.#current;
    if (current === undefined) return;
    this.#current = undefined;
    this.#before = current.segment;
    current.segment.ended = true;
    this.#options.ended(current.segment, current.file);
  }

  /** The segment for a group: the one in writing, or a new one. */
  async #room(group: readonly Outgoing[]): Promise<{ readonly segment: Segment; readonly file: DiskFile }> {
    const current = this.#current;
    if (current !== undefined) {
      const bytes = group.reduce((sum, { headBytes, recordBytes }) => sum + headBytes + recordBytes, 0);
      const { segment } = current;
      const fits = segment.end + bytes <= this.#options.segmentBytesMax &&
        segment.batches + group.length <= segmentBatchesMax && !segment.index!.topicsFull;
      if (fits || segment.batches === 0) return current;
      this.end();
    }
    return this.#current = await this.#begin();
  }

  async #begin(): Promise<{ readonly segment: Segment; readonly file: DiskFile }> {
    const { disk, folder, clock, sync, session, newId, began } = this.#options;
    const { file, path, reusedBytes } = await this.#open();
    const number = this.#next;
    const name = this.#pathOf(number);
    const id = newId();
    const header = encodeSegmentHeader({
      id,
      number,
      session,
      madeAtMs: clock.epochMs(),
      beforeId: this.#before?.id ?? 0,
      beforeEnd: this.#before?.end ?? 0,
      reusedBytes,
    });
    try {
      await writeAll(file, [header], 0);
      if (sync) await file.sync();
      // With this header, what an older segment left in the file is nothing.
      if (path !== name) await disk.rename(path, name);
      if (sync) await disk.syncFolder(folder);
    } catch (error) {
      await file.close().catch(() => {});
      await disk.unlink(path).catch(() => {});
      if (path !== name) await disk.unlink(name).catch(() => {});
      throw error;
    }
    const segment = new Segment({
      number,
      id,
      earlier: false,
      end: segmentHeaderBytes,
      fileBytes: Math.max(segmentHeaderBytes, reusedBytes),
      batches: 0,
      records: 0,
      oldestMs: Infinity,
      index: new SegmentIndex(),
      trailer: undefined,
      ended: false,
    });
    this.#next = number + 1;
    began(segment, file);
    return { segment, file };
  }

  /** A file for the next segment: a spare one, which has another name yet, or a new one. */
  async #open(): Promise<{ file: DiskFile; path: string; reusedBytes: number }> {
    const { disk, spares } = this.#options;
    const spare = spares?.take();
    if (spare === undefined) {
      const path = this.#pathOf(this.#next);
      return { file: await this.#create(path), path, reusedBytes: 0 };
    }
    try {
      // A rename would take a stranger's place.
      while (await isThere(disk, this.#pathOf(this.#next))) this.#next++;
      return { file: await disk.open(spare.path, "write"), path: spare.path, reusedBytes: spare.bytes };
    } catch (error) {
      spares!.giveBack(spare);
      throw error;
    }
  }

  /** A name that is taken, by what a failed beginning left or by a stranger, is passed over. */
  async #create(path: string): Promise<DiskFile> {
    try {
      return await this.#options.disk.open(path, "create");
    } catch (error) {
      if (codeOf(error) === "EEXIST") this.#next++;
      throw error;
    }
  }

  #pathOf(number: number): string {
    return `${this.#options.folder}/${segmentName(number)}`;
  }

  /** Takes back what a failed commit may have written. */
  async #undo(synced: boolean): Promise<void> {
    const { segment, file } = this.#current!;
    try {
      if (synced) {
        await file.truncate(segment.end);
        segment.fileBytes = segment.end;
        return;
      }
    } catch {
      // The file is of no use any more either.
    }
    this.end();
  }
}

/** Writes index and trailer behind the batches of a segment that ended. @throws the system's error */
export async function writeIndex(file: DiskFile, segment: Segment, sync: boolean): Promise<void> {
  const index = segment.index!;
  const bytes = index.encode();
  const trailer: Trailer = {
    indexAt: segment.end,
    batches: segment.batches,
    topics: index.topics.length,
    indexBytes: bytes.length,
    records: segment.records,
    indexCrc: crc32c(bytes),
    oldestMs: segment.oldestMs,
    id: segment.id,
    number: segment.number,
  };
  await writeAll(file, [bytes, encodeTrailer(trailer)], segment.end);
  const fileBytes = segment.end + bytes.length + trailerBytes;
  await file.truncate(fileBytes);
  if (sync) await file.sync();
  segment.fileBytes = fileBytes;
  segment.trailer = trailer;
}
