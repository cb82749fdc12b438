/**
 * The cursor of one folder: which batches are done with, and which segments may be gone.
 *
 * Two files, `cursor.a` and `cursor.b`, are written in turn, so that a torn write leaves the other:
 *
 *     corndog-cursor 1 <generation> <bytes of the body> <crc32c of the body, hex>
 *     {"session":3,"clean":false,"next":12,"oldest":7,"segments":[{"number":7,"id":…,"records":…,"done":"<bits, base64>"}]}
 *
 * `write` without sync goes again and again to the slot that was not synced last: the process may end at any time,
 * and at a power cut the synced one is still whole. `write` with sync changes the roles. The greatest generation that
 * is whole counts. Neither: all batches of all segments come again, which are duplicates and no loss.
 *
 * What belongs to a segment names its id: numbers may be used again after a cursor was lost.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { crc32c } from "../batch/crc32c.ts";
import { type Disk, type DiskFile, readWhole, writeAll } from "./disk.ts";

/** What is done in one segment. */
export interface SegmentProgress {
  readonly number: number;
  readonly id: number;
  /** Records of the batches that are done. */
  readonly records: number;
  /** A bit per batch; undefined: all of them. */
  readonly done: Uint8Array | undefined;
}

/** The state that a cursor keeps. */
export interface CursorState {
  /** Counts the times the folder was opened. */
  readonly session: number;
  /** The process closed the folder in order. */
  readonly clean: boolean;
  /** No segment with this number or a greater one was ever made. */
  readonly next: number;
  /** Segments before this one are done with and may be missing. */
  readonly oldest: number;
  readonly segments: readonly SegmentProgress[];
  /** The segment in writing, and how much of it was committed when the cursor was written; id 0 where there was none. */
  readonly committedId: number;
  readonly committedEnd: number;
}

/** What a folder begins with. */
export const emptyCursor: CursorState = {
  session: 0,
  clean: true,
  next: 1,
  oldest: 1,
  segments: [],
  committedId: 0,
  committedEnd: 0,
};

const slots = ["cursor.a", "cursor.b"] as const;
const title = "corndog-cursor";
const cursorVersion = 1;
/** A bit per batch of everything that a disk may hold is far below. */
const cursorBytesMax = 64 * 1024 * 1024;

/** One slot, read. */
export interface CursorSlot {
  readonly name: string;
  readonly generation: number;
  readonly state: CursorState;
}

/** What the two files say. */
export interface ReadCursor {
  /** The newest that is whole; undefined where there is none. */
  readonly newest: CursorSlot | undefined;
  /** Files that are there and not whole. */
  readonly damaged: readonly string[];
}

/** Reads both slots of a folder. @throws the system's error */
export async function readCursor(disk: Disk, folder: string): Promise<ReadCursor> {
  const damaged: string[] = [];
  let newest: CursorSlot | undefined;
  for (const name of slots) {
    const bytes = await readWhole(disk, `${folder}/${name}`, cursorBytesMax);
    if (bytes === undefined) continue;
    const slot = decodeCursor(name, bytes);
    if (slot === undefined) damaged.push(name);
    else if (newest === undefined || slot.generation > newest.generation) newest = slot;
  }
  return { newest, damaged };
}

/** Writes the cursor of a folder. One call at a time. */
export class CursorWriter {
  readonly #disk: Disk;
  readonly #folder: string;
  readonly #files: (DiskFile | undefined)[] = [undefined, undefined];
  readonly #named = [false, false];
  /** The slot that was synced last, which must stay as it is. */
  #kept: number;
  /** It was read, not written here: whoever wrote it may not have synced it. */
  #doubtful: boolean;
  #generation: number;

  /** `newest` is what the folder had when it was opened: that slot is kept at first. */
  constructor(disk: Disk, folder: string, newest: CursorSlot | undefined) {
    this.#disk = disk;
    this.#folder = folder;
    this.#kept = newest?.name === slots[1] ? 1 : 0;
    this.#generation = newest?.generation ?? 0;
    this.#doubtful = newest !== undefined;
  }

  /** Writes `state`; with `sync` it survives a power cut when this resolves. @throws the system's error */
  async write(state: CursorState, sync: boolean): Promise<void> {
    if (this.#doubtful) {
      await (await this.#file(this.#kept)).sync();
      this.#doubtful = false;
    }
    const slot = 1 - this.#kept;
    const generation = this.#generation + 1;
    const file = await this.#file(slot);
    await writeAll(file, [encodeCursor(generation, state)], 0);
    this.#generation = generation;
    if (!sync) return;
    await file.sync();
    if (!this.#named[slot]) {
      await this.#disk.syncFolder(this.#folder);
      this.#named[slot] = true;
    }
    this.#kept = slot;
  }

  /** A file that is open; undefined where none is. */
  get path(): string | undefined {
    const slot = this.#files.findIndex((file) => file !== undefined);
    return slot < 0 ? undefined : `${this.#folder}/${slots[slot]!}`;
  }

  /** Closes the files; they are opened again, or made, at the next write. */
  async close(): Promise<void> {
    for (const file of this.#files) await file?.close().catch(() => {});
    this.#files.fill(undefined);
    this.#named.fill(false);
  }

  async #file(slot: number): Promise<DiskFile> {
    return this.#files[slot] ??= await this.#disk.open(`${this.#folder}/${slots[slot]!}`, "write");
  }
}

/** The bytes of a slot. */
export function encodeCursor(generation: number, state: CursorState): Uint8Array {
  const segments = state.segments.map(({ number, id, records, done }) => ({
    number,
    id,
    records,
    done: done === undefined ? "all" : Buffer.from(done).toString("base64"),
  }));
  const body = Buffer.from(`${JSON.stringify({ ...state, segments })}\n`);
  const head = `${title} ${cursorVersion} ${generation} ${body.length} ${crc32c(body).toString(16)}\n`;
  return Buffer.concat([Buffer.from(head), body]);
}

function decodeCursor(name: string, bytes: Uint8Array): CursorSlot | undefined {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const line = text.subarray(0, text.indexOf(10)).toString("latin1").split(" ");
  if (line.length !== 5 || line[0] !== title || Number(line[1]) > cursorVersion) return undefined;
  const start = text.indexOf(10) + 1;
  const body = text.subarray(start, start + Number(line[3]));
  if (body.length !== Number(line[3]) || crc32c(body).toString(16) !== line[4]) return undefined;
  const state = readState(body.toString("utf8"));
  return state === undefined ? undefined : { name, generation: Number(line[2]), state };
}

/** A body whose checksum holds was written by this program or by hand; both are checked. */
function readState(text: string): CursorState | undefined {
  try {
    const { session, clean, next, oldest, segments, committedId, committedEnd } = JSON.parse(text);
    if (![session, next, oldest].every(Number.isSafeInteger) || !Array.isArray(segments)) return undefined;
    return {
      session,
      clean: clean === true,
      next,
      oldest,
      committedId: Number(committedId),
      committedEnd: Number(committedEnd),
      segments: segments.map(({ number, id, records, done }) => ({
        number: Number(number),
        id: Number(id),
        records: Number(records),
        done: done === "all" ? undefined : new Uint8Array(Buffer.from(String(done), "base64")),
      })),
    };
  } catch {
    return undefined;
  }
}
