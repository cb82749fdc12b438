/**
 * Searches the highest rate that holds (`--find-max`): each step of `FindMax` is a phase of its own, judged by the
 * thresholds; a step in which the generator was the limit says nothing about the target and ends the climb.
 *
 * @module
 */
import { type Drive, type Driven, driveSpan, Series, type Span } from "./drive.ts";
import { checkGates, type Gate } from "./measure/gate.ts";
import { type Pace } from "./plan.ts";
import type { SearchStep } from "./result.ts";
import { FindMax, kneeOf } from "./schedule/find_max.ts";
import type { Tally } from "./verify/tally.ts";
import { spanLimits, spanMeasured } from "./span.ts";

/** Length of a step: enough for a p99 that means something, short enough for twenty of them. */
const stepMs = 3000;
/** Lines of a step are awaited at the far end for so long. */
const arrivalMs = 5000;

/** Repetitions of a step that the generator spoiled. */
const retriesMax = 2;

/** Runs the search. */
export async function driveSearch(
  drive: Drive,
  pace: Extract<Pace, { kind: "find" }>,
  gates: readonly Gate[],
  tally: Tally | undefined,
): Promise<Driven> {
  const { plan, live, isInterrupted } = drive;
  const startedAt = new Date();
  const found = new FindMax(pace.from, { stepMs, confirmMs: pace.confirmMs });
  const series = new Series(drive);
  const steps: SearchStep[] = [];
  let generatorLimited = false;
  let retries = 0;
  let best: Span | undefined;
  let rate = 0;
  const wantsLoss = gates.some(({ metric }) => metric === "loss" || metric === "dup");
  try {
    for (let step = found.step; step !== undefined && !isInterrupted(); step = found.step) {
      const arrivedBefore = tally?.arrived ?? 0;
      series.wantedRate = () => step!.rate;
      live.say(`${step.kind} ${Math.round(step.rate)}/s`);
      const span = await driveSpan(drive, step.ms, [{ ms: step.ms, from: step.rate, to: step.rate }]);
      const sent = span.to.totals.since(span.from.totals).get("sent");
      if (tally !== undefined && wantsLoss) await arrivals(tally, arrivedBefore + sent, isInterrupted);
      const arrived = tally === undefined ? undefined : tally.arrived - arrivedBefore;
      const limits = spanLimits(span, plan, true);
      const checked = checkGates(gates, (metric) => spanMeasured(span, step!.rate, metric, arrived));
      const broken = checked.filter(({ passed }) => !passed).map(({ text }) => text);
      // A step in which the generator was late says nothing; it is tried again before that ends the climb.
      if (limits.length > 0 && ++retries <= retriesMax) continue;
      retries = 0;
      if (limits.length > 0) generatorLimited = true;
      const passed = broken.length === 0 && limits.length === 0;
      steps.push(stepOf(step.kind, step.rate, span, passed, [...broken, ...limits]));
      if (passed || best === undefined) {
        best = span;
        rate = step.rate;
      }
      // Where nothing held yet, a generator that is late even so is late at lower rates too.
      if (limits.length > 0 && found.rate === 0) break;
      found.report(passed);
    }
  } finally {
    series.end();
  }
  return {
    ...best!,
    startedAt,
    windows: series.windows,
    requestedRate: rate,
    settledOn: null,
    search: {
      rate: found.rate,
      confirmed: found.confirmed,
      knee: kneeOf(steps.filter(({ why }) => why.length === 0 || !generatorLimited)),
      steps,
      generatorLimited,
    },
  };
}

function stepOf(
  kind: SearchStep["kind"],
  rate: number,
  span: Span,
  passed: boolean,
  why: readonly string[],
): SearchStep {
  const change = span.to.totals.since(span.from.totals);
  const latency = span.to.latency.corrected.since(span.from.latency.corrected);
  return {
    kind,
    rate,
    achieved: change.get("answered") / span.seconds,
    p50: latency.percentileMs(50),
    p99: latency.percentileMs(99),
    failed: change.get("due") - change.get("good"),
    passed,
    why,
  };
}

async function arrivals(tally: Tally, wanted: number, isInterrupted: () => boolean): Promise<void> {
  const deadline = performance.now() + arrivalMs;
  while (tally.arrived < wanted && performance.now() < deadline && !isInterrupted()) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
