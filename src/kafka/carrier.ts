/**
 * What the producer needs from a Kafka client library: metadata, a producer id, and connections that carry
 * requests which are already encoded. `kafkajs_carrier.ts` is the one that ships; another library would be
 * another implementation of these two interfaces.
 *
 * Every failure is a `ForwarderError` (`kafka_unreachable`, `kafka_authentication_failed`, `kafka_protocol`,
 * `certificate_unusable`, `deadline_exceeded`, `stopped`) whose message is fit for an operator.
 *
 * @module
 */
import type { Buffer } from "node:buffer";
import type { ForwarderError } from "../core/errors.ts";

/** A broker as the cluster advertises it. */
export interface BrokerAddress {
  readonly id: number;
  readonly host: string;
  readonly port: number;
}

/** One partition; `leader` is -1 while it has none. */
export interface PartitionMetadata {
  readonly id: number;
  readonly leader: number;
}

/** One topic that was asked for. `errorCode` 0: the partitions are complete. */
export interface TopicMetadata {
  readonly name: string;
  readonly errorCode: number;
  readonly partitions: readonly PartitionMetadata[];
}

/** One answer to a Metadata request. */
export interface ClusterMetadata {
  /** All live brokers. */
  readonly brokers: readonly BrokerAddress[];
  readonly topics: readonly TopicMetadata[];
}

/** What `InitProducerId` gave. */
export interface ProducerId {
  readonly producerId: bigint;
  readonly epoch: number;
}

/** One authenticated connection to one broker. Answers come in the order of the requests. */
export interface BrokerConnection {
  /** False while a request sent now could not go out: the session is being re-authenticated, or the connection is gone. */
  readonly usable: boolean;
  /** The version of Produce that both sides speak: 7 or 8. */
  readonly produceVersion: number;
  /** The number the next request must carry. */
  nextCorrelationId(): number;
  /**
   * Writes the views one behind the other: a whole Produce request in `produceVersion`. Resolves with the answer behind its
   * correlation id. Rejects only when the socket was destroyed before: from then on nobody reads the views.
   */
  send(correlationId: number, views: readonly Uint8Array[]): Promise<Buffer>;
  /** Destroys the socket, then rejects every pending `send` with `cause`, then calls `closed`. */
  destroy(cause: ForwarderError): void;
}

/** What a connection tells its owner. */
export interface ConnectionEvents {
  /** The connection is gone; called once, after its pending sends were rejected. Not called where `connect` rejected. */
  closed(cause: ForwarderError): void;
  /** `usable` turned true again. */
  usable(): void;
}

/** A Kafka cluster as the producer sees it. */
export interface KafkaCarrier {
  /** Asks some broker (the bootstrap list, then all known ones, in turn). `create` lets the broker create what is unknown. */
  metadata(topics: readonly string[], create: boolean): Promise<ClusterMetadata>;
  /** The largest batch that each topic takes, bytes; those that may not be described are missing. */
  batchBytesMax(topics: readonly string[]): Promise<ReadonlyMap<string, number>>;
  /** A producer id that nobody else has. */
  initProducerId(): Promise<ProducerId>;
  /** A new connection, connected and authenticated. */
  connect(broker: BrokerAddress, events: ConnectionEvents): Promise<BrokerConnection>;
  /** Destroys all connections that it opened. */
  close(): Promise<void>;
}
