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
import type { ClosedBatch } from "../batch/record_batch.ts";
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

  readonly #kernel: Kernel;
  /** Batches for any partition. */
  readonly #waiting = new Fifo<ClosedBatch>();
  /** Batches that name their partition, while it is not there. */
  readonly #addressed = new Fifo<ClosedBatch>();
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

  /** Batches for partitions that are not there: not yet, or the topic has fewer. */
  get unplaced(): number {
    return this.#addressed.length;
  }

  /** Batches here and in all partitions. */
  get unsettled(): number {
    let count = this.#waiting.length + this.#addressed.length;
    for (const partition of this.#partitions) count += partition.waiting + partition.sent;
    return count;
  }

  /** Takes a batch. Returns the partition where it stands, or undefined while it waits for one. */
  push(batch: ClosedBatch): PartitionQueue | undefined {
    if (batch.partition < 0) {
      this.#waiting.push(batch);
      return undefined;
    }
    const partition = this.state.kind === "known" ? this.#partitions[batch.partition] : undefined;
    if (partition === undefined) this.#addressed.push(batch);
    else partition.push(batch);
    return partition;
  }

  /** Gives the first waiting batch to the next partition in turn that `isOpen` and returns that; undefined if it waits on. */
  assign(isOpen: (partition: PartitionQueue) => boolean): PartitionQueue | undefined {
    if (this.#waiting.length === 0 || this.state.kind !== "known") return undefined;
    const partition = this.#next(isOpen);
    if (partition === undefined) return undefined;
    const batch = this.#waiting.take();
    if (batch === undefined) return undefined;
    batch.partition = partition.id;
    partition.push(batch);
    return partition;
  }

  #next(isOpen: (partition: PartitionQueue) => boolean): PartitionQueue | undefined {
    const count = this.#partitions.length;
    for (let step = 0; step < count; step++) {
      const partition = this.#partitions[(this.#turn + step) % count];
      if (!isOpen(partition)) continue;
      this.#turn = (this.#turn + step + 1) % count;
      return partition;
    }
    return undefined;
  }

  /**
   * The topic has `count` partitions. With fewer than before (it was made anew), the batches that never went out
   * wait for another partition. Batches that name one which is not there stay (`unplaced`).
   */
  resize(count: number, nowMs: number): void {
    this.describedAtMs = nowMs;
    for (let id = this.#partitions.length; id < count; id++) {
      this.#partitions.push(new PartitionQueue(this, id, this.#kernel));
    }
    while (this.#partitions.length > count) {
      const last = this.#partitions[this.#partitions.length - 1];
      if (last.sent > 0) break;
      for (const batch of last.drop()) {
        batch.partition = -1;
        this.#waiting.push(batch);
      }
      this.#partitions.pop();
    }
    this.state = { kind: "known" };
    this.#deliverAddressed();
  }

  #deliverAddressed(): void {
    for (let left = this.#addressed.length; left > 0; left--) {
      const batch = this.#addressed.take()!;
      const partition = this.#partitions[batch.partition];
      if (partition === undefined) this.#addressed.push(batch);
      else partition.push(batch);
    }
  }

  /** Takes out the batches for partitions that are not there. */
  dropUnplaced(): ClosedBatch[] {
    return Array.from({ length: this.#addressed.length }, () => this.#addressed.take()!);
  }

  /** Takes out every batch that no request carries. */
  drop(): ClosedBatch[] {
    const dropped: ClosedBatch[] = [];
    for (const partition of this.#partitions) dropped.push(...partition.drop());
    for (const queue of [this.#waiting, this.#addressed]) {
      for (let batch = queue.take(); batch !== undefined; batch = queue.take()) dropped.push(batch);
    }
    return dropped;
  }
}

/** True for a name that a topic may have. */
export function isTopicName(name: string): boolean {
  return legalName.test(name) && name !== "." && name !== "..";
}
