/**
 * The control plane's side of the workers: starts them, swaps rules on all of them or none, asks them, drains them.
 *
 * Constraints it keeps:
 *  - every question has a deadline; a worker that does not answer is named in the error;
 *  - a swap is prepared by all, then committed by one atomic store that cannot fail, else discarded by all;
 *  - a worker that ends by itself is a failure of the whole process: half a forwarder must not look healthy.
 *
 * @module
 */
import type { TapEvent, TapFilter } from "../admin/tap_view.ts";
import type { Config, RuleSet } from "../config/config.ts";
import { type Fault, ForwarderError, messageOf } from "../core/errors.ts";
import type { LogLevel, LogSettings } from "../core/log_names.ts";
import type { InheritedSocket } from "../runtime/inherited.ts";
import {
  controlWord,
  controlWords,
  type FromWorker,
  type HttpShared,
  type ListenerReport,
  type ListenPlan,
  type Look,
  type Seen,
  type ToWorker,
  type WorkerReport,
} from "./protocol.ts";
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
  /** A worker ended that nobody asked to end. */
  failed(worker: number, reason: string): void;
}

/** Binding listeners and reading certificates; a cold start under load took under 1 s. */
const startDeadlineMs = 15_000;
/** Compiling thousands of rules takes a second at most. */
const prepareDeadlineMs = 10_000;
/** A worker that is held by a long rule answers late; the last report is shown then. */
const askDeadlineMs = 500;

/** A thread that spins in a regular expression may outlive this on Deno. */
const terminateMs = 1_000;

interface Slot {
  readonly thread: WorkerThread;
  listeners: readonly ListenerReport[];
  io: IoReport | undefined;
  report: WorkerReport | undefined;
  ended: boolean;
}

interface Waiter {
  readonly worker: number;
  offer(message: FromWorker): void;
  reject(error: Error): void;
}

/** All workers of the process. */
export class Workers {
  readonly #control = new SharedArrayBuffer(controlWords * 4);
  readonly #controlWords = new Int32Array(this.#control);
  readonly #slots: Slot[] = [];
  readonly #waiting = new Set<Waiter>();
  readonly #events: WorkersEvents;
  #draining = false;
  #terminated = false;
  #askId = 0;

  constructor(events: WorkersEvents) {
    this.#events = events;
  }

