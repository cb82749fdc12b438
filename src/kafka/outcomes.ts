/**
 * What an answer means for each batch of its request: delivered, again, or given up; and what it says about its
 * topic, its partition's sequences or this client. Every batch is settled here, once.
 *
 * @module
 */
import type { Buffer } from "node:buffer";
import type { BatchOutcome, ClosedBatch } from "../batch/record_batch.ts";
import type { KafkaConfig } from "../config/config.ts";
import { ForwarderError } from "../core/errors.ts";
import { invariant } from "../core/invariant.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { type BrokerLane, clientRetryMs } from "./broker_lane.ts";
import type { BrokerConnection } from "./carrier.ts";
import type { KafkaClock } from "./clock.ts";
import type { Cluster } from "./cluster.ts";
import { type BatchMemory, Divider, type PartWatch, type Refusal } from "./divider.ts";
import { Divisions } from "./divisions.ts";
import { type ErrorCourse, type KafkaError, kafkaError, rejectionReason } from "./error_codes.ts";
import { answersOf, type InFlightRequest } from "./in_flight.ts";
import { type MetadataLoop, parkedRetryMs } from "./metadata_loop.ts";
import type { PartitionQueue, SequencedBatch } from "./partition_queue.ts";
import type { ProblemLog } from "./problem_log.ts";
import { type PartitionAnswer, readProduceAnswer } from "./produce_request.ts";
import { refusalOf, refusedBy } from "./refusals.ts";
import type { TopicLimits } from "./topic_limits.ts";
import type { TopicQueue } from "./topic_queue.ts";
import { meaningOf } from "./troubles.ts";

/** Answers of course `doubtful` after which a batch is given up; with back-off about five seconds. */
const doubtsMax = 8;
/** Courses after which the same batch goes out again. */
const sentAgain: ReadonlySet<ErrorCourse> = new Set([
  "retry",
  "leader",
  "doubtful",
  "sequence",
  "producer",
  "client",
]);

/** What outcomes act on. */
export interface OutcomesOptions {
  readonly cluster: Cluster;
  readonly metadata: MetadataLoop;
  readonly clock: KafkaClock;
  readonly log: ProblemLog;
  readonly kernel: Kernel;
  /** Where parts of divided batches lie. */
  readonly memory: BatchMemory | undefined;
  readonly config: KafkaConfig;
  /** Tells the owner of the batch. */
  settled(batch: ClosedBatch, outcome: BatchOutcome): void;
  /** Hands over records that Kafka will never take. */
  refused(part: ClosedBatch, refusal: Refusal, watch: PartWatch): void;
  /** A topic was parked, or works again. */
  parked(topic: string, isParked: boolean): void;
  readonly limits: TopicLimits;
  /** Something can be sent again. */
  dispatch(): void;
}

/** One per sink. */
export class Outcomes {
  readonly #options: OutcomesOptions;
  /** Batches taken and not settled, and their bytes. */
  batches = 0;
  /** @see batches */
  bytes = 0;
  /** Why the cluster refuses whatever this client sends. */
  refusal: ForwarderError | undefined;

  readonly #divider: Divider;
  readonly #divisions: Divisions;

