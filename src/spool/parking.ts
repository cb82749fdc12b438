/**
 * Moves the batches of parked topics out of the way: from the segments they share with others into a folder of their
 * own, so that the others' segments can be removed.
 *
 *     read (head checked) ──> commit in parked/TOPIC ──> settle where it was
 *
 * First those that the pipeline still has, in the order in which it got them: they stay what they are for it, only
 * their place changes. Then those that lie on the disk alone, and what comes.
 *
 * A crash between the last two leaves it in both places: a duplicate. Records are copied as they are, their checksum
 * with them; who reads them later checks it. A topic at its quota is no longer moved: its batches stay where they
 * are, and hold room there.
 *
 * @module
 */
import { crc32c } from "../batch/crc32c.ts";
import { InvariantError } from "../core/invariant.ts";
import { ioProblem } from "../core/io_problem.ts";
import type { Accounts, LiveBatches } from "./accounts.ts";
import type { Backlog, Candidate } from "./backlog.ts";
import { pause, type SpoolClock } from "./clock.ts";
import { groupBatchesMax, headBytesMin, readHead, writeHead } from "./format.ts";
import type { HeldBatch, Place } from "./held_batch.ts";
import type { Home } from "./home.ts";
import { batchState } from "./segment.ts";
import type { Outgoing } from "./segment_writer.ts";
import type { Space } from "./space.ts";

/** Bytes in memory on their way. */
const groupBytesMax = 4 * 1024 * 1024;
/** A disk that refuses is tried again after this. */
const retryMs = 1000;

/** What a mover works with. */
export interface ParkingOptions {
  /** Chooses among the folders that are no parking place. */
  readonly backlog: Backlog;
  readonly clock: SpoolClock;
  readonly space: Space;
  /** Batches of this session that are in the backlog. */
  readonly accounts: Accounts;
  /** Batches outside of parking places that the pipeline has. */
  readonly live: LiveBatches;
  readonly parkedBytesMax: number;
  readonly parked: ReadonlySet<string>;
  /** The parking place of a topic, opened. @throws the system's error */
  home(topic: string): Promise<Home>;
  /** The place as far as it is open. */
  known(topic: string): Home | undefined;
  problem(message: string | undefined): void;
  /** Batches of a topic that is parked no more reached their place. */
  moved(): void;
  damaged(candidate: Candidate, bytes: Uint8Array): Promise<void>;
}

interface Load extends Outgoing {
  readonly candidate: Candidate;
  /** The pipeline's, if it has the batch. */
  readonly held: HeldBatch | undefined;
}

/** The mover of one worker. */
export class Parking {
  readonly #options: ParkingOptions;
  #task: Promise<void> | undefined;
  #again = false;
  #closed = false;
  #moving: string | undefined;

  constructor(options: ParkingOptions) {
    this.#options = options;
  }

