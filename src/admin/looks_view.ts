/**
 * What the admin API says of what is stuck: workers that are held, and connections with their verdicts.
 *
 * @module
 */
import type { Verdict } from "../observe/verdict.ts";

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
  /** What threads of this process worked, or waited for a core, that do nothing but collect garbage (Bun). */
  readonly collector_ms?: number;
  /** What the collector held the thread itself for; known when the stall is over (Deno). */
  readonly paused_ms?: number;
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

/** Which connections `GET /admin/connections` shows. */
export interface ConnectionFilter {
  /** Part of the peer's address. */
  readonly peer?: string;
  /** Only those that are open for this long. */
  readonly olderMs?: number;
  /** Only those that wait, or are read. */
  readonly state?: "reading" | "waiting";
  /** Only those that somebody should look at. */
  readonly stuck: boolean;
  readonly limit: number;
}

/** What a connection waits for: `room` in memory, room for dead `letters`, its next `turn`, the `answer` to its request. */
export type ConnectionWait = "room" | "letters" | "turn" | "answer";

/** One connection, as its worker knows it. Times are ages in milliseconds. */
export interface ConnectionRow {
  /** `worker-number`. */
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
  readonly waits_for?: ConnectionWait;
  readonly waits_ms?: number;
}

/** One connection with what the kernel knows of it; its queues are missing where the system does not tell them. */
export interface ConnectionView extends ConnectionRow {
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

/** All connections, counted. */
export interface ConnectionCensus {
  readonly open: number;
  /** By what they wait for: how many, and how many of them for over five seconds. */
  readonly waiting: Readonly<Record<ConnectionWait, { readonly count: number; readonly long: number }>>;
  /** With a line half sent for over five seconds; of those alone that wait for nothing, so that none is counted twice. */
  readonly half_lines_long: number;
}

/** `GET /admin/connections`. */
export interface ConnectionList extends ConnectionCensus {
  /** Workers that did not answer in time; their connections are missing. */
  readonly workers_held: readonly number[];
  /** Those first that somebody should look at. */
  readonly connections: readonly ConnectionView[];
}
