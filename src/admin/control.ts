/**
 * What the admin API may ask of the control plane. The pipeline implements it; the API only speaks HTTP.
 *
 * @module
 */
import type { Fault } from "../core/errors.ts";
import type { Inflight } from "../observe/inflight.ts";
import type { EventList } from "../observe/recent_events.ts";
import type { FieldName } from "../rules/program.ts";
import type { Verdict } from "../observe/verdict.ts";

/** Result of an upgrade. */
export type UpgradeResult =
  | { readonly ok: true; readonly pid: number }
  | { readonly ok: false; readonly problem: string };

/** Result of a rule swap or check. */
export type SwapResult =
  | {
    readonly ok: true;
    readonly version: number;
    readonly rules: number;
    readonly tests: number;
    /** At a reload, where they changed: listeners by name. */
    readonly listeners?: {
      readonly opened: readonly string[];
      readonly closed: readonly string[];
      readonly changed: readonly string[];
    };
    /** At a reload: what has changed in the configuration, and is not in force before an upgrade or a restart. */
    readonly restart_needed?: readonly string[];
  }
  | { readonly ok: false; readonly version: number; readonly faults: readonly Fault[] };

/** What keeps a change from being tried: there is nothing to go back to, or the rules are not those it was made from. */
export interface RulesConflict {
  readonly ok: false;
  readonly conflict: string;
}

/** Result of a rollback: that of a swap, or why there is nothing to go back to. */
export type RollbackResult = SwapResult | RulesConflict;

/** A line to trace. */
export interface TraceRequest {
  /** One frame as it comes from the wire. */
  readonly line: Uint8Array;
  /** Text of a rule file to try instead of the rules in force. */
  readonly rules?: string;
  /** Who sent the line, `192.0.2.7:514`. */
  readonly peer?: string;
}

/** A line's way through the rules, or what is wrong with the rules that were to be tried. */
export type TraceResult =
  | {
    readonly ok: true;
    /** Version in force; missing where other rules were tried. */
    readonly version?: number;
    /** True where the line was cut at the longest frame, as a listener would. */
    readonly truncated: boolean;
    readonly trace: object;
  }
  | { readonly ok: false; readonly version: number; readonly faults: readonly Fault[] };

/** What a held worker was doing. Missing: not that, or not known. */
export interface StallFields {
  readonly worker: number;
  /** So far, or in all. */
  readonly ms: number;
  /**
   * `rule`: in a rule; `worker`: in something else; `machine`: it got no core; `gc`: garbage was collected;
   * `blocked`: it slept in a call.
   */
  readonly cause: "rule" | "worker" | "machine" | "gc" | "blocked";
  readonly rule?: string | undefined;
  readonly connection?: string | undefined;
  /** Of the chunk that was worked on. */
  readonly bytes?: number | undefined;
  /** What the operating system says of it; missing where it does not. */
  readonly evidence?: StallEvidence | undefined;
  /** What the time went into; from the second stall of a worker within a minute on. */
  readonly profile?: StallProfileView | undefined;
}

/** Milliseconds of a stall, and collections of garbage in it. */
export interface StallEvidence {
  readonly cpu_ms?: number;
  /** Ready to run, and no core. */
  readonly queued_ms?: number;
  /** What the hypervisor took of all cores, and the container's quota of this process. */
  readonly stolen_ms?: number;
  readonly throttled_ms?: number;
  readonly collections: number;
}

/** Where the time of a stall went. */
export interface StallProfileView {
  readonly samples: number;
  /** Functions, the innermost first, with their part of the samples. Regular expressions show as their source. */
  readonly stacks: readonly { readonly stack: string; readonly share: number }[];
}

/** `GET /admin/stalls`. */
export interface StallList {
  /** Since the start. */
  readonly total: number;
  /** The last hundred, newest first. */
  readonly stalls: readonly (StallFields & { readonly at: string; readonly over: boolean })[];
}

/** Which lines a tap shows. */
export interface TapFilter {
  readonly connection?: string;
  /** Part of the peer's address. */
  readonly peer?: string;
  readonly topic?: string;
  readonly rule?: string;
  /** A field of the line that must have exactly this text. */
  readonly field?: { readonly name: FieldName; readonly value: string };
  /** Part of the lines that is looked at, above 0, at most 1. */
  readonly sample: number;
  /** True where the text of lines is to be shown. */
  readonly payload: boolean;
  /** True where lines are followed to their acknowledgement, and told then. */
  readonly trace?: boolean;
}

/** One stage that a line, or a copy of it, passed. */
export interface TraceStep {
  readonly stage: string;
  /** Since the chunk with the line came, and how long it took; milliseconds. */
  readonly at_ms: number;
  readonly ms: number;
  readonly topic?: string;
  readonly partition?: number;
  readonly broker?: string;
  /** It is there still. */
  readonly unfinished?: boolean;
}

/** A line's way. */
export interface LineTraceView {
  readonly steps: readonly TraceStep[];
  /** `spooled`: the disk alone has it, it will be sent later; `unfinished`: not at its end in time. */
  readonly end: "delivered" | "spooled" | "dead_lettered" | "dropped" | "unfinished";
  readonly ms: number;
}

/** One line that passed. */
export interface TapEvent {
  readonly at: string;
  readonly worker: number;
  readonly connection?: string;
  readonly peer: string;
  readonly outcome: "forward" | "default" | "drop" | "dead_letter";
  /** The rule that decided. */
  readonly rule?: string;
  readonly topics: readonly string[];
  readonly reason?: string;
  readonly severity: string;
  readonly hostname: string;
  readonly appname: string;
  readonly bytes: number;
  /** The beginning of the frame, where it was asked for and no rule has redacted the line. */
  readonly text?: string;
  /** Where it was followed. */
  readonly trace?: LineTraceView;
}

