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
import { batchHeaderBytes } from "../kernel/kernel.ts";
import { invariant } from "../core/invariant.ts";
import { ioProblem } from "../core/io_problem.ts";
import { Accounts, LiveBatches } from "./accounts.ts";
import { Backlog, type Candidate } from "./backlog.ts";
import { headAt, headBytesMin, topicBytesMax, TopicNames, writeHead } from "./format.ts";
import { GroupCommit, type Pending } from "./group_commit.ts";
import { HeldBatch, type Place } from "./held_batch.ts";
import type { Home } from "./home.ts";
import type { Folders } from "./folders.ts";
import { Parking } from "./parking.ts";
import { batchFileName } from "./quarantine.ts";
import { BatchReader, closedBatchOf, type SpoolMemory } from "./reader.ts";
import { batchState, type Segment } from "./segment.ts";
import { Space } from "./space.ts";
import type {
  BacklogAnswer,
  BacklogWish,
  Damage,
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
import { crashesMax } from "./suspects.ts";

/** A batch that the disk refused to give so often is given up. */
const readFailuresMax = 5;
/** After a refused read. */
const readRetryMs = 200;

/** What a worker's spool is made of. */
export interface WorkerSpoolOptions {
  readonly settings: SpoolSettings;
  /** Bounds of this worker: its share of the process's. */
  readonly bytesMax: number;
  readonly parkedBytesMax: number;
  readonly replayBytesPerS: number;
  readonly memory: SpoolMemory;
  readonly folders: Folders;
  readonly events: SpoolEvents;
  readonly opened: Opened;
}

/** One per worker; `openSpool` makes it. */
export class WorkerSpool implements Spool {
  readonly opened: Opened;
  readonly #options: WorkerSpoolOptions;
  readonly #events: SpoolEvents;
  readonly #folders: Folders;
  readonly #memory: SpoolMemory;
  readonly #view: DataView;
  readonly #checksum: (at: number, length: number) => number;
  readonly #names = new TopicNames();
  readonly #commits: GroupCommit;
  readonly #backlog: Backlog;
  /** The same batches, for those who move parked ones. */
  readonly #shelf: Backlog;
  readonly #reader: BatchReader;
  readonly #space: Space;
  readonly #parking: Parking;
  readonly #parked = new Set<string>();
  readonly #waiting = new Accounts();
  /** Batches of folders that are no parking place, which the pipeline has. */
  readonly #out = new LiveBatches();
  readonly #readFailures = new Map<string, number>();
  #reading: Candidate | undefined;
  #damaged = 0;
  #quarantined = 0;

  constructor(options: WorkerSpoolOptions) {
    const { settings, memory, folders, events } = options;
    const { bytes } = memory;
    const { disk, clock } = folders;
    this.opened = options.opened;
    this.#options = options;
    this.#events = events;
    this.#folders = folders;
    this.#memory = memory;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#checksum = (at, length) => memory.crc32c(at, length);
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
      this.#lost({ home, segment, batch }, 0, "crc_mismatch", undefined);
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
      damaged: (candidate, found) => this.#quarantine(candidate, candidate.count, "crc_mismatch", found),
    });
    folders.freed = () => {
      this.#space.freed();
      this.#commits.freed();
      this.#parking.kick();
    };
    folders.changed = () => this.#restart();
    folders.acquitted = () => events.wants();
    folders.lost = (message) => this.#commits.halt(message);
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
    this.#commits.append(this.#outgoing(held, (spooled) => {
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

  async next(wish: BacklogWish): Promise<BacklogAnswer> {
    invariant(this.#reading === undefined, "one batch is read at a time");
    for (;;) {
      const found = await this.#backlog.find((topic) =>
        !this.#parked.has(topic) && this.#parking.moving !== topic && wish.mayGo(topic)
      );
      if (found === "none") return { kind: "none" };
      if ("delayMs" in found) return { kind: "later", delayMs: found.delayMs };
      if (found.segment.stateOf(found.batch) !== batchState.backlog) continue;
      const answer = await this.#fetch(found, wish);
      if (answer !== undefined) return answer;
    }
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
    await this.#quarantine(place, held.batch.count, "crc_mismatch", outcome.bytes);
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
      damagedBatches: this.#damaged,
      quarantinedBatches: this.#quarantined,
    };
  }

  async close(deadlineMs: number): Promise<readonly SpooledBatch[]> {
    const left = await this.#commits.close(deadlineMs);
    await this.#parking.close();
    await this.#folders.close();
    return left;
  }

  /** What was wrong when the folders were opened. */
  report(damage: Damage): void {
    if (damage.reason !== "torn") this.#damaged += damage.batches;
    this.#events.damaged(damage);
  }

  /** True while batches of earlier sessions lie on the disk, or one is being read. */
  get #replaying(): boolean {
    return this.#reading?.segment.earlier === true || this.#folders.hasEarlier;
  }

  #outgoing(held: HeldBatch, committed: (spooled: SpooledBatch) => void): Pending {
    const { batch } = held;
    const topic = this.#names.bytesOf(batch.topic);
    invariant(topic.length <= topicBytesMax, "a topic has a name that Kafka takes");
    const headBytes = headBytesMin + topic.length;
    const { recordBytes } = held;
    let recordCrc: number | undefined;
    return {
      held,
      committed,
      sinceMs: this.#folders.clock.monoMs(),
      topic: batch.topic,
      headBytes,
      recordBytes,
      count: batch.count,
      timestampMs: batch.baseTimestampMs,
      stamp: (segmentId, index, groupPlace) => {
        recordCrc ??= this.#checksum(batch.at + batchHeaderBytes, recordBytes);
        const start = headAt(batch.at, headBytes);
        const { count, rawBytes, partition, baseTimestampMs, maxTimestampMs, attributes } = batch;
        writeHead(
          this.#view,
          start,
          {
            groupPlace,
            segmentId,
            index,
            recordBytes,
            recordCrc,
            count,
            rawBytes,
            partition,
            baseTimestampMs,
            maxTimestampMs,
            attributes,
          },
          topic,
          this.#checksum,
        );
        return this.#memory.bytes.subarray(start, batch.end);
      },
    };
  }

  /** Reads what was found. Undefined: look for another one. */
  async #fetch(found: Candidate, wish: BacklogWish): Promise<BacklogAnswer | undefined> {
    const { home, segment, batch, count, recordBytes, topic } = found;
    const notes = segment.earlier ? this.#folders.notesOf(home) : undefined;
    if (notes !== undefined) {
      if (notes.crashesOf(segment.id, batch) >= crashesMax) {
        await this.#setAside(found);
        return undefined;
      }
      // `folders.acquitted` says when to ask again, and so does each settled batch.
      if (!notes.mayGo(segment.id, batch)) return { kind: "none" };
    }
    const at = wish.room(recordBytes);
    if (at === 0) return { kind: "no_room" };
    this.#reading = found;
    segment.move(batch, batchState.live, count);
    const outcome = await this.#reader.read(found, at);
    if (outcome.kind === "read" && notes !== undefined) {
      await notes.note(segment.id, batch).catch((error) => {
        this.#folders.problem(ioProblem("write", home.folder, error));
      });
    }
    this.#reading = undefined;
    switch (outcome.kind) {
      case "read": {
        this.#backlog.took(found);
        if (!segment.earlier) this.#waiting.remove(topic);
        const closed = closedBatchOf(outcome.head, at, this.#folders.clock.monoMs());
        const held = new HeldBatch(closed, { home, segment, batch }, segment.earlier);
        if (this.#folders.shared.includes(home)) this.#out.add(held);
        wish.take(held);
        return { kind: "batch" };
      }
      case "damaged":
        if (!segment.earlier) this.#waiting.remove(topic);
        await this.#quarantine(found, count, "crc_mismatch", outcome.bytes);
        wish.release(at);
        return undefined;
      case "failed":
        wish.release(at);
        return this.#refused(found, outcome.error);
    }
  }

  /** The disk refused to give a batch: it stays, or is given up after a few times. */
  #refused(found: Candidate, error: unknown): BacklogAnswer | undefined {
    const { home, segment, batch, count, topic } = found;
    const name = `${segment.id}/${batch}`;
    const failures = (this.#readFailures.get(name) ?? 0) + 1;
    this.#folders.problem(ioProblem("read", home.folder, error));
    if (failures >= readFailuresMax) {
      this.#readFailures.delete(name);
      if (!segment.earlier) this.#waiting.remove(topic);
      this.#lost(found, count, "unreadable", undefined);
      return undefined;
    }
    this.#readFailures.set(name, failures);
    segment.move(batch, batchState.backlog, count);
    this.#backlog.returned(home, segment, batch);
    return { kind: "later", delayMs: readRetryMs };
  }

  /** A batch that was out at two crashes in a row. */
  async #setAside(found: Candidate): Promise<void> {
    const { segment, batch, count, offset, headBytes, recordBytes, home } = found;
    segment.move(batch, batchState.live, count);
    const bytes = new Uint8Array(headBytes + recordBytes);
    await home.read(segment, offset, bytes).catch(() => false);
    await this.#quarantine(found, count, "crash_loop", bytes);
  }

  /** Keeps the bytes of a batch that nobody will get, and counts it. */
  async #quarantine(place: Place, records: number, reason: string, bytes: Uint8Array): Promise<void> {
    const { home, segment, batch } = place;
    const path = await this.#folders.quarantineOf(home).keep(
      batchFileName(segment.number, batch),
      bytes.slice(),
    );
    if (path !== undefined) this.#quarantined++;
    this.#lost(place, records, reason, path);
  }

  #lost(place: Place, records: number, reason: string, path: string | undefined): void {
    const { home, segment, batch } = place;
    home.settle(segment, batch, records, batchState.gone);
    this.#damaged++;
    const kept = path === undefined ? "its bytes were not kept" : `its bytes are in "${path}"`;
    this.#events.damaged({
      reason,
      batches: 1,
      records,
      counted: records > 0,
      path,
      message:
        `Batch ${batch} of segment ${segment.number} in "${home.folder}" is not sent (${reason}); ${kept}`,
    });
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
