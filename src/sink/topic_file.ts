/**
 * The files of one topic and one worker: `DIR/TOPIC/w0-00000001.ndjson`, the next sequence number when one is full.
 *
 * Constraints:
 *  - nobody else writes these files, so every write goes to a position known here; a write that failed half way is
 *    repeated at the same position and leaves nothing twice;
 *  - a start begins a new file: the last one may end in half a line if the machine died;
 *  - a file that somebody moved or removed is noticed within `checkEveryMs`, and a new one begun.
 *
 * Operations reject with the system's error; the caller retries. One at a time.
 *
 * @module
 */
import { mkdir, open, readdir, stat, unlink } from "node:fs/promises";
import { join } from "node:path";

/** An open file, as far as it is used here; `FileHandle` of node:fs/promises is one. */
export interface FileLike {
  write(
    bytes: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): Promise<{ bytesWritten: number }>;
  truncate(bytes: number): Promise<void>;
  close(): Promise<void>;
}

/** Opens a file: "wx" makes one that must not exist, "r+" opens one that must. */
export type OpenFile = (path: string, flags: "wx" | "r+") => Promise<FileLike>;

/** What the files of a topic have in common. */
export interface TopicFileOptions {
  readonly dir: string;
  readonly topic: string;
  readonly worker: number;
  /** Newest files that stay, the open one included; 0 is all. */
  readonly keep: number;
  readonly openFile?: OpenFile | undefined;
}

const checkEveryMs = 1000;

/** Logs may hold secrets: the group may read, others not. */
const fileMode = 0o640;

/** Digits of the sequence number, so that names sort by age. */
const sequenceDigits = 8;

/** The file that is written now, and the names of those before it. */
export class TopicFile {
  readonly #dir: string;
  readonly #prefix: string;
  readonly #keep: number;
  readonly #openFile: OpenFile;
  #handle: FileLike | undefined;
  #inode = 0;
  /** 0: the directory was not looked at yet. */
  #sequence = 0;
  #size = 0;
  #checkedAtMs = 0;
  #path: string;

  constructor(options: TopicFileOptions) {
    this.#dir = join(options.dir, options.topic);
    this.#prefix = `w${options.worker}-`;
    this.#keep = options.keep;
    this.#openFile = options.openFile ?? ((path, flags) => open(path, flags, fileMode));
    this.#path = this.#dir;
  }

  /** The file that is open or was last; the directory before the first. */
  get path(): string {
    return this.#path;
  }

  /** Bytes in it. */
  get size(): number {
    return this.#size;
  }

  /** Opens what is to be written to: the same file as before if it is still there, else the next. */
  async ready(nowMs: number): Promise<void> {
    if (this.#handle !== undefined && nowMs - this.#checkedAtMs >= checkEveryMs) {
      if (!await this.#stillThere()) await this.rotate();
      this.#checkedAtMs = nowMs;
    }
    if (this.#handle !== undefined) return;
    if (this.#sequence > 0 && await this.#stillThere()) {
      this.#handle = await this.#openFile(this.#path, "r+");
    } else {
      await this.rotate();
    }
    this.#checkedAtMs = nowMs;
  }

  /** Appends `bytes`, all of them. If it rejects, nothing is taken as written. */
  async write(bytes: Uint8Array): Promise<void> {
    for (let written = 0; written < bytes.length;) {
      const { bytesWritten } = await this.#handle!.write(
        bytes,
        written,
        bytes.length - written,
        this.#size + written,
      );
      written += bytesWritten;
    }
    this.#size += bytes.length;
  }

  /** Ends this file, begins the next, and removes those that `keep` does not keep. */
  async rotate(): Promise<void> {
    await this.close();
    await mkdir(this.#dir, { recursive: true });
    const before = await this.#sequences();
    const sequence = Math.max(this.#sequence, before.at(-1) ?? 0) + 1;
    const path = this.#pathOf(sequence);
    this.#handle = await this.#openFile(path, "wx");
    this.#path = path;
    this.#sequence = sequence;
    this.#size = 0;
    this.#inode = (await stat(path)).ino;
    if (this.#keep === 0) return;
    const surplus = before.slice(0, Math.max(0, before.length + 1 - this.#keep));
    // One that cannot be removed now is tried again with the next file.
    for (const old of surplus) await unlink(this.#pathOf(old)).catch(ignore);
  }

  /** After a failed write: cuts off what it left, and closes the file. The next `ready` opens it again. */
  async abandon(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.truncate(this.#size).catch(ignore);
    await handle?.close().catch(ignore);
  }

  /** Closes the file; `ready` opens it again. */
  async close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close();
  }

  async #stillThere(): Promise<boolean> {
    try {
      const { ino, size } = await stat(this.#path);
      return ino === this.#inode && size >= this.#size;
    } catch {
      return false;
    }
  }

  /** Sequence numbers of this worker's files, oldest first. */
  async #sequences(): Promise<number[]> {
    const found: number[] = [];
    for (const name of await readdir(this.#dir)) {
      const match = /^(w\d+-)(\d{1,15})\.ndjson$/.exec(name);
      if (match !== null && match[1] === this.#prefix) found.push(Number(match[2]));
    }
    return found.sort((a, b) => a - b);
  }

  #pathOf(sequence: number): string {
    return join(this.#dir, `${this.#prefix}${String(sequence).padStart(sequenceDigits, "0")}.ndjson`);
  }
}

function ignore(): void {}
