/**
 * Who uses a spool folder: the file `lock`, which names the process and is written anew every two seconds.
 *
 *     {"pid":4711,"started":"8812345","boot":"…","namespace":"pid:[4026531836]","host":"edge-7","worker":0}
 *
 * A lock is stale when its process is gone: another boot of this machine, or a process number that is free or was
 * given to somebody else since (the start time tells). Where that cannot be known, because the process is in another
 * container or on another machine, it is stale when nobody wrote it for ten seconds. A lock of this very process is
 * that of a worker thread that died: it is taken over.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";
import process from "node:process";
import { untilBeatMs } from "../core/beat.ts";
import { ForwarderError, messageOf } from "../core/errors.ts";
import { codeOf } from "../core/io_problem.ts";
import { pause, type SpoolClock } from "./clock.ts";
import { type Disk, type DiskFile, readAll, readWhole, writeAll } from "./disk.ts";

/** The lock is written so often, at moments common to all threads. */
const beatMs = 2000;
/** A lock that nobody wrote for so long is stale, where its process cannot be looked up. */
export const staleMs = 10_000;
const lockBytesMax = 4096;

/** The name of the file. */
export const lockName = "lock";

/** Who holds a lock. */
export interface LockOwner {
  readonly pid: number;
  /** Start time in the system's own unit; empty where it cannot be known. */
  readonly started: string;
  readonly boot: string;
  readonly namespace: string;
  readonly host: string;
}

/** What is known of processes; tests give their own. */
export interface Processes {
  readonly self: LockOwner;
  /** The start time of a process of this machine and namespace; undefined if there is none. */
  startedOf(pid: number): string | undefined;
}

/** The machine's processes. */
export function systemProcesses(): Processes {
  return {
    self: {
      pid: process.pid,
      started: startedOf(process.pid) ?? "",
      boot: textOf(() => readFileSync("/proc/sys/kernel/random/boot_id", "utf8")),
      namespace: textOf(() => readlinkSync("/proc/self/ns/pid")),
      host: hostname(),
    },
    startedOf,
  };
}

/** Whether somebody uses a folder. */
export type LockState =
  | { readonly kind: "free" }
  | { readonly kind: "stale"; readonly owner: LockOwner | undefined }
  | { readonly kind: "held"; readonly owner: LockOwner; readonly certain: boolean };

/** Looks at the lock of a folder. @throws the system's error */
export async function readLock(
  disk: Disk,
  folder: string,
  processes: Processes,
  epochMs: number,
): Promise<LockState> {
  const path = `${folder}/${lockName}`;
  const bytes = await readWhole(disk, path, lockBytesMax);
  if (bytes === undefined) return { kind: "free" };
  const owner = parseOwner(Buffer.from(bytes).toString("utf8"));
  if (owner === undefined) return { kind: "stale", owner };
  const { self } = processes;
  const sameBoot = owner.boot === self.boot && owner.boot !== "";
  const sameMachine = sameBoot || owner.host === self.host;
  if (sameMachine && !sameBoot && owner.boot !== "" && self.boot !== "") return { kind: "stale", owner };
  if (sameMachine && owner.namespace === self.namespace) {
    const started = processes.startedOf(owner.pid);
    return started !== undefined && started === owner.started
      ? { kind: "held", owner, certain: true }
      : { kind: "stale", owner };
  }
  const { changedMs } = await disk.stat(path);
  return epochMs - changedMs > staleMs ? { kind: "stale", owner } : { kind: "held", owner, certain: false };
}

/** A lock that this process holds. */
export class FolderLock {
  readonly #disk: Disk;
  readonly #path: string;
  readonly #clock: SpoolClock;
  readonly #text: Uint8Array;
  readonly #pid: number;
  #timer: unknown;
  #beat: Promise<void> = Promise.resolve();
  readonly #lost: (message: string) => void;
  readonly #absent: () => Promise<void>;

  /**
   * Takes the lock of a folder; waits for one that may be stale, but not longer than that takes to be known.
   *
   * `lost` is called if another one takes it all the same: this process was held for so long that it was taken for
   * dead. `absent` is called when the file is not there any more, and perhaps its folder neither.
   *
   * @throws ForwarderError `spool_locked` while another process lives that has it
   */
  static async take(
    disk: Disk,
    folder: string,
    clock: SpoolClock,
    processes: Processes,
    lost: (message: string) => void = () => {},
    absent: () => Promise<void> = () => Promise.resolve(),
  ): Promise<FolderLock> {
    const untilMs = clock.monoMs() + staleMs + beatMs;
    for (;;) {
      const state = await readLock(disk, folder, processes, clock.epochMs());
      if (state.kind !== "held" || isSelf(state.owner, processes.self)) break;
      if (state.certain || clock.monoMs() > untilMs) {
        throw new ForwarderError(
          "spool_locked",
          `Cannot use the spool in "${folder}": process ${state.owner.pid} on ${state.owner.host} uses it; stop that one or write another spool.dir`,
        );
      }
      await pause(clock, beatMs / 4);
    }
    const lock = new FolderLock(disk, folder, clock, processes.self, lost, absent);
    await lock.#write();
    lock.#next();
    return lock;
  }

