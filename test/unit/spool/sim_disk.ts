/**
 * A disk in memory that keeps after a power cut only what was synced, and of the rest what chance wants.
 *
 *     files    what was written since the last sync: each 512-byte sector is kept or not, and the size with it or not
 *     folders  names made, changed and removed since the last sync of the folder: the first few are kept, or any
 *
 * A kill keeps everything that was done, but may cut the write in progress. Operations can be made to fail, to write
 * less than asked, and to take their time. The bytes of a write must not change until it is done: that is checked.
 *
 * @module
 */
import type { Disk, DiskEntry, DiskFile, OpenMode } from "../../../src/spool/disk.ts";
import type { Random } from "./random.ts";
import { turn } from "./sim_clock.ts";

const sectorBytes = 512;

type FileChange = { readonly kind: "write"; readonly at: number; readonly bytes: Uint8Array } | {
  readonly kind: "size";
  readonly bytes: number;
};

/** A file without a name. */
class Inode {
  now: Uint8Array = new Uint8Array(0);
  synced: Uint8Array = new Uint8Array(0);
  changes: FileChange[] = [];

  write(at: number, bytes: Uint8Array): void {
    this.now = applied(this.now, { kind: "write", at, bytes });
    this.changes.push({ kind: "write", at, bytes });
  }

  truncate(bytes: number): void {
    this.now = applied(this.now, { kind: "size", bytes });
    this.changes.push({ kind: "size", bytes });
  }

  /** What an earlier sync dropped stays away, though reads see it. */
  sync(): void {
    for (const change of this.changes) this.synced = applied(this.synced, change);
    this.changes = [];
  }
}

/** Name -> file, or undefined for removed. */
type FolderChange = readonly (readonly [name: string, inode: Inode | undefined])[];

class Folder {
  now = new Map<string, Inode>();
  synced = new Map<string, Inode>();
  changes: FolderChange[] = [];

  change(change: FolderChange): void {
    for (const [name, inode] of change) {
      if (inode === undefined) this.now.delete(name);
      else this.now.set(name, inode);
    }
    this.changes.push(change);
  }

  sync(): void {
    this.synced = new Map(this.now);
    this.changes = [];
  }
}

/** What goes wrong without a crash, as probabilities per operation. */
export interface Faults {
  /** Fails with one of the codes. */
  readonly fail: number;
  readonly codes: readonly string[];
  /** A write takes only a part. */
  readonly short: number;
  /** Files whose names match are spared. */
  readonly spare?: RegExp;
}

const noFaults: Faults = { fail: 0, codes: [], short: 0 };

/** The disk. */
export class SimDisk implements Disk {
  faults: Faults = noFaults;
  freeBytesNow = 2 ** 40;
  /** Operations so far, reads not counted. */
  operations = 0;
  /** The process ends in the middle of this operation. */
  crashAt = Infinity;
  crashed = false;
  /** Writes that the disk refuses. */
  refuseWrite: (path: string, at: number) => boolean = () => false;
  /** Reads that the disk refuses. */
  refuseRead: (path: string, at: number) => boolean = () => false;
  /** What happened, newest last. */
  readonly trace: string[] = [];
  readonly #random: Random;
  readonly #folders = new Map<string, Folder>();
  /** Changed by each crash: operations of former processes never end. */
  #life = 0;
  #generation = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  /** Bytes of a file as they are now; undefined where it is absent. */
  bytesOf(path: string): Uint8Array | undefined {
    return this.#folder(path)?.now.get(baseOf(path))?.now;
  }

  /** Changes a file behind everybody's back (bit rot). */
  spoil(path: string, at: number): void {
    const inode = this.#folder(path)!.now.get(baseOf(path))!;
    inode.now = inode.now.slice();
    inode.now[at]! ^= 0x55;
    inode.synced = inode.now;
  }

  /** Puts other bytes into a file; undefined removes it. */
  replace(path: string, bytes: Uint8Array | undefined): void {
    const folder = this.#folder(path)!;
    const inode = new Inode();
    inode.now = inode.synced = bytes ?? inode.now;
    folder.change([[baseOf(path), bytes === undefined ? undefined : inode]]);
    folder.sync();
  }

  /** Cuts a file, as if its end had never been written. */
  cut(path: string, bytes: number): void {
    this.replace(path, this.bytesOf(path)!.slice(0, bytes));
  }

