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
 * @module
 */
import { Buffer } from "node:buffer";
import type { ClosedBatch } from "../batch/record_batch.ts";
import type { KafkaConfig } from "../config/config.ts";
import { ForwarderError } from "../core/errors.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { Sink, SinkEvents, SinkStatus, SinkTroubles } from "../sink/sink.ts";
import type { BrokerLane } from "./broker_lane.ts";
import type { ClusterMetadata, KafkaCarrier } from "./carrier.ts";
import { type KafkaClock, systemClock } from "./clock.ts";
import { Cluster } from "./cluster.ts";
import { Dispatcher } from "./dispatcher.ts";
import type { BatchMemory, PartWatch, Refusal } from "./divider.ts";
import { createKafkajsCarrier } from "./kafkajs_carrier.ts";
import { MetadataLoop } from "./metadata_loop.ts";
import { Outcomes } from "./outcomes.ts";
import { type KafkaLog, ProblemLog } from "./problem_log.ts";
import { clientIdBytesMax, ProduceWriter } from "./produce_request.ts";
import { ProducerIdKeeper } from "./producer_id.ts";
import { describeSink, problemOf } from "./status.ts";
import { TopicLimits } from "./topic_limits.ts";
import { isStalled, problemOfLane, troublesOf } from "./troubles.ts";

/** Part of the request timeout that the broker may spend on waiting for its replicas. */
const replicaWaitShare = 0.75;

/** What a Kafka sink tells the pipeline. */
export interface KafkaSinkEvents extends SinkEvents {
  /**
   * Records that Kafka will never take out of a batch that had to be divided, as a batch of their own in the kernel's
   * memory: they go to the dead letter. `settled` comes for the whole batch when all of its records have their state.
   */
  refused(part: ClosedBatch, refusal: Refusal, watch: PartWatch): void;
  /**
   * A topic was parked, or works again: whoever has a place for its further batches keeps them meanwhile. What the sink
   * has already waits there, and is tried now and then.
   */
  parked?(topic: string, isParked: boolean): void;
}

