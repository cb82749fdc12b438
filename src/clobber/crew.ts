/**
 * The load threads as one: opened together, given phases, asked to end. Every wait has a deadline: a thread that is
 * held must not hold the run.
 *
 * @module
 */
import { ForwarderError } from "../core/errors.ts";
import { controls, makeRowMemory, type SharedRow, viewRow } from "./measure/row.ts";
import { Sampler } from "./measure/sampler.ts";
import type { Plan } from "./plan.ts";
import type { Phase } from "./worker/due.ts";
import type { FromLoadThread, LoadThread } from "./worker/protocol.ts";
import { shareOf } from "./worker/share.ts";

/** A thread gets so much longer than it said before it counts as held. */
const slackMs = 10_000;

/** The threads of one run. */
export class Crew {
  readonly sampler: Sampler;
  readonly #plan: Plan;
  readonly #threads: LoadThread[] = [];
  readonly #rows: SharedRow[] = [];
  readonly #memories: SharedArrayBuffer[] = [];
  /** What is awaited of each thread, with the rejection for a thread that ends. */
  #waiting:
    | { kind: FromLoadThread["kind"]; take: (thread: number, message: FromLoadThread) => void }
    | undefined;
  #fail: (error: Error) => void = () => {};
  #died: Error | undefined;
  #halted = false;
  #closed = false;

  /** @param first connections to open at first; more are opened by `steer` */
  constructor(plan: Plan, spawn: () => LoadThread, first: number) {
    this.#plan = plan;
    for (let index = 0; index < plan.threads; index++) {
      const memory = makeRowMemory();
      this.#memories.push(memory);
      this.#rows.push(viewRow(memory));
      const thread = spawn();
      this.#threads.push(thread);
      thread.onMessage((message) => {
        if (this.#waiting?.kind === message.kind) this.#waiting.take(index, message);
      });
      thread.onExit((reason) => {
        if (this.#closed) return;
        this.#died = new ForwarderError("worker_failed", `Load thread ${index} ended: ${reason}`);
        this.#fail(this.#died);
      });
    }
    this.sampler = new Sampler(this.#rows);
    this.steer(first);
  }

  /** Opens the connections; resolves when each is open or has failed, or at the deadline. */
  async open(deadlineMs: number): Promise<void> {
    const ready = this.#all("ready", deadlineMs, false);
    this.#threads.forEach((thread, index) => {
      thread.post({ kind: "open", plan: this.#plan, thread: index, memory: this.#memories[index]! });
    });
    await ready;
  }

  /** Runs one phase to its end, answers included. */
  async phase(phase: Phase): Promise<void> {
    const untilMs = phase.startsAtMs - (performance.timeOrigin + performance.now()) + phase.durationMs;
    const done = this.#all("phaseDone", untilMs + this.#plan.drainMs + slackMs, true);
    for (const thread of this.#threads) thread.post({ kind: "phase", phase });
    if (this.#halted) this.halt();
    await done;
  }

  /** Ends the present phase now, and each that is asked for later as soon as it begins. */
  halt(): void {
    this.#halted = true;
    for (const thread of this.#threads) thread.post({ kind: "halt" });
  }

  /** How many connections may be used from now on, over all threads. */
  steer(connections: number): void {
    this.#rows.forEach(({ control }, index) => {
      control[controls.connections] = shareOf(connections, index, this.#plan.threads);
    });
  }

  /** Ends all connections; gives the number of marked lines per sender. */
  async close(): Promise<Map<number, number>> {
    const messages = this.#all("closed", slackMs, true);
    for (const thread of this.#threads) thread.post({ kind: "close" });
    const marked = new Map<number, number>();
    for (const message of await messages) {
      if (message.kind !== "closed") continue;
      for (const [sender, lines] of message.marked) marked.set(sender, lines);
    }
    return marked;
  }

  async terminate(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#threads.map((thread) => thread.terminate()));
  }

  /** One message of this kind from each thread. */
  #all(kind: FromLoadThread["kind"], deadlineMs: number, must: boolean): Promise<FromLoadThread[]> {
    if (this.#died !== undefined) return Promise.reject(this.#died);
    return new Promise((resolve, reject) => {
      const got: (FromLoadThread | undefined)[] = this.#threads.map(() => undefined);
      const finish = (act: () => void): void => {
        clearTimeout(timer);
        this.#waiting = undefined;
        this.#fail = () => {};
        act();
      };
      const present = (): FromLoadThread[] => got.filter((message) => message !== undefined);
      const timer = setTimeout(() =>
        finish(() => {
          if (!must) return resolve(present());
          const missing = got.flatMap((message, index) => message === undefined ? [index] : []).join(", ");
          reject(
            new ForwarderError("deadline_exceeded", `Load thread ${missing} did not say "${kind}" in time`),
          );
        }), Math.min(deadlineMs, 2 ** 31 - 1));
      this.#fail = (error) => finish(() => reject(error));
      this.#waiting = {
        kind,
        take: (thread, message) => {
          got[thread] = message;
          if (got.every((one) => one !== undefined)) finish(() => resolve(present()));
        },
      };
    });
  }
}
