/**
 * The Kafka sink: takes closed batches, delivers each exactly once into the log of a partition (as far as one
 * producer session goes), and settles each exactly once.
 *
 *     send ──> topic ──> partition line ──> request (one batch per partition, all partitions of a broker) ──> broker
 *                ^             ^                                                                                │
 *                └─ no leader  └──────────── again, in order, with the same sequences <───────── error, end ────┤
 *                                                                                     settled <─────── acks=all ┘
 *
 * It promises
 *   - order within a partition, through every error, lost connection and moved leader;
 *   - no duplicate from a retry: producer id, epoch and sequences are its own (idempotence);
 *   - a retriable error is retried for ever; what cannot be delivered is settled `rejected` with a constant reason;
 *   - a topic, partition or broker that stops holds up its own batches only;
 *   - the bytes of a batch are not written while a socket may read them.
 * It refuses to drop: memory is bounded by whoever owns the batches.
 *
 * Hot path: nothing is allocated per record; per batch one entry, per request a few small objects.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { ClosedBatch } from "../batch/record_batch.ts";
import type { KafkaConfig } from "../config/config.ts";
import { ForwarderError } from "../core/errors.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { Sink, SinkEvents, SinkStatus } from "../sink/sink.ts";
import { type BrokerLane, clientRetryMs } from "./broker_lane.ts";
import type { BrokerConnection, ClusterMetadata, KafkaCarrier } from "./carrier.ts";
import { type CancelTimer, type KafkaClock, systemClock } from "./clock.ts";
import { Cluster } from "./cluster.ts";
import { kafkaError, rejectionReason } from "./error_codes.ts";
import { errorCodesOf, type InFlightRequest } from "./in_flight.ts";
import { createKafkajsCarrier } from "./kafkajs_carrier.ts";
import { MetadataLoop, parkedRetryMs } from "./metadata_loop.ts";
import type { PartitionQueue, SequencedBatch } from "./partition_queue.ts";
import { type KafkaLog, ProblemLog } from "./problem_log.ts";
import { clientIdBytesMax, ProduceWriter, readProduceAnswer, type RequestPart } from "./produce_request.ts";
import { ProducerIdKeeper } from "./producer_id.ts";
import { describeSink } from "./status.ts";
import type { TopicQueue, TopicState } from "./topic_queue.ts";

/** Fewer requests out than this: what is there goes at once, else a fuller request goes later. */
export const requestsLow = 2;
/** Batches that make a request full enough while others are out; 4 x 512 KiB per 3 ms feed a broker. */
const batchesPerRequestLow = 4;
/** Batches of one request at most. */
const batchesPerRequestMax = 8;
/** A request takes no further batch from here on (brokers refuse 100 MiB, `socket.request.max.bytes`). */
const requestBytesMax = 4 * 1024 * 1024;
/** Answers of course `doubtful` after which a batch is given up; with back-off about five seconds. */
const doubtsMax = 8;
/** Part of the request timeout that the broker may spend on waiting for its replicas. */
const replicaWaitShare = 0.75;

/** What a Kafka sink is made of. */
export interface KafkaSinkOptions {
  /** The kernel in whose memory the batches lie; it stamps their headers. */
  readonly kernel: Kernel;
  readonly config: KafkaConfig;
  readonly events: SinkEvents;
  /** Time, timers and chance; the machine's by default. */
  readonly clock?: KafkaClock;
  /** One line per noteworthy event, rate limited. */
  readonly log?: KafkaLog;
  /** The client library; kafkajs by default. */
  readonly carrier?: KafkaCarrier;
}

/** Makes a sink that delivers to Kafka. Throws `config_invalid` for a client id that fits no request head. */
export function createKafkaSink(options: KafkaSinkOptions): KafkaSink {
  return new KafkaSink(options);
}

/** One per worker. */
export class KafkaSink implements Sink {
  readonly name = "kafka";
  readonly #config: KafkaConfig;
  readonly #events: SinkEvents;
  readonly #clock: KafkaClock;
  readonly #log: ProblemLog;
  readonly #carrier: KafkaCarrier;
  readonly #cluster: Cluster;
  readonly #metadata: MetadataLoop;
  readonly #producerId: ProducerIdKeeper;
  readonly #writer: ProduceWriter;
  /** Topics with batches that wait for a partition. */
  readonly #waiting = new Set<TopicQueue>();
  #batches = 0;
  #bytes = 0;
  #isPumpAsked = false;
  #wasHungry = false;
  #wakeAtMs = Infinity;
  #cancelWake: CancelTimer | undefined;
  #refusal: ForwarderError | undefined;
  #isClosed = false;

