/**
 * Where damaged and dangerous bytes are kept for a person to look at: `quarantine/` in the folder they came from.
 *
 *     0000000012-000345.batch     head and records of one batch, as `corndog spool cat` reads them
 *     0000000012-at1048576.bytes  a stretch of a segment that is no batch
 *
 * It is bounded: when it is full, bytes are no longer kept, only counted.
 *
 * @module
 */
import { ioProblem } from "../core/io_problem.ts";
import { type Disk, writeAll } from "./disk.ts";

/** Most bytes of one quarantine. */
export const quarantineBytesMax = 64 * 1024 * 1024;

/** The name of its folder. */
export const quarantineName = "quarantine";

/** The quarantine of one folder. */
export class Quarantine {
  readonly folder: string;
  readonly #disk: Disk;
  readonly #problem: (message: string) => void;
  #bytes: number | undefined;

  constructor(disk: Disk, home: string, problem: (message: string) => void) {
    this.folder = `${home}/${quarantineName}`;
    this.#disk = disk;
    this.#problem = problem;
  }

  /** Keeps bytes under a name. Returns the path, or undefined where they could not be kept. Never rejects. */
  async keep(name: string, bytes: Uint8Array): Promise<string | undefined> {
    const path = `${this.folder}/${name}`;
    try {
      this.#bytes ??= await this.#measure();
      if (this.#bytes + bytes.length > quarantineBytesMax) return undefined;
      const file = await this.#disk.open(path, "write");
      try {
        await writeAll(file, [bytes], 0);
        await file.truncate(bytes.length);
        await file.sync();
      } finally {
        await file.close();
      }
      await this.#disk.syncFolder(this.folder);
      this.#bytes += bytes.length;
      return path;
    } catch (error) {
      this.#problem(ioProblem("write", path, error));
      return undefined;
    }
  }

  async #measure(): Promise<number> {
    await this.#disk.makeFolder(this.folder);
    let bytes = 0;
    for (const { name } of await this.#disk.list(this.folder)) {
      bytes += (await this.#disk.stat(`${this.folder}/${name}`)).bytes;
    }
    return bytes;
  }
}

/** `0000000012-000345.batch` */
export function batchFileName(segment: number, batch: number): string {
  return `${String(segment).padStart(10, "0")}-${String(batch).padStart(6, "0")}.batch`;
}

/** `0000000012-at1048576.bytes` */
export function regionFileName(segment: number, from: number): string {
  return `${String(segment).padStart(10, "0")}-at${from}.bytes`;
}
