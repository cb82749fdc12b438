/**
 * What the operating system knows of a thread that does not move: the time it ran, the time it was ready and got no
 * core, what the hypervisor and the container's CPU quota took; and whether the runtime collected garbage meanwhile.
 * Linux; elsewhere nothing is known and nobody is accused.
 *
 *     /proc/self/task/TID/schedstat      ns on a core, ns in the run queue, slices       Documentation/scheduler/sched-stats
 *     /proc/self/task/TID/comm           15 characters of the thread's name
 *     /proc/stat                         cpu ... steal (8th), in ticks of 10 ms           proc_stat(5)
 *     cpu.stat                           throttled_usec (v2), throttled_time ns (v1)      Documentation/admin-guide/cgroup-v2
 *
 * @module
 */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { activityWord } from "./activity.ts";

/** Sums since some moment in the past, milliseconds; undefined where they are not known. */
export interface ThreadFacts {
  readonly cpuMs: number | undefined;
  /** Ready to run, and no core. */
  readonly queuedMs: number | undefined;
  /** Of all cores of this machine. */
  readonly stolenMs: number | undefined;
  readonly throttledMs: number | undefined;
  /** Collections of garbage. */
  readonly collections: number;
  /**
   * What threads of this process have worked, or waited for a core, that do nothing but collect garbage; and those of V8
   * that do so among other things.
   */
  readonly collectorMs?: number | undefined;
  readonly helperMs?: number | undefined;
  /** What the collector has held the thread itself for; undefined where the runtime does not tell (Bun). */
  readonly pausesMs?: number | undefined;
}

/** Reads facts; `words` are those of the worker's activity. */
export type ReadFacts = (words: Int32Array) => ThreadFacts;

const cpuStatPaths = ["/sys/fs/cgroup/cpu.stat", "/sys/fs/cgroup/cpu/cpu.stat"];
/** USER_HZ, the same on every Linux that runs this. */
const tickMs = 10;

/** One per thread; a registry that nobody holds is garbage itself. */
const registries: FinalizationRegistry<undefined>[] = [];

/** That the runtime tells of pauses; else their word stays 0. */
const pausesTold = 1;

/**
 * Called by a worker when it begins: who it is for the kernel, and how often it collects garbage. `pausesMs` says how
 * long that has held the thread, where the runtime tells. What this gives is to be called before each beat of the
 * worker's pulse, and writes that down.
 */
export function noteThread(words: Int32Array, pausesMs?: () => number): (() => void) | undefined {
  try {
    // "PID/task/TID" of the thread that reads it.
    Atomics.store(words, activityWord.thread, Number(readlinkSync("/proc/thread-self").split("/")[2] ?? 0));
  } catch {
    // No Linux, or /proc is hidden.
  }
  const registry = new FinalizationRegistry(() => {
    Atomics.add(words, activityWord.collections, 1);
    registry.register({}, undefined);
  });
  registry.register({}, undefined);
  registries.push(registry);
  if (pausesMs === undefined) return undefined;
  const note = () => void Atomics.store(words, activityWord.pausesMs, pausesTold + Math.round(pausesMs()));
  note();
  return note;
}

/** What concerns the whole machine is read this often: /proc/stat is long where there are many cores. */
const machineMs = 500;
let machine:
  | { readonly atMs: number; readonly facts: Pick<ThreadFacts, "stolenMs" | "throttledMs"> }
  | undefined;

function machineFacts(): Pick<ThreadFacts, "stolenMs" | "throttledMs"> {
  const nowMs = performance.now();
  if (machine !== undefined && nowMs - machine.atMs < machineMs) return machine.facts;
  const facts = {
    stolenMs: stolenMs(textOf("/proc/stat")),
    throttledMs: cpuStatPaths.map((path) => throttledMs(textOf(path))).find((ms) => ms !== undefined),
  };
  machine = { atMs: nowMs, facts };
  return facts;
}

/** JavaScriptCore's threads have the ends of their names where these are too long. */
const collectorName = /^(?:HeapHelper|ollector Thread|Heap Collector)/;
const helperName = /^V8 /;
/** Threads come while more is to be collected; they are looked for this often. */
const threadsMs = 2_000;
/** All workers are judged by one reading. */
const collectorsMs = 20;
let threads = { atMs: -Infinity, collectors: [] as string[], helpers: [] as string[] };
let collectors = { atMs: -Infinity, facts: {} as Pick<ThreadFacts, "collectorMs" | "helperMs"> };

function collectorFacts(): Pick<ThreadFacts, "collectorMs" | "helperMs"> {
  const nowMs = performance.now();
  if (nowMs - collectors.atMs < collectorsMs) return collectors.facts;
  if (nowMs - threads.atMs >= threadsMs) threads = { atMs: nowMs, ...namedThreads() };
  const worked = (ids: readonly string[]) =>
    ids.reduce((sum, id) => {
      const [ran, queued] = numbers(textOf(`/proc/self/task/${id}/schedstat`));
      return sum + ((ran ?? 0) + (queued ?? 0)) / 1e6;
    }, 0);
  collectors = {
    atMs: nowMs,
    facts: { collectorMs: worked(threads.collectors), helperMs: worked(threads.helpers) },
  };
  return collectors.facts;
}

function namedThreads(): { collectors: string[]; helpers: string[] } {
  try {
    const named = readdirSync("/proc/self/task").map((id) => ({
      id,
      name: textOf(`/proc/self/task/${id}/comm`) ?? "",
    }));
    const idsOf = (pattern: RegExp) => named.filter(({ name }) => pattern.test(name)).map(({ id }) => id);
    return { collectors: idsOf(collectorName), helpers: idsOf(helperName) };
  } catch {
    return { collectors: [], helpers: [] };
  }
}

/** Reads what is known now. */
export const readFacts: ReadFacts = (words) => {
  const thread = Atomics.load(words, activityWord.thread);
  const [ran, queued] = thread === 0 ? [] : numbers(textOf(`/proc/self/task/${thread}/schedstat`));
  return {
    cpuMs: ran === undefined ? undefined : ran / 1e6,
    queuedMs: queued === undefined ? undefined : queued / 1e6,
    ...machineFacts(),
    ...(thread === 0 ? {} : collectorFacts()),
    ...pausesOf(words),
    collections: Atomics.load(words, activityWord.collections),
  };
};

/** What the worker has written down of the pauses of its thread. */
export function pausesOf(words: Int32Array): Pick<ThreadFacts, "pausesMs"> {
  const told = Atomics.load(words, activityWord.pausesMs);
  return told === 0 ? {} : { pausesMs: told - pausesTold };
}

/** Steal of all cores, from the first line of /proc/stat. */
export function stolenMs(stat: string | undefined): number | undefined {
  const steal = /^cpu +((?:\d+ +){7})(\d+)/.exec(stat ?? "")?.[2];
  return steal === undefined ? undefined : Number(steal) * tickMs;
}

/** How long the container was throttled, from cpu.stat of either version of cgroups. */
export function throttledMs(cpuStat: string | undefined): number | undefined {
  const [, unit, value] = /^throttled_(usec|time) (\d+)$/m.exec(cpuStat ?? "") ?? [];
  return value === undefined ? undefined : Number(value) / (unit === "usec" ? 1e3 : 1e6);
}

function numbers(text: string | undefined): number[] {
  return text === undefined ? [] : text.trim().split(" ").map(Number);
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return undefined;
  }
}
