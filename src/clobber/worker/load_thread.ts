/**
 * A load thread: makes its messages, opens its connections, and runs the phases that the main thread names. This is
 * where time passes: everything below gets its turns from here.
 *
 * In an open loop it sleeps for parts of a millisecond on a futex and looks at its sockets in between, because timers
 * of the runtimes are late by one to five milliseconds; with `precise` it does not sleep at all.
 *
 * @module
 */
import { setImmediate } from "node:timers";
import { dial, runtime } from "../../runtime/current.ts";
import type { Dial } from "../../runtime/dial.ts";
import { dialUdp } from "../../runtime/dial_udp.ts";
import { at, controls, type SharedRow, viewRow } from "../measure/row.ts";
import type { Plan } from "../plan.ts";
import { Fuzzer } from "../payload/fuzz.ts";
import { makePool } from "../payload/make_pool.ts";
import { Connections } from "./connections.ts";
import { Due, type Phase } from "./due.ts";
import { ExchangeLoad } from "./exchange_load.ts";
import type { Load } from "./load.ts";
import type { FromLoadThread, ToLoadThread } from "./protocol.ts";
import { RelpFrames } from "./relp_frames.ts";
import { StreamLoad } from "./stream_load.ts";
import { threadCpu } from "./thread_cpu.ts";

/** Deadlines, lost connections and controls are looked at this often. */
const housekeepingMs = 20;
/** Processor time is read this often. */
const cpuMs = 250;
/** Longest sleep of an open loop; an answer that comes meanwhile is seen so much later. */
const streamNapMs = 0.5;
const exchangeNapMs = 0.2;
const napMsMin = 0.02;
/** Timers of the runtimes come up to so much late (p99 over both). */
const timerLateMs = 6;
/** Peers get this long to take what the sockets hold when all is over. */
const closeMs = 2000;

/** Starts the thread's side. Returns what takes the main thread's messages. */
export function runLoadThread(post: (message: FromLoadThread) => void): (message: ToLoadThread) => void {
  let run: ThreadRun | undefined;
  return (message) => {
    if (message.kind === "open") {
      run = new ThreadRun(message.plan, message.thread, viewRow(message.memory), post);
    } else {
      // An interrupt may come before anything is opened; the crew repeats it then.
      run?.take(message);
    }
  };
}

/** What the thread is doing. */
type State =
  | { readonly kind: "opening" }
  | { readonly kind: "waiting" }
  | { readonly kind: "running"; readonly phase: Phase; readonly due: Due }
  | { readonly kind: "draining"; readonly phase: Phase; readonly untilMs: number }
  | { readonly kind: "closing"; readonly untilMs: number }
  | { readonly kind: "closed" };

class ThreadRun {
  readonly #plan: Plan;
  readonly #thread: number;
  readonly #row: SharedRow;
  readonly #post: (message: FromLoadThread) => void;
  readonly #load: Load;
  readonly #connections: Connections;
  readonly #isStream: boolean;
  /** Deno looks at its sockets every 61 turns while turns follow each other: an answer would be seen late. */
  readonly #mayNap: boolean;
  readonly #nap = new Int32Array(new SharedArrayBuffer(4));
  readonly #cpuAtStart = threadCpu();
  readonly #turnSoon = (): void => this.#turn();
  #state: State = { kind: "opening" };
  #nextHousekeepingMs = 0;
  #nextCpuMs = 0;

