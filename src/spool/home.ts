/**
 * One folder of segments with its cursor: a worker's own, one taken over from a worker that is no more, or the place
 * of a parked topic. All are the same.
 *
 *     w0/  cursor.a  cursor.b  0000000012.seg  0000000013.seg  …  quarantine/  parked/TOPIC/…
 *
 * It promises
 *   - what is settled is in the cursor within `cursorDelayMs` (the process may then end), and within `syncDelayMs`
 *     survives a power cut;
 *   - a segment is removed after a cursor that says that all of it is done is durable, and the folder is synced then;
 *   - no chore that fails (a full or broken disk) loses anything: it is tried again.
 *
 * Chores (indexes, cursor, removal) run one after the other, beside commits and reads.
 *
 * @module
 */
import { ForwarderError } from "../core/errors.ts";
import { InvariantError } from "../core/invariant.ts";
import { ioProblem } from "../core/io_problem.ts";
import { Chores } from "./chores.ts";
import type { SpoolClock } from "./clock.ts";
import { type CursorSlot, type CursorState, CursorWriter, emptyCursor, readCursor } from "./cursor.ts";
import { cursorDelayMs, CursorDuty, syncDelayMs } from "./cursor_duty.ts";
import { type Disk, type DiskFile, isThere } from "./disk.ts";
import { MissingIndexes } from "./missing_indexes.ts";
import { recover, type Recovered } from "./recover.ts";
import { ScanWindow } from "./scan.ts";
import { batchState, type Segment } from "./segment.ts";
import { SegmentFiles } from "./segment_files.ts";
import type { SegmentIndex } from "./segment_index.ts";
import { type Outgoing, SegmentWriter } from "./segment_writer.ts";
import { SpareSegments } from "./spare_segments.ts";
import { scannedIndex, storedIndex } from "./stored_index.ts";

/** Complete segments are removed together. */
export const removalDelayMs = 100;
/** Spare files are removed when nothing was committed for so long. */
export const spareIdleMs = 10_000;
/** Files of segments that were ended early are not worth it. */
const spareShare = 1 / 2;

/** What a folder is opened with. */
export interface HomeOptions {
  readonly disk: Disk;
  readonly folder: string;
  readonly clock: SpoolClock;
  /** Commits and indexes are synced. */
  readonly sync: boolean;
  readonly segmentBytesMax: number;
  /** Files of segments are written over again: a folder into which much is written. */
  readonly reuses?: boolean;
  newId(): number;
  /** Segments were removed: there is room. */
  freed(): void;
  /** Why a chore failed; undefined when one succeeded again. */
  problem(message: string | undefined): void;
  /** What happens to segments and the cursor, for who wants to follow it. */
  tell?(event: string, fields: Record<string, unknown>): void;
}

/** One folder. */
export class Home {
  readonly folder: string;
  /** By number; the newest last. */
  readonly segments: Segment[];
  readonly recovered: Recovered;
  /** The former process closed it in order (or there was none). */
  readonly clean: boolean;
  readonly cursorDamaged: readonly string[];
  readonly #options: HomeOptions;
  readonly #session: number;
  readonly #cursor: CursorDuty;
  readonly #writer: SegmentWriter;
  readonly #files: SegmentFiles;
  readonly #unindexed: MissingIndexes;
  readonly #spares: SpareSegments;
  #committedAtMs = 0;
  #window: ScanWindow | undefined;
  readonly #chores: Chores;
  #halted = false;

  /** @throws the system's error if the folder cannot be made or listed */
  static async open(options: HomeOptions): Promise<Home> {
    await options.disk.makeFolder(options.folder);
    const { newest, damaged } = await readCursor(options.disk, options.folder);
    const recovered = await recover({ ...options, cursor: newest?.state ?? emptyCursor, mend: true });
    const home = new Home(options, newest, damaged, recovered);
    await home.#begin();
    return home;
  }

