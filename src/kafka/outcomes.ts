/**
 * What an answer means for each batch of its request: delivered, again, or given up; and what it says about its
 * topic, its partition's sequences or this client. Every batch is settled here, once.
 *
 * @module
 */
import type { Buffer } from "node:buffer";
import type { BatchOutcome, ClosedBatch } from "../batch/record_batch.ts";
import { ForwarderError } from "../core/errors.ts";
import { invariant } from "../core/invariant.ts";
import { type BrokerLane, clientRetryMs } from "./broker_lane.ts";
import type { BrokerConnection } from "./carrier.ts";
import type { KafkaClock } from "./clock.ts";
import type { Cluster } from "./cluster.ts";
import { kafkaError, rejectionReason } from "./error_codes.ts";
import { errorCodesOf, type InFlightRequest } from "./in_flight.ts";
import { type MetadataLoop, parkedRetryMs } from "./metadata_loop.ts";
import type { PartitionQueue, SequencedBatch } from "./partition_queue.ts";
import type { ProblemLog } from "./problem_log.ts";
import { readProduceAnswer } from "./produce_request.ts";
import type { TopicQueue, TopicState } from "./topic_queue.ts";

/** Answers of course `doubtful` after which a batch is given up; with back-off about five seconds. */
const doubtsMax = 8;

/** What outcomes act on. */
export interface OutcomesOptions {
  readonly cluster: Cluster;
  readonly metadata: MetadataLoop;
  readonly clock: KafkaClock;
  readonly log: ProblemLog;
  /** A broker's wish for a pause is followed up to here. */
  readonly throttleMsMax: number;
  /** Tells the owner of the batch. */
  settled(batch: ClosedBatch, outcome: BatchOutcome): void;
  /** Something can be sent again. */
  dispatch(): void;
}

/** A partition that is not there is believed to be missing when the topic was described in this time, else asked for. */
const partitionsAgeMs = 1000;

/** One per sink. */
export class Outcomes {
  readonly #options: OutcomesOptions;
  /** Batches taken and not settled, and their bytes. */
  batches = 0;
  /** @see batches */
  bytes = 0;
  /** Why the cluster refuses whatever this client sends. */
  refusal: ForwarderError | undefined;

  constructor(options: OutcomesOptions) {
    this.#options = options;
  }

  /** The sink took a batch. */
  taken(batch: ClosedBatch): void {
    this.batches++;
    this.bytes += batch.end - batch.at;
  }

  /** Batches of a topic cannot be placed: it or their partition has to be found, or they are given up. */
  undeliverable(topic: TopicQueue): void {
    const { state } = topic;
    if (state.kind === "unavailable") this.#rejectAll(topic, state.reason, state.message);
    else if (state.kind === "known" && this.#isDescribed(topic)) this.#rejectUnplaced(topic);
    else this.#options.metadata.ask();
  }

  #isDescribed(topic: TopicQueue): boolean {
    return this.#options.clock.nowMs() - topic.describedAtMs < partitionsAgeMs;
  }

