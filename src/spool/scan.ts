/**
 * Reads a segment from its beginning to its end and tells batches from damage, without believing anything but
 * checksums.
 *
 *     whole      head and records have their checksums: it is in the index
 *     damaged    in front of the last commit: it was acknowledged, and is counted
 *     torn       in the last commit, or behind the last whole batch: never acknowledged, cut off or passed over
 *
 * Which commit a batch belongs to stands in its head; so a commit that was torn in its middle by a power cut is not
 * mistaken for damage. At the very end of a file damage cannot be told from tearing.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { crc32c } from "../batch/crc32c.ts";
import { createKernel } from "../kernel/instance.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { DiskFile } from "./disk.ts";
import { type BatchHead, batchMagic, headBytesMax, readHead, segmentHeaderBytes } from "./format.ts";
import { SegmentIndex } from "./segment_index.ts";

/** Bytes of a segment that are in memory at a time; a larger batch is read by itself. */
const windowBytes = 4 * 1024 * 1024;

/** "BTCH" as it stands in the file. */
const magicBytes = Buffer.alloc(4);
magicBytes.writeUInt32LE(batchMagic);

/** A stretch of a file that is no whole batch. */
export interface BadRegion {
  readonly from: number;
  readonly to: number;
  /** Index of the first batch that is missing here, and how many are. */
  readonly index: number;
  readonly batches: number;
  /** Records in it; undefined where no head says so. */
  readonly records: number | undefined;
  /** It was in a commit that later ones followed, so it had been acknowledged. */
  readonly acknowledged: boolean;
}

/** What a scan found. */
export interface ScannedSegment {
  readonly index: SegmentIndex;
  /** End of the last whole batch. */
  readonly end: number;
  /** End of the last batch whose head is whole. */
  readonly seen: number;
  /** Records of whole batches. */
  readonly records: number;
  readonly oldestMs: number;
  /** The id that all whole batches name; 0 where there is none. */
  readonly id: number;
  readonly bad: readonly BadRegion[];
}

/** A part of a file in memory, where checksums are fast. One for many files, one file at a time. */
export class ScanWindow {
  readonly #kernel: Kernel;
  readonly #view: DataView;
  readonly #buffer: Buffer;
  readonly #checksum: (at: number, length: number) => number;
  /** The file's bytes [#from, #from + #length) lie at the arena's beginning. */
  #from = 0;
  #length = 0;
  #file: DiskFile | undefined;

  constructor() {
    this.#kernel = createKernel({
      arenaBytes: windowBytes,
      frameBytesMax: 1024,
      pieceBytes: 1024,
      rowsMax: 1,
      scratchBytes: 1024,
    });
    const { bytes } = this.#kernel;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#checksum = (at, length) => this.#kernel.crc32c(at, length);
  }

  /** Turns to a file. */
  open(file: DiskFile): void {
    this.#file = file;
    this.#length = 0;
  }

  /** The head at `at`; undefined where there is none that is whole. */
  async head(at: number, size: number): Promise<BatchHead | undefined> {
    const bytes = Math.min(headBytesMax, size - at);
    const place = await this.#load(at, bytes);
    return place === undefined ? undefined : readHead(this.#view, place, place + bytes, this.#checksum);
  }

  /** CRC-32C of the file's bytes [at, at + length); undefined where the file ends before. */
  async crc(at: number, length: number): Promise<number | undefined> {
    if (length > windowBytes) {
      const bytes = new Uint8Array(length);
      return await this.#file!.read(bytes, at) === length ? crc32c(bytes) : undefined;
    }
    const place = await this.#load(at, length);
    return place === undefined ? undefined : this.#kernel.crc32c(place, length);
  }

  /** The next place from `at` on where a batch may begin, or `size`. */
  async findMagic(at: number, size: number): Promise<number> {
    for (let from = at; from + magicBytes.length <= size;) {
      const bytes = Math.min(windowBytes, size - from);
      const place = await this.#load(from, bytes);
      if (place === undefined) return size;
      const found = this.#buffer.subarray(place, place + bytes).indexOf(magicBytes);
      if (found >= 0) return from + found;
      from += bytes - magicBytes.length + 1;
    }
    return size;
  }

  /** Brings the file's bytes [at, at + length) into memory; their offset there, undefined where the file ends before. */
  async #load(at: number, length: number): Promise<number | undefined> {
    const base = this.#kernel.arenaAt;
    if (at < this.#from || at + length > this.#from + this.#length) {
      this.#length = 0;
      this.#length = await this.#file!.read(this.#kernel.bytes.subarray(base, base + windowBytes), at);
      this.#from = at;
    }
    return at + length <= this.#from + this.#length ? base + at - this.#from : undefined;
  }
}

interface Found {
  readonly at: number;
  readonly head: BatchHead;
  readonly whole: boolean;
}

/**
 * Scans the first `size` bytes of a segment whose header names `id`; undefined believes the first batch. What lies
 * before `committedEnd` is known to have been committed, so that nothing there is merely torn.
 *
 * @throws the system's error
 */
export async function scanSegment(
  window: ScanWindow,
  file: DiskFile,
  size: number,
  id: number | undefined,
  committedEnd = 0,
): Promise<ScannedSegment> {
  window.open(file);
  const index = new SegmentIndex();
  const bad: Omit<BadRegion, "acknowledged">[] = [];
  let knownId = id;
  let at = segmentHeaderBytes;
  let badFrom = at;
  let next = 0;
  let end = at;
  let records = 0;
  let oldestMs = Infinity;
  let lastCommit = 0;
  while (at < size) {
    const found = await find(window, at, size, knownId, next);
    if (found === undefined) break;
    const { head } = found;
    const bytes = head.headBytes + head.recordBytes;
    knownId ??= head.segmentId;
    if (found.at > badFrom) {
      bad.push({ from: badFrom, to: found.at, index: next, batches: head.index - next, records: undefined });
    }
    if (found.whole) {
      index.set(head.index, found.at, head.headBytes, head.recordBytes, head.count, head.topic);
      end = found.at + bytes;
      records += head.count;
      oldestMs = Math.min(oldestMs, head.baseTimestampMs);
      lastCommit = head.index - head.groupPlace;
    } else {
      bad.push({
        from: found.at,
        to: found.at + bytes,
        index: head.index,
        batches: 1,
        records: head.count,
      });
    }
    next = head.index + 1;
    at = badFrom = found.at + bytes;
  }
  // Nobody knows how many batches were behind the last one that is whole.
  if (badFrom < committedEnd) {
    bad.push({ from: badFrom, to: committedEnd, index: next, batches: 1, records: undefined });
  }
  return {
    index,
    end,
    seen: badFrom,
    records,
    oldestMs,
    id: knownId ?? 0,
    bad: bad.filter(({ from }) => from < Math.max(end, committedEnd)).map((region) => ({
      ...region,
      acknowledged: region.from < committedEnd || region.index < lastCommit,
    })),
  };
}

/** The next head of this segment from `at` on, and whether its records are whole. */
async function find(
  window: ScanWindow,
  at: number,
  size: number,
  id: number | undefined,
  next: number,
): Promise<Found | undefined> {
  for (let place = at; place < size; place = await window.findMagic(place + 1, size)) {
    const head = await window.head(place, size);
    if (head === undefined || head.index < next || (id ?? head.segmentId) !== head.segmentId) continue;
    const recordsAt = place + head.headBytes;
    if (recordsAt + head.recordBytes > size) continue;
    const whole = await window.crc(recordsAt, head.recordBytes) === head.recordCrc;
    return { at: place, head, whole };
  }
  return undefined;
}
