/**
 * The folders of one worker: its own, those of workers that are no more, and in each of them the places of parked
 * topics.
 *
 *     DIR/w0/                     of worker 0
 *         lock  inflight  cursor.a  cursor.b  *.seg  quarantine/
 *         parked/TOPIC/           cursor.a  cursor.b  *.seg  quarantine/
 *     DIR/w5/                     with 4 workers taken over by worker 1 (5 modulo 4), and removed when it is empty
 *
 * The order of `all` is the order in which batches of a topic come back: a parking place before the folder it
 * belongs to, folders that were taken over before the worker's own.
 *
 * @module
 */
import { codeOf } from "../core/io_problem.ts";
import { Adoption } from "./adoption.ts";
import type { SpoolClock } from "./clock.ts";
import type { Disk } from "./disk.ts";
import { folderNameOf, homeOf, parkedName, topicOf } from "./folder_names.ts";
import { Home } from "./home.ts";
import { FolderLock, type Processes } from "./lock.ts";
import { Quarantine } from "./quarantine.ts";
import { addUp, emptySums, recordsOf, type Sums } from "./sums.ts";
import { readSuspects, SuspectNotes } from "./suspects.ts";
import { freeNumber, isGone, isHeld, orphans, removeFolder } from "./worker_folders.ts";

/** What folders are opened with. */
export interface FoldersOptions {
  readonly disk: Disk;
  readonly clock: SpoolClock;
  readonly processes: Processes;
  /** Absolute; of all workers. */
  readonly dir: string;
  readonly worker: number;
  readonly workers: number;
  /** Another process uses folders of this worker, and will leave them. */
  readonly succeeds?: boolean;
  readonly sync: boolean;
  readonly segmentBytesMax: number;
  newId(): number;
  log(level: "debug" | "info" | "warn" | "error", event: string, fields: Record<string, unknown>): void;
}

/** A worker's folder with what belongs to it. */
interface Place {
  readonly home: Home;
  /** Undefined for a parking place: the folder above has it. */
  readonly lock: FolderLock | undefined;
  readonly notes: SuspectNotes | undefined;
  readonly quarantine: Quarantine;
  readonly topic: string | undefined;
  /** Somebody else's: removed when it is empty. */
  readonly isForeign: boolean;
}

/** The folders of one worker. */
export class Folders {
  readonly all: Home[] = [];
  /** Without the places of parked topics. */
  readonly shared: Home[] = [];
  own!: Home;
  readonly adopted: string[] = [];
  /** Of folders that are in use by others now. */
  readonly adoption: Adoption;
  /** Why something could not be written or read lately. */
  trouble: string | undefined;
  freed: () => void = () => {};
  changed: () => void = () => {};
  acquitted: () => void = () => {};
  /** Records came with a folder that was taken over late; they are in the backlog when this returns. */
  came: (records: number) => void = () => {};
  /** A folder was taken over late. */
  adoptedLater: (name: string, homes: readonly Home[]) => Promise<void> = () => Promise.resolve();
  /** Another process took a folder while this one was held: nothing more may be written. */
  lost: (message: string) => void = () => {};
  readonly #options: FoldersOptions;
  readonly #places: Place[] = [];
  readonly #opening = new Map<string, Promise<Home>>();

  /** @throws ForwarderError `spool_locked`; the system's error if the worker's own folder cannot be had */
  static async open(options: FoldersOptions): Promise<Folders> {
    const folders = new Folders(options);
    try {
      const own = options.succeeds === true ? await freeNumber(options) : options.worker;
      for (const name of await orphans(options, own)) {
        if (options.succeeds === true && await isHeld(options, name)) folders.adoption.later(name);
        else await folders.#adopt(name);
      }
      await folders.#openWorker(`w${own}`, false);
    } catch (error) {
      await folders.close(false);
      throw error;
    }
    return folders;
  }

  private constructor(options: FoldersOptions) {
    this.#options = options;
    this.adoption = new Adoption({
      clock: options.clock,
      isGone: (name) => isGone(options, name),
      isHeld: (name) => isHeld(options, name),
      adopt: (name) => this.#adoptLate(name),
      problem: (message) => this.problem(message),
    });
  }

  get disk(): Disk {
    return this.#options.disk;
  }

  get clock(): SpoolClock {
    return this.#options.clock;
  }

  /** Bytes of all segments. */
  get bytes(): number {
    let bytes = 0;
    for (const home of this.all) bytes += home.bytes;
    return bytes;
  }

  /** True while a batch of an earlier session lies on the disk alone. */
  get hasEarlier(): boolean {
    return this.all.some(({ segments }) =>
      segments.some(({ earlier, backlogBatches }) => earlier && backlogBatches > 0)
    );
  }

  /** Who was out at a crash, if the folder's last process crashed. */
  notesOf(home: Home): SuspectNotes | undefined {
    return this.#placeOf(home)?.notes;
  }

  quarantineOf(home: Home): Quarantine {
    return this.#placeOf(home)!.quarantine;
  }

  knownParkingPlace(topic: string): Home | undefined {
    const folder = this.#parkingFolder(topic);
    return this.all.find((home) => home.folder === folder);
  }

