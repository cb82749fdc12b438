/**
 * What an operator reads about the sink: ready or why not, brokers, topics.
 *
 * @module
 */
import type { ForwarderError } from "../core/errors.ts";
import type { SinkStatus } from "../sink/sink.ts";
import type { BrokerLane } from "./broker_lane.ts";
import type { Cluster } from "./cluster.ts";
import type { MetadataLoop } from "./metadata_loop.ts";
import type { ProducerIdKeeper } from "./producer_id.ts";
import { problemOfLane } from "./troubles.ts";

/** Topics that are named in a status. */
const namedTopicsMax = 100;

/** The parts that a status is made from. */
export interface SinkParts {
  readonly name: string;
  readonly batches: number;
  readonly bytes: number;
  readonly cluster: Cluster;
  readonly producerId: ProducerIdKeeper;
  readonly metadata: MetadataLoop;
  /** Why the cluster refuses what this client sends. */
  readonly refusal: ForwarderError | undefined;
  /** Addresses of the configuration. */
  readonly bootstrap: readonly string[];
  /** Monotonic milliseconds. */
  readonly nowMs: number;
}

/** The status of the sink. Its details are made when somebody reads them: whether it is ready is asked for each batch. */
export function describeSink(parts: SinkParts): SinkStatus {
  const problem = problemOf(parts);
  return {
    name: parts.name,
    ready: problem === undefined,
    ...(problem === undefined ? {} : { problem }),
    batchesInFlight: parts.batches,
    bytesInFlight: parts.bytes,
    get details() {
      return { brokers: describeBrokers(parts), topics: describeTopics(parts.cluster) };
    },
  };
}

/** Why nothing can be delivered; undefined while something can. */
export function problemOf(
  { cluster, producerId, metadata, refusal, bootstrap }: Omit<
    SinkParts,
    "name" | "batches" | "bytes" | "nowMs"
  >,
): string | undefined {
  if (refusal !== undefined) return refusal.message;
  let lost: BrokerLane | undefined;
  let isConnected = false;
  for (const lane of cluster.lanes.values()) {
    if (lane.state.kind === "ready") isConnected = true;
    if (lane.state.kind === "paused") lost = lane;
  }
  if (!isConnected) {
    if (metadata.problem !== undefined) return metadata.problem.message;
    return (lost === undefined ? undefined : problemOfLane(lost, bootstrap)) ?? "Connecting to Kafka";
  }
  if (producerId.current === undefined) return producerId.problem?.message ?? "Waiting for a producer id";
  return undefined;
}

function describeBrokers({ cluster, bootstrap, nowMs }: SinkParts): Record<string, unknown>[] {
  return [...cluster.lanes.values()].map((lane) => ({
    id: lane.address.id,
    host: `${lane.address.host}:${lane.address.port}`,
    connected: lane.state.kind === "ready",
    inFlight: lane.inFlight,
    bytesInFlight: lane.bytesInFlight,
    silentMs: lane.silentMs(nowMs),
    ...lane.counts.report(),
    ...problemField(problemOfLane(lane, bootstrap)),
  }));
}

function problemField(problem: string | undefined): { readonly problem?: string } {
  return problem === undefined ? {} : { problem };
}

function describeTopics(cluster: Cluster): Record<string, unknown> {
  const counts = { known: 0, unknown: 0, unavailable: 0 };
  const faulty: Record<string, unknown>[] = [];
  let withoutLeader = 0;
  for (const topic of cluster.topics.values()) {
    counts[topic.state.kind]++;
    for (const partition of topic.partitions) if (partition.leader === -1) withoutLeader++;
    const { state } = topic;
    const fault = topic.fault ??
      (state.kind === "unavailable" ? { reason: state.reason, message: state.message } : undefined);
    if (fault === undefined || faulty.length === namedTopicsMax) continue;
    faulty.push({ topic: topic.name, ...fault, parked: topic.isParked, bytes: topic.bytes });
  }
  return { ...counts, partitionsWithoutLeader: withoutLeader, faulty };
}
