/**
 * One file that all workers append lines to: O_APPEND, whole lines per write, on disk when `append` resolves.
 *
 * A short write (the disk got full) may leave half a line; the next write then begins with a newline, so that the
 * half stands alone and the line comes again, whole. The same where an earlier process died in the middle. A file
 * that somebody moved away is left alone and a new one begun.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { mkdir, open, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { codeOf } from "../core/io_problem.ts";

/** An open file, as far as it is used here; `FileHandle` of node:fs/promises is one. */
export interface AppendHandle {
  read(buffer: Uint8Array, offset: number, length: number, position: number): Promise<{ bytesRead: number }>;
  write(buffer: Uint8Array, offset: number, length: number): Promise<{ bytesWritten: number }>;
  stat(): Promise<{ readonly size: number; readonly ino: number }>;
  datasync(): Promise<void>;
  close(): Promise<void>;
}

/** Opens a file for appending and reading, makes it if need be ("a+"). */
export type OpenAppend = (path: string) => Promise<AppendHandle>;

/** Logs may hold secrets: the group may read, others not. */
const fileMode = 0o640;

const newline = 10;

/** The file. One operation at a time; operations reject with the system's error. */
export class SharedAppend {
  readonly path: string;
  readonly #open: OpenAppend;
  #handle: AppendHandle | undefined;
  #inode = 0;
  /** The file ends in half a line. */
  #torn = false;

  constructor(path: string, openAppend: OpenAppend = (path) => open(path, "a+", fileMode)) {
    this.path = path;
    this.#open = openAppend;
  }

  /** Opens the file if it is not open or not the one at `path` any more. Returns its size, other workers' lines included. */
  async ready(): Promise<number> {
    if (this.#handle !== undefined && await inodeOf(this.path) !== this.#inode) await this.close();
    if (this.#handle === undefined) {
      await mkdir(dirname(this.path), { recursive: true });
      this.#handle = await this.#open(this.path);
      const { size, ino } = await this.#handle.stat();
      this.#inode = ino;
      this.#torn = size > 0 && await this.#lastByte(size) !== newline;
      return size;
    }
    return (await this.#handle.stat()).size;
  }

  /**
   * Writes the lines in `bytes` after `ready`, and waits until the disk has them. Returns how many bytes of whole
   * lines were written; fewer than asked means that the next write will say why.
   */
  async append(bytes: Uint8Array): Promise<number> {
    const handle = this.#handle!;
    const prefix = this.#torn ? 1 : 0;
    const all = prefix === 0 ? bytes : Buffer.concat([Buffer.from([newline]), bytes]);
    const { bytesWritten } = await handle.write(all, 0, all.length);
    if (bytesWritten === 0) return 0;
    const written = bytesWritten - prefix;
    const whole = written === bytes.length ? written : bytes.subarray(0, written).lastIndexOf(newline) + 1;
    this.#torn = whole < written;
    await handle.datasync().catch(rethrowUnlessSpecial);
    return whole;
  }

  async close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close().catch(() => {});
  }

  async #lastByte(size: number): Promise<number> {
    const byte = new Uint8Array(1);
    const { bytesRead } = await this.#handle!.read(byte, 0, 1, size - 1);
    return bytesRead === 1 ? byte[0]! : newline;
  }
}

async function inodeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).ino;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return -1;
    throw error;
  }
}

/** A pipe or a device cannot be synced (fsync(2): EINVAL), and need not be. */
function rethrowUnlessSpecial(error: unknown): void {
  const code = codeOf(error);
  if (code !== "EINVAL" && code !== "ENOTSUP") throw error;
}
