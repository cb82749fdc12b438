/**
 * What a worker does without being asked, few times a second: it beats its pulse, looks after lines and connections, and
 * tells the control plane what changed. A worker at rest does as little of it as is safe.
 *
 * It is the net below every wake: one that was missed costs a tick, never a hang.
 *
 * @module
 */
import { untilBeatMs } from "../core/beat.ts";
import type { Pulse } from "../observe/activity.ts";
import { counter, type CounterRow } from "../observe/row.ts";
import type { Sink } from "../sink/sink.ts";
import type { BatchEnds } from "./batch_ends.ts";
import type { HeapWatch } from "./heap_watch.ts";
import type { HeldOnPurpose } from "./held_on_purpose.ts";
import type { HttpListeners } from "./http_listener.ts";
import type { Intake } from "./intake.ts";
import type { Letters } from "./letters.ts";
import type { Listeners } from "./listeners.ts";
import type { Orphans } from "./orphans.ts";
import { troublesOf } from "./sinks.ts";
import type { SpoolStage } from "./spool_stage.ts";
import type { Submissions } from "./submissions.ts";

/** Idle connections, counters and heartbeat are looked after this often. */
const tickMs = 250;
/** And when nothing has come for a while. */
const restTickMs = 1_000;
/** So many ticks without anything to look after are a while. */
const ticksToRest = 8;
/** While one of them is not 0 there is something to look after. */
const restingGauges = [counter.in_flight, counter.spooled] as const;
/** So many ticks, a second, lie between two looks at what the control plane has to know without asking. */
const ticksPerLook = 4;
/** It is told at every look that finds a change, and after so many looks in any case. */
const looksPerReport = 10;

/** What is looked after. */
export interface TickedStages {
  readonly pulse: Pulse;
  readonly counters: CounterRow;
  readonly orphans: Orphans;
  /** Missing unless it is asked for. */
  readonly held: HeldOnPurpose | undefined;
  readonly http: HttpListeners;
  readonly listeners: Listeners;
  readonly submissions: Submissions;
  /** Missing where nothing is kept on the disk. */
  readonly spool: SpoolStage | undefined;
  readonly intake: Intake;
  readonly letters: Letters;
  readonly ends: BatchEnds;
  readonly sink: Sink;
}

/** The tick of one worker. */
export class WorkerTick {
  readonly #stages: TickedStages;
  #ticker: ReturnType<typeof setTimeout> | undefined;
  #stopped = false;
  #ticks = 0;
  /** In a row, with nothing to look after. */
  #quietTicks = 0;
  /** What has come, at the last tick. */
  #come = -1;
  #looksSinceTold = looksPerReport;
  /** What was told, and how. */
  #told = "";
  #tell: (() => void) | undefined;
  #tellAwake: (() => void) | undefined;
  #heap: HeapWatch | undefined;

  constructor(stages: TickedStages) {
    this.#stages = stages;
  }

  /** Ticks from now on, and now. */
  start(): void {
    this.tick();
    this.#next();
  }

  /** Ticks no more, and beats no more. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#ticker);
    this.#stages.pulse.stop();
  }

  /**
   * `tell` is called when readiness or anything else changed that the control plane acts on without asking, `awake` when a
   * rest is over.
   */
  tellChanges(tell: () => void, awake: () => void): void {
    this.#tell = tell;
    this.#tellAwake = awake;
  }

  /** Looks after the heap too, where there is one to look after. */
  watchHeap(heap: HeapWatch | undefined): void {
    this.#heap = heap;
  }

  /** A rest is over: the next tick is not as far away as it was, and the pulse is to be watched closely. */
  woken(): void {
    this.#tellAwake?.();
    this.#quietTicks = 0;
    if (this.#ticker === undefined || this.#stopped) return;
    clearTimeout(this.#ticker);
    this.#next();
  }

  /**
   * Few times a second, and once a second at rest. What looks after lines and connections has a turn each second while
   * there are none.
   */
  tick(): void {
    const { pulse, counters } = this.#stages;
    pulse.beat();
    counters.set(counter.heartbeat, performance.now());
    const isQuiet = this.#isQuiet();
    const isLook = pulse.rests || this.#ticks % ticksPerLook === 0;
    if (isQuiet && !isLook) counters.publish();
    else this.#lookAfterAll(isLook);
    this.#ticks++;
    this.#quietTicks = isQuiet ? this.#quietTicks + 1 : 0;
    if (!isQuiet) pulse.rouse();
    else if (this.#quietTicks >= ticksToRest && this.#stages.held === undefined) pulse.rest();
  }

  #next(): void {
    const delayMs = this.#stages.pulse.rests ? untilBeatMs(restTickMs, Date.now()) : tickMs;
    this.#ticker = setTimeout(() => {
      this.#ticker = undefined;
      this.tick();
      if (!this.#stopped) this.#next();
    }, delayMs);
  }

  /** True while nothing is held or under way, and nothing has come since it was asked last. */
  #isQuiet(): boolean {
    const { counters, intake, listeners } = this.#stages;
    const { waiting, rulesVersion } = intake;
    const come = counters.value(counter.received) + counters.value(counter.datagrams) + rulesVersion;
    const isQuiet = come === this.#come;
    this.#come = come;
    return isQuiet && waiting.connections === 0 && listeners.open === 0 &&
      restingGauges.every((gauge) => counters.value(gauge) === 0);
  }

  #lookAfterAll(isLook: boolean): void {
    const { orphans, held, http, listeners, submissions, spool, counters, intake, letters, ends } =
      this.#stages;
    orphans.tick(performance.now());
    held?.tick();
    http.tick();
    listeners.tick();
    submissions.tick();
    spool?.tick();
    counters.set(counter.rules_version, intake.rulesVersion);
    counters.publish();
    // A safety net: a wake that was missed costs a tick, never a hang.
    if (intake.waiting.connections > 0) ends.wakeSoon();
    letters.wake();
    this.#heap?.look();
    if (isLook) this.#tellChange();
  }

  /** A report is some hundred objects; an idle worker has nothing new to tell in it. */
  #tellChange(): void {
    if (this.#tell === undefined) return;
    const { sink, letters, spool, orphans } = this.#stages;
    const { ready, problem } = sink.status();
    const { texts, stalled } = troublesOf(sink);
    const condition = JSON.stringify([
      [ready, problem, stalled, ...texts],
      [letters.problem, spool?.problem, orphans.total],
    ]);
    if (condition === this.#told && ++this.#looksSinceTold < looksPerReport) return;
    this.#told = condition;
    this.#looksSinceTold = 0;
    this.#tell();
  }
}
