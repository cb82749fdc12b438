/**
 * The folders of all workers in a spool: which of them a worker takes over, which are in use, and which may go.
 *
 *     w0 … w3      of the workers 0 to 3
 *     w5           with 4 workers taken over by worker 1 (5 modulo 4), while no process uses it
 *
 * @module
 */
import type { SpoolClock } from "./clock.ts";
import type { Disk } from "./disk.ts";
import { parkedName, workerNumber } from "./folder_names.ts";
import { lockName, type Processes, readLock } from "./lock.ts";
import { quarantineName } from "./quarantine.ts";

/** Who looks, and where. */
export interface WorkerFoldersOptions {
  readonly disk: Disk;
  readonly clock: SpoolClock;
  readonly processes: Processes;
  /** Absolute; of all workers. */
  readonly dir: string;
  readonly worker: number;
  readonly workers: number;
}

/**
 * Folders of workers that are no more and that are this one's to take over, by number; `own` is the number of its
 * own. Makes the folder of all workers where it is missing. @throws the system's error
 */
export async function orphans(options: WorkerFoldersOptions, own: number): Promise<string[]> {
  const { disk, dir, worker, workers } = options;
  await disk.makeFolder(dir);
  const numbers = (await disk.list(dir))
    .map(({ name, isFolder }) => isFolder ? workerNumber(name) : undefined)
    .filter((number) => number !== undefined);
  return numbers.filter((number) => number !== own && number % workers === worker)
    .sort((a, b) => a - b)
    .map((number) => `w${number}`);
}

/** The number of a folder that nobody uses, one that this worker would take over. @throws the system's error */
export async function freeNumber(options: WorkerFoldersOptions): Promise<number> {
  let number = options.worker;
  while (await isHeld(options, `w${number}`)) number += options.workers;
  return number;
}

/** True while a process uses a folder. @throws the system's error */
export async function isHeld(options: WorkerFoldersOptions, name: string): Promise<boolean> {
  const { disk, dir, clock, processes } = options;
  const state = await readLock(disk, `${dir}/${name}`, processes, clock.epochMs());
  return state.kind === "held";
}

/** True if a folder was removed. @throws the system's error */
export async function isGone({ disk, dir }: WorkerFoldersOptions, name: string): Promise<boolean> {
  return !(await disk.list(dir)).some((entry) => entry.name === name);
}

/** Removes a folder that somebody left; what a person should look at keeps it. Never rejects. */
export async function removeFolder(disk: Disk, folder: string): Promise<void> {
  try {
    for (const name of ["cursor.a", "cursor.b", "inflight", lockName]) {
      await disk.unlink(`${folder}/${name}`).catch(() => {});
    }
    for (const name of [quarantineName, parkedName]) {
      await disk.removeFolder(`${folder}/${name}`).catch(() => {});
    }
    await disk.removeFolder(folder);
  } catch {
    // It is opened again at the next start, which costs a moment.
  }
}
