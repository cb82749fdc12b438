/**
 * The open files of one folder's segments: the one in writing, those whose index is not written yet, and a few that
 * were read lately.
 *
 * @module
 */
import type { Disk, DiskFile } from "./disk.ts";
import { segmentName } from "./format.ts";
import type { Segment } from "./segment.ts";

/** Files of ended segments that stay open for reading. */
const openFilesMax = 4;

interface OpenFile {
  readonly file: DiskFile;
  /** Reads in progress. */
  readers: number;
}

/** One folder's. */
export class SegmentFiles {
  readonly #disk: Disk;
  readonly #folder: string;
  readonly #open = new Map<Segment, OpenFile>();

  constructor(disk: Disk, folder: string) {
    this.#disk = disk;
    this.#folder = folder;
  }

  /** More are open than stay so. */
  get overfull(): boolean {
    return this.#open.size > openFilesMax;
  }

  pathOf(segment: Segment): string {
    return `${this.#folder}/${segmentName(segment.number)}`;
  }

  /** A file that was opened for writing. */
  add(segment: Segment, file: DiskFile): void {
    this.#open.set(segment, { file, readers: 0 });
  }

  /** The open file of a segment. */
  get(segment: Segment): DiskFile | undefined {
    return this.#open.get(segment)?.file;
  }

  /** Gives the file of a segment to `use`, which reads it. @throws the system's error */
  async read<T>(segment: Segment, use: (file: DiskFile) => Promise<T>): Promise<T> {
    let open = this.#open.get(segment);
    if (open === undefined) {
      const file = await this.#disk.open(this.pathOf(segment), "read");
      open = this.#open.get(segment);
      if (open === undefined) this.#open.set(segment, open = { file, readers: 0 });
      else await file.close();
    }
    open.readers++;
    try {
      return await use(open.file);
    } finally {
      open.readers--;
    }
  }

  /** Closes files of ended segments that nobody reads, beyond a few; `isWanted` says who else wants one. */
  async closeIdle(isWanted: (segment: Segment) => boolean): Promise<void> {
    let over = this.#open.size - openFilesMax;
    for (const [segment, { file, readers }] of this.#open) {
      if (over <= 0) return;
      if (readers > 0 || !segment.ended || isWanted(segment)) continue;
      this.#open.delete(segment);
      over--;
      await file.close().catch(() => {});
    }
  }

  /** Closes the file of a segment that goes. Never rejects. */
  async close(segment: Segment): Promise<void> {
    await this.#open.get(segment)?.file.close().catch(() => {});
    this.#open.delete(segment);
  }

  /** Closes all. Never rejects. */
  async closeAll(): Promise<void> {
    for (const { file } of this.#open.values()) await file.close().catch(() => {});
    this.#open.clear();
  }
}
