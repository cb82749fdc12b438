/**
 * Which replayed batches were on their way when the process died, so that one that kills it is found and set aside.
 *
 * After an end that was no `close`, batches of earlier sessions are noted in the file `inflight` before they are
 * handed out, at most `watchedMax` at a time, and crossed out when they are settled or have been out for
 * `survivalMs` without harm. Who is still noted at the next start was there at the crash:
 *
 *     out at a crash, in company  it goes alone the next time
 *     out at the next one, alone  alone again, after the process has lived for `survivalMs` while nobody was out
 *     out at the next one too     quarantined
 *
 * The rest before the last try is the proof: a process that something else ends soon after its start, again and again,
 * does not survive it, and then the batch stays where it is. A kill from outside would have to hit the same batch
 * alone twice in a row, the second time after the rest. The file is written in place, without sync: only the process
 * dies, not the machine.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { crc32c } from "../batch/crc32c.ts";
import type { SpoolClock } from "./clock.ts";
import { type Disk, type DiskFile, readWhole, writeAll } from "./disk.ts";

/** Batches that are watched at the same time. */
export const watchedMax = 8;
/** Whoever was out so long did not kill the process. */
export const survivalMs = 1000;
/** Crashes after which a batch is set aside: one in company, two alone. */
export const crashesMax = 3;

const fileName = "inflight";
const fileBytesMax = 64 * 1024;

/** A batch that was out at a crash. */
export interface Suspect {
  readonly segmentId: number;
  readonly batch: number;
  /** Crashes in a row at which it was out. */
  readonly crashes: number;
}

/** Reads who was out when the former process ended; nobody where the file is absent or torn. */
export async function readSuspects(disk: Disk, folder: string): Promise<Suspect[]> {
  const bytes = await readWhole(disk, `${folder}/${fileName}`, fileBytesMax);
  if (bytes === undefined) return [];
  const text = Buffer.from(bytes).toString("latin1");
  const [, crc, body] = /^([0-9a-f]{8}) (\[.*\])\n/.exec(text) ?? [];
  if (body === undefined || crcOf(body) !== crc) return [];
  return (JSON.parse(body) as [number, number, number][]).map(([segmentId, batch, crashes]) => ({
    segmentId,
    batch,
    crashes,
  }));
}

/** The notes of one folder. */
export class SuspectNotes {
  readonly #disk: Disk;
  readonly #folder: string;
  readonly #clock: SpoolClock;
  readonly #acquitted: () => void;
  readonly #before = new Map<string, Suspect>();
  readonly #out = new Map<string, Suspect & { readonly sinceMs: number }>();
  #file: DiskFile | undefined;
  #timer: unknown;
  #restTimer: unknown;
  /** The process has lived for long enough without the suspects. */
  #rested = false;
  /** Writes take turns. */
  #written: Promise<void> = Promise.resolve();

  /** `before`: who was out at the last crash; `acquitted` is called when some may go. */
  constructor(
    disk: Disk,
    folder: string,
    clock: SpoolClock,
    before: readonly Suspect[],
    acquitted: () => void,
  ) {
    this.#disk = disk;
    this.#folder = folder;
    this.#clock = clock;
    this.#acquitted = acquitted;
    for (const suspect of before) this.#before.set(nameOf(suspect.segmentId, suspect.batch), suspect);
  }

  /** Crashes in a row at which the batch was out. */
  crashesOf(segmentId: number, batch: number): number {
    return this.#before.get(nameOf(segmentId, batch))?.crashes ?? 0;
  }

  /** True if the batch may be handed out now: a suspect goes alone, others a few at a time. */
  mayGo(segmentId: number, batch: number): boolean {
    const outside = [...this.#out.values()];
    const crashes = this.crashesOf(segmentId, batch);
    if (crashes === 0) return outside.length < watchedMax && outside.every(({ crashes }) => crashes === 1);
    if (outside.length > 0) return false;
    return crashes < crashesMax - 1 || this.#hasRested();
  }

  /** Notes a batch before it is handed out. @throws the system's error */
  async note(segmentId: number, batch: number): Promise<void> {
    const crashes = this.crashesOf(segmentId, batch) + 1;
    const sinceMs = this.#clock.monoMs();
    this.#out.set(nameOf(segmentId, batch), { segmentId, batch, crashes, sinceMs });
    this.#timer ??= this.#clock.set(() => this.#acquit(), survivalMs);
    await this.#write();
  }

  /** The batch is done with, or back. The file says so with the next note. */
  cross(segmentId: number, batch: number): void {
    this.#out.delete(nameOf(segmentId, batch));
  }

  /** Nobody is out: the process ends in order. */
  async close(): Promise<void> {
    try {
      this.#clock.clear(this.#timer);
      this.#clock.clear(this.#restTimer);
      if (this.#file !== undefined || this.#before.size > 0) {
        this.#out.clear();
        await this.#write();
      }
      await this.#file?.close();
    } catch {
      // Then some are noted who did nothing; they go alone once.
    }
    this.#file = undefined;
  }

  /** Whether the process has lived for `survivalMs` since this was asked first, while nobody is out. */
  #hasRested(): boolean {
    if (!this.#rested) {
      this.#restTimer ??= this.#clock.set(() => {
        this.#rested = true;
        this.#acquitted();
      }, survivalMs);
    }
    return this.#rested;
  }

  /** Crosses out who has been out for long enough, for good. */
  #acquit(): void {
    this.#timer = undefined;
    let restMs = Infinity;
    const nowMs = this.#clock.monoMs();
    for (const [name, { sinceMs }] of this.#out) {
      if (nowMs - sinceMs >= survivalMs) {
        this.#out.delete(name);
        this.#before.delete(name);
      } else restMs = Math.min(restMs, sinceMs + survivalMs - nowMs);
    }
    if (restMs < Infinity) this.#timer = this.#clock.set(() => this.#acquit(), restMs);
    this.#write().catch(() => {});
    this.#acquitted();
  }

  #write(): Promise<void> {
    const written = this.#written.then(() => this.#writeNow());
    this.#written = written.catch(() => {});
    return written;
  }

  async #writeNow(): Promise<void> {
    const rows = [...this.#out.values()].map(({ segmentId, batch, crashes }) => [segmentId, batch, crashes]);
    const body = JSON.stringify(rows);
    this.#file ??= await this.#disk.open(`${this.#folder}/${fileName}`, "write");
    await writeAll(this.#file, [Buffer.from(`${crcOf(body)} ${body}\n`)], 0);
  }
}

function crcOf(body: string): string {
  return crc32c(Buffer.from(body)).toString(16).padStart(8, "0");
}

function nameOf(segmentId: number, batch: number): string {
  return `${segmentId}/${batch}`;
}