/** Takes what a tap saw: lines, and how many were left out for want of room. */
export type TapSink = (events: readonly TapEvent[], leftOut: number) => void;

/** Which connections `GET /admin/connections` shows. */
export interface ConnectionFilter {
  readonly peer?: string;
  readonly olderMs?: number;
  readonly state?: "reading" | "waiting";
  /** Only those that somebody should look at. */
  readonly stuck: boolean;
  readonly limit: number;
}

/** One connection. Times are ages in milliseconds; kernel queues are missing where the system does not tell them. */
export interface ConnectionView {
  readonly id: string;
  readonly listener: string;
  readonly peer: string;
  readonly tls_peer?: string;
  readonly age_ms: number;
  readonly idle_ms: number;
  readonly bytes: number;
  readonly lines: number;
  readonly partial_bytes: number;
  readonly partial_ms?: number;
  readonly state: "reading" | "waiting" | "paused";
  /** `room` in memory, room for dead `letters`, its next `turn`. */
  readonly waits_for?: "room" | "letters" | "turn";
  readonly waits_ms?: number;
  readonly recv_q?: number;
  readonly send_q?: number;
  readonly retransmits?: number;
  /** What the kernel knows of it; missing where it does not tell. */
  readonly tcp?: TcpView;
  readonly verdict: Verdict;
  readonly stuck: boolean;
}

/** TCP_INFO of one connection; counts since its beginning. */
export interface TcpView {
  readonly rtt_ms: number;
  /** Segments that are out now, and of these, held for lost. */
  readonly unacked: number;
  readonly lost: number;
  /** Segments of ours that were sent again. */
  readonly retransmitted: number;
  /** Segments of the peer that came out of order: lost or overtaken on their way. */
  readonly out_of_order?: number;
  /** Bytes that wait in the socket and were not sent yet. */
  readonly not_sent?: number;
  readonly received_ms_ago: number;
}

/** `GET /admin/connections`. */
export interface ConnectionList {
  readonly open: number;
  /** By what they wait for: how many, and how many of them for over five seconds. */
  readonly waiting: Readonly<
    Record<"room" | "letters" | "turn", { readonly count: number; readonly long: number }>
  >;
  /** With a line half sent for over five seconds. */
  readonly half_lines_long: number;
  /** Workers that did not answer in time; their connections are missing. */
  readonly workers_held: readonly number[];
  /** Those first that somebody should look at. */
  readonly connections: readonly ConnectionView[];
}

/** The control plane, as seen from HTTP. */
export interface Control {
  /** True while the process lives and its workers' heartbeats move. */
  healthy(): { readonly ok: boolean; readonly problems: readonly string[] };
  /** True while lines that are accepted now can be delivered or kept. */
  ready(): {
    readonly ok: boolean;
    readonly problems: readonly string[];
    /** What does not keep lines from being taken: Kafka is away, and the spool keeps them. */
    readonly warnings?: readonly string[];
  };
  /** The object of `GET /admin/stats` (DESIGN names: ledger, latency_ms, rules, workers, listeners, kafka, uptime_s, version, runtime). */
  stats(): Promise<Stats>;
  /** Rules in force: version, when and from where, files with their text, the fault of the last refused swap. */
  rules(): RulesView;
  /**
   * Compiles `text` in place of the rule file `file` (default: the only one), runs its tests, swaps all workers or
   * none, then writes the file. `base` is the `etag` of the text that `text` was made from: where the file, or what
   * is in force, is another by now, nothing happens.
   */
  putRules(text: string, file?: string, base?: string): Promise<SwapResult | RulesConflict>;
  /** The same without swapping. */
  checkRules(text: string, file?: string): Promise<SwapResult>;
  /** Puts the text that the last `putRules` replaced back in force, with the same checks; the text in force is kept in turn. */
  rollbackRules(file?: string): Promise<RollbackResult>;
  /** What the rules do with a line, step by step. No line is sent, no counter moves. */
  traceRules(request: TraceRequest): Promise<TraceResult>;
  /** Shows lines as they pass until the returned function is called; undefined: too many look already. */
  tap(filter: TapFilter, sink: TapSink): (() => void) | undefined;
  /** What all threads did in the last seconds, as Chrome trace JSON. */
  flight(seconds: number): object;
  /** Workers that were held, or are. */
  stalls(): StallList;
  /** The last warnings and errors of the log. */
  events(): EventList;
  /** What waits, by stage, with the oldest. */
  inflight(): Promise<Inflight>;
  connections(filter: ConnectionFilter): Promise<ConnectionList>;
  /** Ends a connection; false: there is none; undefined: its worker does not answer. */
  endConnection(id: string): Promise<boolean | undefined>;
  /** Configuration in force without secrets. */
  config(): unknown;
  /** Starts the program anew, which takes over the listening sockets; resolves when it serves, or why it does not. */
  upgrade(): Promise<UpgradeResult>;
  /** Reads configuration and rule files again; a fault changes nothing. */
  reload(): Promise<SwapResult>;
  /** Stops accepting, delivers what was accepted, then ends the process. Returns at once. */
  drain(): void;
}

/** `GET /admin/rules`. */
export interface RulesView {
  readonly version: number;
  readonly loaded_at: string;
  readonly source: string;
  readonly names: readonly string[];
  readonly files: readonly { readonly path: string; readonly text: string; readonly etag: string }[];
  /** Where there are no files: the text that is in force, which no file keeps. */
  readonly unsaved?: { readonly text: string; readonly etag: string };
  readonly last_error?: { readonly at: string; readonly faults: readonly Fault[] };
}

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
  readonly sink: { readonly name: string; readonly ready: boolean; readonly problems: readonly string[] };
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
