/**
 * The machine's file system for whoever writes batches: while it takes writes at once, into the system's cache, they
 * are done on the calling thread.
 *
 * A write into the cache is a copy of 0.1 ms for half a megabyte. Given to another thread it takes two switches, and
 * while the processors are busy some milliseconds, in which the batch holds its memory. But a system that has too
 * much to write, or a full journal, makes writers wait: a loop must not for long. So the time beyond what a copy
 * takes is added up; too much of it, or a sync that takes long, and for some seconds writes go to the runtime's threads.
 * They do so always on file systems that are not of this machine, where a write may never end, and on Deno, where such
 * a write costs more than another thread.
 *
 * The first write that meets a device which has stopped holds the loop until the system lets go: no deadline is
 * possible there. The sentinel tells it while it lasts.
 *
 * @module
 */
import { writevSync } from "node:fs";
import { type FileHandle, statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { runtime } from "../runtime/current.ts";
import { type SpoolClock, systemClock } from "./clock.ts";
import { type Disk, nodeDisk, NodeFile, openHandle } from "./disk.ts";

/** What a write may take and counts for nothing: a group of 4 MiB takes 1 ms. */
const freeMs = 5;
/** Milliseconds beyond that, after which writes go elsewhere. */
const debtMsMax = 250;
/** A sync that takes longer: writes go elsewhere before they have to wait. */
const syncMsMax = 500;
/** Writes of one turn of the loop may take so long together. */
const turnMsMax = 2;
/** Of each second so much is forgiven: a loop that is held for a twentieth of its time gets on. */
const forgivenMsPerS = 50;
/** How long they go elsewhere; twice as long each time that follows within `asideMsMax`. */
const asideMsMin = 2000;
const asideMsMax = 60_000;

/** Magic numbers of statfs(2): ext2 to ext4, xfs, btrfs, tmpfs, f2fs, overlayfs, zfs, bcachefs. */
const localTypes: ReadonlySet<number> = new Set([
  0xef53,
  0x58465342,
  0x9123683e,
  0x01021994,
  0xf2f52010,
  0x794c7630,
  0x2fc12fc1,
  0xca451a4e,
]);

/** Whether writes are done on the calling thread now. */
export class Promptness {
  readonly #clock: SpoolClock;
  #debtMs = 0;
  #atMs = 0;
  #asideUntilMs = -Infinity;
  #asideMs = asideMsMin;

  constructor(clock: SpoolClock) {
    this.#clock = clock;
  }

  /** True while the disk takes writes at once, as far as is known. */
  get isPrompt(): boolean {
    return this.#clock.monoMs() >= this.#asideUntilMs;
  }

  /** A write on the calling thread took so long. */
  took(ms: number): void {
    const nowMs = this.#clock.monoMs();
    this.#debtMs = Math.max(0, this.#debtMs - (nowMs - this.#atMs) / 1000 * forgivenMsPerS) +
      Math.max(0, ms - freeMs);
    this.#atMs = nowMs;
    if (this.#debtMs > debtMsMax) this.#stepAside(nowMs);
  }

  /** A sync took so long, on another thread. */
  synced(ms: number): void {
    if (ms > syncMsMax && this.isPrompt) this.#stepAside(this.#clock.monoMs());
  }

  #stepAside(nowMs: number): void {
    const isAgain = nowMs - this.#asideUntilMs < asideMsMax;
    this.#asideMs = isAgain ? Math.min(asideMsMax, this.#asideMs * 2) : asideMsMin;
    this.#asideUntilMs = nowMs + this.#asideMs;
    this.#debtMs = 0;
  }
}

/** What writes take of a turn of the loop: a queue of a full memory is not written in one. */
class Turn {
  #spentMs = 0;
  #isWatched = false;

  /** True when this turn has had its share. */
  get isSpent(): boolean {
    return this.#spentMs >= turnMsMax;
  }

  spent(ms: number): void {
    this.#spentMs += ms;
    if (this.#isWatched) return;
    this.#isWatched = true;
    setImmediate(() => {
      this.#isWatched = false;
      this.#spentMs = 0;
    });
  }
}

class PromptFile extends NodeFile {
  readonly #handle: FileHandle;
  readonly #promptness: Promptness;
  readonly #turn: Turn;

  constructor(handle: FileHandle, promptness: Promptness, turn: Turn) {
    super(handle);
    this.#handle = handle;
    this.#promptness = promptness;
    this.#turn = turn;
  }

  override async write(views: readonly Uint8Array[], position: number): Promise<number> {
    if (!this.#promptness.isPrompt) return await super.write(views, position);
    if (this.#turn.isSpent) await new Promise<void>((resolve) => setImmediate(resolve));
    const startMs = performance.now();
    try {
      // Asked for now: of a file that was closed meanwhile it is -1, and never another file's.
      return writevSync(this.#handle.fd, views as Uint8Array[], position);
    } finally {
      const ms = performance.now() - startMs;
      this.#promptness.took(ms);
      this.#turn.spent(ms);
    }
  }

  override async sync(): Promise<void> {
    const startMs = performance.now();
    await super.sync();
    this.#promptness.synced(performance.now() - startMs);
  }
}

/** One per thread that writes. */
export function promptDisk(clock: SpoolClock = systemClock): Disk {
  if (runtime.name === "deno") return nodeDisk;
  const promptness = new Promptness(clock);
  const turn = new Turn();
  return {
    ...nodeDisk,
    async open(path, mode) {
      if (mode === "read" || !await isLocal(path)) return await nodeDisk.open(path, mode);
      return new PromptFile(await openHandle(path, mode), promptness, turn);
    },
  };
}

async function isLocal(path: string): Promise<boolean> {
  try {
    return localTypes.has((await statfs(dirname(path))).type);
  } catch {
    // Whoever opens the file will hear of it.
    return false;
  }
}
