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
import { invariant, InvariantError } from "../core/invariant.ts";
import { backoffMs, ioProblem } from "../core/io_problem.ts";
import { crc32c } from "../batch/crc32c.ts";
import type { SpoolClock } from "./clock.ts";
import { type CursorSlot, type CursorState, CursorWriter, emptyCursor, readCursor } from "./cursor.ts";
import type { Disk, DiskFile } from "./disk.ts";
import { segmentName } from "./format.ts";
import { recover, type Recovered } from "./recover.ts";
import { scanSegment, ScanWindow } from "./scan.ts";
import { batchState, type Segment } from "./segment.ts";
import { readIndex, SegmentIndex } from "./segment_index.ts";
import { type Outgoing, SegmentWriter, writeIndex } from "./segment_writer.ts";

/** The cursor is written so long after the first change: at a kill, at most that much comes twice. */
export const cursorDelayMs = 50;
/** The cursor is synced so long after the first change. */
export const syncDelayMs = 1000;
/** Complete segments are removed together. */
export const removalDelayMs = 100;
/** After so many failures a segment stays without an index. */
const indexTriesMax = 10;
/** Files of ended segments that stay open for reading. */
const openFilesMax = 4;

/** What a folder is opened with. */
export interface HomeOptions {
  readonly disk: Disk;
  readonly folder: string;
  readonly clock: SpoolClock;
  /** Commits and indexes are synced. */
  readonly sync: boolean;
  readonly segmentBytesMax: number;
  newId(): number;
  /** Segments were removed: there is room. */
  freed(): void;
  /** Why a chore failed; undefined when one succeeded again. */
  problem(message: string | undefined): void;
}

