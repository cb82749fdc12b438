/**
 * What the control plane knows of a worker: its thread, the memory they share, and what it tells without being asked.
 *
 * @module
 */
import type { TapEvent } from "../admin/tap_view.ts";
import type { LogLevel } from "../core/log_names.ts";
import type { InheritedSocket } from "../runtime/inherited.ts";
import type { FromWorker, HttpShared, ListenerReport, ToWorker, WorkerReport } from "./protocol.ts";
import type { StallProfile } from "./stall_profile.ts";
import type { IoReport } from "./tcp_source.ts";

/** A thread, as src/main.ts makes it. */
export interface WorkerThread {
  post(message: ToWorker): void;
  onMessage(handler: (message: FromWorker) => void): void;
  /** Called once when the thread ended, with why. */
  onExit(handler: (reason: string) => void): void;
  /** Resolves when it has ended. */
  terminate(): Promise<unknown>;
}

/** Makes a worker thread; the entry must lie beside src/main.ts, or a compiled binary does not find it. */
export type SpawnWorker = () => WorkerThread;

/** Shared memory that the caller made for all workers: rows, histograms, waits, activity of src/observe, senders of src/io. */
export interface SharedRows {
  readonly counters: SharedArrayBuffer;
  readonly latency: SharedArrayBuffer;
  readonly peers: SharedArrayBuffer;
  readonly deals: readonly SharedArrayBuffer[];
  /** Sockets that were inherited, by listener index. */
  readonly inherited: readonly (readonly InheritedSocket[])[];
  /** A predecessor still uses the spool. */
  readonly succeeds: boolean;
  readonly stages: SharedArrayBuffer;
  readonly activity: SharedArrayBuffer;
  readonly flight: SharedArrayBuffer;
  readonly http: HttpShared;
}

/** What the workers tell without being asked. */
export interface WorkersEvents {
  log(
    worker: number,
    level: LogLevel,
    event: string,
    fields: Readonly<Record<string, unknown>>,
  ): void;
  /** Lines of an event were left out before they came here. */
  logLeftOut(event: string, count: number): void;
  /** A worker told how it is: when something changed that the control plane acts on, and every ten seconds. */
  reported(): void;
  /** Standard input, the only listener, has ended. */
  stdinEnded(): void;
  /** A tap saw lines. */
  tapped(id: number, events: readonly TapEvent[], leftOut: number): void;
  /** What a worker that watches itself was doing when it was held again. */
  profiled(worker: number, profile: StallProfile): void;
  /** A worker that rested has something to do. */
  awake(): void;
  /** A worker ended that nobody asked to end. */
  failed(worker: number, reason: string): void;
}

/** One worker, with what it told last. */
export interface WorkerSlot {
  readonly worker: number;
  readonly thread: WorkerThread;
  listeners: readonly ListenerReport[];
  io: IoReport | undefined;
  report: WorkerReport | undefined;
  ended: boolean;
}
