/**
 * Watches the workers' pulses from the main thread, and tells while it lasts when one is held: which worker, by which
 * rule, with which connection's bytes. What happened is kept for `/admin/stalls`.
 *
 * A watcher that is late itself cannot tell a held worker from a machine without time: such a stall is the machine's.
 * So is one in which the worker was ready and got no core for most of it. One in which it neither ran nor was ready
 * slept in a call: in the collector of garbage where that was at work, else in the disk or in memory that is not there.
 * V8 collects on the thread itself, and tells how long when it goes on: such a stall is known when it is over.
 *
 * @module
 */
import type { StallEvidence, StallProfileView } from "../admin/looks_view.ts";
import { untilBeatMs } from "../core/beat.ts";
import { pausesOf, type ReadFacts, type ThreadFacts } from "./thread_facts.ts";
import {
  type Activity,
  activityOf,
  activityWord,
  idlePulseMs,
  pulseMs,
  readActivity,
  restPulseMs,
} from "./activity.ts";

/** A worker without a pulse for this long is held. */
export const warnMs = 100;
/** This long is an error. */
export const errorMs = 1_000;
/** How often it looks. */
export const lookMs = 50;
/** And while no worker has work. */
const idleLookMs = 200;
/** And while all have had none for seconds; the first that has some again calls. */
const restLookMs = 1_000;
/** The watcher was late by this much: the machine gave nobody time. */
const lateMsMax = 60;
/**
 * While a worker has no work, what the system knows of its thread is read so seldom: it uses a few milliseconds of CPU in
 * that time, and whatever holds it for longer shows all the same.
 */
const idleFactsMs = 2_000;
/** And while it has had none for seconds. */
const restFactsMs = 20_000;
/** Collectors that are at work for this part of a stall are its reason, where the worker slept for the other part. */
const collectedShare = 0.6;
const waitedShare = 0.2;
/** A collection in a longer sleep is one of many things; that its threads were at work would be counted. */
const uncountedMsMax = 2_000;
/** A profile with this part in the collector says the same. */
const garbageShare = 0.5;
/** How V8 names it in a profile. */
const garbageFrame = "(garbage collector)";
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
  /**
   * `rule`: in a rule; `worker`: in something else; `machine`: it, or the watcher, got no core; `gc`: garbage was
   * collected; `blocked`: it slept in a call.
   */
  cause: "rule" | "worker" | "machine" | "gc" | "blocked";
  /** What the operating system says of it so far; missing where it does not. */
  evidence?: StallEvidence;
  /** What the time of a later stall like it went into. */
  profile?: StallProfileView;
  readonly rule?: string;
  readonly connection?: string;
  /** Bytes of the chunk that was worked on. */
  readonly bytes?: number;
}

/** What the sentinel needs. */
export interface SentinelParts {
  readonly activity: SharedArrayBuffer;
  readonly workers: number;
  /** What the operating system knows of a worker's thread. */
  readonly facts?: ReadFacts;
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
  /** What was known at its last pulse. */
  facts: ThreadFacts | undefined;
  factsAtMs: number;
  /** The stall before, until its collections are counted: the runtime tells of them when the thread goes on. */
  last: { readonly stall: Stall; readonly facts: ThreadFacts } | undefined;
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
  #stopped = false;

  constructor(parts: SentinelParts, nowMs: number) {
    this.#parts = parts;
    this.#lookedAtMs = nowMs;
    this.#watched = Array.from({ length: parts.workers }, (_, worker) => ({
      words: activityOf(parts.activity, worker),
      pulse: 0,
      pulsedAtMs: nowMs,
      stall: undefined,
      told: 0,
      facts: undefined,
      factsAtMs: -Infinity,
      last: undefined,
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
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  /** A worker that rested has work: it looks at once, and often from now on. */
  wake(): void {
    if (this.#timer === undefined || this.#stopped) return;
    clearTimeout(this.#timer);
    this.#lookAndWatch();
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
      const everyMs = everyMsOf(one.words);
      if (ms < warnMs + (everyMs === 0 ? pulseMs : everyMs)) return;
      if (one.stall === undefined) this.#begin(one, worker, ms, epochMs, isLate);
      else one.stall.ms = ms;
      this.#judge(one, one.stall!);
      // A late watcher looks again before it accuses anybody.
      if (isLate) return;
      if (one.told === 0) this.#tell(one, "warn");
      // One that rests is not held for as long as it is not seen.
      const errorAtMs = everyMs === restPulseMs ? errorMs + everyMs : errorMs;
      if (one.told === 1 && ms >= errorAtMs) this.#tell(one, "error");
    });
  }

  #watch(): void {
    this.#timer = setTimeout(() => this.#lookAndWatch(), this.#intervalMs);
  }

  #lookAndWatch(): void {
    this.look(performance.now(), Date.now());
    const paces = this.#watched.map(({ stall, words }) => stall === undefined ? everyMsOf(words) : 0);
    if (paces.every((everyMs) => everyMs === restPulseMs)) {
      this.#intervalMs = untilBeatMs(restLookMs, Date.now());
    } else this.#intervalMs = paces.every(isIdlePace) ? idleLookMs : lookMs;
    this.#watch();
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

