/**
 * One topic: what the cluster says about it, its partitions, and the batches that have none yet.
 *
 * A batch that may go to any partition waits here and gets its partition when one can take it at once, in turn.
 * So the batches of a dead broker's partitions are few, and the others get what it cannot take.
 *
 *     unknown      the cluster was not asked, or does not know it: batches wait
 *     known        it has partitions
 *     unavailable  given up for now: batches are rejected with a reason; it is looked for again all the same
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { anyPartition, type ClosedBatch, partitionByKey } from "../batch/record_batch.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { Fifo } from "./fifo.ts";
import { PartitionQueue, type TopicName } from "./partition_queue.ts";
import { topicNameBytesMax } from "./produce_request.ts";

/** What is known about a topic. */
export type TopicState =
  /** `missedSinceMs`: when the cluster first said that it does not know it, while batches waited. */
  | { readonly kind: "unknown"; readonly missedSinceMs: number | undefined }
  | { readonly kind: "known" }
  /** `untilMs`: not tried again before, whatever the metadata says (what may be described may not be written to). */
  | {
    readonly kind: "unavailable";
    readonly reason: string;
    readonly message: string;
    readonly untilMs: number;
  };

/** Partitions that are weighed for one batch: of more, those next in turn. */
const candidatesMax = 16;

/** Names that Kafka takes. */
const legalName = new RegExp(`^[a-zA-Z0-9._-]{1,${topicNameBytesMax}}$`);

/** One topic. */
export class TopicQueue implements TopicName {
  readonly name: string;
  readonly nameBytes: Buffer;
  state: TopicState = { kind: "unknown", missedSinceMs: undefined };
  /** Last time somebody sent a batch. */
  usedAtMs = 0;
  delivered = 0;
  rejected = 0;
  /** When the cluster last said which partitions there are. */
  describedAtMs = -Infinity;
  /** How many there were then; 0 before. */
  partitionCount = 0;
  /** Bytes of its batches that are not settled. */
  bytes = 0;
  /** Why it was given up, until it is known to work again. */
  fault: { readonly reason: string; readonly message: string } | undefined;
  /** It has a fault, and its batches wait for the end of it. */
  isParked = false;
  /** @inheritdoc */
  batchBytesMax = Infinity;
  /** When the cluster was last asked for that. */
  limitAskedAtMs = -Infinity;

  readonly #kernel: Kernel;
  /** Batches for any partition. */
  readonly #waiting = new Fifo<ClosedBatch>();
  /** Batches that name their partition while it is not there or must wait, and batches that go by key. */
  readonly #addressed = new Fifo<ClosedBatch>();
  /** Of those, how many go by key and are not divided yet, the one in work included. */
  #undivided = 0;
  #isDividing = false;
  /** Since when some batch names a partition that is not there. */
  #lacksSinceMs: number | undefined;
  #partitions: PartitionQueue[] = [];
  #turn = 0;

  constructor(name: string, kernel: Kernel) {
    this.name = name;
    this.nameBytes = Buffer.from(name, "latin1");
    this.#kernel = kernel;
  }

  /** The partitions, by index. Those that the cluster took away stay behind the end until they are empty. */
  get partitions(): readonly PartitionQueue[] {
    return this.#partitions;
  }

