/**
 * Watches the workers' pulses from the main thread, and tells while it lasts when one is held: which worker, by which
 * rule, with which connection's bytes. What happened is kept for `/admin/stalls`.
 *
 * A watcher that is late itself cannot tell a held worker from a machine without time: such a stall is the machine's.
 *
 * @module
 */
import { type Activity, activityOf, activityWord, idlePulseMs, pulseMs, readActivity } from "./activity.ts";

/** A worker without a pulse for this long is held. */
export const warnMs = 100;
/** This long is an error. */
export const errorMs = 1_000;
/** How often it looks. */
export const lookMs = 50;
/** And while no worker has work. */
const idleLookMs = 200;
/** The watcher was late by this much: the machine gave nobody time. */
const lateMsMax = 60;
/** Stalls that are kept. */
const stallsMax = 100;

/** One stall. */
export interface Stall {
  readonly worker: number;
  /** Epoch milliseconds of the last pulse. */
  readonly sinceMs: number;
  /** So far, or in all. */
  ms: number;
  over: boolean;
  /** `rule`: in a rule; `worker`: in something else; `machine`: the watcher had no time either. */
  cause: "rule" | "worker" | "machine";
  readonly rule?: string;
  readonly connection?: string;
  /** Bytes of the chunk that was worked on. */
  readonly bytes?: number;
}

/** What the sentinel needs. */
export interface SentinelParts {
  readonly activity: SharedArrayBuffer;
  readonly workers: number;
  /** Name of a rule in force. */
  ruleName(index: number): string | undefined;
  /** A worker is held, for the second time where it is an error. */
  held(stall: Stall, level: "warn" | "error"): void;
  /** It goes on. */
  released(stall: Stall): void;
}

interface Watched {
  readonly words: Int32Array;
  pulse: number;
  pulsedAtMs: number;
  stall: Stall | undefined;
  told: 0 | 1 | 2;
}

/** The sentinel of one process. */
export class Sentinel {
  readonly #parts: SentinelParts;
  readonly #watched: readonly Watched[];
  readonly #stalls: Stall[] = [];
  #lookedAtMs: number;
  #total = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #intervalMs = lookMs;

  constructor(parts: SentinelParts, nowMs: number) {
    this.#parts = parts;
    this.#lookedAtMs = nowMs;
    this.#watched = Array.from({ length: parts.workers }, (_, worker) => ({
      words: activityOf(parts.activity, worker),
      pulse: 0,
      pulsedAtMs: nowMs,
      stall: undefined,
      told: 0,
    }));
  }

  /** Begins to look. Workers must be running: one that starts has no pulse. */
  start(): void {
    const nowMs = performance.now();
    this.#lookedAtMs = nowMs;
    for (const one of this.#watched) one.pulsedAtMs = nowMs;
    this.#watch();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  /** Stalls since the start. */
  get total(): number {
    return this.#total;
  }

  /** The last stalls, newest first. */
  get stalls(): readonly Stall[] {
    return this.#stalls;
  }

  /** How long a worker has been held, 0 where it is not, and by which rule. */
  held(worker: number): { readonly ms: number; readonly rule?: string | undefined } {
    const stall = this.#watched[worker]?.stall;
    return stall === undefined ? { ms: 0 } : { ms: stall.ms, rule: stall.rule };
  }

  /** Looks once, at `nowMs` on the monotonic clock and `epochMs` on the other. */
  look(nowMs: number, epochMs: number): void {
    const isLate = nowMs - this.#lookedAtMs > this.#intervalMs + lateMsMax;
    this.#lookedAtMs = nowMs;
    this.#watched.forEach((one, worker) => {
      const pulse = Atomics.load(one.words, activityWord.pulse);
      if (pulse !== one.pulse) return this.#pulsed(one, pulse, nowMs);
      const ms = nowMs - one.pulsedAtMs;
      const everyMs = Atomics.load(one.words, activityWord.everyMs);
      if (ms < warnMs + (everyMs === 0 ? pulseMs : everyMs)) return;
      if (one.stall === undefined) this.#begin(one, worker, ms, epochMs, isLate);
      else one.stall.ms = ms;
      // A late watcher looks again before it accuses anybody.
      if (isLate) return;
      if (one.told === 0) this.#tell(one, "warn");
      if (one.told === 1 && ms >= errorMs) this.#tell(one, "error");
    });
  }

  #watch(): void {
    this.#timer = setTimeout(() => {
      this.look(performance.now(), Date.now());
      const isIdle = this.#watched.every(({ words, stall }) =>
        stall === undefined && Atomics.load(words, activityWord.everyMs) === idlePulseMs
      );
      this.#intervalMs = isIdle ? idleLookMs : lookMs;
      this.#watch();
    }, this.#intervalMs);
  }

  #begin(one: Watched, worker: number, ms: number, epochMs: number, isLate: boolean): void {
    const { rule, connection, bytes }: Activity = readActivity(one.words, worker);
    const name = rule === undefined ? undefined : this.#parts.ruleName(rule) ?? `rule ${rule + 1}`;
    one.stall = {
      worker,
      sinceMs: epochMs - ms,
      ms,
      over: false,
      cause: isLate ? "machine" : name === undefined ? "worker" : "rule",
      ...(name === undefined ? {} : { rule: name }),
      ...(connection === undefined ? {} : { connection, bytes }),
    };
  }

  #tell(one: Watched, level: "warn" | "error"): void {
    const stall = one.stall!;
    if (one.told === 0) {
      if (stall.cause === "machine") stall.cause = stall.rule === undefined ? "worker" : "rule";
      this.#total++;
      this.#stalls.unshift(stall);
      if (this.#stalls.length > stallsMax) this.#stalls.pop();
    }
    one.told = level === "warn" ? 1 : 2;
    this.#parts.held(stall, level);
  }

  #pulsed(one: Watched, pulse: number, nowMs: number): void {
    const { stall, told } = one;
    if (stall !== undefined) {
      stall.ms = nowMs - one.pulsedAtMs;
      stall.over = true;
      if (told > 0) this.#parts.released(stall);
    }
    one.pulse = pulse;
    one.pulsedAtMs = nowMs;
    one.stall = undefined;
    one.told = 0;
  }
}