  #rejectUnplaced(topic: TopicQueue): void {
    const count = topic.partitions.length;
    for (const batch of topic.dropUnplaced()) {
      const message = `Topic "${topic.name}" has no partition ${batch.partition}: it has ${count}`;
      this.#settle(batch, { reason: "unknown_partition", message });
    }
  }

  /** The answer to a request. */
  answered(lane: BrokerLane, connection: BrokerConnection, request: InFlightRequest, payload: Buffer): void {
    const answer = readProduceAnswer(payload);
    const codes = answer.ok ? errorCodesOf(request, answer.partitions) : undefined;
    if (!answer.ok || codes === undefined) {
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
    if (answer.throttleMs > 0) {
      lane.throttledUntilMs = nowMs + Math.min(answer.throttleMs, this.#options.throttleMsMax);
    }
    for (let index = 0; index < codes.length; index++) {
      this.#resolve(request.entries[index], codes[index], nowMs);
    }
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

  #resolve(entry: SequencedBatch, code: number, nowMs: number): void {
    const { batch, partition } = entry;
    const error = kafkaError(code);
    switch (error.course) {
      case "delivered":
        partition.delivered(entry, nowMs);
        this.refusal = undefined;
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
        if (++entry.doubts >= doubtsMax) this.#reject(entry, code);
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
      case "record":
        this.#reject(entry, code);
        break;
      case "topic":
        this.#refuseTopic(entry, code);
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

  #reject(entry: SequencedBatch, code: number): void {
    const error = kafkaError(code);
    const { batch, partition } = entry;
    partition.rejected(entry);
    const message =
      `Batch of ${batch.count} records (${batch.end - batch.at} bytes) for topic "${batch.topic}" ` +
      `refused: ${error.name}`;
    this.#settle(batch, { reason: rejectionReason(error), message });
  }

  #refuseTopic(entry: SequencedBatch, code: number): void {
    const topic = this.#options.cluster.topic(entry.batch.topic);
    const before = topic.state;
    const error = kafkaError(code);
    this.#reject(entry, code);
    const message = `Topic "${topic.name}" refused: ${error.name}`;
    this.#options.cluster.giveUp(
      topic,
      rejectionReason(error),
      message,
      this.#options.clock.nowMs() + parkedRetryMs,
    );
    if (before.kind !== "unavailable") this.topicChanged(topic, before);
    this.#options.metadata.ask();
  }

  #refuseClient(name: string): void {
    const code = name === "UNSUPPORTED_VERSION" ? "kafka_protocol" : "kafka_authentication_failed";
    this.refusal = new ForwarderError(code, `Cluster refuses this client: ${name}`, { retryable: true });
  }

  /** After an entry came back: the partition may send again, or its topic was given up meanwhile. */
  #reactivate(partition: PartitionQueue): void {
    const topic = this.#options.cluster.topic(partition.topic.name);
    if (topic.state.kind === "unavailable") this.#rejectAll(topic, topic.state.reason, topic.state.message);
    this.#options.cluster.activate(partition);
  }

  /** A topic became known, unknown or unavailable. */
  topicChanged(topic: TopicQueue, before: TopicState): void {
    const { state } = topic;
    if (state.kind === "unavailable") {
      this.#options.log.write("kafka_topic_unavailable", topic.name, {
        topic: topic.name,
        reason: state.reason,
        message: state.message,
      });
      this.#rejectAll(topic, state.reason, state.message);
    } else if (before.kind === "unavailable") {
      this.#options.log.write("kafka_topic_recovered", topic.name, { topic: topic.name });
    }
  }

  #rejectAll(topic: TopicQueue, reason: string, message: string): void {
    for (const batch of topic.drop()) this.#settle(batch, { reason, message });
    for (const partition of topic.partitions) this.#options.cluster.activate(partition);
  }

  #settle(batch: ClosedBatch, refusal: { reason: string; message: string } | undefined): void {
    invariant(this.batches > 0, "a batch is settled once");
    this.batches--;
    this.bytes -= batch.end - batch.at;
    const topic = this.#options.cluster.topic(batch.topic);
    if (refusal === undefined) {
      topic.delivered++;
      this.#options.settled(batch, { kind: "delivered" });
      return;
    }
    topic.rejected++;
    this.#options.log.write("kafka_batch_rejected", `${batch.topic} ${refusal.reason}`, {
      topic: batch.topic,
      records: batch.count,
      reason: refusal.reason,
      message: refusal.message,
    });
    this.#options.settled(batch, { kind: "rejected", ...refusal });
  }

  #logCode(event: string, entry: SequencedBatch, error: string): void {
    const { topic, id } = entry.partition;
    this.#options.log.write(event, `${topic.name} ${error}`, { topic: topic.name, partition: id, error });
  }
}