  private constructor(
    disk: Disk,
    folder: string,
    clock: SpoolClock,
    self: LockOwner,
    lost: (message: string) => void,
    absent: () => Promise<void>,
  ) {
    this.#lost = lost;
    this.#absent = absent;
    this.#disk = disk;
    this.#path = `${folder}/${lockName}`;
    this.#clock = clock;
    this.#text = Buffer.from(`${JSON.stringify(self)}\n`);
    this.#pid = self.pid;
  }

  /** Gives the folder back. */
  async release(): Promise<void> {
    this.#clock.clear(this.#timer);
    const isMine = this.#timer !== undefined;
    this.#timer = undefined;
    await this.#beat;
    if (isMine) await this.#disk.unlink(this.#path).catch(() => {});
  }

  async #write(): Promise<void> {
    let file: DiskFile | undefined;
    try {
      file = await this.#disk.open(this.#path, "write");
      await writeAll(file, [this.#text], 0);
      await file.truncate(this.#text.length);
    } catch (error) {
      // A full or read-only disk: what is here must be sent all the same.
      if (codeOf(error) === "ENOENT") throw error;
    } finally {
      await file?.close().catch(() => {});
    }
  }

  #next(): void {
    this.#timer = this.#clock.set(() => {
      this.#beat = this.#again().catch(() => true).then((isMine) => {
        if (!isMine) this.#timer = undefined;
        else if (this.#timer !== undefined) this.#next();
      });
    }, untilBeatMs(beatMs, this.#clock.epochMs(), this.#pid));
  }

  /** Writes the lock anew, unless it is somebody else's now. */
  async #again(): Promise<boolean> {
    let file: DiskFile;
    try {
      file = await this.#disk.open(this.#path, "update");
    } catch {
      return await this.#apart();
    }
    try {
      const found = await readAll(file, lockBytesMax);
      if (!this.#isOwn(found)) return false;
      await writeAll(file, [this.#text], 0).catch(() => {});
      if (found.length > this.#text.length) await file.truncate(this.#text.length).catch(() => {});
      return true;
    } finally {
      await file.close().catch(() => {});
    }
  }

  /** The same where the file is absent, or cannot be written. */
  async #apart(): Promise<boolean> {
    const found = await readWhole(this.#disk, this.#path, lockBytesMax);
    if (found === undefined) await this.#absent();
    else if (!this.#isOwn(found)) return false;
    await this.#write();
    return true;
  }

  /** False, and told, if another one took the folder. What cannot be read is nobody's. */
  #isOwn(found: Uint8Array): boolean {
    const text = Buffer.from(found);
    const owner = parseOwner(text.toString("utf8"));
    if (owner === undefined || text.equals(this.#text)) return true;
    this.#lost(
      `Process ${owner.pid} on ${owner.host} took over "${this.#path}", because this one was silent for long; it writes nothing more there`,
    );
    return false;
  }
}

function isSelf(owner: LockOwner, self: LockOwner): boolean {
  return owner.pid === self.pid && owner.started === self.started && owner.boot === self.boot &&
    owner.namespace === self.namespace;
}

function parseOwner(text: string): LockOwner | undefined {
  try {
    const { pid, started, boot, namespace, host } = JSON.parse(text);
    if (!Number.isSafeInteger(pid)) return undefined;
    return {
      pid,
      started: String(started),
      boot: String(boot),
      namespace: String(namespace),
      host: String(host),
    };
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw new ForwarderError("disk_failed", `Cannot read a lock: ${messageOf(error)}`);
  }
}

/**
 * Field 22 of /proc/PID/stat, behind the name in brackets (proc(5)); elsewhere only whether the process is there. One
 * that nobody has buried yet (state Z or X) is dead.
 */
function startedOf(pid: number): string | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "latin1");
    const [state = "", ...fields] = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return state === "Z" || state === "X" ? undefined : fields[18] ?? "";
  } catch {
    if (process.platform === "linux") return undefined;
  }
  try {
    process.kill(pid, 0);
    return "";
  } catch (error) {
    return codeOf(error) === "EPERM" ? "" : undefined;
  }
}

function textOf(read: () => string): string {
  try {
    return read().trim();
  } catch {
    return "";
  }
}
