/**
 * Puts batches into requests: which batch goes to which partition, which partitions share a request, and when a
 * request goes out at all.
 *
 *     topics that wait ──assign──> partitions ──collect──> one request per broker, one batch per partition ──> lane
 *
 * A broker serves one request at a time per connection, so requests should be few and full: with less than
 * `requestsLow` out, what is there goes at once; with more, a request waits until it is worth it or one comes back.
 *
 * Hot path: nothing is allocated per record; per batch two small objects, per request a few.
 *
 * @module
 */
import type { Buffer } from "node:buffer";
import type { BrokerLane } from "./broker_lane.ts";
import type { BrokerConnection } from "./carrier.ts";
import type { CancelTimer, KafkaClock } from "./clock.ts";
import type { Cluster } from "./cluster.ts";
import type { InFlightRequest } from "./in_flight.ts";
import type { PartitionQueue, SequencedBatch } from "./partition_queue.ts";
import type { ProduceWriter, RequestPart } from "./produce_request.ts";
import type { ProducerIdKeeper } from "./producer_id.ts";
import type { TopicQueue } from "./topic_queue.ts";

/** Fewer requests out than this: what is there goes at once, else a fuller request goes later. */
export const requestsLow = 2;
/** Batches that make a request full enough while others are out; 4 x 512 KiB per 3 ms feed a broker. */
const batchesPerRequestLow = 4;
/** Batches of one request at most. */
const batchesPerRequestMax = 8;
/** A request takes no further batch from here on (brokers refuse 100 MiB, `socket.request.max.bytes`). */
const requestBytesMax = 4 * 1024 * 1024;

/** What a dispatcher works with. */
export interface DispatcherOptions {
  readonly cluster: Cluster;
  readonly clock: KafkaClock;
  readonly producerId: ProducerIdKeeper;
  readonly writer: ProduceWriter;
  /** A waiting topic that is not known, was given up, or lacks a partition: whoever knows the cluster decides. */
  undeliverable(topic: TopicQueue): void;
  /** A batch stands in its line and is larger than its topic takes. */
  oversized(entry: SequencedBatch): void;
  /** The answer to a request. */
  answered(lane: BrokerLane, connection: BrokerConnection, request: InFlightRequest, payload: Buffer): void;
  /** A request came back without an answer. */
  returned(lane: BrokerLane, request: InFlightRequest): void;
  /** `hungry` turned true. */
  wants(): void;
}

/** One per sink. */
export class Dispatcher {
  readonly #options: DispatcherOptions;
  /** Topics with batches that wait for a partition. */
  readonly #waiting = new Set<TopicQueue>();
  #isAsked = false;
  #wasHungry = false;
  #wakeAtMs = Infinity;
  #cancelWake: CancelTimer | undefined;
  #isClosed = false;

  constructor(options: DispatcherOptions) {
    this.#options = options;
  }

