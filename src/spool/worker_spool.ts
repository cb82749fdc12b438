/**
 * The spool of one worker, joined: its own folder, those it took over, the places of parked topics, the queue of
 * commits in front and the backlog behind. What it promises stands in `spool.ts`.
 *
 *     append ──> GroupCommit ──> Home (own) ─┐
 *                                Home (w5)  ─┼──> Backlog ──> BatchReader ──> take
 *                Parking ──────> Home (parked/TOPIC)
 *
 * @module
 */
import type { ClosedBatch } from "../batch/record_batch.ts";
import { invariant } from "../core/invariant.ts";
import { ioProblem } from "../core/io_problem.ts";
import { Accounts, LiveBatches } from "./accounts.ts";
import { Backlog } from "./backlog.ts";
import { GroupCommit } from "./group_commit.ts";
import { HeldBatch, type Place } from "./held_batch.ts";
import type { Home } from "./home.ts";
import type { Folders } from "./folders.ts";
import { KeptOrigins } from "./kept_origins.ts";
import type { Losses } from "./losses.ts";
import { Parking } from "./parking.ts";
import { BatchReader, type SpoolMemory } from "./reader.ts";
import { Replay } from "./replay.ts";
import { batchState, type Segment } from "./segment.ts";
import { Stamper } from "./stamper.ts";
import { Space } from "./space.ts";
import type {
  BacklogAnswer,
  BacklogWish,
  Opened,
  ReadAnswer,
  Settlement,
  Spool,
  SpooledBatch,
  SpoolEvents,
  SpoolSettings,
  SpoolState,
  SpoolStats,
} from "./spool.ts";

/** What a worker's spool is made of. */
export interface WorkerSpoolOptions {
  readonly settings: SpoolSettings;
  /** Bounds of this worker: its share of the process's. */
  readonly bytesMax: number;
  readonly parkedBytesMax: number;
  readonly replayBytesPerS: number;
  readonly memory: SpoolMemory;
  readonly folders: Folders;
  readonly losses: Losses;
  readonly events: SpoolEvents;
  readonly opened: Opened;
}

/** One per worker; `openSpool` makes it. */
export class WorkerSpool implements Spool {
  readonly opened: Opened;
  readonly #options: WorkerSpoolOptions;
  readonly #events: SpoolEvents;
  readonly #folders: Folders;
  readonly #stamper: Stamper;
  readonly #losses: Losses;
  readonly #replay: Replay;
  readonly #commits: GroupCommit;
  readonly #backlog: Backlog;
  /** The same batches, for those who move parked ones. */
  readonly #shelf: Backlog;
  readonly #reader: BatchReader;
  readonly #space: Space;
  readonly #parking: Parking;
  readonly #parked = new Set<string>();
  readonly #waiting = new Accounts();
  readonly #origins = new KeptOrigins();
  /** Batches of folders that are no parking place, which the pipeline has. */
  readonly #out = new LiveBatches();

