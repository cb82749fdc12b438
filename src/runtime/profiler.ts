/**
 * What a thread spends its time on, sampled for a moment: JavaScriptCore's sampling profiler on Bun, V8's through
 * node:inspector on Deno. Both name regular expressions by their source.
 *
 * While it runs, code is some 15 % slower: it is for a moment after something went wrong.
 *
 * @module
 */
import { bunGlobal, denoGlobal } from "./globals.ts";

/** Of one second's work 500 samples say enough. */
const intervalMicroseconds = 2000;
/**
 * JavaScriptCore's sampler cannot be ended, only told to wake less often: at 2 ms it takes half a percent of a core for
 * ever. It notices a shorter interval when it wakes.
 */
const restMicroseconds = 1_000_000;
/** Functions of one stack that are told, the innermost first. */
const stackMax = 5;
/** Stacks that are told. */
const stacksMax = 5;

/** Where time went. */
export interface Profile {
  /** Moments at which the thread had work. */
  readonly samples: number;
  /** The most frequent stacks, with their part of the samples (0 to 1). */
  readonly stacks: readonly { readonly stack: string; readonly share: number }[];
}

/** Samples this thread for `ms`; undefined where the runtime has no profiler, or somebody else uses it. */
export async function profileFor(ms: number): Promise<Profile | undefined> {
  try {
    if (bunGlobal !== undefined) return await profileOnBun(ms);
    if (denoGlobal !== undefined) return await profileOnDeno(ms);
  } catch {
    // A profile is help for people, never a reason to fail.
  }
  return undefined;
}

/** Nothing is sampled for now: ends what profiling leaves behind. */
export async function restProfiler(): Promise<void> {
  if (bunGlobal === undefined) return;
  try {
    await (await bunProfiler())(() => Promise.resolve(), restMicroseconds);
  } catch {
    // Nothing was left behind where there is none.
  }
}

type BunProfiler = (work: () => Promise<void>, interval: number) => Promise<
  { readonly stackTraces: { readonly traces: readonly { readonly frames: readonly BunFrame[] }[] } }
>;

async function bunProfiler(): Promise<BunProfiler> {
  // A variable, so that Deno does not try to resolve it.
  const specifier = "bun:jsc";
  return (await import(specifier) as { profile: BunProfiler }).profile;
}

interface BunFrame {
  readonly name: string;
  readonly sourceURL?: string;
  readonly line: number;
}

async function profileOnBun(ms: number): Promise<Profile> {
  const profile = await bunProfiler();
  const { stackTraces: { traces } } = await profile(() => wait(ms), intervalMicroseconds);
  const counts = new Map<string, number>();
  for (const { frames } of traces) {
    const stack = frames.slice(0, stackMax).map(({ name }) => name === "" ? "(anonymous)" : name).join(" < ");
    counts.set(stack, (counts.get(stack) ?? 0) + 1);
  }
  return profileOf(counts);
}

interface DenoNode {
  readonly id: number;
  readonly callFrame: { readonly functionName: string };
  readonly hitCount?: number;
  readonly children?: readonly number[];
}

/** What V8 calls time in which the thread had nothing to do, or in which it was not in JavaScript. */
const notWork = new Set(["(idle)", "(root)"]);

async function profileOnDeno(ms: number): Promise<Profile> {
  const { Session } = await import("node:inspector");
  const session = new Session();
  session.connect();
  try {
    const post = (method: string, params = {}) =>
      new Promise<unknown>((resolve, reject) =>
        session.post(
          method,
          params,
          (error: Error | null, answer: unknown) =>
            error === null || error === undefined ? resolve(answer) : reject(error),
        )
      );
    await post("Profiler.enable");
    await post("Profiler.setSamplingInterval", { interval: intervalMicroseconds });
    await post("Profiler.start");
    await wait(ms);
    const { profile: { nodes } } = await post("Profiler.stop") as { profile: { nodes: readonly DenoNode[] } };
    return profileOf(stacksOf(nodes));
  } finally {
    session.disconnect();
  }
}

function stacksOf(nodes: readonly DenoNode[]): Map<string, number> {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const parents = new Map(nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id])));
  const counts = new Map<string, number>();
  for (const node of nodes) {
    if ((node.hitCount ?? 0) === 0 || notWork.has(node.callFrame.functionName)) continue;
    const names: string[] = [];
    for (let at: DenoNode | undefined = node; at !== undefined && names.length < stackMax;) {
      const { functionName } = at.callFrame;
      if (functionName !== "(root)") names.push(functionName === "" ? "(anonymous)" : functionName);
      at = byId.get(parents.get(at.id) ?? -1);
    }
    const stack = names.join(" < ");
    counts.set(stack, (counts.get(stack) ?? 0) + node.hitCount!);
  }
  return counts;
}

function profileOf(counts: ReadonlyMap<string, number>): Profile {
  const samples = [...counts.values()].reduce((sum, count) => sum + count, 0);
  const stacks = [...counts].sort((a, b) => b[1] - a[1]).slice(0, stacksMax)
    .map(([stack, count]) => ({ stack, share: Math.round(count / samples * 1000) / 1000 }));
  return { samples, stacks };
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
