/**
 * The file system as the spool uses it, and the real one behind it.
 *
 * Everything is asynchronous and done by the runtime's own threads (but see prompt_disk.ts). Calls reject with the
 * system's error (`code` is `ENOSPC`, `EIO`, …); nothing is retried here. Tests give a disk that crashes, tears and
 * refuses.
 *
 * @module
 */
import type { FileHandle } from "node:fs/promises";
import { mkdir, open, readdir, rename, rmdir, stat, statfs, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import { codeOf } from "../core/io_problem.ts";

/** An open file. Reads and writes name their place; there is no position. */
export interface DiskFile {
  /** Reads into `into` until it is full or the file ends; returns the bytes that were read. */
  read(into: Uint8Array, position: number): Promise<number>;
  /** Writes the views one behind the other; returns the bytes that were written, which may be fewer. */
  write(views: readonly Uint8Array[], position: number): Promise<number>;
  /** Resolves when what was written, and the size, survive a power cut (fdatasync). */
  sync(): Promise<void>;
  truncate(bytes: number): Promise<void>;
  size(): Promise<number>;
  close(): Promise<void>;
}

/**
 * How a file is opened: `create` refuses one that is there (EEXIST), `write` makes one that is not, `update` reads and
 * writes one that is there.
 */
export type OpenMode = "read" | "write" | "create" | "update";

/** A name in a folder. */
export interface DiskEntry {
  readonly name: string;
  readonly isFolder: boolean;
}

/** A file system. Paths are absolute. */
export interface Disk {
  open(path: string, mode: OpenMode): Promise<DiskFile>;
  /** Names in a folder, in no order. */
  list(folder: string): Promise<readonly DiskEntry[]>;
  /** Size and time of change (epoch) of a file. */
  stat(path: string): Promise<{ readonly bytes: number; readonly changedMs: number }>;
  /** Makes a folder and those above it, where they are missing; their names survive a power cut when it resolves. */
  makeFolder(path: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  removeFolder(path: string): Promise<void>;
  /** Resolves when names that were made, changed or removed in the folder survive a power cut. */
  syncFolder(path: string): Promise<void>;
  /** Bytes that may still be written on the file system of `path` by this user. */
  freeBytes(path: string): Promise<number>;
}

/** Lines may hold secrets: the group may read, others not. */
const fileMode = 0o640;
const folderMode = 0o750;

/** The machine's file system. */
export const nodeDisk: Disk = {
  async open(path, mode) {
    return new NodeFile(await openHandle(path, mode));
  },
  async list(folder) {
    const entries = await readdir(folder, { withFileTypes: true });
    return entries.map((entry) => ({ name: entry.name, isFolder: entry.isDirectory() }));
  },
  async stat(path) {
    const { size, mtimeMs } = await stat(path);
    return { bytes: size, changedMs: mtimeMs };
  },
  async makeFolder(path) {
    const first = await mkdir(path, { recursive: true, mode: folderMode });
    if (first === undefined) return;
    for (let made = path; made.length >= first.length; made = dirname(made)) {
      await nodeDisk.syncFolder(dirname(made));
    }
  },
  rename,
  unlink,
  removeFolder: rmdir,
  async syncFolder(path) {
    const handle = await open(path, "r");
    try {
      await handle.sync();
    } catch (error) {
      // Some network and user-space file systems know no sync of folders (fsync(2): EINVAL).
      if (codeOf(error) !== "EINVAL" && codeOf(error) !== "ENOTSUP") throw error;
    } finally {
      await handle.close();
    }
  },
  async freeBytes(path) {
    const { bavail, bsize } = await statfs(path);
    return bavail * bsize;
  },
};

/** Opens a file of the machine. @throws the system's error */
export async function openHandle(path: string, mode: OpenMode): Promise<FileHandle> {
  if (mode === "read") return await open(path, "r");
  if (mode === "create") return await open(path, "wx+", fileMode);
  if (mode === "update") return await open(path, "r+");
  // "r+" makes no file and "a+" knows no positions.
  try {
    return await open(path, "r+");
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw error;
    return await open(path, "wx+", fileMode);
  }
}

/** A file of the machine. */
export class NodeFile implements DiskFile {
  readonly #handle: FileHandle;

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  async read(into: Uint8Array, position: number): Promise<number> {
    let done = 0;
    while (done < into.length) {
      const { bytesRead } = await this.#handle.read(into, done, into.length - done, position + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return done;
  }

  async write(views: readonly Uint8Array[], position: number): Promise<number> {
    const { bytesWritten } = await this.#handle.writev(views as Uint8Array[], position);
    return bytesWritten;
  }

  sync(): Promise<void> {
    return this.#handle.datasync();
  }

  truncate(bytes: number): Promise<void> {
    return this.#handle.truncate(bytes);
  }

  async size(): Promise<number> {
    return (await this.#handle.stat()).size;
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}

/** Writes all of `views` at `position`, through short writes. @throws the system's error */
export async function writeAll(
  file: DiskFile,
  views: readonly Uint8Array[],
  position: number,
): Promise<void> {
  let rest = views.filter((view) => view.length > 0);
  let at = position;
  while (rest.length > 0) {
    let written = await file.write(rest, at);
    if (written <= 0) {
      throw Object.assign(new Error("the disk took no bytes and gave no reason"), { code: "ENOSPC" });
    }
    at += written;
    let taken = 0;
    while (taken < rest.length && written >= rest[taken]!.length) written -= rest[taken++]!.length;
    rest = rest.slice(taken);
    if (written > 0) rest[0] = rest[0]!.subarray(written);
  }
}

/** True if a name is taken. @throws the system's error */
export async function isThere(disk: Disk, path: string): Promise<boolean> {
  try {
    await disk.stat(path);
    return true;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return false;
    throw error;
  }
}

/** The whole of a small file, or undefined where it is absent. @throws the system's error */
export async function readWhole(disk: Disk, path: string, bytesMax: number): Promise<Uint8Array | undefined> {
  let file: DiskFile;
  try {
    file = await disk.open(path, "read");
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
  try {
    return await readAll(file, bytesMax);
  } finally {
    await file.close();
  }
}

/** What a small file holds, up to `bytesMax`. @throws the system's error */
export async function readAll(file: DiskFile, bytesMax: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(Math.min(await file.size(), bytesMax));
  return bytes.subarray(0, await file.read(bytes, 0));
}
