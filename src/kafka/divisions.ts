/**
 * When a batch has to go out in parts, and which: it is too large for its topic, a broker found fault with some of its
 * records, or it came before the partitions of its topic were known and its records have keys.
 *
 * What parts are and where they lie is the divider's; what becomes of them is `outcomes.ts`'.
 *
 * @module
 */
import type { ClosedBatch } from "../batch/record_batch.ts";
import type { Cluster } from "./cluster.ts";
import type { Divider, RecordView, Refusal } from "./divider.ts";
import { type Group, groupsByKey, groupsBySize, groupsWithout } from "./division_plans.ts";
import type { KafkaError } from "./error_codes.ts";
import type { PartitionQueue, SequencedBatch } from "./partition_queue.ts";
import type { PartitionAnswer } from "./produce_request.ts";
import { refusalOf, refusedBy, unreadable } from "./refusals.ts";
import type { TopicLimits } from "./topic_limits.ts";
import type { TopicQueue } from "./topic_queue.ts";

/** What divisions act on. */
export interface DivisionsOptions {
  readonly cluster: Cluster;
  readonly limits: TopicLimits;
  readonly divider: Divider;
  /** A whole batch is given up, as an entry of its partition or as it is. */
  reject(entry: SequencedBatch, error: KafkaError, said: string | undefined): void;
  /** @see reject */
  settle(batch: ClosedBatch, refusal: Refusal): void;
  /** A partition may send again. */
  reactivate(partition: PartitionQueue): void;
  /** Batches of a topic may still not be placed. */
  undeliverable(topic: TopicQueue): void;
  /** Something can be sent again. */
  dispatch(): void;
}

/** One per sink. */
export class Divisions {
  readonly #options: DivisionsOptions;

  constructor(options: DivisionsOptions) {
    this.#options = options;
  }

  /** Batches that came before their topic's partitions were known, in their order. */
  byKey(topic: TopicQueue): void {
    const batch = topic.takeUndivided();
    if (batch === undefined) return;
    this.#options.divider.divide(batch, {
      select: (view) =>
        toSelections(groupsByKey(view, topic.partitionCount), (part, { partition = 0 }) => {
          part.partition = partition;
          const line = topic.partitions[partition];
          if (line === undefined) topic.push(part);
          else {
            line.push(part);
            this.#options.reactivate(line);
          }
        }),
      placed: () => this.#dividedByKey(topic),
      unreadable: () => {
        this.#options.settle(batch, unreadable(batch));
        this.#dividedByKey(topic);
      },
    });
  }

  #dividedByKey(topic: TopicQueue): void {
    topic.divided();
    for (const partition of topic.partitions) this.#options.cluster.activate(partition);
    this.#options.undeliverable(topic);
    this.#options.dispatch();
  }

  /** The broker says that the batch is too large. What is one record is refused; else its parts go out. */
  tooLarge(entry: SequencedBatch, error: KafkaError): void {
    const { batch, partition } = entry;
    this.#options.limits.refused(this.#options.cluster.topic(batch.topic));
    if (batch.count === 1) return this.#options.reject(entry, error, this.#limitOf(batch.topic));
    partition.divide(entry);
    this.#divide(entry, (view) => this.#bySize(batch, view));
  }

  /** A batch that the topic would refuse for its size, taken out of its line before it went out. */
  oversized(entry: SequencedBatch): void {
    this.#divide(entry, (view) => this.#bySize(entry.batch, view));
  }

  #bySize({ topic, count }: ClosedBatch, view: RecordView): Group[] {
    const { batchBytesMax } = this.#options.cluster.topic(topic);
    const tooLarge = (bytes: number) =>
      refusalOf(
        "record_too_large",
        `Record of ${bytes} bytes for topic "${topic}": ${this.#limitOf(topic)}`,
      );
    if (count > 1) return groupsBySize(view, batchBytesMax, tooLarge);
    return [{ records: [0], refusal: tooLarge(view.bytesOf(0)) }];
  }

  /** What a topic takes, in words; undefined where nobody knows. */
  #limitOf(topic: string): string | undefined {
    const { batchBytesMax } = this.#options.cluster.topic(topic);
    return batchBytesMax === Infinity ? undefined : `its max.message.bytes is ${batchBytesMax}`;
  }

  /** The broker found fault with some records: they are refused, the others go out without them. */
  faulty(entry: SequencedBatch, error: KafkaError, { badRecords, message }: PartitionAnswer): void {
    const { batch, partition } = entry;
    if (batch.count === 1) return this.#options.reject(entry, error, message);
    partition.divide(entry);
    const refusal = refusedBy(error, batch, message);
    this.#divide(entry, (view) => groupsWithout(view, badRecords, refusal));
  }

  #divide(entry: SequencedBatch, group: (view: RecordView) => Group[]): void {
    const { partition, batch } = entry;
    this.#options.divider.divide(batch, {
      select: (view) =>
        toSelections(group(view), (part) => {
          partition.placeBefore(entry, part);
          this.#placed(partition);
        }),
      placed: () => {
        partition.divided(entry);
        this.#placed(partition);
      },
      unreadable: () => {
        partition.divided(entry);
        this.#options.settle(batch, unreadable(batch));
        this.#placed(partition);
      },
    });
  }

  #placed(partition: PartitionQueue): void {
    this.#options.reactivate(partition);
    this.#options.dispatch();
  }
}

function toSelections(groups: readonly Group[], place: (part: ClosedBatch, group: Group) => void) {
  return groups.map((group) => ({
    records: group.records,
    ...(group.refusal === undefined
      ? { place: (part: ClosedBatch) => place(part, group) }
      : { refusal: group.refusal }),
  }));
}