  /** What the stall is made of so far, and so its cause. */
  #judge(one: Watched, stall: Stall, now = this.#parts.facts?.(one.words)): void {
    if (now === undefined || one.facts === undefined) return;
    const evidence = evidenceOf(one.facts, now);
    if (evidence.cpu_ms === undefined || evidence.queued_ms === undefined) return;
    stall.evidence = evidence;
    const { cpu_ms: cpu, queued_ms: queued, collections, collector_ms: collected = 0 } = evidence;
    const half = stall.ms / 2;
    const slept = stall.ms - cpu - queued;
    const helped = rise(one.facts.helperMs, now.helperMs) ?? 0;
    const paused = evidence.paused_ms ?? 0;
    // A container that is over its quota has its threads wait in the queue too.
    if (queued >= half) stall.cause = "machine";
    else if (paused >= half) stall.cause = "gc";
    // It helps the collectors, and waits for them. One that never waits has others' garbage beside it.
    else if (collected >= collectedShare * stall.ms && slept >= waitedShare * stall.ms) stall.cause = "gc";
    else if (slept >= half) {
      const isSoon = collections > 0 && slept <= uncountedMsMax;
      stall.cause = isSoon || Math.max(collected, helped) >= slept / 2 ? "gc" : "blocked";
    } else stall.cause = stall.rule === undefined ? "worker" : "rule";
  }

  /** Collections that ended in a stall are known when the thread has gone on. */
  #collected({ stall, facts }: NonNullable<Watched["last"]>, now: ThreadFacts): void {
    const { evidence } = stall;
    if (evidence === undefined) return;
    stall.evidence = { ...evidence, collections: now.collections - facts.collections };
    const { collections } = stall.evidence;
    if (stall.cause === "blocked" && collections > 0 && stall.ms <= uncountedMsMax) stall.cause = "gc";
  }

  /** A worker that watches itself was held once more: the newest stall of it that is not explained. */
  profiled(worker: number, profile: StallProfileView): void {
    const stall = this.#stalls.find((one) => one.worker === worker && one.over);
    if (stall === undefined || stall.profile !== undefined) return;
    stall.profile = profile;
    const inCollector = profile.stacks.filter(({ stack }) => stack.startsWith(garbageFrame))
      .reduce((sum, { share }) => sum + share, 0);
    if (stall.cause === "worker" && inCollector >= garbageShare) stall.cause = "gc";
  }

  #tell(one: Watched, level: "warn" | "error"): void {
    const stall = one.stall!;
    if (one.told === 0) {
      if (stall.cause === "machine" && stall.evidence === undefined) {
        stall.cause = stall.rule === undefined ? "worker" : "rule";
      }
      this.#total++;
      this.#stalls.unshift(stall);
      if (this.#stalls.length > stallsMax) this.#stalls.pop();
    }
    one.told = level === "warn" ? 1 : 2;
    this.#parts.held(stall, level);
  }

  #factsAtPulse(one: Watched, nowMs: number): ThreadFacts | undefined {
    const everyMs = everyMsOf(one.words);
    const isIdle = one.stall === undefined && one.last === undefined && isIdlePace(everyMs);
    const keptMs = everyMs === restPulseMs ? restFactsMs : idleFactsMs;
    if (isIdle && one.facts !== undefined && nowMs - one.factsAtMs < keptMs) {
      const collections = Atomics.load(one.words, activityWord.collections);
      return { ...one.facts, ...pausesOf(one.words), collections };
    }
    one.factsAtMs = nowMs;
    return this.#parts.facts?.(one.words);
  }

  #pulsed(one: Watched, pulse: number, nowMs: number): void {
    const { stall, told } = one;
    const facts = this.#factsAtPulse(one, nowMs);
    if (one.last !== undefined && facts !== undefined) this.#collected(one.last, facts);
    one.last = undefined;
    if (stall !== undefined) {
      stall.ms = nowMs - one.pulsedAtMs;
      stall.over = true;
      this.#judge(one, stall, facts);
      if (one.facts !== undefined) one.last = { stall, facts: one.facts };
      if (told > 0) this.#parts.released(stall);
    }
    one.facts = facts;
    one.pulse = pulse;
    one.pulsedAtMs = nowMs;
    one.stall = undefined;
    one.told = 0;
  }
}

function everyMsOf(words: Int32Array): number {
  return Atomics.load(words, activityWord.everyMs);
}

function isIdlePace(everyMs: number): boolean {
  return everyMs === idlePulseMs || everyMs === restPulseMs;
}

function rise(from: number | undefined, to: number | undefined): number | undefined {
  return from === undefined || to === undefined ? undefined : Math.round((to - from) * 10) / 10;
}

function evidenceOf(before: ThreadFacts, now: ThreadFacts): StallEvidence {
  const all = {
    cpu_ms: rise(before.cpuMs, now.cpuMs),
    queued_ms: rise(before.queuedMs, now.queuedMs),
    stolen_ms: rise(before.stolenMs, now.stolenMs),
    throttled_ms: rise(before.throttledMs, now.throttledMs),
    // Threads that have ended take their part with them.
    collector_ms: positive(rise(before.collectorMs, now.collectorMs)),
    paused_ms: positive(rise(before.pausesMs, now.pausesMs)),
    collections: now.collections - before.collections,
  };
  return Object.fromEntries(
    Object.entries(all).filter(([, value]) => value !== undefined),
  ) as unknown as StallEvidence;
}

/** Missing where there is nothing to tell. */
function positive(ms: number | undefined): number | undefined {
  return ms !== undefined && ms > 0 ? ms : undefined;
}
