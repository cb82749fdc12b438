/**
 * What the control plane and its workers say to each other. Plain data only: it is structured-cloned.
 *
 * Shared memory beside it: `control` (words that all threads see) and the counters of src/observe.
 *
 *     main                                worker
 *      | start ------------------------------> |  builds kernel, sink, rules; binds its listeners
 *      | <------------------- listening/failed |
 *      | prepare(version, rules) ------------> |  compiles beside the program in force
 *      | <---------------------- prepared/refused
 *      | Atomics.store(control, version)       |  every worker adopts it before its next line
 *      | ask --------------------------------> |
 *      | <------------------------------ report|
 *      | look(waits, connections) -----------> |
 *      | <-------------------------------- seen|
 *      | end_connection(connection) ---------> |
 *      | <-------------------- connection_ended|
 *      | prepare_listeners(plans) -----------> |  binds what is new beside what is in force
 *      | <-------- listeners_prepared/refused  |
 *      | commit/discard_listeners -----------> |
 *      | drain(deadline) --------------------> |  stops reading, delivers, then
 *      | <----------------------------- drained|
 *
 * @module
 */
import type { CompressionReport } from "./compression.ts";
import type { PeerTrouble } from "./peer_troubles.ts";
import type { ConnectionCensus, ConnectionRow } from "../admin/looks_view.ts";
import type { TapEvent, TapFilter } from "../admin/tap_view.ts";
import type { Config, Listen, RuleSet } from "../config/config.ts";
import type { Fault } from "../core/errors.ts";
import type { LogLevel, LogSettings } from "../core/log_names.ts";
import type { LostWaits } from "../observe/inflight.ts";
import type { WaitingView } from "../observe/stage_table.ts";
import type { SpoolReport } from "./spool_stage_parts.ts";
import type { StallProfile } from "./stall_profile.ts";
import type { InheritedSocket } from "../runtime/inherited.ts";
import type { SinkStatus, SinkTroubles } from "../sink/sink.ts";
import type { ConnectionQuery } from "./connection_rows.ts";
import type { LettersReport } from "./letters.ts";
import type { ReadPacingStats } from "./read_pacing.ts";
import type { IoReport } from "./tcp_source.ts";

/** A listener that is bound, with the real port. */
export interface ListenerReport {
  readonly transport: string;
  readonly address: string;
  readonly port: number;
  readonly connections: number;
  /** Lines that came through it, since the start of the worker. */
  readonly lines: number;
  /** When its first certificate ends, epoch milliseconds. */
  readonly certificateEndsAtMs?: number;
}

/** Counts of one topic in one worker. */
export interface TopicReport {
  readonly topic: string;
  readonly submitted: number;
  readonly delivered: number;
  readonly deadLettered: number;
}

/** What a worker knows that is not in its counter row. */
export interface WorkerReport {
  readonly worker: number;
  readonly rulesVersion: number;
  readonly hits: readonly number[];
  /** Sampled tries and their milliseconds, by rule. */
  readonly times: { readonly tries: readonly number[]; readonly ms: readonly number[] };
  readonly listeners: readonly ListenerReport[];
  /** How plain TCP of syslog is read; undefined before the listeners are bound. */
  readonly io: IoReport | undefined;
  readonly sink: SinkStatus;
  readonly sinkTroubles: SinkTroubles;
  readonly deadLetterProblem: string | undefined;
  readonly deadLetter: LettersReport;
  readonly topics: readonly TopicReport[];
  /** Senders whose lines are not as they should be, by address. */
  readonly troubles: Readonly<Record<string, PeerTrouble>>;
  /** Undefined where there is no spool. */
  readonly spool: SpoolReport | undefined;
  readonly arena: { readonly bytes: number; readonly bytesInUse: number; readonly bytesHighest: number };
  /** Undefined where batches are not compressed. */
  readonly compression: CompressionReport | undefined;
  readonly waiting: { readonly connections: number; readonly heldBytes: number; readonly halfBytes: number };
  /** Moments in which it slept, to read more at once. */
  readonly pacing: ReadPacingStats;
  /** Waits that nothing would have woken, since the start. */
  readonly orphans: number;
  readonly lost: readonly LostWaits[];
}

/** A look at what a worker is doing. */
export interface Look {
  /** Waits to be described, by slot and word of the table of waits. */
  readonly waits?: readonly (readonly [slot: number, word: number])[];
  readonly connections?: ConnectionQuery;
}

/** What was seen. */
export interface Seen {
  /** In the order of `Look.waits`; undefined: that wait is over. */
  readonly waits: readonly (WaitingView | undefined)[];
  readonly connections: readonly ConnectionRow[];
  readonly census: ConnectionCensus;
}

/** Memory that the HTTP listeners of all workers share. */
export interface HttpShared {
  /** Rates of tokens, by listener index. */
  readonly rates: readonly SharedArrayBuffer[];
  readonly idempotency: SharedArrayBuffer;
  readonly ackIds: SharedArrayBuffer;
}