  /** Version of the rules that all workers follow. */
  get rulesVersion(): number {
    return Atomics.load(this.#controlWords, controlWord.rulesVersion);
  }

  /** The listeners in force, once each (all workers share their ports). */
  get listeners(): readonly ListenerReport[] {
    return this.#slots[0]?.listeners ?? [];
  }

  /** How plain TCP of syslog is read; undefined before the listeners are bound. All workers run on one machine. */
  get io(): IoReport | undefined {
    return this.#slots[0]?.io;
  }

  /** The last report of each worker. */
  get reports(): readonly WorkerReport[] {
    return this.#slots.flatMap((slot) => slot.report === undefined ? [] : [slot.report]);
  }

  /**
   * Starts `config.workers` threads. The first binds alone, so that port 0 becomes a real port for the others.
   *
   * @throws ForwarderError what the worker failed with (`address_in_use`, ...)
   */
  async start(
    config: Config,
    spawn: SpawnWorker,
    rows: SharedRows,
    version: number,
    programVersion: string,
  ): Promise<void> {
    Atomics.store(this.#controlWords, controlWord.rulesVersion, version);
    const begin = async (worker: number, ports: readonly number[]) => {
      const thread = spawn();
      const slot: Slot = { thread, listeners: [], io: undefined, report: undefined, ended: false };
      this.#slots.push(slot);
      thread.onMessage((message) => this.#receive(worker, message));
      thread.onExit((reason) => this.#exited(worker, reason));
      const answer = this.#wait(
        worker,
        "start",
        startDeadlineMs,
        (m) => m.type === "listening" || m.type === "failed",
      );
      thread.post({
        type: "start",
        worker,
        config,
        version,
        programVersion,
        control: this.#control,
        ...rows,
        ports,
      });
      const message = await answer;
      if (message.type === "failed") {
        throw new ForwarderError(message.code as "worker_failed", message.message);
      }
      if (message.type === "listening") {
        slot.listeners = message.listeners;
        slot.io = message.io;
      }
    };
    await begin(0, []);
    const ports = this.listeners.map((listener) => listener.port);
    await Promise.all(Array.from({ length: config.workers - 1 }, (_, index) => begin(index + 1, ports)));
  }

  /**
   * Swaps `rules` in as `version` on all workers, between two lines of each, or on none.
   *
   * @returns the faults for which a worker refused; empty when the swap is in force
   */
  async swap(version: number, rules: RuleSet): Promise<readonly Fault[]> {
    const answers = this.#slots.map((slot, worker) => {
      const answer = this.#wait(
        worker,
        "prepare",
        prepareDeadlineMs,
        (m) => (m.type === "prepared" || m.type === "refused") && m.version === version,
      );
      slot.thread.post({ type: "prepare", version, rules });
      return answer;
    });
    const results = await Promise.allSettled(answers);
    const faults = results.flatMap((result): readonly Fault[] => {
      if (result.status === "rejected") {
        return [{ file: "", line: 0, column: 0, path: "", message: (result.reason as Error).message }];
      }
      return result.value.type === "refused" ? result.value.faults : [];
    });
    if (faults.length > 0) {
      for (const slot of this.#slots) slot.thread.post({ type: "discard", version });
      return faults;
    }
    Atomics.store(this.#controlWords, controlWord.rulesVersion, version);
    // A worker adopts at its next chunk; an idle one is told, so that its report names the version in force.
    for (const slot of this.#slots) slot.thread.post({ type: "adopt" });
    return [];
  }

  /**
   * Binds what is new of `plans` on all workers, beside what is in force.
   *
   * @returns what puts it in force (`goMs`: how long connections of listeners that go may stay; it resolves when those
   * listeners take no more, or a worker is too slow to say so), and what gives it up
   * @throws ForwarderError why a worker cannot; nothing has changed then
   */
  async prepareListeners(
    plans: readonly ListenPlan[],
  ): Promise<{ commit(goMs: number): Promise<void>; discard(): void }> {
    const post = (message: ToWorker) => this.#slots.forEach((slot) => slot.thread.post(message));
    const reports: (readonly ListenerReport[])[] = [];
    const prepare = async (worker: number, ports: readonly number[]) => {
      const id = ++this.#askId;
      const answer = this.#wait(
        worker,
        "prepare_listeners",
        startDeadlineMs,
        (m) => (m.type === "listeners_prepared" || m.type === "listeners_refused") && m.id === id,
      );
      const own = plans.map((plan, index) => ({ ...plan, port: ports[index] ?? plan.listen.port }));
      this.#slots[worker]!.thread.post({ type: "prepare_listeners", id, plans: own });
      const message = await answer;
      if (message.type === "listeners_refused") throw new ForwarderError("config_invalid", message.message);
      if (message.type === "listeners_prepared") reports[worker] = message.listeners;
    };
    try {
      // The first binds alone, so that port 0 becomes a real port for the others.
      await prepare(0, []);
      const ports = reports[0]!.map(({ port }) => port);
      const others = this.#slots.slice(1).map((_, index) => prepare(index + 1, ports));
      const failed = (await Promise.allSettled(others)).find(({ status }) => status === "rejected");
      if (failed !== undefined) throw (failed as PromiseRejectedResult).reason;
    } catch (error) {
      post({ type: "discard_listeners" });
      throw error;
    }
    return {
      commit: async (goMs) => {
        await Promise.allSettled(this.#slots.map((slot, worker) => {
          slot.listeners = reports[worker]!;
          const id = ++this.#askId;
          const answer = this.#wait(
            worker,
            "commit_listeners",
            askDeadlineMs,
            (m) => m.type === "listeners_committed" && m.id === id,
          );
          slot.thread.post({ type: "commit_listeners", id, goMs });
          return answer;
        }));
      },
      discard: () => post({ type: "discard_listeners" }),
    };
  }

  /** All look at their certificates at once. */
  lookAtCertificates(): void {
    for (const slot of this.#slots) slot.thread.post({ type: "look_at_certificates" });
  }

  /** Whether folders of the spool are taken over from other processes. @throws ForwarderError */
  async adoptFolders(isOn: boolean): Promise<void> {
    await Promise.all(this.#slots.map((slot, worker) => {
      const id = ++this.#askId;
      const answer = this.#wait(
        worker,
        "spool_adoption",
        startDeadlineMs,
        (m) => m.type === "spool_adoption_set" && m.id === id,
      );
      slot.thread.post({ type: "spool_adoption", id, isOn });
      return answer;
    }));
  }

  /** Fresh reports; a worker that misses the deadline keeps its last one. */
  async ask(): Promise<readonly WorkerReport[]> {
    const id = ++this.#askId;
    await Promise.allSettled(this.#slots.map((slot, worker) => {
      if (slot.ended) return undefined;
      const answer = this.#wait(worker, "ask", askDeadlineMs, (m) => m.type === "report" && m.id === id);
      slot.thread.post({ type: "ask", id });
      return answer;
    }));
    return this.reports;
  }

  /** Looks at a worker; undefined where it does not answer in time. */
  async look(worker: number, look: Look): Promise<Seen | undefined> {
    const answer = await this.#question(worker, "look", (id) => ({ type: "look", id, look }));
    return answer?.type === "seen" ? answer.seen : undefined;
  }

  /** Ends a connection: whether there was one; undefined where the worker does not answer in time. */
  async endConnection(worker: number, connection: number): Promise<boolean | undefined> {
    const answer = await this.#question(
      worker,
      "end_connection",
      (id) => ({ type: "end_connection", id, connection }),
    );
    return answer?.type === "connection_ended" ? answer.found : undefined;
  }

  /** A worker was held: it is to watch what holds it. */
  arm(worker: number): void {
    const slot = this.#slots[worker];
    if (slot !== undefined && !slot.ended) slot.thread.post({ type: "arm" });
  }

  /** Puts other levels of the log in force. */
  setLog(log: LogSettings): void {
    for (const slot of this.#slots) if (!slot.ended) slot.thread.post({ type: "log_levels", log });
  }

  /** Begins a tap on all workers, or ends it where `filter` is undefined. */
  tap(id: number, filter: TapFilter | undefined): void {
    for (const slot of this.#slots) if (!slot.ended) slot.thread.post({ type: "tap", id, filter });
  }

  /** Asks one worker; undefined where it does not answer in time. */
  async #question(
    worker: number,
    what: string,
    message: (id: number) => ToWorker,
  ): Promise<FromWorker | undefined> {
    const slot = this.#slots[worker];
    if (slot === undefined || slot.ended) return undefined;
    const id = ++this.#askId;
    const answer = this.#wait(
      worker,
      what,
      askDeadlineMs,
      (m) => "id" in m && m.id === id && m.type !== "report",
    );
    slot.thread.post(message(id));
    try {
      return await answer;
    } catch {
      return undefined;
    }
  }

  /** Drains all workers. One that does not answer in time is told to the log; what it holds is in its counters. */
  async drain(deadlineMs: number, handedOver = false): Promise<void> {
    this.#draining = true;
    const results = await Promise.allSettled(this.#slots.map((slot, worker) => {
      if (slot.ended) return undefined;
      // The worker keeps the deadline itself; the margin is for its answer.
      const waitMs = (handedOver ? 2 : 1) * deadlineMs + 2_000;
      const answer = this.#wait(worker, "drain", waitMs, (m) => m.type === "drained");
      slot.thread.post({ type: "drain", deadlineMs, handedOver });
      return answer;
    }));
    for (const [worker, result] of results.entries()) {
      if (result.status === "rejected" && !this.#terminated) {
        this.#events.log(worker, "error", "drain_failed", { problem: messageOf(result.reason) });
      }
    }
  }

  /** Ends all threads. Resolves when none of them can write to shared memory any more, or after `terminateMs`. */
  async terminate(): Promise<void> {
    this.#draining = true;
    this.#terminated = true;
    const ended = Promise.allSettled(this.#slots.map((slot) => slot.thread.terminate()));
    let timer: ReturnType<typeof setTimeout> | undefined;
    await Promise.race([ended, new Promise((resolve) => timer = setTimeout(resolve, terminateMs))]);
    clearTimeout(timer);
  }

  #receive(worker: number, message: FromWorker): void {
    const slot = this.#slots[worker]!;
    if (message.type === "log") return this.#events.log(worker, message.level, message.event, message.fields);
    if (message.type === "log_left_out") return this.#events.logLeftOut(message.event, message.count);
    if (message.type === "tapped") return this.#events.tapped(message.id, message.events, message.leftOut);
    if (message.type === "profiled") return this.#events.profiled(worker, message.profile);
    if (message.type === "give") {
      const { scope, fd } = message;
      return this.#slots[message.worker]!.thread.post({ type: "take", scope, fd });
    }
    if (message.type === "report") {
      slot.report = message.report;
      this.#events.reported();
    }
    if (message.type === "stdin_ended") this.#events.stdinEnded();
    for (const waiter of [...this.#waiting]) if (waiter.worker === worker) waiter.offer(message);
  }

  #exited(worker: number, reason: string): void {
    const slot = this.#slots[worker]!;
    if (slot.ended) return;
    slot.ended = true;
    const error = new ForwarderError("worker_failed", `Worker ${worker} ended: ${reason}`);
    for (const waiter of [...this.#waiting]) if (waiter.worker === worker) waiter.reject(error);
    if (!this.#draining) this.#events.failed(worker, reason);
  }

  #wait(
    worker: number,
    what: string,
    deadlineMs: number,
    match: (message: FromWorker) => boolean,
  ): Promise<FromWorker> {
    return new Promise((resolve, reject) => {
      const settle = (act: () => void) => {
        clearTimeout(timer);
        this.#waiting.delete(waiter);
        act();
      };
      const waiter: Waiter = {
        worker,
        offer: (message) => {
          if (match(message)) settle(() => resolve(message));
        },
        reject: (error) => settle(() => reject(error)),
      };
      const timer = setTimeout(() =>
        waiter.reject(
          new ForwarderError(
            "deadline_exceeded",
            `Worker ${worker} did not answer "${what}" within ${deadlineMs} ms`,
          ),
        ), deadlineMs);
      this.#waiting.add(waiter);
    });
  }
}
