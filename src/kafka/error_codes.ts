/**
 * Kafka's error codes as the producer treats them (names: the protocol guide's error table).
 *
 * What a name does not tell is how to go on, so each has a course: try again for ever, look for the leader
 * again, renew the producer's sequences, or give up on the record, the topic or for now on the client.
 *
 * @module
 */

/**
 * How the producer goes on.
 *
 *     delivered  the records are in the log
 *     retry      the same request again after a pause, for ever
 *     leader     the same after new metadata, for ever
 *     doubtful   the same a few times, then as `record`: nobody can tell whether the next try helps
 *     sequence   the broker's idea of the producer's sequences is another one: bump the epoch, number anew
 *     producer   the producer id itself is refused: get a new one, number anew
 *     record     this batch will never be taken
 *     topic      nothing for this topic will be taken until somebody changes the cluster
 *     client     nothing of this client will be taken until somebody changes the cluster or the configuration
 */
export type ErrorCourse =
  | "delivered"
  | "retry"
  | "leader"
  | "doubtful"
  | "sequence"
  | "producer"
  | "record"
  | "topic"
  | "client";

/** One row of the table. */
export interface KafkaError {
  readonly code: number;
  /** The protocol's name. */
  readonly name: string;
  readonly course: ErrorCourse;
}

/** Codes that the producer asks for by name. */
export const errorCode = {
  none: 0,
  unknownTopicOrPartition: 3,
  leaderNotAvailable: 5,
  invalidTopic: 17,
  topicAuthorizationFailed: 29,
} as const;

const table: readonly KafkaError[] = [
  { code: -1, name: "UNKNOWN_SERVER_ERROR", course: "doubtful" },
  { code: 0, name: "NONE", course: "delivered" },
  { code: 2, name: "CORRUPT_MESSAGE", course: "doubtful" },
  { code: 3, name: "UNKNOWN_TOPIC_OR_PARTITION", course: "leader" },
  { code: 5, name: "LEADER_NOT_AVAILABLE", course: "leader" },
  { code: 6, name: "NOT_LEADER_OR_FOLLOWER", course: "leader" },
  { code: 7, name: "REQUEST_TIMED_OUT", course: "retry" },
  { code: 8, name: "BROKER_NOT_AVAILABLE", course: "leader" },
  { code: 9, name: "REPLICA_NOT_AVAILABLE", course: "leader" },
  { code: 10, name: "MESSAGE_TOO_LARGE", course: "record" },
  { code: 13, name: "NETWORK_EXCEPTION", course: "leader" },
  { code: 14, name: "COORDINATOR_LOAD_IN_PROGRESS", course: "retry" },
  { code: 15, name: "COORDINATOR_NOT_AVAILABLE", course: "retry" },
  { code: 16, name: "NOT_COORDINATOR", course: "retry" },
  { code: 17, name: "INVALID_TOPIC_EXCEPTION", course: "topic" },
  { code: 18, name: "RECORD_LIST_TOO_LARGE", course: "record" },
  { code: 19, name: "NOT_ENOUGH_REPLICAS", course: "retry" },
  { code: 20, name: "NOT_ENOUGH_REPLICAS_AFTER_APPEND", course: "retry" },
  { code: 21, name: "INVALID_REQUIRED_ACKS", course: "doubtful" },
  { code: 29, name: "TOPIC_AUTHORIZATION_FAILED", course: "topic" },
  { code: 31, name: "CLUSTER_AUTHORIZATION_FAILED", course: "client" },
  { code: 32, name: "INVALID_TIMESTAMP", course: "record" },
  { code: 33, name: "UNSUPPORTED_SASL_MECHANISM", course: "client" },
  { code: 34, name: "ILLEGAL_SASL_STATE", course: "client" },
  { code: 35, name: "UNSUPPORTED_VERSION", course: "client" },
  { code: 38, name: "INVALID_REPLICATION_FACTOR", course: "leader" },
  { code: 41, name: "NOT_CONTROLLER", course: "retry" },
  { code: 42, name: "INVALID_REQUEST", course: "doubtful" },
  { code: 43, name: "UNSUPPORTED_FOR_MESSAGE_FORMAT", course: "record" },
  { code: 44, name: "POLICY_VIOLATION", course: "record" },
  { code: 45, name: "OUT_OF_ORDER_SEQUENCE_NUMBER", course: "sequence" },
  { code: 46, name: "DUPLICATE_SEQUENCE_NUMBER", course: "delivered" },
  { code: 47, name: "INVALID_PRODUCER_EPOCH", course: "producer" },
  { code: 49, name: "INVALID_PRODUCER_ID_MAPPING", course: "producer" },
  { code: 51, name: "CONCURRENT_TRANSACTIONS", course: "retry" },
  { code: 53, name: "TRANSACTIONAL_ID_AUTHORIZATION_FAILED", course: "client" },
  { code: 56, name: "KAFKA_STORAGE_ERROR", course: "leader" },
  { code: 58, name: "SASL_AUTHENTICATION_FAILED", course: "client" },
  { code: 59, name: "UNKNOWN_PRODUCER_ID", course: "sequence" },
  { code: 72, name: "LISTENER_NOT_FOUND", course: "leader" },
  { code: 74, name: "FENCED_LEADER_EPOCH", course: "leader" },
  { code: 75, name: "UNKNOWN_LEADER_EPOCH", course: "leader" },
  { code: 76, name: "UNSUPPORTED_COMPRESSION_TYPE", course: "record" },
  { code: 77, name: "STALE_BROKER_EPOCH", course: "retry" },
  { code: 78, name: "OFFSET_NOT_AVAILABLE", course: "retry" },
  { code: 80, name: "PREFERRED_LEADER_NOT_AVAILABLE", course: "leader" },
  { code: 84, name: "ELIGIBLE_LEADERS_NOT_AVAILABLE", course: "leader" },
  { code: 87, name: "INVALID_RECORD", course: "record" },
  { code: 89, name: "THROTTLING_QUOTA_EXCEEDED", course: "retry" },
  { code: 90, name: "PRODUCER_FENCED", course: "producer" },
  { code: 100, name: "UNKNOWN_TOPIC_ID", course: "leader" },
  { code: 103, name: "INCONSISTENT_TOPIC_ID", course: "leader" },
];

const byCode = new Map(table.map((error) => [error.code, error]));

/** All codes that have a name here. */
export const kafkaErrors: readonly KafkaError[] = table;

/** The row of a code. A code that is not in the table is `doubtful`: `ERROR_123`. */
export function kafkaError(code: number): KafkaError {
  return byCode.get(code) ?? { code, name: `ERROR_${code}`, course: "doubtful" };
}

/** Reasons whose constant name differs from the protocol's. */
const reasonNames: Readonly<Record<number, string>> = {
  3: "unknown_topic",
  10: "record_too_large",
  17: "invalid_topic",
};

/** The constant name of a rejection: `record_too_large`, `topic_authorization_failed`. */
export function rejectionReason(error: KafkaError): string {
  return reasonNames[error.code] ?? error.name.toLowerCase();
}
