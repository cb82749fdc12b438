/**
 * One run of the load generator, from settings to exit code: looks at limits and target, starts the threads, drives
 * the phases, watches, and has the reports written.
 *
 *     preflight ── threads ready ── phases (one, or those of a search) ── closed ── verify ── result ── reports
 *
 * @module
 */
import { cpus } from "node:os";
import { writeFileSync } from "node:fs";
import type { Dial, DialTls } from "../runtime/dial.ts";
import { invariant } from "../core/invariant.ts";
import { version } from "../version.ts";
import { Crew } from "./crew.ts";
import { churnWarning, limitProblem, systemLimits } from "./measure/limits.ts";
import { readGate } from "./measure/gate.ts";
import { snapshot } from "./measure/sampler.ts";
import type { Plan } from "./plan.ts";
import { type Drive, driveFixed, type Driven } from "./drive.ts";
import { driveSearch } from "./drive_search.ts";
import { LiveView } from "./report/live.ts";
import { writeReports } from "./report/reports.ts";
import { makeResult } from "./make_result.ts";
import type { Result } from "./result.ts";
import type { Settings } from "./settings.ts";
import { isThere, reach, refusal } from "./targets/reach.ts";
import { type SlowLimits, targetFindings } from "./target_view/findings.ts";
import { TargetWatch } from "./target_view/watch.ts";
import type { EndToEnd } from "./verify/tally.ts";
import { Verifier } from "./verify/verify.ts";
import type { LoadThread } from "./worker/protocol.ts";

/** Exit codes of `corndog clobber`. */
export const clobberExit = { ok: 0, failed: 1, refused: 97, generatorLimited: 98, threshold: 99 } as const;

/** What the run needs of the outside. */
export interface ClobberOutside {
  readonly spawn: () => LoadThread;
  readonly dial: Dial;
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** Width of the terminal on stderr; undefined where it is none. */
  readonly terminalColumns: number | undefined;
  readonly colors: boolean;
  /** Calls back when the user wants it to end; returns how to stop listening. */
  readonly onInterrupt: (handler: () => void) => () => void;
  /** Processor time of the process so far, milliseconds. */
  readonly processCpuMs: () => number;
  /** Name and version of the runtime, for reports. */
  readonly runtime: string;
}

/** Runs it. */
export async function runClobber(settings: Settings, outside: ClobberOutside): Promise<number> {
  const fail = (code: number, message: string): number => {
    outside.err(`corndog: ${message}\n`);
    return code;
  };
  const { target } = settings.plan;
  const wanted = settings.plan.connections + settings.plan.idleConnections + settings.plan.slowReaders;
  const limits = systemLimits();
  const problem = limitProblem(limits, wanted, target.scheme !== "unix");
  if (problem !== undefined) return fail(clobberExit.generatorLimited, problem);
  const tls = tlsOf(settings);
  const reached = await reach(outside.dial, target, tls, settings.plan.connectTimeoutMs);
  if (!reached.ok) return fail(clobberExit.refused, `${target.url}: ${reached.problem}`);

  const plan: Plan = { ...settings.plan, address: reached.address, tls };
  const verifier = settings.verify === undefined ? undefined : await Verifier.open(settings.verify, plan.run);
  const { admin } = settings;
  const watch = admin === undefined ? undefined : new TargetWatch(admin.url, admin.token);
  const crew = new Crew(plan, outside.spawn, settings.concurrency === "fixed" ? plan.connections : 1);
  const live = new LiveView(settings, outside);
  let interrupts = 0;
  const stopListening = outside.onInterrupt(() => {
    interrupts++;
    crew.halt();
  });
  try {
    live.say(`opening connections to ${target.url}`);
    await crew.open(openDeadlineMs(plan));
    const opened = crew.sampler.totals();
    if (opened.get("open") === 0) {
      live.end();
      const why = await refusal(outside.dial, target, reached.address, tls, failuresText(opened));
      return fail(clobberExit.refused, `${target.url}: ${why}`);
    }
    await watch?.start();
    const driven = await drive({
      settings,
      plan,
      crew,
      live,
      take: () => snapshot(crew.sampler, performance.now(), outside.processCpuMs()),
      isInterrupted: () => interrupts > 0,
    }, verifier);
    const marked = await crew.close();
    const endToEnd = await verifier?.finish(marked, settings.verifyMs, () =>
      interrupts > 1, (arrived, wanted) => {
      live.tell(`reading back: ${arrived} of ${wanted} lines`);
    }) ?? null;
    const watched = await watch?.finish();
    const survived = plan.fuzz.length === 0 ? null : await isThere(outside.dial, plan);
    live.end();
    const warnings: string[] = [];
    const churn = churnWarning(
      limits,
      driven.to.totals.since(driven.from.totals).get("connectsDone") / driven.seconds,
    );
    if (churn !== undefined) warnings.push(churn);
    const result = makeResult({
      settings,
      plan,
      driven,
      program: `corndog ${version} on ${outside.runtime}`,
      cores: cpus().length,
      interrupted: interrupts > 0,
      survived,
      warnings,
      endToEnd,
      targetView: watched === undefined ? null : targetFindings(
        watched,
        slowest(driven, endToEnd),
        crew.sampler.totals().get("sent"),
      ),
    });
    const isWritten = writeReports(result, driven, settings, settings.base, outside, writeFileSync);
    return exitOf(result, isWritten);
  } finally {
    stopListening();
    live.end();
    await Promise.all([crew.terminate(), verifier?.close()]);
  }
}

