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
import type { TapFilter } from "../admin/tap_view.ts";
import type { Config, RuleSet } from "../config/config.ts";
import { type Fault, ForwarderError, messageOf } from "../core/errors.ts";
import type { LogSettings } from "../core/log_names.ts";
import { type PreparedListeners, prepareListeners } from "./prepared_listeners.ts";
import {
  controlWord,
  controlWords,
  type FromWorker,
  type ListenerReport,
  type ListenPlan,
  type Look,
  type Seen,
  type ToWorker,
  type WorkerReport,
} from "./protocol.ts";
import type { IoReport } from "./tcp_source.ts";
import {
  type Answer,
  askDeadlineMs,
  type NumberedType,
  startDeadlineMs,
  WorkerAnswers,
} from "./worker_answers.ts";
import type { SharedRows, SpawnWorker, WorkersEvents, WorkerSlot } from "./worker_parts.ts";

/** Compiling thousands of rules takes a second at most. */
const prepareDeadlineMs = 10_000;
/** A thread that spins in a regular expression may outlive this on Deno. */
const terminateMs = 1_000;

/** All workers of the process. */
export class Workers {
  readonly #control = new SharedArrayBuffer(controlWords * 4);
  readonly #controlWords = new Int32Array(this.#control);
  readonly #slots: WorkerSlot[] = [];
  readonly #answers = new WorkerAnswers();
  readonly #events: WorkersEvents;
  #draining = false;
  #terminated = false;

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
      const slot: WorkerSlot = {
        worker,
        thread,
        listeners: [],
        io: undefined,
        report: undefined,
        ended: false,
      };
      this.#slots.push(slot);
      thread.onMessage((message) => this.#receive(worker, message));
      thread.onExit((reason) => this.#exited(worker, reason));
      const answer = this.#answers.wait(worker, "start", startDeadlineMs, ["listening", "failed"]);
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
      slot.listeners = message.listeners;
      slot.io = message.io;
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
    const answers = this.#slots.map((slot) => {
      const answer = this.#answers.wait(
        slot.worker,
        "prepare",
        prepareDeadlineMs,
        ["prepared", "refused"],
        (answer) => answer.version === version,
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
   * @throws ForwarderError why a worker cannot; nothing has changed then
   */
  prepareListeners(plans: readonly ListenPlan[]): Promise<PreparedListeners> {
    return prepareListeners(this.#slots, this.#answers, plans);
  }

  /** All look at their certificates at once. */
  lookAtCertificates(): void {
    for (const slot of this.#slots) slot.thread.post({ type: "look_at_certificates" });
  }

  /** Whether folders of the spool are taken over from other processes. @throws ForwarderError */
  async adoptFolders(isOn: boolean): Promise<void> {
    await Promise.all(this.#slots.map((slot) =>
      this.#answers.ask(
        slot,
        "spool_adoption",
        startDeadlineMs,
        ["spool_adoption_set"],
        (id) => ({ type: "spool_adoption", id, isOn }),
      )
    ));
  }

  /** Fresh reports; a worker that misses the deadline keeps its last one. */
  async ask(): Promise<readonly WorkerReport[]> {
    const isAlive = (slot: WorkerSlot) => !slot.ended;
    await Promise.allSettled(
      this.#slots.filter(isAlive).map((slot) =>
        this.#answers.ask(slot, "ask", askDeadlineMs, ["report"], (id) => ({ type: "ask", id }))
      ),
    );
    return this.reports;
  }

  /** Looks at a worker; undefined where it does not answer in time. */
  async look(worker: number, look: Look): Promise<Seen | undefined> {
    const answer = await this.#question(worker, "look", "seen", (id) => ({ type: "look", id, look }));
    return answer?.seen;
  }

  /** Ends a connection: whether there was one; undefined where the worker does not answer in time. */
  async endConnection(worker: number, connection: number): Promise<boolean | undefined> {
    const answer = await this.#question(
      worker,
      "end_connection",
      "connection_ended",
      (id) => ({ type: "end_connection", id, connection }),
    );
    return answer?.found;
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
  async #question<Type extends NumberedType>(
    worker: number,
    what: string,
    type: Type,
    message: (id: number) => ToWorker,
  ): Promise<Answer<Type> | undefined> {
    const slot = this.#slots[worker];
    if (slot === undefined || slot.ended) return undefined;
    try {
      return await this.#answers.ask(slot, what, askDeadlineMs, [type], message);
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
      const answer = this.#answers.wait(worker, "drain", waitMs, ["drained"]);
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
    if (message.type === "awake") return this.#events.awake();
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
    this.#answers.offer(worker, message);
  }

  #exited(worker: number, reason: string): void {
    const slot = this.#slots[worker]!;
    if (slot.ended) return;
    slot.ended = true;
    const error = new ForwarderError("worker_failed", `Worker ${worker} ended: ${reason}`);
    this.#answers.lost(worker, error);
    if (!this.#draining) this.#events.failed(worker, reason);
  }
}