  constructor(options: OutcomesOptions) {
    this.#options = options;
    const { kernel, memory } = options;
    this.#divider = new Divider({
      kernel,
      memory,
      finished: (batch, refused) => this.#settle(batch, undefined, refused),
      refuse: (part, refusal, watch) => {
        this.#logRefusal(part, refusal);
        options.refused(part, refusal, watch);
      },
    });
    this.#divisions = new Divisions({
      cluster: options.cluster,
      limits: options.limits,
      divider: this.#divider,
      reject: (entry, error, said) => this.#reject(entry, error, said),
      settle: (batch, refusal) => this.#settle(batch, refusal),
      reactivate: (partition) => this.#reactivate(partition),
      undeliverable: (topic) => this.undeliverable(topic),
      dispatch: () => options.dispatch(),
    });
  }

  /** A batch that the topic would refuse for its size, taken out of its line before it went out. */
  oversized(entry: SequencedBatch): void {
    this.#divisions.oversized(entry);
  }

  /** @see Divider.addHeld */
  addHeld(into: Set<ClosedBatch>): void {
    this.#divider.addHeld(into);
  }

  /** @see Divider.restore */
  restore(): void {
    this.#divider.restore();
  }

  /** The sink took a batch. False if it was settled at once: its topic waits for an operator and has its share. */
  taken(batch: ClosedBatch): boolean {
    const topic = this.#options.cluster.topic(batch.topic);
    const bytes = batch.end - batch.at;
    this.batches++;
    this.bytes += bytes;
    topic.bytes += bytes;
    const { state } = topic;
    const { parkedBytesMax } = this.#options.config;
    if (state.kind !== "unavailable" || !this.#parks(topic) || topic.bytes <= parkedBytesMax) return true;
    const message = `${state.message}; more than kafka.parked_max, ${parkedBytesMax} bytes, wait for it`;
    this.#settle(batch, refusalOf(state.reason, message));
    return false;
  }

  /** Batches that never went out are their owner's again. */
  giveBack(topic: TopicQueue, isWanted: (batch: ClosedBatch) => boolean): ClosedBatch[] {
    const given = topic.giveBack(isWanted);
    for (const { at, end } of given) {
      this.batches--;
      this.bytes -= end - at;
      topic.bytes -= end - at;
    }
    for (const partition of topic.partitions) this.#options.cluster.activate(partition);
    return given;
  }

  /** True if batches of a faulty topic wait. One whose name Kafka refuses will never come to be. */
  #parks({ state }: TopicQueue): boolean {
    return this.#options.config.topicFault === "park" && state.kind === "unavailable" &&
      state.untilMs !== Infinity;
  }

  /** Batches of a topic cannot be placed: it or their partition has to be found, or they are given up. */
  undeliverable(topic: TopicQueue): void {
    const { state } = topic;
    if (state.kind === "unavailable") this.#giveUp(topic);
    else if (state.kind !== "known") this.#options.metadata.ask();
    else {
      this.#divisions.byKey(topic);
      const lacking = topic.lacking(this.#options.clock.nowMs());
      if (lacking === "asked") this.#rejectUnplaced(topic);
      else if (lacking === "open") this.#options.metadata.ask();
    }
  }

  #rejectUnplaced(topic: TopicQueue): void {
    const count = topic.partitions.length;
    for (const batch of topic.dropUnplaced()) {
      const message = `Topic "${topic.name}" has no partition ${batch.partition}: it has ${count}`;
      this.#settle(batch, refusalOf("unknown_partition", message));
    }
  }

  /** The answer to a request. */
  answered(lane: BrokerLane, connection: BrokerConnection, request: InFlightRequest, payload: Buffer): void {
    const answer = readProduceAnswer(payload, connection.produceVersion);
    const answers = answer.ok ? answersOf(request, answer.partitions) : undefined;
    if (!answer.ok || answers === undefined) {
      const fault = answer.ok ? "other partitions than asked" : answer.fault;
      const { host, port } = lane.address;
      connection.destroy(
        new ForwarderError("kafka_protocol", `Answer of broker "${host}:${port}" is not readable: ${fault}`),
      );
      this.returned(lane, request);
      return;
    }
    lane.answered(request);
    const nowMs = this.#options.clock.nowMs();
    if (answer.throttleMs > 0) this.#throttled(lane, answer.throttleMs);
    for (let index = 0; index < answers.length; index++) {
      this.#resolve(request.entries[index], answers[index], nowMs);
    }
    this.#divider.run();
  }

  /** The connection ended before the answer: nobody knows whether the batches are in the log, the sequences will tell. */
  returned(lane: BrokerLane, request: InFlightRequest): void {
    lane.returned(request);
    for (const entry of request.entries) {
      entry.partition.returned(entry);
      this.#reactivate(entry.partition);
    }
    this.#options.metadata.ask();
    this.#options.dispatch();
  }

  #throttled(lane: BrokerLane, throttleMs: number): void {
    const { config, log } = this.#options;
    lane.throttled(Math.min(throttleMs, config.requestTimeoutMs));
    const { id, host, port } = lane.address;
    log.write("kafka_throttled", id, { broker: id, address: `${host}:${port}`, pause_ms: throttleMs });
  }

  #resolve(entry: SequencedBatch, answer: PartitionAnswer, nowMs: number): void {
    const { batch, partition } = entry;
    const error = kafkaError(answer.errorCode);
    if (sentAgain.has(error.course)) partition.refusedWith(error.name, nowMs);
    switch (error.course) {
      case "delivered":
        partition.delivered(entry, nowMs);
        this.refusal = undefined;
        this.#worksAgain(batch.topic);
        this.#settle(batch, undefined);
        break;
      case "retry":
        partition.failed(entry, nowMs, this.#options.clock);
        break;
      case "leader":
        partition.failed(entry, nowMs, this.#options.clock);
        this.#options.metadata.ask();
        break;
      case "doubtful":
        if (++entry.doubts >= doubtsMax) this.#reject(entry, error, answer.message);
        else partition.failed(entry, nowMs, this.#options.clock);
        break;
      case "sequence":
        if (partition.sequenceRefused(entry, nowMs, this.#options.clock)) {
          this.#logCode("kafka_sequence_renewed", entry, error.name);
        }
        break;
      case "producer":
        partition.producerRefused(entry, nowMs, this.#options.clock);
        this.#logCode("kafka_producer_renewed", entry, error.name);
        break;
      case "split":
        this.#divisions.tooLarge(entry, error);
        break;
      case "records":
        this.#divisions.faulty(entry, error, answer);
        break;
      case "record":
        this.#reject(entry, error, answer.message);
        break;
      case "topic":
        this.#refuseTopic(entry, error, nowMs);
        break;
      case "client":
        partition.failed(entry, nowMs, this.#options.clock);
        partition.holdUntil(nowMs + clientRetryMs);
        this.#refuseClient(error.name);
        break;
    }
    if (error.course !== "delivered" && error.course !== "sequence") {
      this.#logCode("kafka_produce_failed", entry, error.name);
    }
    this.#reactivate(partition);
  }

  #reject(entry: SequencedBatch, error: KafkaError, said: string | undefined): void {
    entry.partition.rejected(entry);
    this.#settle(entry.batch, refusedBy(error, entry.batch, said));
  }

  #refuseTopic(entry: SequencedBatch, error: KafkaError, nowMs: number): void {
    const topic = this.#options.cluster.topic(entry.batch.topic);
    const before = topic.state;
    const message = `Topic "${topic.name}" refused: ${error.name}`;
    if (this.#options.config.topicFault === "park") {
      entry.partition.failed(entry, nowMs, this.#options.clock);
    } else this.#reject(entry, error, undefined);
    this.#options.cluster.giveUp(topic, rejectionReason(error), message, nowMs + parkedRetryMs);
    if (before.kind !== "unavailable") this.topicChanged(topic);
    this.#options.metadata.ask();
  }

  #refuseClient(name: string): void {
    const code = name === "UNSUPPORTED_VERSION" ? "kafka_protocol" : "kafka_authentication_failed";
    this.refusal = new ForwarderError(code, `Cluster refuses this client: ${name}`, { retryable: true });
  }

  /** After an entry came back: the partition may send again, or its topic was given up meanwhile. */
  #reactivate(partition: PartitionQueue): void {
    const topic = this.#options.cluster.topic(partition.topic.name);
    if (topic.state.kind === "unavailable") this.#giveUp(topic);
    this.#options.cluster.activate(partition);
  }

  /** A topic became known, unknown or unavailable. */
  topicChanged(topic: TopicQueue): void {
    const { state, fault } = topic;
    if (state.kind === "unavailable") {
      topic.fault = { reason: state.reason, message: state.message };
      if (fault === undefined) {
        this.#options.log.write("kafka_topic_unavailable", topic.name, {
          topic: topic.name,
          reason: state.reason,
          message: state.message,
          parked: this.#parks(topic),
        });
      }
      if (this.#parks(topic) && !topic.isParked) {
        topic.isParked = true;
        this.#options.parked(topic.name, true);
      }
      this.#giveUp(topic);
    } else if (state.kind === "known" && fault?.reason === "unknown_topic") this.#worksAgain(topic.name);
  }

  /** What may be described may not be written to: a topic works when something was delivered. */
  #worksAgain(name: string): void {
    const topic = this.#options.cluster.topic(name);
    if (topic.fault === undefined) return;
    topic.fault = undefined;
    if (topic.isParked) {
      topic.isParked = false;
      this.#options.parked(name, false);
    }
    this.#options.log.write("kafka_topic_recovered", name, { topic: name });
  }

  /** Batches of a topic that is unavailable wait for it, or are rejected. */
  #giveUp(topic: TopicQueue): void {
    const { state } = topic;
    if (state.kind !== "unavailable") return;
    if (this.#parks(topic)) {
      for (const partition of topic.partitions) partition.holdUntil(state.untilMs);
      return;
    }
    for (const batch of topic.drop()) this.#settle(batch, refusalOf(state.reason, state.message));
    for (const partition of topic.partitions) this.#options.cluster.activate(partition);
  }

  #settle(batch: ClosedBatch, refusal: Refusal | undefined, refused = 0): void {
    if (this.#divider.settled(batch, refusal)) return;
    invariant(this.batches > 0, "a batch is settled once");
    const topic = this.#options.cluster.topic(batch.topic);
    const bytes = batch.end - batch.at;
    this.batches--;
    this.bytes -= bytes;
    topic.bytes -= bytes;
    if (refusal === undefined) {
      topic.delivered++;
      this.#options.settled(batch, refused === 0 ? { kind: "delivered" } : { kind: "delivered", refused });
      return;
    }
    topic.rejected++;
    this.#logRefusal(batch, refusal);
    this.#options.settled(batch, refusal);
  }

  #logRefusal(batch: ClosedBatch, { reason, message }: Refusal): void {
    this.#options.log.write("kafka_batch_rejected", `${batch.topic} ${reason}`, {
      topic: batch.topic,
      records: batch.count,
      reason,
      message,
    });
  }

  #logCode(event: string, entry: SequencedBatch, error: string): void {
    const { topic, id } = entry.partition;
    const meaning = meaningOf(error);
    this.#options.log.write(event, `${topic.name} ${error}`, {
      topic: topic.name,
      partition: id,
      error,
      ...(meaning === undefined ? {} : { meaning }),
    });
  }
}