  constructor(plan: Plan, thread: number, row: SharedRow, post: (message: FromLoadThread) => void) {
    this.#plan = plan;
    this.#thread = thread;
    this.#row = row;
    this.#post = post;
    const pool = makePool(plan, thread);
    const fuzzer = plan.fuzz.length === 0 ? undefined : new Fuzzer(
      plan.fuzz,
      plan.seed,
      plan.target.scheme === "udp",
    );
    const links = plan.connections + plan.slowReaders + plan.idleConnections;
    this.#isStream = plan.answer.kind === "none";
    this.#mayNap = this.#isStream || runtime.name !== "deno";
    const load = this.#isStream ? new StreamLoad(plan, row, pool, links, fuzzer) : new ExchangeLoad(
      plan,
      row,
      pool,
      links,
      plan.answer.kind === "relp" ? new RelpFrames() : undefined,
      fuzzer,
    );
    this.#load = load;
    this.#connections = new Connections(
      plan,
      thread,
      row,
      { dial: plan.target.scheme === "udp" ? dialUdp as Dial : dial, now: () => performance.now() },
      load,
    );
    load.connections = this.#connections;
    this.#turn();
  }

  take(message: ToLoadThread): void {
    switch (message.kind) {
      case "phase":
        return this.#begin(message.phase);
      case "halt":
        if (this.#state.kind === "running") this.#drain(this.#state.phase, performance.now());
        return;
      case "close":
        this.#connections.close();
        this.#state = { kind: "closing", untilMs: performance.now() + closeMs };
        return;
    }
  }

  #begin(phase: Phase): void {
    const startMs = phase.startsAtMs - performance.timeOrigin;
    const due = new Due(phase, startMs, this.#thread, this.#plan.threads);
    this.#state = { kind: "running", phase, due };
    this.#load.begin(due);
  }

  #turn(): void {
    let now = performance.now();
    this.#row.numbers[at.turns]++;
    if (now >= this.#nextHousekeepingMs) {
      this.#nextHousekeepingMs = now + housekeepingMs;
      this.#keep(now);
    }
    const state = this.#state;
    let more = false;
    if (state.kind === "running") {
      if (state.due.over(now)) this.#drain(state.phase, now);
      else more = this.#load.turn(now);
    } else if (state.kind === "draining") {
      if (this.#connections.quiet || now >= state.untilMs) {
        this.#state = { kind: "waiting" };
        this.#post({ kind: "phaseDone", id: state.phase.id });
      }
    } else if (state.kind === "closed") {
      return;
    }
    now = performance.now();
    this.#schedule(now, more);
  }

  /** Decides when the next turn is. */
  #schedule(now: number, more: boolean): void {
    const state = this.#state;
    if (more) {
      setImmediate(this.#turnSoon);
      return;
    }
    if (state.kind !== "running") {
      setTimeout(this.#turnSoon, state.kind === "draining" ? 1 : 5);
      return;
    }
    const next = Math.min(
      state.due.open ? state.due.next : Infinity,
      state.due.endMs,
      this.#nextHousekeepingMs,
    );
    const waitMs = next - now;
    if (
      state.due.open &&
      (this.#plan.precise || (this.#mayNap && !this.#load.isStalled && waitMs <= timerLateMs))
    ) {
      const longest = this.#isStream ? streamNapMs : exchangeNapMs;
      if (!this.#plan.precise) Atomics.wait(this.#nap, 0, 0, Math.max(napMsMin, Math.min(longest, waitMs)));
      setImmediate(this.#turnSoon);
      return;
    }
    const early = state.due.open && this.#mayNap ? timerLateMs : 0;
    setTimeout(this.#turnSoon, Math.max(1, Math.min(housekeepingMs, Math.floor(waitMs - early))));
  }

  #keep(now: number): void {
    const { numbers, control } = this.#row;
    this.#connections.wanted = control[controls.connections]!;
    this.#connections.keep(now);
    this.#load.trickle(now);
    const state = this.#state;
    if (state.kind === "opening" && this.#connections.settled) {
      this.#state = { kind: "waiting" };
      this.#post({ kind: "ready" });
    } else if (state.kind === "closing" && (this.#connections.closed || now >= state.untilMs)) {
      this.#connections.destroy();
      this.#state = { kind: "closed" };
      this.#sayClosed();
    }
    if (now < this.#nextCpuMs) return;
    this.#nextCpuMs = now + cpuMs;
    const cpu = threadCpu();
    if (cpu === undefined || this.#cpuAtStart === undefined) return;
    numbers[at.cpuMs] = cpu.runMs - this.#cpuAtStart.runMs;
    numbers[at.cpuWaitMs] = cpu.waitMs - this.#cpuAtStart.waitMs;
  }

  #drain(phase: Phase, now: number): void {
    this.#load.turn(now); // what fell due since the last turn
    this.#load.end(now);
    this.#state = { kind: "draining", phase, untilMs: now + this.#plan.drainMs };
  }

  #sayClosed(): void {
    const marked = this.#connections.links.filter((link) => link.role === "load" && link.sequence > 0)
      .map((link) => [link.sender, link.sequence] as const);
    this.#post({ kind: "closed", marked });
  }
}
