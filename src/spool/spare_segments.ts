/**
 * Files of segments that are done with, kept for the next ones to be written over.
 *
 *     0000000012.seg ──done with──> 0000000012.spare ──header, sync──> 0000000015.seg
 *
 * Writing over blocks and pages that are there is cheaper than getting new ones and giving the old ones back: the
 * system has no page to find, and a sync no journal to write. What the file held before belongs to no segment: each
 * batch names the segment that it is in (format.ts), and the header says how much of the file was there before.
 *
 * A file is offered after its new name is durable, so that at a power cut no segment has another one's bytes. Nobody
 * looks for them after a crash: they are removed at the next start, and when nothing was written for a while.
 *
 * @module
 */
import { codeOf } from "../core/io_problem.ts";
import type { Disk } from "./disk.ts";

/** More would be written into seldom: as many segments as are complete at a time while Kafka is prompt. */
const sparesMax = 2;

/** The name of the file that segment `number` leaves. */
function spareName(number: number): string {
  return `${String(number).padStart(10, "0")}.spare`;
}

/** True for the name of such a file. */
export function isSpareName(name: string): boolean {
  return /^\d{10}\.spare$/.test(name);
}

/** A file to be written over. */
export interface Spare {
  readonly path: string;
  readonly bytes: number;
}

/** The spare files of one folder. */
export class SpareSegments {
  readonly #disk: Disk;
  readonly #folder: string;
  readonly #bytesMin: number;
  /** Their names are durable. */
  #ready: Spare[] = [];
  #renamed: Spare[] = [];

  /** Smaller files than `bytesMin` are not kept. */
  constructor(disk: Disk, folder: string, bytesMin: number) {
    this.#disk = disk;
    this.#folder = folder;
    this.#bytesMin = bytesMin;
  }

  /** Bytes of all of them. */
  get bytes(): number {
    let bytes = 0;
    for (const spare of this.#ready) bytes += spare.bytes;
    for (const spare of this.#renamed) bytes += spare.bytes;
    return bytes;
  }

  /** Whether a file of so many bytes would be kept. */
  wants(bytes: number): boolean {
    return bytes >= this.#bytesMin && this.#ready.length + this.#renamed.length < sparesMax;
  }

  /** Keeps the file of a segment that is done with, which nobody has open. @throws the system's error */
  async keep(path: string, number: number, bytes: number): Promise<void> {
    const spare = { path: `${this.#folder}/${spareName(number)}`, bytes };
    await this.#disk.rename(path, spare.path);
    this.#renamed.push(spare);
  }

  /** The folder was synced. */
  synced(): void {
    this.#ready.push(...this.#renamed.splice(0));
  }

  /** Takes one out. */
  take(): Spare | undefined {
    return this.#ready.pop();
  }

  /** One that was taken out is still as it was. */
  giveBack(spare: Spare): void {
    this.#ready.push(spare);
  }

  /** Removes all of them. False where there was none. @throws the system's error */
  async drop(): Promise<boolean> {
    let dropped = false;
    for (const spares of [this.#ready, this.#renamed]) {
      for (let spare = spares.pop(); spare !== undefined; spare = spares.pop()) {
        try {
          await this.#disk.unlink(spare.path);
        } catch (error) {
          if (codeOf(error) !== "ENOENT") {
            spares.push(spare);
            throw error;
          }
        }
        dropped = true;
      }
    }
    return dropped;
  }
}
