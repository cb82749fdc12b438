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
 *     split      too many bytes: the batch is divided; a single record is refused
 *     records    some of its records will never be taken; the broker may say which, the others go on
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
  | "split"
  | "records"
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
  { code: 1, name: "OFFSET_OUT_OF_RANGE", course: "doubtful" },
  { code: 2, name: "CORRUPT_MESSAGE", course: "doubtful" },
  { code: 3, name: "UNKNOWN_TOPIC_OR_PARTITION", course: "leader" },
  { code: 4, name: "INVALID_FETCH_SIZE", course: "doubtful" },
  { code: 5, name: "LEADER_NOT_AVAILABLE", course: "leader" },
  { code: 6, name: "NOT_LEADER_OR_FOLLOWER", course: "leader" },
  { code: 7, name: "REQUEST_TIMED_OUT", course: "retry" },
  { code: 8, name: "BROKER_NOT_AVAILABLE", course: "leader" },
  { code: 9, name: "REPLICA_NOT_AVAILABLE", course: "leader" },
  { code: 10, name: "MESSAGE_TOO_LARGE", course: "split" },
  { code: 11, name: "STALE_CONTROLLER_EPOCH", course: "doubtful" },
  { code: 12, name: "OFFSET_METADATA_TOO_LARGE", course: "doubtful" },
  { code: 13, name: "NETWORK_EXCEPTION", course: "leader" },
  { code: 14, name: "COORDINATOR_LOAD_IN_PROGRESS", course: "retry" },
  { code: 15, name: "COORDINATOR_NOT_AVAILABLE", course: "retry" },
  { code: 16, name: "NOT_COORDINATOR", course: "retry" },
  { code: 17, name: "INVALID_TOPIC_EXCEPTION", course: "topic" },
  { code: 18, name: "RECORD_LIST_TOO_LARGE", course: "split" },
  { code: 19, name: "NOT_ENOUGH_REPLICAS", course: "retry" },
  { code: 20, name: "NOT_ENOUGH_REPLICAS_AFTER_APPEND", course: "retry" },
  { code: 21, name: "INVALID_REQUIRED_ACKS", course: "doubtful" },
  { code: 22, name: "ILLEGAL_GENERATION", course: "doubtful" },
  { code: 23, name: "INCONSISTENT_GROUP_PROTOCOL", course: "doubtful" },
  { code: 24, name: "INVALID_GROUP_ID", course: "doubtful" },
  { code: 25, name: "UNKNOWN_MEMBER_ID", course: "doubtful" },
  { code: 26, name: "INVALID_SESSION_TIMEOUT", course: "doubtful" },
  { code: 27, name: "REBALANCE_IN_PROGRESS", course: "doubtful" },
  { code: 28, name: "INVALID_COMMIT_OFFSET_SIZE", course: "doubtful" },
  { code: 29, name: "TOPIC_AUTHORIZATION_FAILED", course: "topic" },
  { code: 30, name: "GROUP_AUTHORIZATION_FAILED", course: "doubtful" },
  { code: 31, name: "CLUSTER_AUTHORIZATION_FAILED", course: "client" },
  { code: 32, name: "INVALID_TIMESTAMP", course: "records" },
  { code: 33, name: "UNSUPPORTED_SASL_MECHANISM", course: "client" },
  { code: 34, name: "ILLEGAL_SASL_STATE", course: "client" },
  { code: 35, name: "UNSUPPORTED_VERSION", course: "client" },
  { code: 36, name: "TOPIC_ALREADY_EXISTS", course: "doubtful" },
  { code: 37, name: "INVALID_PARTITIONS", course: "doubtful" },
  { code: 38, name: "INVALID_REPLICATION_FACTOR", course: "leader" },
  { code: 39, name: "INVALID_REPLICA_ASSIGNMENT", course: "doubtful" },
  { code: 40, name: "INVALID_CONFIG", course: "doubtful" },
  { code: 41, name: "NOT_CONTROLLER", course: "retry" },
  { code: 42, name: "INVALID_REQUEST", course: "doubtful" },
  { code: 43, name: "UNSUPPORTED_FOR_MESSAGE_FORMAT", course: "record" },
  { code: 44, name: "POLICY_VIOLATION", course: "record" },
  { code: 45, name: "OUT_OF_ORDER_SEQUENCE_NUMBER", course: "sequence" },
  { code: 46, name: "DUPLICATE_SEQUENCE_NUMBER", course: "delivered" },
  { code: 47, name: "INVALID_PRODUCER_EPOCH", course: "producer" },
  { code: 48, name: "INVALID_TXN_STATE", course: "producer" },
  { code: 49, name: "INVALID_PRODUCER_ID_MAPPING", course: "producer" },
  { code: 50, name: "INVALID_TRANSACTION_TIMEOUT", course: "doubtful" },
  { code: 51, name: "CONCURRENT_TRANSACTIONS", course: "retry" },
  { code: 52, name: "TRANSACTION_COORDINATOR_FENCED", course: "doubtful" },
  { code: 53, name: "TRANSACTIONAL_ID_AUTHORIZATION_FAILED", course: "client" },
  { code: 54, name: "SECURITY_DISABLED", course: "client" },
  { code: 55, name: "OPERATION_NOT_ATTEMPTED", course: "doubtful" },
  { code: 56, name: "KAFKA_STORAGE_ERROR", course: "leader" },
  { code: 57, name: "LOG_DIR_NOT_FOUND", course: "leader" },
  { code: 58, name: "SASL_AUTHENTICATION_FAILED", course: "client" },
  { code: 59, name: "UNKNOWN_PRODUCER_ID", course: "sequence" },
  { code: 60, name: "REASSIGNMENT_IN_PROGRESS", course: "leader" },
  { code: 61, name: "DELEGATION_TOKEN_AUTH_DISABLED", course: "doubtful" },
  { code: 62, name: "DELEGATION_TOKEN_NOT_FOUND", course: "doubtful" },
  { code: 63, name: "DELEGATION_TOKEN_OWNER_MISMATCH", course: "doubtful" },
  { code: 64, name: "DELEGATION_TOKEN_REQUEST_NOT_ALLOWED", course: "doubtful" },
  { code: 65, name: "DELEGATION_TOKEN_AUTHORIZATION_FAILED", course: "doubtful" },
  { code: 66, name: "DELEGATION_TOKEN_EXPIRED", course: "doubtful" },
  { code: 67, name: "INVALID_PRINCIPAL_TYPE", course: "doubtful" },
  { code: 68, name: "NON_EMPTY_GROUP", course: "doubtful" },
  { code: 69, name: "GROUP_ID_NOT_FOUND", course: "doubtful" },
  { code: 70, name: "FETCH_SESSION_ID_NOT_FOUND", course: "doubtful" },
  { code: 71, name: "INVALID_FETCH_SESSION_EPOCH", course: "doubtful" },
  { code: 72, name: "LISTENER_NOT_FOUND", course: "leader" },
  { code: 73, name: "TOPIC_DELETION_DISABLED", course: "doubtful" },
  { code: 74, name: "FENCED_LEADER_EPOCH", course: "leader" },
  { code: 75, name: "UNKNOWN_LEADER_EPOCH", course: "leader" },
  { code: 76, name: "UNSUPPORTED_COMPRESSION_TYPE", course: "record" },
  { code: 77, name: "STALE_BROKER_EPOCH", course: "retry" },
  { code: 78, name: "OFFSET_NOT_AVAILABLE", course: "retry" },
  { code: 79, name: "MEMBER_ID_REQUIRED", course: "doubtful" },
  { code: 80, name: "PREFERRED_LEADER_NOT_AVAILABLE", course: "leader" },
  { code: 81, name: "GROUP_MAX_SIZE_REACHED", course: "doubtful" },
  { code: 82, name: "FENCED_INSTANCE_ID", course: "doubtful" },
  { code: 83, name: "ELIGIBLE_LEADERS_NOT_AVAILABLE", course: "leader" },
  { code: 84, name: "ELECTION_NOT_NEEDED", course: "leader" },
  { code: 85, name: "NO_REASSIGNMENT_IN_PROGRESS", course: "doubtful" },
  { code: 86, name: "GROUP_SUBSCRIBED_TO_TOPIC", course: "doubtful" },
  { code: 87, name: "INVALID_RECORD", course: "records" },
  { code: 88, name: "UNSTABLE_OFFSET_COMMIT", course: "doubtful" },
  { code: 89, name: "THROTTLING_QUOTA_EXCEEDED", course: "retry" },
  { code: 90, name: "PRODUCER_FENCED", course: "producer" },
  { code: 91, name: "RESOURCE_NOT_FOUND", course: "doubtful" },
  { code: 92, name: "DUPLICATE_RESOURCE", course: "doubtful" },
  { code: 93, name: "UNACCEPTABLE_CREDENTIAL", course: "client" },
  { code: 94, name: "INCONSISTENT_VOTER_SET", course: "doubtful" },
  { code: 95, name: "INVALID_UPDATE_VERSION", course: "doubtful" },
  { code: 96, name: "FEATURE_UPDATE_FAILED", course: "doubtful" },
  { code: 97, name: "PRINCIPAL_DESERIALIZATION_FAILURE", course: "doubtful" },
  { code: 98, name: "SNAPSHOT_NOT_FOUND", course: "doubtful" },
  { code: 99, name: "POSITION_OUT_OF_RANGE", course: "doubtful" },
  { code: 100, name: "UNKNOWN_TOPIC_ID", course: "leader" },
  { code: 101, name: "DUPLICATE_BROKER_REGISTRATION", course: "doubtful" },
  { code: 102, name: "BROKER_ID_NOT_REGISTERED", course: "doubtful" },
  { code: 103, name: "INCONSISTENT_TOPIC_ID", course: "leader" },
  { code: 104, name: "INCONSISTENT_CLUSTER_ID", course: "doubtful" },
  { code: 105, name: "TRANSACTIONAL_ID_NOT_FOUND", course: "doubtful" },
  { code: 106, name: "FETCH_SESSION_TOPIC_ID_ERROR", course: "doubtful" },
  { code: 107, name: "INELIGIBLE_REPLICA", course: "doubtful" },
  { code: 108, name: "NEW_LEADER_ELECTED", course: "leader" },
  { code: 109, name: "OFFSET_MOVED_TO_TIERED_STORAGE", course: "doubtful" },
  { code: 110, name: "FENCED_MEMBER_EPOCH", course: "doubtful" },
  { code: 111, name: "UNRELEASED_INSTANCE_ID", course: "doubtful" },
  { code: 112, name: "UNSUPPORTED_ASSIGNOR", course: "doubtful" },
  { code: 113, name: "STALE_MEMBER_EPOCH", course: "doubtful" },
  { code: 114, name: "MISMATCHED_ENDPOINT_TYPE", course: "doubtful" },
  { code: 115, name: "UNSUPPORTED_ENDPOINT_TYPE", course: "doubtful" },
  { code: 116, name: "UNKNOWN_CONTROLLER_ID", course: "doubtful" },
  { code: 117, name: "UNKNOWN_SUBSCRIPTION_ID", course: "doubtful" },
  { code: 118, name: "TELEMETRY_TOO_LARGE", course: "doubtful" },
  { code: 119, name: "INVALID_REGISTRATION", course: "doubtful" },
  { code: 120, name: "TRANSACTION_ABORTABLE", course: "doubtful" },
  { code: 121, name: "INVALID_RECORD_STATE", course: "doubtful" },
  { code: 122, name: "SHARE_SESSION_NOT_FOUND", course: "doubtful" },
  { code: 123, name: "INVALID_SHARE_SESSION_EPOCH", course: "doubtful" },
  { code: 124, name: "FENCED_STATE_EPOCH", course: "doubtful" },
  { code: 125, name: "INVALID_VOTER_KEY", course: "doubtful" },
  { code: 126, name: "DUPLICATE_VOTER", course: "doubtful" },
  { code: 127, name: "VOTER_NOT_FOUND", course: "doubtful" },
  { code: 128, name: "INVALID_REGULAR_EXPRESSION", course: "doubtful" },
  { code: 129, name: "REBOOTSTRAP_REQUIRED", course: "leader" },
  { code: 130, name: "STREAMS_INVALID_TOPOLOGY", course: "doubtful" },
  { code: 131, name: "STREAMS_INVALID_TOPOLOGY_EPOCH", course: "doubtful" },
  { code: 132, name: "STREAMS_TOPOLOGY_FENCED", course: "doubtful" },
  { code: 133, name: "SHARE_SESSION_LIMIT_REACHED", course: "doubtful" },
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
  18: "record_too_large",
};

/** The constant name of a rejection: `record_too_large`, `topic_authorization_failed`. */
export function rejectionReason(error: KafkaError): string {
  return reasonNames[error.code] ?? error.name.toLowerCase();
}
