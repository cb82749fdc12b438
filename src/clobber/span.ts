/**
 * What one phase of a search showed. Pure.
 *
 * @module
 */
import type { Span } from "./drive.ts";
import { generatorLimits } from "./measure/verdict.ts";
import type { Plan } from "./plan.ts";
import type { TallyWindow } from "./verify/tally.ts";

/** How the generator itself did in a span. */
export interface GeneratorShare {
  /** Fractions of the time for the busiest thread. */
  readonly busy: number;
  readonly waited: number;
  /** Fraction of the time in which the target kept due messages waiting. */
  readonly stalled: number;
}

/** Shares of a shorter time say nothing: threads tell their times four times a second, and their start is in them. */
const shareMsMin = 1000;

/** Reads it from the snapshots. */
export function generatorShare(
  { from, to, seconds }: Pick<Span, "from" | "to" | "seconds">,
  plan: Plan,
): GeneratorShare {
  const wallMs = Math.max(1, to.atMs - from.atMs);
  const part = (ms: number): number => wallMs < shareMsMin ? 0 : Math.min(1, ms / wallMs);
  const shares = to.threads.map((thread, index) => ({
    busy: part(thread.cpuMs - from.threads[index]!.cpuMs),
    waited: part(thread.cpuWaitMs - from.threads[index]!.cpuWaitMs),
  }));
  const busiest = shares.reduce((most, share) =>
    share.busy + share.waited > most.busy + most.waited ? share : most
  );
  return {
    ...busiest,
    stalled: to.totals.since(from.totals).get("stalledMs") / (seconds * 1000 * plan.threads),
  };
}

/** Why the generator, and not the target, was the limit in a span; empty when it was not. */
export function spanLimits(span: Pick<Span, "from" | "to" | "seconds">, plan: Plan, open: boolean): string[] {
  const change = span.to.totals.since(span.from.totals);
  const due = change.get("due");
  return generatorLimits({
    ...generatorShare(span, plan),
    open,
    latenessP99Ms: span.to.latency.lateness.since(span.from.latency.lateness).percentileMs(99),
    achieved: due === 0 ? 1 : change.get("sent") / due,
    ownFailures: change.get("noPorts") + change.get("noDescriptors"),
  });
}

/**
 * The value of a metric in a span; undefined when it is not measured there.
 *
 * @param lines what was sent in it, as the far end counts: bodies hold several
 * @param farEnd what came out of it, where that is watched
 */
export function spanMeasured(
  { from, to, seconds }: Pick<Span, "from" | "to" | "seconds">,
  rate: number,
  metric: string,
  lines: number,
  farEnd: TallyWindow | undefined,
): number | undefined {
  const change = to.totals.since(from.totals);
  const due = Math.max(1, change.get("due"));
  switch (metric) {
    case "rate":
      return change.get("answered") / seconds;
    case "sent":
      return change.get("sent");
    case "sentShare":
      return change.get("sent") / due;
    case "achieved":
      return change.get("answered") / seconds / rate;
    case "good":
      return change.get("good") / due;
    case "errors":
      return (change.get("due") - change.get("good") - change.get("lateForDeadline")) / due;
    case "loss":
      return farEnd === undefined
        ? (change.get("sent") - change.get("good")) / due
        : Math.max(0, lines - farEnd.arrived) / Math.max(1, lines);
    case "dup":
      return farEnd === undefined ? undefined : farEnd.duplicates / Math.max(1, lines);
    case "unsent":
      return change.get("unsent") / due;
    case "late":
      return change.get("lateForDeadline") / due;
    case "status4xx":
    case "status5xx":
      return change.get(metric);
  }
  const [, family, percentile] =
    /^(?:(raw|e2e|connect|lateness)\.)?(p\d+(?:\.\d+)?|max|mean)$/.exec(metric) ??
      [];
  if (percentile === undefined) return undefined;
  const names = { raw: "uncorrected", connect: "connect", lateness: "lateness" } as const;
  const name = family === undefined ? "corrected" : names[family as keyof typeof names];
  const latency = family === "e2e" ? farEnd?.latency() : to.latency[name].since(from.latency[name]);
  if (latency === undefined) return undefined;
  const nth = percentile === "max" ? 100 : Number(percentile.slice(1));
  // Lines that did not come out took longer than all that did.
  if (family === "e2e" && latency.count < lines * (percentile === "mean" ? 100 : nth) / 100) return undefined;
  return percentile === "mean" ? latency.meanMs : latency.percentileMs(nth);
}