/** What a Kafka sink is made of. */
export interface KafkaSinkOptions {
  /** The kernel in whose memory the batches lie; it stamps their headers. */
  readonly kernel: Kernel;
  readonly config: KafkaConfig;
  readonly events: KafkaSinkEvents;
  /** Where parts of divided batches may lie; without it they go out one after the other. */
  readonly memory?: BatchMemory;
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
  readonly #clock: KafkaClock;
  readonly #log: ProblemLog;
  readonly #carrier: KafkaCarrier;
  readonly #cluster: Cluster;
  readonly #metadata: MetadataLoop;
  readonly #producerId: ProducerIdKeeper;
  readonly #dispatcher: Dispatcher;
  readonly #outcomes: Outcomes;
  readonly #limits: TopicLimits;

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
    this.#config = config;
    this.#clock = clock;
    this.#log = new ProblemLog(options.log, clock);
    this.#carrier = options.carrier ?? createKafkajsCarrier(config, clock, options.log);
    this.#producerId = new ProducerIdKeeper(this.#carrier, clock, () => this.#dispatcher.ask());
    this.#cluster = new Cluster({
      kernel,
      topicWaitMs: config.topicWaitMs,
      lanes: {
        carrier: this.#carrier,
        clock,
        requestTimeoutMs: config.requestTimeoutMs,
        events: {
          ready: (lane, isNew) => this.#laneReady(lane, isNew),
          lost: (lane, cause, hadConnection) => this.#laneLost(lane, cause, hadConnection),
          stalled: () => this.#metadata.ask(),
        },
      },
      topicChanged: (topic) => this.#outcomes.topicChanged(topic),
      leaderMissing: () => this.#metadata.ask(),
    });
    this.#metadata = new MetadataLoop({
      carrier: this.#carrier,
      clock,
      needs: () => this.#cluster.needs(clock.nowMs()),
      apply: (metadata) => this.#applyMetadata(metadata),
      failed: (cause) => this.#log.write("kafka_unreachable", cause.message, { message: cause.message }),
    });
    this.#limits = new TopicLimits(this.#carrier, clock, () => this.#cluster.topics.values());
    this.#outcomes = new Outcomes({
      limits: this.#limits,
      cluster: this.#cluster,
      metadata: this.#metadata,
      clock,
      log: this.#log,
      kernel,
      memory: options.memory,
      config,
      settled: (batch, outcome) => options.events.settled(batch, outcome),
      refused: (...refusal) => options.events.refused(...refusal),
      parked: (topic, isParked) => options.events.parked?.(topic, isParked),
      dispatch: () => this.#dispatcher.ask(),
    });
    const { buffer, byteOffset, byteLength } = kernel.bytes;
    this.#dispatcher = new Dispatcher({
      cluster: this.#cluster,
      clock,
      producerId: this.#producerId,
      writer: new ProduceWriter(Buffer.from(buffer, byteOffset, byteLength), {
        clientId,
        timeoutMs: Math.max(1, Math.floor(config.requestTimeoutMs * replicaWaitShare)),
      }),
      undeliverable: (topic) => this.#outcomes.undeliverable(topic),
      oversized: (entry) => this.#outcomes.oversized(entry),
      answered: (...result) => {
        this.#outcomes.answered(...result);
        this.#dispatcher.run();
      },
      returned: (lane, request) => this.#outcomes.returned(lane, request),
      wants: () => options.events.wants(),
    });
  }

  /** Begins to connect. */
  start(): void {
    this.#cluster.topic(this.#config.topic).usedAtMs = this.#clock.nowMs();
    this.#metadata.start();
  }

  /** @inheritdoc */
  get hungry(): boolean {
    return this.#dispatcher.hungry;
  }

  /** @inheritdoc */
  send(batch: ClosedBatch): void {
    const topic = this.#cluster.topic(batch.topic);
    topic.usedAtMs = this.#clock.nowMs();
    if (!this.#outcomes.taken(batch)) return;
    const partition = topic.push(batch);
    if (topic.state.kind === "known" && partition !== undefined) this.#cluster.activate(partition);
    else {
      this.#dispatcher.waits(topic);
      // When the cluster was last asked nobody waited for a leader, and the next question is a minute away.
      if (topic.state.kind === "known" && !this.#cluster.hasLeader(topic)) this.#metadata.ask();
    }
    this.#dispatcher.ask();
  }

  /** @inheritdoc */
  partitionsOf(topic: string): number {
    return this.#cluster.topics.get(topic)?.partitionCount ?? 0;
  }

  /** @inheritdoc */
  batchBytesMaxOf(topic: string): number {
    return this.#cluster.topics.get(topic)?.batchBytesMax ?? Infinity;
  }

  /** @inheritdoc */
  stalls(name: string): boolean {
    const topic = this.#cluster.topics.get(name);
    if (topic === undefined || !this.#cluster.stalls(topic, this.#clock.nowMs())) return false;
    return problemOf({
      cluster: this.#cluster,
      producerId: this.#producerId,
      metadata: this.#metadata,
      refusal: this.#outcomes.refusal,
      bootstrap: this.#config.brokers,
    }) === undefined;
  }

  /** @inheritdoc */
  giveBack(name: string, isWanted: (batch: ClosedBatch) => boolean): ClosedBatch[] {
    const topic = this.#cluster.topics.get(name);
    return topic === undefined ? [] : this.#outcomes.giveBack(topic, isWanted);
  }

  /** @inheritdoc */
  held(): ReadonlySet<ClosedBatch> {
    const held = new Set<ClosedBatch>();
    for (const topic of this.#cluster.topics.values()) topic.addHeld(held);
    for (const lane of this.#cluster.lanes.values()) lane.addHeld(held);
    this.#outcomes.addHeld(held);
    return held;
  }

  /** @inheritdoc */
  brokerOf({ topic, partition }: ClosedBatch): string | undefined {
    const queue = this.#cluster.topics.get(topic)?.partitions[partition];
    const lane = queue === undefined ? undefined : this.#cluster.laneOf(queue);
    return lane === undefined ? undefined : `${lane.address.host}:${lane.address.port}`;
  }

  /** @inheritdoc */
  status(): SinkStatus {
    return describeSink({
      name: this.name,
      batches: this.#outcomes.batches,
      bytes: this.#outcomes.bytes,
      cluster: this.#cluster,
      producerId: this.#producerId,
      metadata: this.#metadata,
      refusal: this.#outcomes.refusal,
      bootstrap: this.#config.brokers,
      nowMs: this.#clock.nowMs(),
    });
  }

  /** @inheritdoc */
  troubles(): SinkTroubles {
    const nowMs = this.#clock.nowMs();
    return {
      texts: troublesOf(this.#cluster, this.#config.brokers, nowMs),
      stalled: isStalled(this.#cluster, nowMs),
    };
  }

  /** @inheritdoc */
  async close(): Promise<void> {
    this.#dispatcher.close();
    this.#metadata.close();
    this.#limits.close();
    this.#producerId.close();
    this.#cluster.close();
    await this.#carrier.close();
  }

  /** @inheritdoc */
  restore(): void {
    this.#outcomes.restore();
  }

  #applyMetadata(metadata: ClusterMetadata): void {
    this.#log.debug("kafka_metadata", {
      brokers: metadata.brokers.map(({ id, host, port }) => `${id}=${host}:${port}`).join(","),
      topics: metadata.topics.map(({ name, partitions }) => `${name}/${partitions.length}`).join(","),
    });
    this.#cluster.apply(metadata, this.#clock.nowMs());
    for (const topic of this.#cluster.topics.values()) {
      if (topic.waiting > 0 || topic.unplaced > 0) this.#dispatcher.waits(topic);
    }
    this.#producerId.need();
    this.#limits.look();
    this.#dispatcher.ask();
  }

  #laneReady(lane: BrokerLane, isNew: boolean): void {
    const { id, host, port } = lane.address;
    if (isNew) this.#log.write("kafka_broker_connected", id, { broker: id, address: `${host}:${port}` });
    this.#dispatcher.ask();
  }

  #laneLost(lane: BrokerLane, cause: ForwarderError, hadConnection: boolean): void {
    const event = hadConnection ? "kafka_broker_lost" : "kafka_broker_unreachable";
    const message = problemOfLane(lane, this.#config.brokers) ?? cause.message;
    this.#log.write(event, lane.address.id, { broker: lane.address.id, message });
    if (lane.inFlight > 0 || lane.active.size > 0 || !hadConnection) this.#metadata.ask();
    this.#dispatcher.lost();
  }
}