/** Everything a worker needs to begin. */
export interface StartMessage {
  readonly type: "start";
  readonly worker: number;
  readonly config: Config;
  readonly version: number;
  readonly programVersion: string;
  readonly control: SharedArrayBuffer;
  readonly counters: SharedArrayBuffer;
  readonly latency: SharedArrayBuffer;
  /** What the workers know together about senders (`PeerTable`). */
  readonly peers: SharedArrayBuffer;
  /** How many connections each worker has (`createDealTable`), by listener index. */
  readonly deals: readonly SharedArrayBuffer[];
  readonly stages: SharedArrayBuffer;
  readonly activity: SharedArrayBuffer;
  readonly flight: SharedArrayBuffer;
  /** What the workers know together about HTTP requests. */
  readonly http: HttpShared;
  /** Sockets that were inherited, by listener index. */
  readonly inherited: readonly (readonly InheritedSocket[])[];
  /** Ports that the first worker bound where the configuration says 0, by listener index. */
  readonly ports: readonly number[];
  /** A predecessor still uses the spool: its folders are taken over when it is done. */
  readonly succeeds: boolean;
}

/** One listener of a changed configuration. */
export interface ListenPlan {
  readonly listen: Listen;
  /** The place in the former list where nothing about it has changed. */
  readonly keep?: number;
  /** Tells it apart from others that there are or were: an index of the first list, or a number above them. */
  readonly scope: number;
  /** The sockets of the former listener whose place it takes. */
  readonly sockets: readonly InheritedSocket[];
  /** The real port, where the first worker has bound it. */
  readonly port?: number;
  /** Memory for the rates of tokens. */
  readonly rates: SharedArrayBuffer;
  /** How many connections each worker has. */
  readonly deals: SharedArrayBuffer;
}

/** From the control plane to a worker. */
export type ToWorker =
  | StartMessage
  | { readonly type: "prepare"; readonly version: number; readonly rules: RuleSet }
  | { readonly type: "discard"; readonly version: number }
  | { readonly type: "adopt" }
  | { readonly type: "ask"; readonly id: number }
  | { readonly type: "look"; readonly id: number; readonly look: Look }
  /** It was held: it is to watch what holds it. */
  | { readonly type: "arm" }
  | { readonly type: "tap"; readonly id: number; readonly filter: TapFilter | undefined }
  | { readonly type: "end_connection"; readonly id: number; readonly connection: number }
  /** A connection that another worker gave away, and its listener by scope; -1: there is none after all. */
  | { readonly type: "take"; readonly scope: number; readonly fd: number }
  | { readonly type: "prepare_listeners"; readonly id: number; readonly plans: readonly ListenPlan[] }
  | { readonly type: "commit_listeners"; readonly id: number; readonly goMs: number }
  | { readonly type: "discard_listeners" }
  | { readonly type: "look_at_certificates" }
  /** Other levels of the log are in force. */
  | { readonly type: "log_levels"; readonly log: LogSettings }
  | { readonly type: "spool_adoption"; readonly id: number; readonly isOn: boolean }
  | { readonly type: "drain"; readonly deadlineMs: number; readonly handedOver: boolean };

/** From a worker to the control plane. */
export type FromWorker =
  | {
    readonly type: "listening";
    readonly listeners: readonly ListenerReport[];
    readonly io: IoReport | undefined;
  }
  | { readonly type: "failed"; readonly code: string; readonly message: string }
  | { readonly type: "prepared"; readonly version: number }
  | { readonly type: "refused"; readonly version: number; readonly faults: readonly Fault[] }
  | { readonly type: "report"; readonly id: number; readonly report: WorkerReport }
  | { readonly type: "seen"; readonly id: number; readonly seen: Seen }
  | {
    readonly type: "tapped";
    readonly id: number;
    readonly events: readonly TapEvent[];
    readonly leftOut: number;
  }
  | { readonly type: "profiled"; readonly profile: StallProfile }
  /** After a rest there is work, or something to look after: its pulse is to be watched closely. */
  | { readonly type: "awake" }
  | { readonly type: "connection_ended"; readonly id: number; readonly found: boolean }
  | {
    readonly type: "listeners_prepared";
    readonly id: number;
    readonly listeners: readonly ListenerReport[];
  }
  | { readonly type: "listeners_refused"; readonly id: number; readonly message: string }
  /** Listeners that go take no new connections any more. */
  | { readonly type: "listeners_committed"; readonly id: number }
  | { readonly type: "spool_adoption_set"; readonly id: number }
  /** A connection for another worker. */
  | { readonly type: "give"; readonly worker: number; readonly scope: number; readonly fd: number }
  | { readonly type: "drained" }
  /** Standard input, the only listener, has ended. */
  | { readonly type: "stdin_ended" }
  /** Lines of the log that were left out in the worker. */
  | { readonly type: "log_left_out"; readonly event: string; readonly count: number }
  | {
    readonly type: "log";
    readonly level: LogLevel;
    readonly event: string;
    readonly fields: Readonly<Record<string, unknown>>;
  };

/** How a worker's stages speak to the log: a constant event name and fields; the level that suits most is `warn`. */
export type WorkerLog = (
  event: string,
  fields: Readonly<Record<string, unknown>>,
  level?: LogLevel,
) => void;

/** Words of the `control` array: the version in force, and whose turn it is to write to stdout. */
export const controlWord = { rulesVersion: 0, stdoutTurn: 1 } as const;
/** Words in the `control` array. */
export const controlWords = 16;