interface OpenFile {
  readonly file: DiskFile;
  /** Reads in progress. */
  readers: number;
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
  readonly #cursor: CursorWriter;
  readonly #writer: SegmentWriter;
  readonly #files = new Map<Segment, OpenFile>();
  /** Ended segments whose index is not in the file yet, and how often it could not be written. */
  readonly #unindexed = new Map<Segment, number>();
  #window: ScanWindow | undefined;
  #dirtySinceMs: number | undefined;
  #unsyncedSinceMs: number | undefined;
  #timer: unknown;
  #timerAtMs = Infinity;
  #chores: Promise<void> | undefined;
  #attempts = 0;
  #closed = false;
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
    this.recovered = recovered;
    this.segments = recovered.segments;
    this.cursorDamaged = damaged;
    this.clean = state.clean && damaged.length === 0;
    this.#session = state.session + 1;
    this.#cursor = new CursorWriter(options.disk, options.folder, newest);
    this.#writer = new SegmentWriter({
      disk: options.disk,
      folder: options.folder,
      clock: options.clock,
      sync: options.sync,
      segmentBytesMax: options.segmentBytesMax,
      session: this.#session,
      next: Math.max(state.next, recovered.numberMax + 1),
      newId: options.newId,
      began: (segment, file) => {
        this.segments.push(segment);
        this.#files.set(segment, { file, readers: 0 });
      },
      ended: (segment) => {
        this.#unindexed.set(segment, 0);
        this.#plan(0);
      },
    });
  }

  /** Bytes of all segments on the disk. */
  get bytes(): number {
    let bytes = 0;
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
    this.#unsyncedSinceMs ??= this.#options.clock.monoMs();
    this.#plan(syncDelayMs);
    return place;
  }

  /** Ends the segment in writing, so that it may be removed when all of it is done. */
  endSegment(): void {
    if ((this.#writer.current?.batches ?? 0) > 0) this.#writer.end();
  }

  /** A batch with `records` records is done with. */
  settle(segment: Segment, batch: number, records: number, to: number = batchState.settled): void {
    segment.move(batch, to, records);
    const nowMs = this.#options.clock.monoMs();
    this.#dirtySinceMs ??= nowMs;
    this.#unsyncedSinceMs ??= nowMs;
    this.#plan(segment.complete ? removalDelayMs : cursorDelayMs);
  }

  /**
   * The index of a segment, from memory or its file. Undefined if the file does not give it now. Where it is damaged
   * the segment is scanned.
   */
  async index(segment: Segment): Promise<SegmentIndex | undefined> {
    if (segment.index !== undefined) return segment.index;
    try {
      const index = await this.#withFile(segment, (file) => this.#readIndex(segment, file));
      segment.index ??= index;
      return segment.index;
    } catch (error) {
      if (error instanceof InvariantError) throw error;
      this.#options.problem(ioProblem("read", this.#path(segment), error));
      return undefined;
    }
  }

  /** Forgets an index that stands in the file. */
  forgetIndex(segment: Segment): void {
    if (segment.trailer !== undefined && segment.ended) segment.index = undefined;
  }

  /** Fills `into` with the bytes of a segment from `at` on; false where it ends before. @throws the system's error */
  async read(segment: Segment, at: number, into: Uint8Array): Promise<boolean> {
    return await this.#withFile(segment, (file) => file.read(into, at)) === into.length;
  }

  /** Writes nothing more: the folder is somebody else's. */
  halt(): void {
    this.#closed = this.#halted = true;
    this.#options.clock.clear(this.#timer);
  }

  /** Writes what is settled, as durably as can be, and closes the files. */
  async close(clean: boolean): Promise<void> {
    this.#closed = true;
    this.#options.clock.clear(this.#timer);
    await this.#chores;
    this.#writer.end();
    try {
      if (!this.#halted) await this.#finish(clean);
    } catch (error) {
      if (error instanceof InvariantError) throw error;
      this.#options.problem(ioProblem("close", this.folder, error));
    }
    await this.#cursor.close();
    for (const { file } of this.#files.values()) await file.close().catch(() => {});
    this.#files.clear();
  }

  async #finish(clean: boolean): Promise<void> {
    await this.#writeIndexes();
    await this.#removeComplete(clean);
    await this.#cursor.write(this.#state(clean), true);
  }

  /** Says that the folder is in use, and removes what an interrupted removal left. */
  async #begin(): Promise<void> {
    try {
      await this.#cursor.write(this.#state(false), true);
      await this.#removeComplete(false);
    } catch (error) {
      // A full or read-only disk must not keep what is here from being sent.
      this.#options.problem(ioProblem("write", this.folder, error));
      this.#dirtySinceMs = this.#unsyncedSinceMs = this.#options.clock.monoMs();
      this.#attempts = 1;
      this.#planNext();
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

  /** Chores are due in `delayMs`, if they were not before. */
  #plan(delayMs: number): void {
    const { clock } = this.#options;
    const atMs = clock.monoMs() + delayMs;
    if (this.#closed || this.#chores !== undefined || atMs >= this.#timerAtMs) return;
    clock.clear(this.#timer);
    this.#timerAtMs = atMs;
    this.#timer = clock.set(() => {
      this.#timerAtMs = Infinity;
      this.#chores = this.#work();
    }, delayMs);
  }

  async #work(): Promise<void> {
    let failure: unknown;
    try {
      failure = await this.#writeIndexes();
      if (!await this.#removeComplete(false)) await this.#writeCursor();
    } catch (error) {
      if (error instanceof InvariantError) throw error;
      failure = error ?? new Error("unknown");
    }
    if (failure !== undefined) this.#options.problem(ioProblem("write", this.folder, failure));
    else if (this.#attempts > 0) this.#options.problem(undefined);
    this.#attempts = failure === undefined ? 0 : this.#attempts + 1;
    this.#chores = undefined;
    this.#planNext();
  }

  /** What is left to do. */
  #planNext(): void {
    if (this.#attempts > 0) this.#plan(backoffMs(this.#attempts - 1));
    else if (this.#unindexed.size > 0) this.#plan(0);
    else if (this.segments.some((segment) => segment.complete)) this.#plan(removalDelayMs);
    else if (this.#dirtySinceMs !== undefined) this.#plan(cursorDelayMs);
    else if (this.#unsyncedSinceMs !== undefined) {
      this.#plan(Math.max(0, this.#unsyncedSinceMs + syncDelayMs - this.#options.clock.monoMs()));
    }
  }

  /**
   * Writes what indexes are missing; returns what the system refused. A segment on which that fails again and again
   * (the disk may have a bad spot there) stays without one, and holds up nothing else: it is scanned at the next start.
   */
  async #writeIndexes(): Promise<unknown> {
    let failure: unknown;
    for (const [segment, tries] of this.#unindexed) {
      try {
        if (!segment.complete && segment.batches > 0) {
          const open = this.#files.get(segment);
          invariant(open !== undefined, "a segment without an index in its file is open");
          await writeIndex(open.file, segment, this.#options.sync);
          this.forgetIndex(segment);
        }
        this.#unindexed.delete(segment);
      } catch (error) {
        if (error instanceof InvariantError) throw error;
        failure = error ?? new Error("unknown");
        if (tries + 1 < indexTriesMax) this.#unindexed.set(segment, tries + 1);
        else this.#unindexed.delete(segment);
      }
    }
    await this.#closeIdle();
    return failure;
  }

  async #writeCursor(): Promise<void> {
    const unsyncedSinceMs = this.#unsyncedSinceMs;
    if (unsyncedSinceMs === undefined) return;
    const sync = this.#options.clock.monoMs() - unsyncedSinceMs >= syncDelayMs;
    if (this.#dirtySinceMs === undefined && !sync) return;
    await this.#saveCursor(this.#state(false), sync);
  }

  async #saveCursor(state: CursorState, sync: boolean): Promise<void> {
    const dirty = this.#dirtySinceMs;
    const unsynced = this.#unsyncedSinceMs;
    this.#dirtySinceMs = undefined;
    if (sync) this.#unsyncedSinceMs = undefined;
    try {
      await this.#cursor.write(state, sync);
    } catch (error) {
      this.#dirtySinceMs ??= dirty ?? this.#options.clock.monoMs();
      this.#unsyncedSinceMs ??= unsynced ?? this.#options.clock.monoMs();
      throw error;
    }
  }

  /** Removes segments that are complete. True if there were any, and the cursor is written then. */
  async #removeComplete(clean: boolean): Promise<boolean> {
    const complete = this.segments.filter((segment) => segment.complete);
    if (complete.length === 0) return false;
    const { disk } = this.#options;
    await this.#saveCursor(this.#state(clean), true);
    for (const segment of complete) {
      await this.#files.get(segment)?.file.close().catch(() => {});
      this.#files.delete(segment);
      this.#unindexed.delete(segment);
      await disk.unlink(this.#path(segment)).catch(rethrowUnlessAbsent);
      this.segments.splice(this.segments.indexOf(segment), 1);
    }
    await disk.syncFolder(this.folder);
    this.#options.freed();
    return true;
  }

  async #readIndex(segment: Segment, file: DiskFile): Promise<SegmentIndex> {
    const { indexAt, indexBytes, indexCrc, batches, topics } = segment.trailer!;
    const bytes = new Uint8Array(indexBytes);
    if (await file.read(bytes, indexAt) === indexBytes && crc32c(bytes) === indexCrc) {
      const index = readIndex(bytes, batches, topics);
      if (index !== undefined) return index;
    }
    const { index } = await scanSegment(
      this.#window ??= new ScanWindow(),
      file,
      indexAt,
      segment.id,
      indexAt,
    );
    index.length = Math.max(index.length, batches);
    return index;
  }

  #path(segment: Segment): string {
    return `${this.folder}/${segmentName(segment.number)}`;
  }

  async #withFile<T>(segment: Segment, use: (file: DiskFile) => Promise<T>): Promise<T> {
    let open = this.#files.get(segment);
    if (open === undefined) {
      const file = await this.#options.disk.open(this.#path(segment), "read");
      open = this.#files.get(segment);
      if (open === undefined) this.#files.set(segment, open = { file, readers: 0 });
      else await file.close();
    }
    open.readers++;
    try {
      return await use(open.file);
    } finally {
      open.readers--;
      if (this.#files.size > openFilesMax) this.#plan(cursorDelayMs);
    }
  }

  /** Closes files that nobody reads, beyond a few. */
  async #closeIdle(): Promise<void> {
    let over = this.#files.size - openFilesMax;
    for (const [segment, { file, readers }] of this.#files) {
      if (over <= 0) return;
      if (readers > 0 || !segment.ended || this.#unindexed.has(segment)) continue;
      this.#files.delete(segment);
      over--;
      await file.close().catch(() => {});
    }
  }
}

function rethrowUnlessAbsent(error: unknown): void {
  if ((error as { code?: unknown }).code !== "ENOENT") throw error;
}
