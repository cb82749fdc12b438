/**
 * From what was counted to what is reported. Pure.
 *
 * @module
 */
import type { Driven } from "./drive.ts";
import { checkGates } from "./measure/gate.ts";
import type { Latency } from "./measure/histogram.ts";
import { type Column, failures } from "./measure/row.ts";
import type { Totals } from "./measure/sampler.ts";
import { generatorShare, spanLimits } from "./span.ts";
import { measuredOf } from "./measured.ts";
import type { Plan, Work } from "./plan.ts";
import { percentilesOf, type Result, type TargetView } from "./result.ts";
import type { Settings } from "./settings.ts";
import type { EndToEnd } from "./verify/tally.ts";

/** What a result is made of. */
export interface Parts {
  readonly settings: Settings;
  readonly plan: Plan;
  readonly driven: Driven;
  readonly program: string;
  readonly cores: number;
  readonly interrupted: boolean;
  readonly survived: boolean | null;
  readonly warnings: readonly string[];
  readonly endToEnd: EndToEnd | null;
  readonly targetView: TargetView | null;
}

/** The result of a run. */
export function makeResult(parts: Parts): Result {
  const { settings, plan, driven } = parts;
  const { seconds } = driven;
  const change = driven.to.totals.since(driven.from.totals);
  const open = driven.requestedRate !== null;
  const [due, sent] = [change.get("due"), change.get("sent")];
  const lateness = driven.to.latency.lateness.since(driven.from.latency.lateness);
  const wallMs = Math.max(1, driven.to.atMs - driven.from.atMs);
  const share = generatorShare(driven, plan);
  const reasons = driven.search === null
    ? spanLimits(driven, plan, open)
    : driven.search.generatorLimited
    ? driven.search.limits
    : [];
  const result: Result = {
    program: parts.program,
    target: plan.target.url,
    address: "path" in plan.address ? plan.address.path : `${plan.address.hostname}:${plan.address.port}`,
    model: open ? "open loop" : "closed loop",
    answers: plan.answer.kind !== "none",
    work: workText(plan),
    startedAt: driven.startedAt.toISOString(),
    seconds,
    seed: plan.seed,
    run: plan.run,
    interrupted: parts.interrupted,
    requested: {
      rate: driven.requestedRate,
      messages: plan.limit === 0 ? null : plan.limit,
      connections: driven.to.totals.get("wanted"),
      seconds: plan.limit > 0 && settings.durationMs > 86_400_000 ? null : settings.durationMs / 1000,
    },
    achieved: {
      sentRate: sent / seconds,
      answeredRate: change.get("answered") / seconds,
      ofRequested: open && due > 0 ? sent / due : null,
      connections: driven.to.totals.get("open"),
      settledOn: driven.settledOn,
      bytesOutRate: change.get("bytesOut") / seconds,
      bytesInRate: change.get("bytesIn") / seconds,
    },
    messages: {
      due,
      sent,
      answered: change.get("answered"),
      good: change.get("good"),
      lateForDeadline: change.get("lateForDeadline"),
      unsent: change.get("unsent"),
      unanswered: Math.max(0, sent - change.get("answered")),
    },
    latency: latencies(parts, (name) => driven.to.latency[name].since(driven.from.latency[name])),
    statuses: statusesOf(change),
    failures: failuresOf(driven.to.totals),
    connections: {
      tried: driven.to.totals.get("connectsTried"),
      opened: driven.to.totals.get("connectsDone"),
      closedByPeer: change.get("closedByPeer"),
    },
    generator: {
      threads: plan.threads,
      cores: parts.cores,
      cpu: (driven.to.processCpuMs - driven.from.processCpuMs) / wallMs,
      busiest: share.busy,
      waited: share.waited,
      lateness: percentilesOf(lateness),
      targetStalled: share.stalled,
      verdict: reasons.length === 0 ? "ok" : "generator-limited",
      reasons,
    },
    warnings: [...parts.warnings, ...connectionWarnings(driven.to.totals)],
    windows: driven.windows,
    endToEnd: parts.endToEnd,
    targetView: parts.targetView,
    search: driven.search,
    survived: parts.survived,
    gates: [],
  };
  return { ...result, gates: checkGates(settings.gates, (metric) => measuredOf(result, metric)) };
}

function latencies(
  { driven, plan }: Parts,
  get: (name: "corrected" | "uncorrected") => Latency,
): Result["latency"] {
  // A stream in a closed loop has no latency: nothing answers, and nothing was due.
  const none = driven.requestedRate === null && plan.answer.kind === "none";
  return {
    corrected: none ? null : percentilesOf(get("corrected")),
    uncorrected: none ? null : percentilesOf(get("uncorrected")),
    connect: percentilesOf(driven.to.latency.connect),
  };
}

function statusesOf(change: Totals): Record<string, number> {
  const names = ["status1xx", "status2xx", "status3xx", "status4xx", "status5xx"] as const;
  return Object.fromEntries(
    names.map((name) => [name.slice(6), change.get(name)] as const).filter(([, count]) => count > 0),
  );
}

function failuresOf(totals: Totals): Record<string, number> {
  return Object.fromEntries(
    Object.keys(failures).map((name) => [name, totals.get(name as Column)] as const).filter(([, count]) =>
      count > 0
    ),
  );
}

function connectionWarnings(totals: Totals): string[] {
  const [open, wanted] = [totals.get("open"), totals.get("wanted")];
  if (open >= wanted * 0.99) return [];
  return [`${wanted} connections were asked for and ${open} were open at the end`];
}

/** What is sent, in words. */
export function workText(plan: Plan): string {
  const { http, work } = plan;
  const fuzz = plan.fuzz.length === 0 ? "" : `, made wrong (${plan.fuzz.join(" ")})`;
  if (http !== undefined && http.batch === 0) return `${http.method} ${plan.target.path}${fuzz}`;
  const body = messageText(work, http !== undefined);
  if (http === undefined) return body + fuzz;
  return `${http.method} ${plan.target.path} with ${
    http.batch === 1 ? body : `${http.batch} x ${body}`
  }${fuzz}`;
}

function messageText(work: Work, http: boolean): string {
  switch (work.kind) {
    case "payload":
      return `a payload of ${work.bytes.length} bytes`;
    case "messages":
      return `${work.messages.length} lines of a file (${work.framing})`;
    case "template":
      return `${work.lines.length === 1 ? "a template" : `${work.lines.length} templates`} (${work.framing})`;
    case "syslog": {
      const { size } = work;
      const bytes = size.kind === "fixed"
        ? `${size.bytes}`
        : size.kind === "uniform"
        ? `${size.low} to ${size.high}`
        : `about ${size.median}`;
      // In a body they are JSON alone, and no frame is around them.
      if (http && work.json) return `JSON events of ${bytes} bytes`;
      return `syslog lines, RFC ${work.format}${work.json ? " with JSON" : ""}, ${bytes} bytes` +
        (http ? "" : `, ${work.framing}`);
    }
  }
}