  private constructor(
    options: HomeOptions,
    newest: CursorSlot | undefined,
    damaged: readonly string[],
    recovered: Recovered,
  ) {
    const state = newest?.state ?? emptyCursor;
    this.folder = options.folder;
    this.#options = options;
    this.#files = new SegmentFiles(options.disk, options.folder);
    this.#unindexed = new MissingIndexes(this.#files, options.sync);
    const spareBytesMin = options.reuses === true ? options.segmentBytesMax * spareShare : Infinity;
    this.#spares = new SpareSegments(options.disk, options.folder, spareBytesMin);
    this.recovered = recovered;
    this.segments = recovered.segments;
    this.cursorDamaged = damaged;
    this.clean = state.clean && damaged.length === 0;
    this.#session = state.session + 1;
    const writer = new CursorWriter(options.disk, options.folder, newest);
    this.#cursor = new CursorDuty(writer, options.clock, (state) => this.#tellCursor(state));
    this.#chores = new Chores({
      clock: options.clock,
      folder: options.folder,
      work: () => this.#work(),
      nextMs: () => this.#nextMs(),
      problem: options.problem,
    });
    this.#writer = new SegmentWriter({
      disk: options.disk,
      folder: options.folder,
      clock: options.clock,
      sync: options.sync,
      segmentBytesMax: options.segmentBytesMax,
      session: this.#session,
      next: Math.max(state.next, recovered.numberMax + 1),
      newId: options.newId,
      spares: this.#spares,
      began: (segment, file) => {
        this.segments.push(segment);
        this.#files.add(segment, file);
        this.#tellOf("spool_segment_begun", segment, { bytes: segment.fileBytes });
      },
      ended: (segment) => {
        this.#unindexed.add(segment);
        this.#chores.plan(0);
        const { batches, records, end } = segment;
        this.#tellOf("spool_segment_ended", segment, { batches, records, bytes: end });
      },
    });
  }

  /** Bytes of all segments on the disk, and of files that they leave for others. */
  get bytes(): number {
    let bytes = this.#spares.bytes;
    for (const segment of this.segments) bytes += segment.fileBytes;
    return bytes;
  }

  /** The segment in writing. */
  get current(): Segment | undefined {
    return this.#writer.current;
  }

  /** True while no segment is left. */
  get empty(): boolean {
    return this.segments.length === 0;
  }

  /** Writes a group at the end. @throws the system's error; nothing changed then */
  async commit(
    group: readonly Outgoing[],
  ): Promise<{ readonly segment: Segment; readonly first: number }> {
    if (this.#halted) {
      throw new ForwarderError("spool_locked", `Cannot write into "${this.folder}": another process has it`);
    }
    const place = await this.#writer.commit(group);
    this.#committedAtMs = this.#options.clock.monoMs();
    this.#cursor.committed();
    this.#chores.plan(syncDelayMs);
    return place;
  }

  /** Removes what is only kept to be written over: there is no room. False where there was nothing. Never rejects. */
  async dropSpares(): Promise<boolean> {
    try {
      const dropped = await this.#spares.drop();
      if (dropped) this.#options.freed();
      return dropped;
    } catch (error) {
      this.#options.problem(ioProblem("write", this.folder, error));
      return false;
    }
  }

  /** Ends the segment in writing, so that it may be removed when all of it is done. */
  endSegment(): void {
    if ((this.#writer.current?.batches ?? 0) > 0) this.#writer.end();
  }

  /** A batch with `records` records is done with. */
  settle(segment: Segment, batch: number, records: number, to: number = batchState.settled): void {
    segment.move(batch, to, records);
    this.#cursor.settled();
    this.#chores.plan(segment.complete ? removalDelayMs : cursorDelayMs);
  }

  /**
   * The index of a segment, from memory or its file. Undefined if the file does not give it now. Where it is damaged
   * the segment is scanned.
   */
  async index(segment: Segment): Promise<SegmentIndex | undefined> {
    if (segment.index !== undefined) return segment.index;
    try {
      const index = await this.#read(segment, (file) => this.#readIndex(segment, file));
      segment.index ??= index;
      return segment.index;
    } catch (error) {
      if (error instanceof InvariantError) throw error;
      this.#options.problem(ioProblem("read", this.#files.pathOf(segment), error));
      return undefined;
    }
  }

  /** Fills `into` with the bytes of a segment from `at` on; false where it ends before. @throws the system's error */
  async read(segment: Segment, at: number, into: Uint8Array): Promise<boolean> {
    return await this.#read(segment, (file) => file.read(into, at)) === into.length;
  }

  /**
   * Makes the folder anew if somebody removed it, so that what is written from here on goes into files that have a
   * name. True if it was so. @throws the system's error
   */
  async revive(): Promise<boolean> {
    const { disk } = this.#options;
    const { current } = this;
    const path = current === undefined ? this.#cursor.path : this.#files.pathOf(current);
    if (path === undefined || await isThere(disk, path)) return false;
    await disk.makeFolder(this.folder);
    this.#writer.end();
    await this.#cursor.reopen();
    this.#cursor.settled();
    this.#chores.plan(0);
    return true;
  }

  /** Writes nothing more: the folder is somebody else's. */
  halt(): void {
    this.#halted = true;
    this.#chores.stop();
  }

  /** Writes what is settled, as durably as can be, and closes the files. */
  async close(clean: boolean): Promise<void> {
    this.#chores.stop();
    await this.#chores.rest();
    this.#writer.end();
    try {
      if (!this.#halted) await this.#finish(clean);
    } catch (error) {
      if (error instanceof InvariantError) throw error;
      this.#options.problem(ioProblem("close", this.folder, error));
    }
    await this.#cursor.close();
    await this.#files.closeAll();
  }

  async #finish(clean: boolean): Promise<void> {
    await this.#unindexed.write();
    await this.#removeComplete(clean);
    await this.#cursor.save(this.#state(clean), true);
    // What stays of them goes at the next start.
    await this.#spares.drop().catch(() => {});
  }

  /** Says that the folder is in use, and removes what an interrupted removal left. */
  async #begin(): Promise<void> {
    try {
      await this.#cursor.save(this.#state(false), true);
      await this.#removeComplete(false);
    } catch (error) {
      // A full or read-only disk must not keep what is here from being sent.
      this.#cursor.settled();
      this.#chores.failed(error);
    }
  }

  #state(clean: boolean): CursorState {
    const segments = [];
    let oldest = this.#writer.next;
    for (const segment of this.segments) {
      if (!segment.complete) oldest = Math.min(oldest, segment.number);
      if (segment.doneBatches === 0) continue;
      const done = segment.doneBatches === segment.batches && segment.ended ? undefined : segment.doneBits();
      segments.push({ number: segment.number, id: segment.id, records: segment.doneRecords, done });
    }
    const current = this.#writer.current;
    return {
      session: this.#session,
      clean,
      next: this.#writer.next,
      oldest,
      segments,
      committedId: current?.id ?? 0,
      committedEnd: current?.end ?? 0,
    };
  }

  async #work(): Promise<unknown> {
    const failure = await this.#unindexed.write();
    await this.#files.closeIdle((segment) => this.#unindexed.has(segment));
    if (!await this.#removeComplete(false)) await this.#cursor.write(() => this.#state(false));
    if (this.#sparesGoMs() === 0) await this.#spares.drop();
    return failure;
  }

  /** When something is left to do. */
  #nextMs(): number | undefined {
    if (this.#unindexed.size > 0) return 0;
    return this.segments.some((segment) => segment.complete)
      ? removalDelayMs
      : this.#cursor.delayMs ?? this.#sparesGoMs();
  }

  /** When spare files are to be removed; undefined where there are none. */
  #sparesGoMs(): number | undefined {
    if (this.#spares.bytes === 0) return undefined;
    return Math.max(0, this.#committedAtMs + spareIdleMs - this.#options.clock.monoMs());
  }

  /** Removes segments that are complete. True if there were any, and the cursor is written then. */
  async #removeComplete(clean: boolean): Promise<boolean> {
    const complete = this.segments.filter((segment) => segment.complete);
    if (complete.length === 0) return false;
    const { disk } = this.#options;
    await this.#cursor.save(this.#state(clean), true);
    for (const segment of complete) {
      await this.#files.close(segment);
      this.#unindexed.delete(segment);
      const path = this.#files.pathOf(segment);
      const kept = this.#spares.wants(segment.fileBytes);
      const leaves = kept ? this.#spares.keep(path, segment.number, segment.fileBytes) : disk.unlink(path);
      await leaves.catch(rethrowUnlessAbsent);
      this.segments.splice(this.segments.indexOf(segment), 1);
      const { records, fileBytes } = segment;
      this.#tellOf("spool_segment_removed", segment, { records, bytes: fileBytes, kept_for_the_next: kept });
    }
    await disk.syncFolder(this.folder);
    this.#spares.synced();
    this.#options.freed();
    return true;
  }

  #tellOf(event: string, segment: Segment, fields: Record<string, unknown>): void {
    this.#options.tell?.(event, { folder: this.folder, segment: segment.number, ...fields });
  }

  #tellCursor({ session, oldest, next, segments }: CursorState): void {
    const settled = segments.reduce((sum, { records }) => sum + records, 0);
    this.#options.tell?.("spool_cursor_synced", { folder: this.folder, session, oldest, next, settled });
  }

  async #readIndex(segment: Segment, file: DiskFile): Promise<SegmentIndex> {
    return await storedIndex(segment, file) ??
      await scannedIndex(this.#window ??= new ScanWindow(), segment, file);
  }

  async #read<T>(segment: Segment, use: (file: DiskFile) => Promise<T>): Promise<T> {
    try {
      return await this.#files.read(segment, use);
    } finally {
      if (this.#files.overfull) this.#chores.plan(cursorDelayMs);
    }
  }
}

function rethrowUnlessAbsent(error: unknown): void {
  if ((error as { code?: unknown }).code !== "ENOENT") throw error;
}