  /** The place of a parked topic, made if need be. @throws the system's error */
  parkingPlace(topic: string): Promise<Home> {
    const known = this.knownParkingPlace(topic);
    if (known !== undefined) return Promise.resolve(known);
    const folder = this.#parkingFolder(topic);
    let opening = this.#opening.get(folder);
    if (opening === undefined) {
      opening = this.#openHome(folder, topic, undefined, false, this.all.indexOf(this.own))
        .finally(() => this.#opening.delete(folder));
      this.#opening.set(folder, opening);
    }
    return opening;
  }

  sums(): Sums {
    const sums = { ...emptySums };
    for (const home of this.all) addUp(sums, home);
    return sums;
  }

  /** What lies in parking places. */
  parkedSums(isFull: (topic: string) => boolean) {
    return this.#places.filter(({ topic, home }) => topic !== undefined && !home.empty).map((place) => {
      const { bytes, batches, records } = addUp({ ...emptySums }, place.home);
      const topic = place.topic!;
      return { topic, batches, records, bytes, full: isFull(topic) };
    });
  }

  /** Notes trouble, or that there is none any more. */
  problem(message: string | undefined): void {
    if (message !== undefined && message !== this.trouble) {
      this.#options.log("error", "spool_trouble", { message });
    }
    this.trouble = message;
  }

  /** Closes everything; `inOrder`: what was out at an earlier crash is acquitted. */
  async close(inOrder = true): Promise<void> {
    await this.adoption.set(false);
    for (const { home, notes, isForeign, topic } of this.#places) {
      if (inOrder) await notes?.close();
      await home.close(inOrder || home.clean);
      if ((isForeign || topic !== undefined) && home.empty) await removeFolder(this.disk, home.folder);
    }
    for (const { lock } of this.#places) await lock?.release();
  }

  async #adopt(name: string): Promise<void> {
    try {
      await this.#openWorker(name, true);
      this.adopted.push(name);
    } catch (error) {
      // A process that still runs has it; it is looked at again at the next start.
      this.problem(`Cannot take over the spool folder "${name}": ${(error as Error).message}`);
    }
  }

  async #adoptLate(name: string): Promise<void> {
    const before = new Set(this.all);
    await this.#openWorker(name, true, true);
    this.adopted.push(name);
    await this.adoptedLater(name, this.all.filter((home) => !before.has(home)));
  }

  /** `isLate`: what is there goes before what is known, and is told. */
  async #openWorker(name: string, isForeign: boolean, isLate = false): Promise<void> {
    const { disk, dir, clock, processes } = this.#options;
    const folder = `${dir}/${name}`;
    await disk.makeFolder(folder);
    const lock = await FolderLock.take(
      disk,
      folder,
      clock,
      processes,
      (message) => this.#halt(message),
      () => this.#revive(folder),
    );
    let late = 0;
    try {
      for (const { name: place, isFolder } of await this.#parkedFolders(folder)) {
        if (isFolder) {
          const parked = `${folder}/${parkedName}/${place}`;
          await this.#openHome(parked, topicOf(place), undefined, isForeign, isLate ? late++ : undefined);
          if (isLate) this.came(recordsOf(this.all[late - 1]!));
        }
      }
      const home = await this.#openHome(folder, undefined, lock, isForeign, isLate ? late : undefined);
      if (isLate) this.came(recordsOf(home));
      if (!isForeign) this.own = home;
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  #halt(message: string): void {
    this.problem(message);
    for (const home of this.all) home.halt();
    this.lost(message);
  }

  /** A lock is gone: somebody removed it, or the folder with all that is in it. */
  async #revive(folder: string): Promise<void> {
    for (const home of this.all) {
      if (homeOf(home.folder) !== folder || !await home.revive()) continue;
      this.problem(
        `"${home.folder}" was removed while it is in use; it was made anew, and what lay in it and was not sent may be lost`,
      );
    }
  }

  async #parkedFolders(folder: string) {
    try {
      return await this.#options.disk.list(`${folder}/${parkedName}`);
    } catch (error) {
      if (codeOf(error) === "ENOENT") return [];
      throw error;
    }
  }

  async #openHome(
    folder: string,
    topic: string | undefined,
    lock: FolderLock | undefined,
    isForeign: boolean,
    place = this.all.length,
  ): Promise<Home> {
    const { disk, clock, sync, segmentBytesMax, newId } = this.#options;
    const home = await Home.open({
      disk,
      folder,
      clock,
      sync,
      segmentBytesMax,
      // Without sync a power cut could leave a file that has an older segment's header under its new name.
      reuses: sync && !isForeign && topic === undefined,
      newId,
      freed: () => this.freed(),
      problem: (message) => this.problem(message),
      tell: (event, fields) => this.#options.log("debug", event, fields),
    });
    const suspects = home.clean ? undefined : await readSuspects(disk, folder);
    const notes = suspects === undefined
      ? undefined
      : new SuspectNotes(disk, folder, clock, suspects, () => this.acquitted());
    const quarantine = new Quarantine(disk, folder, (message) => this.problem(message));
    this.#places.push({ home, lock, notes, quarantine, topic, isForeign });
    this.all.splice(place, 0, home);
    // Taken over late: it goes before the worker's own.
    if (topic === undefined && isForeign && this.own !== undefined) this.shared.unshift(home);
    else if (topic === undefined) this.shared.push(home);
    this.changed();
    return home;
  }

  #placeOf(home: Home): Place | undefined {
    return this.#places.find((place) => place.home === home);
  }

  #parkingFolder(topic: string): string {
    return `${this.own.folder}/${parkedName}/${folderNameOf(topic)}`;
  }
}
