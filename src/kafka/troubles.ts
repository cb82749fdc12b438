/**
 * What holds up a part of the delivery while the rest goes on, in words for an operator: brokers that cannot be reached
 * or slow this client down, topics and partitions that are refused or have no leader. What holds up everything is the
 * sink's `problem` (status.ts).
 *
 * A trouble is told once it is some seconds old: leaders move and brokers restart all the time. Texts do not change
 * while the trouble does not.
 *
 * @module
 */
import type { BrokerLane } from "./broker_lane.ts";
import type { Cluster } from "./cluster.ts";
import type { PartitionQueue } from "./partition_queue.ts";
import type { TopicQueue } from "./topic_queue.ts";

/** Younger troubles mend themselves. */
const tellAfterMs = 5000;
/** A topic that was given up is told of while lines come for it. */
const usedMs = 60_000;
/** A pause that a quota made is told of for so long: most are shorter than the time between two looks. */
const throttledMs = 10_000;
/** Topics that are named. */
const topicsMax = 20;
/** Partitions of a topic that are named. */
const partitionsMax = 8;

/** What a name of the protocol leaves open, and its cure. */
const meanings: Readonly<Record<string, string>> = {
  NOT_ENOUGH_REPLICAS:
    "fewer replicas are in sync than the topic's min.insync.replicas; bring their brokers back",
  NOT_ENOUGH_REPLICAS_AFTER_APPEND:
    "fewer replicas are in sync than the topic's min.insync.replicas; bring their brokers back",
  REQUEST_TIMED_OUT: "its replicas do not confirm in time",
  UNKNOWN_TOPIC_OR_PARTITION: "the leader does not have it: it was deleted, or is being made",
  NOT_LEADER_OR_FOLLOWER: "another broker leads it, and the cluster does not say which",
  LEADER_NOT_AVAILABLE: "no leader is chosen",
  KAFKA_STORAGE_ERROR: "the disk of its broker fails",
  UNKNOWN_SERVER_ERROR: "the log of its broker says why",
  TOPIC_AUTHORIZATION_FAILED: "give this client's user Write on the topic",
  CLUSTER_AUTHORIZATION_FAILED: "give this client's user Write on its topics",
};

/** The meaning of an error's name, where the name leaves it open. */
export function meaningOf(error: string): string | undefined {
  return meanings[error];
}

/** Why a broker cannot be reached. One that was never reached, at an address that only the cluster names, may be named wrongly there. */
export function problemOfLane(lane: BrokerLane, bootstrap: readonly string[]): string | undefined {
  const { state, address } = lane;
  if (state.kind !== "paused") return undefined;
  const { message, code } = state.cause;
  const isAdvertised = !lane.wasReady && (code === "kafka_unreachable" || code === "deadline_exceeded") &&
    !bootstrap.includes(`${address.host}:${address.port}`);
  return isAdvertised
    ? `${message}; the cluster names this address (advertised.listeners of broker ${address.id})`
    : message;
}

/** All troubles, those of brokers first. `bootstrap` are the addresses of the configuration. */
export function troublesOf(cluster: Cluster, bootstrap: readonly string[], nowMs: number): string[] {
  const brokers = [...cluster.lanes.values()].flatMap((lane) => troublesOfLane(lane, bootstrap, nowMs));
  const topics: string[] = [];
  for (const topic of cluster.topics.values()) {
    topics.push(...troublesOfTopic(cluster, topic, nowMs));
    if (topics.length >= topicsMax) break;
  }
  return [...brokers, ...topics];
}

/** True while there are batches, and nothing of any topic that has some can be delivered. */
export function isStalled(cluster: Cluster, nowMs: number): boolean {
  let hasSome = false;
  for (const topic of cluster.topics.values()) {
    if (topic.unsettled === 0) continue;
    hasSome = true;
    if (!cluster.stalls(topic, nowMs)) return false;
  }
  return hasSome;
}

function troublesOfLane(lane: BrokerLane, bootstrap: readonly string[], nowMs: number): string[] {
  const problem = problemOfLane(lane, bootstrap);
  if (problem !== undefined && nowMs - lane.lostAtMs >= tellAfterMs) return [problem];
  const { host, port } = lane.address;
  if (lane.counts.throttledMs > 0 && nowMs - lane.throttledUntilMs < throttledMs) {
    return [`Broker "${host}:${port}" slows this client down: it is over a quota of the cluster`];
  }
  return lane.silentMs(nowMs) < tellAfterMs
    ? []
    : [`Broker "${host}:${port}" does not answer, though requests are out`];
}

function troublesOfTopic(cluster: Cluster, topic: TopicQueue, nowMs: number): string[] {
  const { state, name } = topic;
  if (state.kind === "unavailable") {
    const isUsed = topic.unsettled > 0 || nowMs - topic.usedAtMs < usedMs;
    if (!isUsed) return [];
    const cure = meanings[state.reason.toUpperCase()];
    const fate = `its lines ${topic.isParked ? "wait for it" : "go to the dead letter"}`;
    return [[state.message, ...cure === undefined ? [] : [cure], fate].join("; ")];
  }
  if (state.kind === "unknown") {
    const { missedSinceMs } = state;
    if (missedSinceMs === undefined || nowMs - missedSinceMs < tellAfterMs) return [];
    return [`Topic "${name}" is unknown to the cluster; its lines wait for kafka.topic_wait`];
  }
  const without = topic.partitions.filter((partition) =>
    (partition.waiting > 0 || topic.waiting > 0) && cluster.laneOf(partition) === undefined &&
    nowMs - partition.movedAtMs >= tellAfterMs
  );
  const lines = without.length === 0 ? [] : [`Topic "${name}": ${named(without)} without a leader`];
  const refused = new Map<string, PartitionQueue[]>();
  for (const partition of topic.partitions) {
    const { refusal } = partition;
    if (refusal === undefined || partition.waiting + partition.sent === 0) continue;
    if (nowMs - refusal.sinceMs < tellAfterMs || without.includes(partition)) continue;
    const group = refused.get(refusal.error);
    if (group === undefined) refused.set(refusal.error, [partition]);
    else group.push(partition);
  }
  for (const [error, partitions] of refused) {
    const meaning = meanings[error] === undefined ? "" : `: ${meanings[error]}`;
    lines.push(`Topic "${name}": ${named(partitions)} refused with ${error}${meaning}`);
  }
  return lines;
}

/** `partition 3`, `partitions 1, 2 and 7 more` */
function named(partitions: readonly PartitionQueue[]): string {
  const shown = partitions.slice(0, partitionsMax).map(({ id }) => id).join(", ");
  const more = partitions.length - partitionsMax;
  return `partition${partitions.length === 1 ? "" : "s"} ${shown}${more > 0 ? ` and ${more} more` : ""}`;
}