  constructor(options: WorkerSpoolOptions) {
    const { settings, memory, folders, events } = options;
    const { disk, clock } = folders;
    this.opened = options.opened;
    this.#options = options;
    this.#events = events;
    this.#folders = folders;
    this.#stamper = new Stamper(memory, clock);
    this.#losses = options.losses;
    this.#reader = new BatchReader(memory);
    this.#space = new Space({
      disk,
      clock,
      folder: folders.own.folder,
      bytesMax: options.bytesMax,
      freeBytesMin: settings.freeBytesMin,
      used: () => folders.bytes,
    });
    this.#commits = new GroupCommit({
      home: folders.own,
      space: this.#space,
      clock,
      ready: () => events.room(),
      stateChanged: (state) => this.#stateChanged(state),
    });
    const missing = (home: Home, segment: Segment, batch: number): void =>
      this.#losses.missing({ home, segment, batch });
    const { replayBytesPerS } = options;
    const { replay } = settings;
    this.#backlog = new Backlog({ homes: folders.all, clock, replay, replayBytesPerS, missing });
    this.#shelf = new Backlog({ homes: folders.shared, clock, replay: "ordered", replayBytesPerS, missing });
    this.#parking = new Parking({
      backlog: this.#shelf,
      clock,
      space: this.#space,
      accounts: this.#waiting,
      live: this.#out,
      parkedBytesMax: options.parkedBytesMax,
      parked: this.#parked,
      home: (topic) => folders.parkingPlace(topic),
      known: (topic) => folders.knownParkingPlace(topic),
      problem: (message) => folders.problem(message),
      moved: () => {
        this.#restart();
        events.wants();
      },
      damaged: (candidate, found) =>
        this.#losses.quarantine(candidate, candidate.count, "crc_mismatch", found),
    });
    this.#replay = new Replay({
      folders,
      backlog: this.#backlog,
      reader: this.#reader,
      losses: this.#losses,
      waiting: this.#waiting,
      live: this.#out,
      origins: this.#origins,
      mayGo: (topic) => !this.#parked.has(topic) && this.#parking.moving !== topic,
      returned: ({ home, segment, batch }) => {
        this.#backlog.returned(home, segment, batch);
        this.#shelf.returned(home, segment, batch);
        events.wants();
      },
    });
    folders.freed = () => {
      this.#space.freed();
      this.#commits.freed();
      this.#parking.kick();
    };
    folders.changed = () => this.#restart();
    folders.acquitted = () => events.wants();
    folders.came = (records) => {
      events.adopted?.(records);
      events.wants();
    };
    folders.lost = (message) => {
      this.#commits.halt(message);
      void this.#parking.close();
    };
  }

  get state(): SpoolState {
    return this.#commits.state;
  }

  get full(): boolean {
    return this.#commits.state.kind !== "ready";
  }

  get parked(): ReadonlySet<string> {
    return this.#parked;
  }

  append(batch: ClosedBatch, committed: (spooled: SpooledBatch) => void): SpooledBatch {
    invariant(this.#commits.state.kind !== "closed", "nothing is appended to a spool that was closed");
    const held = new HeldBatch(batch, undefined, false);
    this.#commits.append(this.#stamper.pending(held, (spooled) => {
      this.#out.add(held);
      committed(spooled);
    }));
    return held;
  }

  withdraw(spooled: SpooledBatch): boolean {
    const held = asHeld(spooled);
    return held.state === "pending" && this.#commits.withdraw(held);
  }

  settle(spooled: SpooledBatch, _settlement: Settlement): void {
    const held = asHeld(spooled);
    const { home, segment, batch } = this.#placeOf(held);
    held.state = "settled";
    home.settle(segment, batch, held.batch.count);
    this.#came(held);
    this.#folders.notesOf(home)?.cross(segment.id, batch);
    // A full spool whose oldest segment is the one in writing would wait for ever.
    if (this.full && segment === home.current && segment.doneBatches === segment.batches) home.endSegment();
  }

  giveUp(spooled: SpooledBatch): void {
    const held = asHeld(spooled);
    const { home, segment, batch } = this.#placeOf(held);
    held.state = "backlog";
    this.#origins.keep(segment.id, batch, held.batch.origins);
    segment.move(batch, batchState.backlog, held.batch.count);
    this.#came(held);
    this.#folders.notesOf(home)?.cross(segment.id, batch);
    if (!segment.earlier) this.#waiting.add(held.batch.topic);
    this.#backlog.returned(home, segment, batch);
    this.#shelf.returned(home, segment, batch);
    if (!this.#parked.has(held.batch.topic)) this.#events.wants();
  }

  mustWait(topic: string): boolean {
    return this.#waiting.has(topic) || this.#parked.has(topic) ||
      this.#options.settings.replay === "ordered" && this.#replaying;
  }

  next(wish: BacklogWish): Promise<BacklogAnswer> {
    return this.#replay.next(wish);
  }

  async read(spooled: SpooledBatch, at: number): Promise<ReadAnswer> {
    const held = asHeld(spooled);
    const place = this.#placeOf(held);
    const index = await place.home.index(place.segment);
    if (index === undefined) return { ok: false, damaged: false, message: this.#folders.trouble ?? "" };
    const { batch } = place;
    const stored = {
      ...place,
      offset: index.offset(batch),
      headBytes: index.headBytes(batch),
      recordBytes: index.recordBytes(batch),
    };
    const outcome = await this.#reader.read(stored, at);
    if (outcome.kind === "read") return { ok: true };
    if (outcome.kind === "failed") {
      return { ok: false, damaged: false, message: ioProblem("read", place.home.folder, outcome.error) };
    }
    held.state = "settled";
    this.#came(held);
    await this.#losses.quarantine(place, held.batch.count, "crc_mismatch", outcome.bytes);
    return { ok: false, damaged: true };
  }

  park(topic: string): void {
    if (this.#parked.has(topic)) return;
    this.#parked.add(topic);
    this.#shelf.restart();
    this.#parking.kick();
  }

  unpark(topic: string): void {
    if (!this.#parked.delete(topic)) return;
    this.#restart();
    this.#events.wants();
  }

  stats(): SpoolStats {
    const { settings, bytesMax } = this.#options;
    const sums = this.#folders.sums();
    const { state, latency, commits, batchesCommitted, bytesCommitted } = this.#commits;
    const problem = state.kind === "full" || state.kind === "failing" ? state.message : this.#folders.trouble;
    const { oldestMs, ...counts } = sums;
    return {
      dir: this.#folders.own.folder,
      durability: settings.durability,
      state: state.kind,
      ...(problem === undefined ? {} : { problem }),
      bytesMax,
      ...counts,
      pendingBatches: this.#commits.length,
      pendingBytes: this.#commits.bytes,
      oldestAgeMs: oldestMs === Infinity ? 0 : Math.max(0, this.#folders.clock.epochMs() - oldestMs),
      parked: this.#folders.parkedSums((topic) => this.#parking.isFull(topic)),
      commitMs: latency.report(),
      commits,
      batchesCommitted,
      bytesCommitted,
      damagedBatches: this.#losses.damaged,
      quarantinedBatches: this.#losses.quarantined,
    };
  }

  adoptFolders(isOn: boolean): Promise<void> {
    return this.#folders.adoption.set(isOn);
  }

  async close(deadlineMs: number): Promise<readonly SpooledBatch[]> {
    await this.#folders.adoption.set(false);
    this.#replay.close();
    const left = await this.#commits.close(deadlineMs);
    await this.#parking.close();
    await this.#folders.close();
    return left;
  }

  /** True while batches of earlier sessions lie on the disk, or one is being read. */
  get #replaying(): boolean {
    return this.#replay.readsEarlier || this.#folders.hasEarlier;
  }

  #placeOf(held: HeldBatch): Place {
    invariant(
      held.state === "live" && held.place !== undefined,
      "only a batch that is live is settled or read",
    );
    return held.place;
  }

  /** The pipeline has a batch no more. */
  #came(held: HeldBatch): void {
    this.#out.remove(held);
    if (this.#parked.has(held.batch.topic)) this.#parking.kick();
  }

  #restart(): void {
    this.#backlog.restart();
    this.#shelf.restart();
  }

  #stateChanged(state: SpoolState): void {
    if (state.kind === "full") this.#events.log?.("warn", "spool_full", { message: state.message });
    else if (state.kind === "failing") {
      this.#events.log?.("error", "spool_failing", { message: state.message });
    } else if (state.kind === "ready") this.#events.log?.("info", "spool_ready", {});
  }
}

function asHeld(spooled: SpooledBatch): HeldBatch {
  invariant(spooled instanceof HeldBatch, "a spooled batch comes from this spool");
  return spooled;
}
