/**
 * `GET /admin/stats`: the shape of its answer.
 *
 * @module
 */
import type { RulesView } from "./rules_view.ts";

/**
 * The ledger, at every snapshot:
 * `received + fan_out + split + replayed = delivered + spooled + in_flight + dead_lettered + joined + sum(dropped)`.
 */
export interface Ledger {
  readonly received: number;
  readonly fan_out: number;
  /** Further parts of lines that were cut in several (`oversize: split`). */
  readonly split: number;
  /** What earlier sessions left in the spool. */
  readonly replayed: number;
  readonly delivered: number;
  readonly spooled: number;
  readonly in_flight: number;
  readonly dead_lettered: number;
  /** Lines that became a part of the line before them. */
  readonly joined: number;
  readonly dropped: Readonly<Record<string, number>>;
  readonly balanced: boolean;
}

/** Percentiles in milliseconds. */
export interface Percentiles {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

/** A latency histogram as Prometheus counts: `cumulative[i]` values are at most `upper_bounds_ms[i]`. */
export interface LatencyBuckets {
  readonly upper_bounds_ms: readonly number[];
  readonly cumulative: readonly number[];
  readonly sum_ms: number;
  readonly count: number;
}

/** `GET /admin/stats`. */
export interface Stats {
  readonly ledger: Ledger;
  /** Totals since start that are not in the ledger. */
  readonly totals: {
    readonly bytes_received: number;
    readonly connections_open: number;
    readonly connections_accepted: number;
    readonly connections_refused: number;
    readonly connections_refused_by: Readonly<Record<string, number>>;
    readonly handshakes_failed: number;
    readonly connections_idled: number;
    readonly connections_partial: number;
    readonly connections_held: number;
    readonly datagrams_refused: number;
    readonly datagrams_lost: number;
    readonly frames_empty: number;
    readonly frames_truncated: number;
    /** Places in octet-counted streams where a count was expected and something else came. */
    readonly frames_damaged: number;
    /** Connections to syslog ports that spoke TLS or HTTP. */
    readonly connections_foreign: number;
    readonly unparsed: number;
    readonly datagrams: number;
    readonly pauses: number;
    readonly http_requests: number;
    readonly http_failures: number;
    readonly http_timeouts: number;
  };
  /** Senders whose lines are not as they should be, by address; at most 1000, the others as `other`. */
  readonly senders?: Readonly<
    Record<string, { readonly oversize: number; readonly unparsed: number; readonly damaged: number }>
  >;
  /** From the reading of a line to the sink's acknowledgement: since the start, and over the last ten seconds. */
  readonly latency_ms: {
    readonly receive_to_ack: Percentiles;
    readonly recent?: Percentiles;
    readonly buckets?: LatencyBuckets;
    /** Where that time goes, by stage; fixed names, zeros where nothing was there yet. */
    readonly stages?: Readonly<
      Record<string, Percentiles & { readonly recent: Percentiles; readonly buckets: LatencyBuckets }>
    >;
  };
  readonly rules: {
    readonly version: number;
    readonly hash: string;
    readonly loaded_at: string;
    readonly source: string;
    /** By rule: matches, and what a try of it takes, sampled at one line in 1,024. */
    readonly hits: readonly { readonly rule: string; readonly hits: number; readonly mean_ns?: number }[];
    /** Rules that no line has matched since they are in force. */
    readonly never_hit?: readonly string[];
    readonly last_error?: RulesView["last_error"];
  };
  readonly workers: readonly Record<string, unknown>[];
  readonly listeners: readonly Record<string, unknown>[];
  /** How syslog over plain TCP is read; `used` and `reason` are not there before the listeners are bound. */
  readonly io: {
    readonly wanted: "auto" | "native" | "uring";
    readonly used?: "native" | "uring";
    readonly reason?: string;
  };
  readonly sink: {
    readonly name: string;
    readonly ready: boolean;
    readonly problems: readonly string[];
    /** What holds up a part of the lines: a broker, a topic, a partition. */
    readonly troubles?: readonly string[];
  };
  readonly kafka: {
    readonly brokers: readonly BrokerStats[];
    readonly topics: Readonly<Record<string, TopicStats>>;
  };
  readonly dead_letter?: DeadLetterStats | undefined;
  /** Missing where the sink has no spool before it. */
  readonly spool?: SpoolTotals | undefined;
  /** What the sentinel and the table of waits have found since the start. */
  readonly watch?: { readonly stalls: number; readonly orphans: number };
  readonly process?: { readonly resident_bytes: number; readonly cpu_s: number };
  readonly uptime_s: number;
  readonly version: string;
  readonly runtime: string;
  readonly state: "starting" | "running" | "draining";
}

/** One broker, over the connections of all workers. */
export interface BrokerStats extends Record<string, unknown> {
  readonly id: number;
  /** `host:port`. */
  readonly host: string;
  /** True where all workers have a connection; `connections` says how many have. */
  readonly connected: boolean;
  readonly connections: number;
  /** Produce requests without an answer, and their bytes. */
  readonly inFlight: number;
  readonly bytesInFlight: number;
  /** Since the start: requests, those that came back because the connection ended, and bytes of batches. */
  readonly requests: number;
  readonly unanswered: number;
  readonly bytesSent: number;
  /** Pauses that it asked for because this client is over a quota, of all workers together. */
  readonly throttled_ms: number;
  /** How long it has said nothing though requests are out; of the worker with the longest. */
  readonly silent_ms: number;
  /** From a request to its answer. */
  readonly answer_ms: LatencyBuckets;
  readonly problem?: string;
}

/** Where dead letters went, and whether they can go there now. */
export interface DeadLetterStats {
  readonly file: {
    readonly path: string;
    /** Letters that were written since the start. */
    readonly lines: number;
    /** Size of the file when it was last looked at, and its bound. */
    readonly bytes: number;
    readonly bytes_max: number;
    readonly bytes_waiting: number;
    readonly ready: boolean;
    readonly problem?: string;
  };
  /** Present where `dead_letter.topic` is in use. */
  readonly topic?: {
    readonly name: string;
    /** Letters that Kafka acknowledged since the start. */
    readonly lines: number;
    readonly ready: boolean;
    /** Why Kafka refused letters a moment ago. */
    readonly problem?: string;
  };
  /** Letters by reason, most first. */
  readonly reasons: Readonly<Record<string, number>>;
}

/** The spool, summed over workers. */
export interface SpoolTotals {
  readonly dir: string;
  /** What committed lines survive: `fsync` a power cut, `os` the end of the process, `none` neither. */
  readonly durability: "none" | "os" | "fsync";
  /** That of the first worker whose spool is not ready; `problem` says why. */
  readonly state: "ready" | "full" | "failing" | "closed";
  readonly problem?: string;
  /** Of all files. */
  readonly bytes: number;
  readonly bytes_max: number;
  readonly segments: number;
  /** Committed and not yet acknowledged. */
  readonly lines: number;
  readonly batches: number;
  /** Of these, on the disk alone. */
  readonly backlog_lines: number;
  readonly backlog_batches: number;
  /** Of these, from earlier sessions. */
  readonly replay_lines: number;
  readonly replay_batches: number;
  /** Waiting for their commit. */
  readonly pending_batches: number;
  readonly pending_bytes: number;
  /** Of the oldest line that is not acknowledged. */
  readonly oldest_age_s: number;
  readonly parked: readonly ParkedTopic[];
  /** From a batch's end to its commit, of the slowest worker. */
  readonly commit_ms: {
    readonly p50: number;
    readonly p99: number;
    readonly p999: number;
    readonly max: number;
  };
  readonly commits: number;
  readonly batches_committed: number;
  readonly bytes_committed: number;
  /** Batches that found no place in memory after their commit, and those that came back. */
  readonly given_up: number;
  readonly read_back: number;
  /** Batches that the disk has and that wait in memory for a prompt sink. */
  readonly held: number;
  /** Batches that were sent without the disk while it took nothing. */
  readonly passed_by: number;
  readonly damaged_batches: number;
  readonly quarantined_batches: number;
}

/** A topic whose batches wait in a place of their own. */
export interface ParkedTopic {
  readonly topic: string;
  readonly lines: number;
  readonly bytes: number;
  readonly full: boolean;
}

/** Counts of one topic, summed over workers. */
export interface TopicStats {
  readonly submitted: number;
  readonly delivered: number;
  readonly dead_lettered: number;
}