  /** Batches that wait for a partition that can take them. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /**
   * Looks for batches that name a partition which the topic does not have: "none"; "asked": the cluster described the
   * topic since they came; "open": it has to be asked.
   */
  lacking(nowMs: number): "none" | "asked" | "open" {
    let lacks = false;
    for (let left = this.#addressed.length; left > 0; left--) {
      const batch = this.#addressed.take()!;
      lacks ||= batch.partition >= this.#partitions.length;
      this.#addressed.push(batch);
    }
    if (!lacks) this.#lacksSinceMs = undefined;
    else this.#lacksSinceMs ??= nowMs;
    if (this.#lacksSinceMs === undefined) return "none";
    return this.describedAtMs > this.#lacksSinceMs ? "asked" : "open";
  }

  /** Batches for partitions that are not there: not yet, or the topic has fewer. */
  get unplaced(): number {
    return this.#addressed.length;
  }

  /** Batches here and in all partitions. */
  get unsettled(): number {
    let count = this.#waiting.length + this.#addressed.length + (this.#isDividing ? 1 : 0);
    for (const partition of this.#partitions) count += partition.waiting + partition.sent;
    return count;
  }

  /** Adds the batches that wait here and in all partitions, without those that requests carry. */
  addHeld(into: Set<ClosedBatch>): void {
    for (const batch of this.#waiting) into.add(batch);
    for (const batch of this.#addressed) into.add(batch);
    for (const partition of this.#partitions) partition.addHeld(into);
  }

  /** Takes a batch. Returns the partition where it stands, or undefined while it waits for one. */
  push(batch: ClosedBatch): PartitionQueue | undefined {
    if (batch.partition === anyPartition) {
      this.#waiting.push(batch);
      return undefined;
    }
    if (batch.partition === partitionByKey) this.#undivided++;
    const partition = this.#placeOf(batch);
    if (partition === undefined) this.#addressed.push(batch);
    else partition.push(batch);
    return partition;
  }

  /** Behind batches that go by key and are not divided yet, the others must wait: they may have later records of a key. */
  #placeOf(batch: ClosedBatch): PartitionQueue | undefined {
    return this.state.kind === "known" && this.#undivided === 0
      ? this.#partitions[batch.partition]
      : undefined;
  }

  /**
   * Gives the first waiting batch to the partition with the least load and returns that; undefined if it waits on.
   * Where loads are equal, partitions have it in turn. `loadOf` is undefined for one that cannot take a batch now.
   */
  assign(loadOf: (partition: PartitionQueue) => number | undefined): PartitionQueue | undefined {
    if (this.#waiting.length === 0 || this.state.kind !== "known") return undefined;
    const partition = this.#next(loadOf);
    if (partition === undefined) return undefined;
    const batch = this.#waiting.take();
    if (batch === undefined) return undefined;
    batch.partition = partition.id;
    partition.assign(batch);
    return partition;
  }

  #next(loadOf: (partition: PartitionQueue) => number | undefined): PartitionQueue | undefined {
    const count = this.#partitions.length;
    let best: PartitionQueue | undefined;
    let bestLoad = Infinity;
    for (let step = 0, open = 0; step < count && open < candidatesMax; step++) {
      const partition = this.#partitions[(this.#turn + step) % count];
      const load = loadOf(partition);
      if (load === undefined) continue;
      open++;
      if (load >= bestLoad) continue;
      best = partition;
      bestLoad = load;
    }
    if (best !== undefined) this.#turn = (best.id + 1) % count;
    return best;
  }

  /** The next batch that goes by key, taken out to be divided; nothing that came behind it moves before `divided`. */
  takeUndivided(): ClosedBatch | undefined {
    if (this.state.kind !== "known" || this.#undivided === 0 || this.#isDividing) return undefined;
    let found: ClosedBatch | undefined;
    for (let left = this.#addressed.length; left > 0; left--) {
      const batch = this.#addressed.take()!;
      if (found === undefined && batch.partition === partitionByKey) found = batch;
      else this.#addressed.push(batch);
    }
    this.#isDividing = found !== undefined;
    return found;
  }

  /** The records of the batch that was taken last stand in their partitions' lines. */
  divided(): void {
    this.#isDividing = false;
    this.#undivided--;
    this.#deliverAddressed();
  }

  /**
   * The topic has `count` partitions. With fewer than before (it was made anew), the batches that never went out
   * wait for another partition. Batches that name one which is not there stay (`unplaced`).
   */
  resize(count: number, nowMs: number): void {
    this.describedAtMs = nowMs;
    this.partitionCount = count;
    for (let id = this.#partitions.length; id < count; id++) {
      const partition = new PartitionQueue(this, id, this.#kernel);
      partition.movedAtMs = nowMs;
      this.#partitions.push(partition);
    }
    while (this.#partitions.length > count) {
      const last = this.#partitions[this.#partitions.length - 1];
      if (last.sent > 0 || last.isDividing) break;
      for (const batch of last.drop()) {
        batch.partition = anyPartition;
        this.#waiting.push(batch);
      }
      this.#partitions.pop();
    }
    this.state = { kind: "known" };
    this.#deliverAddressed();
  }

  #deliverAddressed(): void {
    if (this.#undivided > 0) return;
    for (let left = this.#addressed.length; left > 0; left--) {
      const batch = this.#addressed.take()!;
      const partition = this.#partitions[batch.partition];
      if (partition === undefined) this.#addressed.push(batch);
      else partition.push(batch);
    }
  }

  /** Takes out the batches for partitions that are not there. */
  dropUnplaced(): ClosedBatch[] {
    const dropped: ClosedBatch[] = [];
    for (let left = this.#addressed.length; left > 0; left--) {
      const batch = this.#addressed.take()!;
      if (batch.partition >= this.#partitions.length) dropped.push(batch);
      else this.#addressed.push(batch);
    }
    return dropped;
  }

  /** Takes out batches that never went out, the newest first, but leaves one: by it is seen when the topic goes on. */
  giveBack(isWanted: (batch: ClosedBatch) => boolean): ClosedBatch[] {
    let left = this.#partitions.some((partition) => partition.isBound) ? 0 : 1;
    const taken: ClosedBatch[] = [];
    for (const partition of this.#partitions) {
      taken.push(...partition.giveBack(isWanted, left));
      if (partition.waiting > 0) left = 0;
    }
    taken.push(...this.#waiting.takeEndWhile(isWanted, left));
    // Of one lane, batches were opened in their order; between lanes there is none.
    return taken.sort((one, other) => other.openedAtMs - one.openedAtMs);
  }

  /** Takes out every batch that no request carries. */
  drop(): ClosedBatch[] {
    const dropped: ClosedBatch[] = [];
    for (const partition of this.#partitions) dropped.push(...partition.drop());
    for (const queue of [this.#waiting, this.#addressed]) {
      for (let batch = queue.take(); batch !== undefined; batch = queue.take()) dropped.push(batch);
    }
    this.#undivided = this.#isDividing ? 1 : 0;
    return dropped;
  }
}

/** True for a name that a topic may have. */
export function isTopicName(name: string): boolean {
  return legalName.test(name) && name !== "." && name !== "..";
}