/** The exit code that a result stands for; what is worse comes first. */
function exitOf(result: Result, isWritten: boolean): number {
  const { gates, generator, interrupted, messages, search, survived } = result;
  if (gates.some((gate) => !gate.passed)) return clobberExit.threshold;
  if (survived === false || !isWritten) return clobberExit.failed;
  // Wrong messages ask whether the target stands, not how fast it is; they need not be answered.
  if (survived === true) return clobberExit.ok;
  if (messages.sent > 0 && messages.answered === 0) return clobberExit.failed;
  if (generator.verdict !== "ok") return clobberExit.generatorLimited;
  // The thresholds of a search held at no rate.
  if (search !== null && !search.confirmed && !interrupted) return clobberExit.threshold;
  return clobberExit.ok;
}

async function drive(given: Drive, verifier: Verifier | undefined): Promise<Driven> {
  const { pace } = given.settings;
  if (pace.kind !== "find") return await driveFixed(given);
  const gates = pace.gates.map((text) => {
    const gate = readGate(text);
    invariant(typeof gate !== "string", "thresholds were read when the settings were made");
    return gate;
  });
  return await driveSearch(given, pace, gates, verifier?.tally);
}

/** The latency that the target's waits are held against: through it where that was measured, else to its answer. */
function slowest({ from, to }: Driven, endToEnd: EndToEnd | null): SlowLimits | null {
  if (endToEnd?.latency) return endToEnd.latency;
  const corrected = to.latency.corrected.since(from.latency.corrected);
  return corrected.count === 0 ? null : {
    p90: corrected.percentileMs(90),
    p99: corrected.percentileMs(99),
    p999: corrected.percentileMs(99.9),
  };
}

function tlsOf(settings: Settings): DialTls | undefined {
  const { scheme, host } = settings.plan.target;
  if (scheme !== "tls" && scheme !== "https") return undefined;
  const { verify, ca, cert, key } = settings.tls;
  return {
    serverName: host,
    verify,
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  };
}

/** Connecting takes its timeout for each batch of dials, and the ramp its time. */
function openDeadlineMs(plan: Plan): number {
  const ramp = plan.connectRate > 0 ? plan.connections / plan.connectRate * 1000 : 0;
  return plan.connectTimeoutMs + ramp + 5000 + plan.connections;
}

function failuresText(totals: { readonly failureCounts: readonly (readonly [string, number])[] }): string {
  const named = totals.failureCounts.map(([name, count]) => `${name}: ${count}`).join(", ");
  return named === "" ? "no answer" : named;
}
