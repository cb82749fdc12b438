/**
 * The lanes of a worker: one open batch per topic (and partition, once somebody chooses one before batching).
 *
 * `LaneTable` finds a lane by its name and forgets those that were idle for longest when there are too many;
 * `OpenLanes` keeps the lanes with records in the order in which they were opened, which is the order in which
 * they fall due.
 *
 * @module
 */
import type { Origin } from "./origins.ts";
import type { Receipt } from "./receipt.ts";

/** The open batch of one topic, or the memory of its last one. Fields belong to the batcher; others only read. */
export class Lane {
  readonly topic: string;
  /** -1: nobody has chosen a partition yet. */
  readonly partition: number;
  /** Offset of the batch header; 0 while no batch is open. */
  at = 0;
  /** End of the records, where the next one goes. */
  end = 0;
  /** Records may be written up to here. */
  limit = 0;
  /** Records in the open batch. */
  count = 0;
  baseTimestampMs = 0;
  maxTimestampMs = 0;
  /** On the monotonic clock. */
  openedAtMs = 0;
  /** Bytes of the records of the batch that closed last: what the next one is expected to need. */
  bytesLast = 0;
  /** Looked up since the table last searched for idle lanes. */
  touched = true;
  /** Requests with lines in the open batch, each once unless others came in between. */
  receipts: Receipt[] | undefined = undefined;
  /** Who sent the records of the open batch. */
  origins: Origin[] | undefined = undefined;
  /** One of them waits for the batch to go. */
  hurried = false;
  /** One of them waits for the disk, which has it sooner than the sink. */
  hurriedToDisk = false;
  /** In the batcher's list of hurried lanes. */
  listed = false;
  /** Neighbours in `OpenLanes`. */
  older: Lane | undefined = undefined;
  newer: Lane | undefined = undefined;

  constructor(topic: string, partition: number) {
    this.topic = topic;
    this.partition = partition;
  }
}

/** Lanes that hold an open batch, oldest first. */
export class OpenLanes {
  oldest: Lane | undefined = undefined;
  #newest: Lane | undefined = undefined;
  #size = 0;

  /** Lanes in it. */
  get size(): number {
    return this.#size;
  }

  /** Adds a lane that was opened now, after all others. */
  add(lane: Lane): void {
    lane.older = this.#newest;
    lane.newer = undefined;
    if (this.#newest === undefined) this.oldest = lane;
    else this.#newest.newer = lane;
    this.#newest = lane;
    this.#size++;
  }

  /** Takes out a lane that is in it. */
  remove(lane: Lane): void {
    if (lane.older === undefined) this.oldest = lane.newer;
    else lane.older.newer = lane.newer;
    if (lane.newer === undefined) this.#newest = lane.older;
    else lane.newer.older = lane.older;
    lane.older = lane.newer = undefined;
    this.#size--;
  }
}

/** Lanes by topic and partition, at most `lanesMax`. */
export class LaneTable {
  readonly #byTopic = new Map<string, Map<number, Lane>>();
  /** All of them, those that were looked at longest ago first. */
  readonly #lanes = new Set<Lane>();
  readonly #lanesMax: number;

  constructor(lanesMax: number) {
    this.#lanesMax = lanesMax;
  }

  /** Lanes that are known. */
  get size(): number {
    return this.#lanes.size;
  }

  /** The lane, or undefined if it is not known. */
  find(topic: string, partition: number): Lane | undefined {
    const lane = this.#byTopic.get(topic)?.get(partition);
    if (lane !== undefined) lane.touched = true;
    return lane;
  }

  /** True if one has to be forgotten before the next is added. */
  get full(): boolean {
    return this.#lanes.size >= this.#lanesMax;
  }

  /** Adds a lane that `find` did not find. */
  add(lane: Lane): void {
    this.#lanes.add(lane);
    const partitions = this.#byTopic.get(lane.topic);
    if (partitions !== undefined) partitions.set(lane.partition, lane);
    else this.#byTopic.set(lane.topic, new Map([[lane.partition, lane]]));
  }

  /**
   * Forgets the lane without an open batch that nobody asked for since the last search (second chance: lanes in use
   * go to the end, so that the cost per added lane is constant on average). False if every lane has an open batch.
   */
  forgetIdle(): boolean {
    let left = this.#lanes.size * 2;
    for (const lane of this.#lanes) {
      if (left-- === 0) break;
      if (lane.at === 0 && !lane.touched) {
        this.forget(lane);
        return true;
      }
      lane.touched = false;
      this.#lanes.delete(lane);
      this.#lanes.add(lane);
    }
    return false;
  }

  /** Forgets this lane. */
  forget(lane: Lane): void {
    this.#lanes.delete(lane);
    const partitions = this.#byTopic.get(lane.topic);
    partitions?.delete(lane.partition);
    if (partitions?.size === 0) this.#byTopic.delete(lane.topic);
  }
}