  /** True while a batch given now would go out at once. */
  get hungry(): boolean {
    const { cluster, clock, producerId } = this.#options;
    if (this.#isAsked || this.#isClosed || producerId.current === undefined) return false;
    const nowMs = clock.nowMs();
    for (const lane of cluster.lanes.values()) {
      if (lane.inFlight < requestsLow && lane.openConnection(nowMs) !== undefined) return true;
    }
    return false;
  }

  /** The topic has batches without a partition, or cannot have any now. */
  waits(topic: TopicQueue): void {
    this.#waiting.add(topic);
  }

  /** Batches that come in one turn go out together: the work is done once, at its end. */
  ask(): void {
    if (this.#isAsked || this.#isClosed) return;
    this.#isAsked = true;
    queueMicrotask(() => {
      this.#isAsked = false;
      this.run();
    });
  }

  /** A lane was lost: if nothing is hungry now, the next one that is will be told. */
  lost(): void {
    this.#wasHungry = this.hungry;
  }

  /** Sends everything that can and should go out. */
  run(): void {
    if (this.#isClosed) return;
    const { cluster, clock, wants } = this.#options;
    const nowMs = clock.nowMs();
    for (let sent = true; sent;) {
      const saturated = this.#assign(nowMs);
      sent = false;
      for (const lane of cluster.lanes.values()) sent = this.#sendOne(lane, saturated, nowMs) || sent;
    }
    const { hungry } = this;
    const turned = hungry && !this.#wasHungry;
    this.#wasHungry = hungry;
    if (turned) wants();
  }

  /** Sends no more. */
  close(): void {
    this.#isClosed = true;
    this.#cancelWake?.();
  }

  /** Gives waiting batches to partitions that can take one now. True if some known topic has more than they can take. */
  #assign(nowMs: number): boolean {
    const { cluster, undeliverable } = this.#options;
    const loadOf = (partition: PartitionQueue): number | undefined => {
      const lane = partition.isOpen(nowMs) ? cluster.laneOf(partition) : undefined;
      lane?.want();
      return lane?.openConnection(nowMs) === undefined ? undefined : lane.bytesInFlight;
    };
    let saturated = false;
    for (const topic of this.#waiting) {
      if (topic.state.kind !== "known" || topic.unplaced > 0) undeliverable(topic);
      for (let got = topic.assign(loadOf); got !== undefined; got = topic.assign(loadOf)) {
        cluster.activate(got);
      }
      if (topic.waiting === 0) this.#waiting.delete(topic);
      else if (topic.state.kind === "known") saturated = true;
    }
    return saturated;
  }

  #sendOne(lane: BrokerLane, saturated: boolean, nowMs: number): boolean {
    if (lane.throttledUntilMs > nowMs && (lane.active.size > 0 || saturated)) {
      this.#wakeAt(lane.throttledUntilMs);
    }
    const connection = lane.openConnection(nowMs);
    if (connection === undefined || lane.active.size === 0) return false;
    if (lane.inFlight >= requestsLow && lane.active.size < batchesPerRequestLow && !saturated) return false;
    const entries = this.#collect(lane, nowMs);
    if (entries.length === 0) return false;
    this.#send(lane, connection, entries);
    return true;
  }

  /** Takes the next batch of each partition of the lane, fairly, up to a request's bounds. */
  #collect(lane: BrokerLane, nowMs: number): SequencedBatch[] {
    const { cluster, producerId, oversized } = this.#options;
    const entries: SequencedBatch[] = [];
    const identity = producerId.current;
    if (identity === undefined) {
      producerId.need();
      return entries;
    }
    let bytes = 0;
    for (const partition of [...lane.active]) {
      if (entries.length === batchesPerRequestMax || bytes >= requestBytesMax) break;
      if (partition.heldUntilMs > nowMs) this.#wakeAt(partition.heldUntilMs);
      const large = partition.takeOversized();
      if (large !== undefined) oversized(large);
      const entry = partition.take(nowMs, identity);
      if (entry === undefined) {
        if (partition.refusedProducerId === identity.producerId) producerId.need(identity.producerId);
        continue;
      }
      entries.push(entry);
      bytes += entry.batch.end - entry.batch.at;
      // To the end of the line of partitions, if it has more.
      lane.active.delete(partition);
      cluster.activate(partition);
    }
    return entries.length > 1 ? entries.sort(byTopic) : entries;
  }

  #send(lane: BrokerLane, connection: BrokerConnection, entries: SequencedBatch[]): void {
    const { writer, answered, returned } = this.#options;
    let bytes = 0;
    const parts: RequestPart[] = [];
    for (const { batch, partition } of entries) {
      parts.push({ topic: partition.topic.nameBytes, partition: partition.id, at: batch.at, end: batch.end });
      bytes += batch.end - batch.at;
    }
    const request: InFlightRequest = { entries, bytes };
    const correlationId = connection.nextCorrelationId();
    const views = writer.write(correlationId, connection.produceVersion, parts);
    lane.sent(request);
    connection.send(correlationId, views).then(
      (payload) => {
        if (!this.#isClosed) answered(lane, connection, request, payload);
      },
      () => {
        if (!this.#isClosed) returned(lane, request);
      },
    );
  }

  /** Looks again when a pause ends. */
  #wakeAt(atMs: number): void {
    if (atMs >= this.#wakeAtMs) return;
    const { clock } = this.#options;
    this.#cancelWake?.();
    this.#wakeAtMs = atMs;
    this.#cancelWake = clock.after(Math.max(1, Math.ceil(atMs - clock.nowMs())), () => {
      this.#wakeAtMs = Infinity;
      this.#cancelWake = undefined;
      this.run();
    });
  }
}

/** Topics stand together in a request. */
function byTopic(one: SequencedBatch, other: SequencedBatch): number {
  const { name } = one.partition.topic;
  const { name: otherName } = other.partition.topic;
  return name < otherName ? -1 : name > otherName ? 1 : 0;
}
