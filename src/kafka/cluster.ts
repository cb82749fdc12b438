/**
 * The cluster as the producer knows it: topics by name, a lane per broker, and what an answer to a metadata
 * request changes in them.
 *
 * @module
 */
import { ForwarderError } from "../core/errors.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { BrokerLane, type LaneOptions } from "./broker_lane.ts";
import type { BrokerAddress, ClusterMetadata, PartitionMetadata, TopicMetadata } from "./carrier.ts";
import { errorCode, kafkaError, rejectionReason } from "./error_codes.ts";
import type { MetadataNeeds } from "./metadata_loop.ts";
import type { PartitionQueue } from "./partition_queue.ts";
import { isTopicName, TopicQueue } from "./topic_queue.ts";

/** Topics that nobody sent to for so long are not asked about. */
const topicIdleMs = 300_000;

/** A topic that was given up is still wanted when somebody sent to it in this time. */
const topicWantedMs = 10_000;

/** What a cluster is made of. */
export interface ClusterOptions {
  readonly kernel: Kernel;
  readonly topicWaitMs: number;
  readonly lanes: LaneOptions;
  /** A topic changed between known, unknown and unavailable. */
  topicChanged(topic: TopicQueue): void;
  /** A batch has its partition, and that no leader that is known. */
  leaderMissing(): void;
}

/** Topics and lanes of one sink. */
export class Cluster {
  readonly topics = new Map<string, TopicQueue>();
  readonly lanes = new Map<number, BrokerLane>();
  readonly #options: ClusterOptions;

  constructor(options: ClusterOptions) {
    this.#options = options;
  }

  /** The topic of that name, made when it is new. */
  topic(name: string): TopicQueue {
    let topic = this.topics.get(name);
    if (topic !== undefined) return topic;
    topic = new TopicQueue(name, this.#options.kernel);
    this.topics.set(name, topic);
    if (!isTopicName(name)) {
      this.giveUp(topic, "invalid_topic", `Topic "${name}" has a name that Kafka refuses`, Infinity);
    }
    return topic;
  }

  /** The lane to a partition's leader, if it has one. */
  laneOf(partition: PartitionQueue): BrokerLane | undefined {
    return this.lanes.get(partition.leader);
  }

  /** True while no partition of the topic can take anything; while none of any topic can, that says nothing. */
  stalls(topic: TopicQueue, nowMs: number): boolean {
    if (topic.state.kind === "unavailable") return true;
    if (topic.state.kind === "unknown") return topic.state.missedSinceMs !== undefined;
    return topic.partitions.every((partition) => {
      const lane = this.laneOf(partition);
      return lane === undefined || lane.state.kind === "paused" || lane.isStalled(nowMs) || partition.isStuck;
    });
  }

  /** True where some partition of the topic has a leader. */
  hasLeader(topic: TopicQueue): boolean {
    return topic.partitions.some((partition) => this.laneOf(partition) !== undefined);
  }

  /** Lets the partition's leader know whether there is something to send; it is connected, or looked for, if need be. */
  activate(partition: PartitionQueue): void {
    const lane = this.laneOf(partition);
    if (partition.waiting === 0) lane?.active.delete(partition);
    else if (lane === undefined) this.#options.leaderMissing();
    else {
      lane.active.add(partition);
      lane.want();
    }
  }

  /** What the cluster should be asked. */
  needs(nowMs: number): MetadataNeeds {
    const known: string[] = [];
    const wanted: string[] = [];
    // A cluster that is coming up may name no broker yet.
    let isUrgent = this.lanes.size === 0;
    let hasParked = false;
    for (const topic of this.topics.values()) {
      if (topic.state.kind === "unavailable" && topic.state.untilMs === Infinity) continue;
      const unsettled = topic.unsettled;
      const isUsed = unsettled > 0 || nowMs - topic.usedAtMs < topicIdleMs;
      if (!isUsed) continue;
      if (topic.state.kind === "unknown" && unsettled > 0) {
        wanted.push(topic.name);
        isUrgent = true;
        continue;
      }
      if (topic.state.kind === "unavailable") {
        hasParked = true;
        if (nowMs - topic.usedAtMs < topicWantedMs) wanted.push(topic.name);
        else known.push(topic.name);
        continue;
      }
      known.push(topic.name);
      if (unsettled > 0 && topic.state.kind === "known") isUrgent ||= this.#missesLeader(topic);
    }
    return { known, wanted, isUrgent, hasParked };
  }

  #missesLeader(topic: TopicQueue): boolean {
    if (topic.waiting > 0 && !this.hasLeader(topic)) return true;
    return topic.partitions.some((partition) =>
      partition.waiting > 0 && this.laneOf(partition) === undefined
    );
  }