  /** All files, with their folders. */
  paths(): string[] {
    return [...this.#folders].flatMap(([folder, { now }]) =>
      [...now.keys()].map((name) => `${folder}/${name}`)
    );
  }

  /** The process is gone. With `power` what was not synced is kept by chance only. */
  restart(power: boolean): void {
    this.#life++;
    this.crashed = false;
    this.crashAt = Infinity;
    this.operations = 0;
    this.faults = noFaults;
    if (!power) return;
    for (const folder of this.#folders.values()) {
      // A journal keeps a beginning of the changes; POSIX would allow any of them.
      const kept = this.#random.chance(0.7)
        ? folder.changes.slice(0, this.#random.below(folder.changes.length + 1))
        : folder.changes.filter(() => this.#random.chance(0.5));
      folder.now = new Map(folder.synced);
      folder.changes = [];
      for (const change of kept) folder.change(change);
      folder.sync();
    }
    const inodes = new Set([...this.#folders.values()].flatMap(({ now }) => [...now.values()]));
    for (const inode of inodes) {
      let bytes = inode.synced;
      for (const change of inode.changes) bytes = this.#kept(bytes, change);
      inode.now = inode.synced = bytes;
      inode.changes = [];
    }
  }

  async open(path: string, mode: OpenMode): Promise<DiskFile> {
    const life = this.#life;
    await this.#step(life, mode === "read" ? undefined : "open", path);
    const folder = this.#folder(path);
    if (folder === undefined) throw fault("ENOENT");
    let inode = folder.now.get(baseOf(path));
    if (inode !== undefined && mode === "create") throw fault("EEXIST");
    if (inode === undefined) {
      if (mode === "read" || mode === "update") throw fault("ENOENT");
      inode = new Inode();
      folder.change([[baseOf(path), inode]]);
    }
    return this.#file(path, inode, life);
  }

  async list(folder: string): Promise<readonly DiskEntry[]> {
    await this.#step(this.#life, undefined, folder);
    const found = this.#folders.get(folder);
    if (found === undefined) throw fault("ENOENT");
    const below = [...this.#folders.keys()].filter((path) => folderOf(path) === folder);
    return [
      ...[...found.now.keys()].map((name) => ({ name, isFolder: false })),
      ...below.map((path) => ({ name: baseOf(path), isFolder: true })),
    ];
  }

  async stat(path: string) {
    await this.#step(this.#life, undefined, path);
    const bytes = this.bytesOf(path)?.length;
    if (bytes === undefined) throw fault("ENOENT");
    return { bytes, changedMs: 0 };
  }

  async makeFolder(path: string): Promise<void> {
    await this.#step(this.#life, "makeFolder", path);
    for (let at = path; at !== ""; at = folderOf(at)) {
      if (!this.#folders.has(at)) this.#folders.set(at, new Folder());
    }
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#step(this.#life, "rename", from);
    const folder = this.#folder(from)!;
    const inode = folder.now.get(baseOf(from));
    if (inode === undefined) throw fault("ENOENT");
    folder.change([[baseOf(from), undefined], [baseOf(to), inode]]);
  }

  async unlink(path: string): Promise<void> {
    await this.#step(this.#life, "unlink", path);
    const folder = this.#folder(path);
    if (!folder?.now.has(baseOf(path))) throw fault("ENOENT");
    folder.change([[baseOf(path), undefined]]);
  }

  async removeFolder(path: string): Promise<void> {
    await this.#step(this.#life, "removeFolder", path);
    const isParent = [...this.#folders.keys()].some((other) => folderOf(other) === path);
    if (isParent || (this.#folders.get(path)?.now.size ?? 0) > 0) throw fault("ENOTEMPTY");
    this.#folders.delete(path);
  }

  async syncFolder(path: string): Promise<void> {
    await this.#step(this.#life, "syncFolder", path);
    this.#folders.get(path)?.sync();
  }

  freeBytes(): Promise<number> {
    return Promise.resolve(this.freeBytesNow);
  }

  #file(path: string, inode: Inode, life: number): DiskFile {
    const step = (what: string | undefined) => this.#step(life, what, path);
    return {
      read: async (into, position) => {
        await step(undefined);
        if (this.refuseRead(path, position)) throw fault("EIO");
        const bytes = inode.now.subarray(position, position + into.length);
        into.set(bytes);
        return bytes.length;
      },
      write: async (views, position) => {
        const wanted = joined(views);
        const partly = this.#random.chance(this.faults.short) && !this.faults.spare?.test(path);
        const taken = partly ? wanted.subarray(0, this.#random.below(wanted.length + 1)) : wanted;
        await step("write").catch((error) => {
          // A write that fails may have got somewhere all the same.
          inode.write(position, taken.slice(0, this.#random.below(taken.length + 1)));
          if (error instanceof Halted) return never();
          throw error;
        });
        if (life !== this.#life || this.crashed) return await never();
        if (this.refuseWrite(path, position)) throw fault("EIO");
        if (compare(joined(views), wanted) !== 0) {
          throw new Error(`bytes of a write to ${path} changed on their way`);
        }
        inode.write(position, taken.slice());
        return taken.length;
      },
      sync: async () => {
        await step("sync").catch((error) => {
          // The system drops what it could not write, and the next sync says nothing (fsync(2), "EIO").
          const { length } = inode.changes;
          inode.changes = inode.changes.slice(0, this.#random.below(length + 1));
          throw error;
        });
        inode.sync();
      },
      truncate: async (bytes) => {
        await step("truncate");
        inode.truncate(bytes);
      },
      size: () => Promise.resolve(inode.now.length),
      close: () => Promise.resolve(),
    };
  }

  /** One operation: takes its time, may fail, may be the last one. `what` undefined changes nothing. */
  async #step(life: number, what: string | undefined, path: string): Promise<void> {
    if (life !== this.#life || this.crashed) return await never();
    const turns = this.#random.below(3);
    for (let i = 0; i < turns; i++) await turn();
    if (life !== this.#life || this.crashed) return await never();
    if (what === undefined) return;
    this.operations++;
    this.trace.push(`${this.operations} ${what} ${path}`);
    const spared = this.faults.spare?.test(path) === true;
    if (!spared && this.#random.chance(this.faults.fail)) throw fault(this.#random.pick(this.faults.codes));
    if (this.operations < this.crashAt) return;
    this.crashed = true;
    // Of a write in progress a part may have been done.
    if (what === "write" && this.#random.chance(0.7)) throw new Halted();
    return await never();
  }

  /** What a power cut leaves of one change. */
  #kept(bytes: Uint8Array, change: FileChange): Uint8Array {
    if (change.kind === "size") return this.#random.chance(0.5) ? applied(bytes, change) : bytes;
    const all = this.#random.below(4);
    if (all === 0) return bytes;
    if (all === 1) return applied(bytes, change);
    let kept = bytes;
    for (let from = 0; from < change.bytes.length;) {
      const at = change.at + from;
      const to = Math.min(change.bytes.length, from + sectorBytes - at % sectorBytes);
      if (this.#random.chance(0.6)) {
        kept = applied(kept, { kind: "write", at, bytes: change.bytes.subarray(from, to) });
      } else if (this.#random.chance(0.3)) {
        // The size was kept, the bytes were not.
        kept = kept.length < change.at + to ? applied(kept, { kind: "size", bytes: change.at + to }) : kept;
      }
      from = to;
    }
    return kept;
  }

  #folder(path: string): Folder | undefined {
    return this.#folders.get(folderOf(path));
  }
}

/** Thrown inside of a write that is cut by the end of the process; nobody sees it. */
class Halted extends Error {}

function never(): Promise<never> {
  return new Promise(() => {});
}

function fault(code: string): Error {
  return Object.assign(new Error(`${code}: simulated`), { code });
}

function joined(views: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(views.reduce((sum, view) => sum + view.length, 0));
  let at = 0;
  for (const view of views) {
    bytes.set(view, at);
    at += view.length;
  }
  return bytes;
}

function compare(a: Uint8Array, b: Uint8Array): number {
  return a.length === b.length && a.every((byte, i) => byte === b[i]) ? 0 : 1;
}

function applied(bytes: Uint8Array, change: FileChange): Uint8Array {
  if (change.kind === "size") {
    const sized = new Uint8Array(change.bytes);
    sized.set(bytes.subarray(0, change.bytes));
    return sized;
  }
  const grown = new Uint8Array(Math.max(bytes.length, change.at + change.bytes.length));
  grown.set(bytes);
  grown.set(change.bytes, change.at);
  return grown;
}

function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}

function baseOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