  constructor(options: KafkaSinkOptions) {
    const { kernel, config } = options;
    const clock = options.clock ?? systemClock;
    const clientId = Buffer.from(config.clientId);
    if (clientId.length > clientIdBytesMax) {
      throw new ForwarderError(
        "config_invalid",
        `Client id "${config.clientId}" has ${clientId.length} bytes, at most ${clientIdBytesMax} are possible`,
      );
    }
    const { buffer, byteOffset, byteLength } = kernel.bytes;
    this.#writer = new ProduceWriter(Buffer.from(buffer, byteOffset, byteLength), {
      clientId,
      timeoutMs: Math.max(1, Math.floor(config.requestTimeoutMs * replicaWaitShare)),
    });
    this.#config = config;
    this.#events = options.events;
    this.#clock = clock;
    this.#log = new ProblemLog(options.log, clock);
    this.#carrier = options.carrier ?? createKafkajsCarrier(config, clock);
    this.#producerId = new ProducerIdKeeper(this.#carrier, clock, () => this.#ask());
    this.#cluster = new Cluster({
      kernel,
      topicWaitMs: config.topicWaitMs,
      lanes: {
        carrier: this.#carrier,
        clock,
        requestTimeoutMs: config.requestTimeoutMs,
        events: {
          ready: (lane) => this.#laneReady(lane),
          lost: (lane, cause, hadConnection) => this.#laneLost(lane, cause, hadConnection),
          stalled: () => this.#metadata.ask(),
        },
      },
      topicChanged: (topic, before) => this.#topicChanged(topic, before),
    });
    this.#metadata = new MetadataLoop({
      carrier: this.#carrier,
      clock,
      needs: () => this.#cluster.needs(clock.nowMs()),
      apply: (metadata) => this.#applyMetadata(metadata),
      failed: (cause) => this.#log.write("kafka_unreachable", cause.message, { message: cause.message }),
    });
  }

  /** Begins to connect. */
  start(): void {
    this.#cluster.topic(this.#config.topic).usedAtMs = this.#clock.nowMs();
    this.#metadata.start();
  }

  /** @inheritdoc */
  get hungry(): boolean {
    if (this.#isPumpAsked || this.#isClosed || this.#producerId.current === undefined) return false;
    const nowMs = this.#clock.nowMs();
    for (const lane of this.#cluster.lanes.values()) {
      if (lane.inFlight < requestsLow && lane.openConnection(nowMs) !== undefined) return true;
    }
    return false;
  }

  /** @inheritdoc */
  send(batch: ClosedBatch): void {
    this.#batches++;
    this.#bytes += batch.end - batch.at;
    const topic = this.#cluster.topic(batch.topic);
    topic.usedAtMs = this.#clock.nowMs();
    const partition = topic.push(batch);
    if (topic.state.kind === "known" && partition !== undefined) this.#cluster.activate(partition);
    else this.#waiting.add(topic);
    this.#ask();
  }

  /** @inheritdoc */
  status(): SinkStatus {
    return describeSink({
      name: this.name,
      batches: this.#batches,
      bytes: this.#bytes,
      cluster: this.#cluster,
      producerId: this.#producerId,
      metadata: this.#metadata,
      refusal: this.#refusal,
    });
  }

  /** @inheritdoc */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelWake?.();
    this.#metadata.close();
    this.#producerId.close();
    this.#cluster.close();
    await this.#carrier.close();
  }

  /** Batches that are closed in one turn go out together: the work is done once, at its end. */
  #ask(): void {
    if (this.#isPumpAsked) return;
    this.#isPumpAsked = true;
    queueMicrotask(() => {
      this.#isPumpAsked = false;
      this.#pump();
    });
  }

  #pump(): void {
    if (this.#isClosed) return;
    const nowMs = this.#clock.nowMs();
    let sent = true;
    while (sent) {
      const saturated = this.#assign(nowMs);
      sent = false;
      for (const lane of this.#cluster.lanes.values()) sent = this.#sendOne(lane, saturated, nowMs) || sent;
    }
    const { hungry } = this;
    const turned = hungry && !this.#wasHungry;
    this.#wasHungry = hungry;
    if (turned) this.#events.wants();
  }

  /** Gives waiting batches to partitions that can take one now. True if some known topic has more than they can take. */
  #assign(nowMs: number): boolean {
    let saturated = false;
    const isOpen = (partition: PartitionQueue) =>
      partition.isOpen(nowMs) && this.#cluster.laneOf(partition)?.openConnection(nowMs) !== undefined;
    for (const topic of this.#waiting) {
      if (topic.state.kind === "unavailable") this.#rejectAll(topic, topic.state.reason, topic.state.message);
      else if (topic.state.kind === "unknown") this.#metadata.ask();
      for (let got = topic.assign(isOpen); got !== undefined; got = topic.assign(isOpen)) {
        this.#cluster.activate(got);
      }
      if (topic.waiting === 0) this.#waiting.delete(topic);
      else if (topic.state.kind === "known") saturated = true;
    }
    return saturated;
  }

  #sendOne(lane: BrokerLane, saturated: boolean, nowMs: number): boolean {
    if (lane.active.size === 0) return false;
    const connection = lane.openConnection(nowMs);
    if (connection === undefined) {
      if (lane.throttledUntilMs > nowMs) this.#wakeAt(lane.throttledUntilMs);
      return false;
    }
    if (lane.inFlight >= requestsLow && lane.active.size < batchesPerRequestLow && !saturated) return false;
    const entries = this.#collect(lane, nowMs);
    if (entries.length === 0) return false;
    this.#sendRequest(lane, connection, entries);
    return true;
  }

  /** Takes the next batch of each partition of the lane, fairly, up to a request's bounds. */
  #collect(lane: BrokerLane, nowMs: number): SequencedBatch[] {
    const entries: SequencedBatch[] = [];
    const producerId = this.#producerId.current;
    if (producerId === undefined) {
      this.#producerId.need();
      return entries;
    }
    let bytes = 0;
    for (const partition of [...lane.active]) {
      if (entries.length === batchesPerRequestMax || bytes >= requestBytesMax) break;
      if (partition.heldUntilMs > nowMs) this.#wakeAt(partition.heldUntilMs);
      const entry = partition.take(nowMs, producerId);
      if (entry === undefined) {
        if (partition.refusedProducerId === producerId.producerId) {
          this.#producerId.need(producerId.producerId);
        }
        continue;
      }
      entries.push(entry);
      bytes += entry.batch.end - entry.batch.at;
      lane.active.delete(partition);
      this.#cluster.activate(partition);
    }
    return entries.sort(byTopic);
  }

  #sendRequest(lane: BrokerLane, connection: BrokerConnection, entries: SequencedBatch[]): void {
    let bytes = 0;
    const parts: RequestPart[] = [];
    for (const { batch, partition } of entries) {
      parts.push({ topic: partition.topic.nameBytes, partition: partition.id, at: batch.at, end: batch.end });
      bytes += batch.end - batch.at;
    }
    const request: InFlightRequest = { entries, bytes };
    const correlationId = connection.nextCorrelationId();
    const views = this.#writer.write(correlationId, parts);
    lane.sent(request);
    connection.send(correlationId, views).then(
      (payload) => this.#answered(lane, connection, request, payload),
      () => this.#returned(lane, request),
    );
  }

  #answered(lane: BrokerLane, connection: BrokerConnection, request: InFlightRequest, payload: Buffer): void {
    if (this.#isClosed) return;
    const answer = readProduceAnswer(payload);
    const codes = answer.ok ? errorCodesOf(request, answer.partitions) : undefined;
    if (!answer.ok || codes === undefined) {
      const fault = answer.ok ? "other partitions than asked" : answer.fault;
      const { host, port } = lane.address;
      connection.destroy(
        new ForwarderError("kafka_protocol", `Answer of broker "${host}:${port}" is not readable: ${fault}`),
      );
      this.#returned(lane, request);
      return;
    }
    lane.answered(request);
    const nowMs = this.#clock.nowMs();
    if (answer.throttleMs > 0) {
      lane.throttledUntilMs = nowMs + Math.min(answer.throttleMs, this.#config.requestTimeoutMs);
    }
    for (let index = 0; index < codes.length; index++) {
      this.#resolve(request.entries[index], codes[index], nowMs);
    }
    this.#pump();
  }

  /** The connection ended before the answer: nobody knows whether the batches are in the log, the sequences will tell. */
  #returned(lane: BrokerLane, request: InFlightRequest): void {
    if (this.#isClosed) return;
    lane.returned(request);
    for (const entry of request.entries) {
      entry.partition.returned(entry);
      this.#reactivate(entry.partition);
    }
    this.#metadata.ask();
    this.#ask();
  }

  #resolve(entry: SequencedBatch, code: number, nowMs: number): void {
    const { batch, partition } = entry;
    const error = kafkaError(code);
    switch (error.course) {
      case "delivered":
        partition.delivered(entry, nowMs);
        this.#refusal = undefined;
        this.#settle(batch, undefined);
        break;
      case "retry":
        partition.failed(entry, nowMs, this.#clock);
        break;
      case "leader":
        partition.failed(entry, nowMs, this.#clock);
        this.#metadata.ask();
        break;
      case "doubtful":
        if (++entry.doubts >= doubtsMax) this.#reject(entry, code);
        else partition.failed(entry, nowMs, this.#clock);
        break;
      case "sequence":
        if (partition.sequenceRefused(entry, nowMs, this.#clock)) {
          this.#logCode("kafka_sequence_renewed", entry, error.name);
        }
        break;
      case "producer":
        partition.producerRefused(entry, nowMs, this.#clock);
        this.#logCode("kafka_producer_renewed", entry, error.name);
        break;
      case "record":
        this.#reject(entry, code);
        break;
      case "topic":
        this.#refuseTopic(entry, code);
        break;
      case "client":
        partition.failed(entry, nowMs, this.#clock);
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
    const topic = this.#cluster.topic(entry.batch.topic);
    const before = topic.state;
    const error = kafkaError(code);
    this.#reject(entry, code);
    const message = `Topic "${topic.name}" refused: ${error.name}`;
    this.#cluster.giveUp(topic, rejectionReason(error), message, this.#clock.nowMs() + parkedRetryMs);
    if (before.kind !== "unavailable") this.#topicChanged(topic, before);
    this.#metadata.ask();
  }

  #refuseClient(name: string): void {
    const code = name === "UNSUPPORTED_VERSION" ? "kafka_protocol" : "kafka_authentication_failed";
    this.#refusal = new ForwarderError(code, `Cluster refuses this client: ${name}`, { retryable: true });
  }

  /** After an entry came back: the partition may send again, or its topic was given up meanwhile. */
  #reactivate(partition: PartitionQueue): void {
    const topic = this.#cluster.topic(partition.topic.name);
    if (topic.state.kind === "unavailable") this.#rejectAll(topic, topic.state.reason, topic.state.message);
    this.#cluster.activate(partition);
  }

  #topicChanged(topic: TopicQueue, before: TopicState): void {
    const { state } = topic;
    if (state.kind === "unavailable") {
      this.#log.write("kafka_topic_unavailable", topic.name, {
        topic: topic.name,
        reason: state.reason,
        message: state.message,
      });
      this.#rejectAll(topic, state.reason, state.message);
    } else if (before.kind === "unavailable") {
      this.#log.write("kafka_topic_recovered", topic.name, { topic: topic.name });
    }
  }

  #rejectAll(topic: TopicQueue, reason: string, message: string): void {
    for (const batch of topic.drop()) this.#settle(batch, { reason, message });
    for (const partition of topic.partitions) this.#cluster.activate(partition);
  }

  #settle(batch: ClosedBatch, refusal: { reason: string; message: string } | undefined): void {
    this.#batches--;
    this.#bytes -= batch.end - batch.at;
    const topic = this.#cluster.topic(batch.topic);
    if (refusal === undefined) {
      topic.delivered++;
      this.#events.settled(batch, { kind: "delivered" });
      return;
    }
    topic.rejected++;
    this.#log.write("kafka_batch_rejected", `${batch.topic} ${refusal.reason}`, {
      topic: batch.topic,
      records: batch.count,
      reason: refusal.reason,
      message: refusal.message,
    });
    this.#events.settled(batch, { kind: "rejected", ...refusal });
  }

  #applyMetadata(metadata: ClusterMetadata): void {
    this.#cluster.apply(metadata, this.#clock.nowMs());
    for (const topic of this.#cluster.topics.values()) if (topic.waiting > 0) this.#waiting.add(topic);
    this.#producerId.need();
    this.#ask();
  }

  #laneReady(lane: BrokerLane): void {
    const { id, host, port } = lane.address;
    this.#log.write("kafka_broker_connected", id, { broker: id, address: `${host}:${port}` });
    this.#ask();
  }

  #laneLost(lane: BrokerLane, cause: ForwarderError, hadConnection: boolean): void {
    const event = hadConnection ? "kafka_broker_lost" : "kafka_broker_unreachable";
    this.#log.write(event, lane.address.id, { broker: lane.address.id, message: cause.message });
    if (lane.inFlight > 0 || lane.active.size > 0 || !hadConnection) this.#metadata.ask();
    this.#wasHungry = this.hungry;
  }

  #logCode(event: string, entry: SequencedBatch, error: string): void {
    const { topic, id } = entry.partition;
    this.#log.write(event, `${topic.name} ${error}`, { topic: topic.name, partition: id, error });
  }

  /** Looks again when a pause ends. */
  #wakeAt(atMs: number): void {
    if (this.#isClosed || atMs >= this.#wakeAtMs) return;
    this.#cancelWake?.();
    this.#wakeAtMs = atMs;
    this.#cancelWake = this.#clock.after(Math.max(1, Math.ceil(atMs - this.#clock.nowMs())), () => {
      this.#wakeAtMs = Infinity;
      this.#cancelWake = undefined;
      this.#pump();
    });
  }
}

/** Topics stand together in a request. */
function byTopic(one: SequencedBatch, other: SequencedBatch): number {
  const { name } = one.partition.topic;
  const { name: otherName } = other.partition.topic;
  return name < otherName ? -1 : name > otherName ? 1 : 0;
}