  /** Takes an answer: brokers come and go, leaders move, topics become known or are given up. */
  apply(metadata: ClusterMetadata, nowMs: number): void {
    this.#applyBrokers(metadata.brokers);
    for (const answer of metadata.topics) {
      const topic = this.topics.get(answer.name);
      if (topic === undefined) continue;
      const before = topic.state;
      if (before.kind === "unavailable" && nowMs < before.untilMs) continue;
      if (answer.errorCode === errorCode.none && answer.partitions.length > 0) {
        this.#applyPartitions(topic, answer.partitions, nowMs);
      } else this.#applyMiss(topic, answer, nowMs);
      if (topic.state.kind !== before.kind) this.#options.topicChanged(topic);
    }
    this.#closeUnused(metadata.brokers);
    // One warm connection even without a topic: the first batch then waits for metadata alone.
    if (![...this.lanes.values()].some((lane) => lane.state.kind !== "idle")) {
      for (const lane of this.lanes.values()) {
        lane.want();
        break;
      }
    }
  }

  #applyBrokers(brokers: readonly BrokerAddress[]): void {
    for (const address of brokers) {
      const lane = this.lanes.get(address.id);
      if (lane?.address.host === address.host && lane.address.port === address.port) continue;
      const successor = new BrokerLane(address, this.#options.lanes);
      this.lanes.set(address.id, successor);
      if (lane === undefined) continue;
      for (const partition of lane.active) successor.active.add(partition);
      lane.close();
      successor.want();
    }
  }

  #closeUnused(brokers: readonly BrokerAddress[]): void {
    for (const [id, lane] of this.lanes) {
      if (brokers.some((broker) => broker.id === id) || lane.inFlight > 0 || lane.active.size > 0) continue;
      lane.close();
      this.lanes.delete(id);
    }
  }

  #applyPartitions(topic: TopicQueue, partitions: readonly PartitionMetadata[], nowMs: number): void {
    topic.resize(partitions.reduce((count, { id }) => Math.max(count, id + 1), 0), nowMs);
    for (const { id, leader } of partitions) {
      const partition = topic.partitions[id];
      if (partition.leader !== leader) this.#move(partition, leader, nowMs);
      this.laneOf(partition)?.want();
      this.activate(partition);
    }
  }

  #move(partition: PartitionQueue, leader: number, nowMs: number): void {
    const before = this.laneOf(partition);
    before?.active.delete(partition);
    partition.moved(leader, nowMs);
    if (before === undefined || partition.sent === 0 || !before.isStalled(nowMs)) return;
    const { host, port } = before.address;
    before.destroy(
      new ForwarderError("kafka_unreachable", `Broker "${host}:${port}" is silent and lost its partitions`, {
        retryable: true,
      }),
    );
  }

  #applyMiss(topic: TopicQueue, answer: TopicMetadata, nowMs: number): void {
    const error = kafkaError(answer.errorCode);
    if (error.course === "topic") {
      this.giveUp(topic, rejectionReason(error), `Topic "${topic.name}" refused: ${error.name}`);
      return;
    }
    if (topic.state.kind === "unavailable") return;
    for (const partition of topic.partitions) if (partition.leader !== -1) this.#move(partition, -1, nowMs);
    // A topic that is being made has no leader yet; that is not a reason to give it up.
    const isMissing = answer.errorCode !== errorCode.leaderNotAvailable && topic.unsettled > 0;
    const missedSinceMs = isMissing
      ? (topic.state.kind === "unknown" ? topic.state.missedSinceMs : undefined) ?? nowMs
      : undefined;
    topic.state = { kind: "unknown", missedSinceMs };
    if (missedSinceMs === undefined || nowMs - missedSinceMs < this.#options.topicWaitMs) return;
    const message =
      `Topic "${topic.name}" is unknown to the cluster for ${this.#options.topicWaitMs} ms: ${error.name}`;
    this.giveUp(topic, "unknown_topic", message);
  }

  /** Makes the topic unavailable, at least until `untilMs`. Its batches are for the caller to take out (`topicChanged`). */
  giveUp(topic: TopicQueue, reason: string, message: string, untilMs = 0): void {
    topic.state = { kind: "unavailable", reason, message, untilMs };
  }

  /** Closes all lanes. */
  close(): void {
    for (const lane of this.lanes.values()) lane.close();
  }
}