  /** There may be something to move. */
  kick(): void {
    if (this.#closed || this.#options.parked.size === 0) return;
    this.#again = true;
    this.#task ??= this.#run();
  }

  /** The topic whose batches are on their way to their place: those behind them must wait. */
  get moving(): string | undefined {
    return this.#moving;
  }

  /** True for a topic whose place takes no more. */
  isFull(topic: string): boolean {
    return (this.#options.known(topic)?.bytes ?? 0) >= this.#options.parkedBytesMax;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#task;
  }

  async #run(): Promise<void> {
    while (this.#again && !this.#closed) {
      this.#again = false;
      try {
        while (!this.#closed && await this.#moveGroup());
        this.#options.problem(undefined);
      } catch (error) {
        if (error instanceof InvariantError) throw error;
        this.#options.problem(ioProblem("park", "topics", error));
        this.#again = true;
        await pause(this.#options.clock, retryMs);
      }
    }
    this.#task = undefined;
  }

  async #moveGroup(): Promise<boolean> {
    try {
      return await this.#move();
    } finally {
      const topic = this.#moving;
      this.#moving = undefined;
      if (topic !== undefined && !this.#options.parked.has(topic)) this.#options.moved();
    }
  }

  /** Moves one group of one topic. False when there is nothing to move. */
  async #move(): Promise<boolean> {
    const { space, clock } = this.#options;
    const group: Load[] = [];
    try {
      await this.#collectHeld(group);
      if (group.length === 0) await this.#collect(group);
      if (group.length === 0) return false;
      const topic = group[0]!.topic;
      while (await space.lacks(group.reduce((sum, { recordBytes }) => sum + recordBytes, 0)) !== undefined) {
        if (this.#closed || !this.#options.parked.has(topic)) return this.#putBack(group);
        await pause(clock, retryMs);
      }
      const home = await this.#options.home(topic);
      const { segment, first } = await home.commit(group);
      group.forEach((load, place) => this.#arrived(load, { home, segment, batch: first + place }));
    } catch (error) {
      this.#putBack(group);
      throw error;
    }
    return true;
  }

  /** A batch is in its place: what it was is done with. */
  #arrived({ candidate, held, count, topic }: Load, to: Place): void {
    const { home, segment, batch } = candidate;
    if (held?.state === "settled") {
      to.home.settle(to.segment, to.batch, count);
      return;
    }
    if (held?.state === "live") {
      held.place = to;
      this.#options.live.remove(held);
    } else {
      to.segment.move(to.batch, batchState.backlog, count);
      if (segment.earlier) this.#options.accounts.add(topic);
    }
    home.settle(segment, batch, count);
  }

  /** Reads batches of one parked topic that the pipeline has. */
  async #collectHeld(group: Load[]): Promise<void> {
    const { parked, live } = this.#options;
    for (const topic of parked) {
      if (!live.has(topic) || this.isFull(topic)) continue;
      this.#moving = topic;
      let bytes = 0;
      for (const held of live.oldest(topic, groupBatchesMax)) {
        const place = held.place;
        if (held.state !== "live" || place === undefined || bytes >= groupBytesMax) break;
        const index = await place.home.index(place.segment);
        if (index === undefined) return;
        const { batch } = place;
        const candidate = {
          ...place,
          topic,
          count: held.batch.count,
          offset: index.offset(batch),
          headBytes: index.headBytes(batch),
          recordBytes: index.recordBytes(batch),
        };
        const load = await this.#load(candidate, held);
        if (load === undefined) break;
        group.push(load);
        bytes += load.recordBytes;
      }
      return;
    }
  }

  /** Reads batches of one parked topic that lie on the disk alone; they are `live` from here on. */
  async #collect(group: Load[]): Promise<void> {
    let bytes = 0;
    const wanted = (topic: string): boolean =>
      this.#options.parked.has(topic) && !this.isFull(topic) && !this.#options.live.has(topic) &&
      (group.length === 0 || group[0]!.topic === topic);
    while (group.length < groupBatchesMax && bytes < groupBytesMax) {
      const candidate = await this.#options.backlog.find(wanted);
      if (candidate === "none" || "delayMs" in candidate) break;
      const { segment, batch, count } = candidate;
      if (segment.stateOf(batch) !== batchState.backlog || !wanted(candidate.topic)) continue;
      this.#moving = candidate.topic;
      segment.move(batch, batchState.live, count);
      const load = await this.#load(candidate, undefined);
      if (load === undefined) continue;
      group.push(load);
      bytes += load.recordBytes;
    }
  }

  async #load(candidate: Candidate, held: HeldBatch | undefined): Promise<Load | undefined> {
    const { home, segment, batch, count, topic, offset, headBytes, recordBytes } = candidate;
    const bytes = new Uint8Array(headBytes + recordBytes);
    const view = new DataView(bytes.buffer);
    const checksum = (at: number, length: number) => crc32c(bytes.subarray(at, at + length));
    let whole: boolean;
    try {
      whole = await home.read(segment, offset, bytes);
    } catch (error) {
      if (held === undefined) segment.move(batch, batchState.backlog, count);
      throw error;
    }
    const head = whole ? readHead(view, 0, bytes.length, checksum) : undefined;
    if (head === undefined || head.segmentId !== segment.id || head.index !== batch) {
      // The pipeline has the bytes of what it holds.
      if (held === undefined) await this.#options.damaged(candidate, bytes);
      else this.#options.live.remove(held);
      return undefined;
    }
    const topicBytes = bytes.slice(headBytesMin, headBytes);
    return {
      candidate,
      held,
      topic,
      headBytes,
      recordBytes,
      count,
      timestampMs: head.baseTimestampMs,
      stamp(segmentId, index, groupPlace) {
        writeHead(view, 0, { ...head, segmentId, index, groupPlace }, topicBytes, checksum);
        return bytes;
      },
    };
  }

  #putBack(group: readonly Load[]): false {
    for (const { candidate: { home, segment, batch, count }, held } of group) {
      if (held !== undefined) continue;
      segment.move(batch, batchState.backlog, count);
      this.#options.backlog.returned(home, segment, batch);
    }
    return false;
  }
}
