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
import { nowMicros } from "./verify/source.ts";
import type { Tally, TallyWindow } from "./verify/tally.ts";
import { spanLimits, spanMeasured } from "./span.ts";

/**
 * Lines of a step are awaited at the far end until none came for so long: what a step left behind would be in the way
 * of the next one.
 */
const silenceMs = 3000;

/** Repetitions of a step that the generator spoiled. */
const retriesMax = 2;

/** Runs the search. */
export async function driveSearch(
  drive: Drive,
  pace: Extract<Pace, { kind: "find" }>,
  gates: readonly Gate[],
  tally: Tally | undefined,
): Promise<Driven> {
  const { plan, live, isInterrupted, settings } = drive;
  const startedAt = new Date();
  const found = new FindMax(pace.from, pace);
  const series = new Series(drive);
  const steps: SearchStep[] = [];
  let generatorLimited = false;
  let retries = 0;
  let best: Span | undefined;
  let rate = 0;
  const wantsFarEnd = gates.some(({ metric }) => /^(?:loss|dup|e2e\..*)$/.test(metric));
  // A body of HTTP is one message with several lines.
  const linesEach = Math.max(1, plan.http?.batch ?? 1);
  try {
    // One step at least: there is always something to report.
    for (
      let step = found.step;
      step !== undefined && (best === undefined || !isInterrupted());
      step = found.step
    ) {
      const farEnd = wantsFarEnd ? tally?.openWindow(nowMicros()) : undefined;
      series.wantedRate = () => step!.rate;
      const stepStartMs = performance.now();
      series.progress = (now) => (now - stepStartMs) / step!.ms;
      live.say(`${step.kind} ${Math.round(step.rate)}/s`);
      const span = await driveSpan(drive, step.ms, [{ ms: step.ms, from: step.rate, to: step.rate }]);
      const lines = span.to.totals.since(span.from.totals).get("sent") * linesEach;
      if (farEnd !== undefined) {
        await arrivals(farEnd, lines, Math.min(silenceMs, settings.verifyMs), isInterrupted);
      }
      // What was cut short shows nothing.
      if (isInterrupted() && best !== undefined) break;
      const limits = spanLimits(span, plan, true);
      const checked = checkGates(gates, (metric) => spanMeasured(span, step!.rate, metric, lines, farEnd));
      const broken = checked.filter(({ passed }) => !passed).map(({ text }) => text);
      // A step in which the generator was late says nothing; it is tried again before that ends the climb.
      if (limits.length > 0 && ++retries <= retriesMax) continue;
      retries = 0;
      if (limits.length > 0) generatorLimited = true;
      const passed = broken.length === 0 && limits.length === 0;
      steps.push(stepOf(step.kind, step.rate, span, farEnd, lines, passed, [...broken, ...limits]));
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
      stepRate: found.stepRate,
      stepSeconds: pace.stepMs / 1000,
      confirmSeconds: pace.confirmMs / 1000,
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
  farEnd: TallyWindow | undefined,
  lines: number,
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
    endToEndP99: farEnd === undefined || farEnd.arrived === 0 ? null : farEnd.latency().percentileMs(99),
    lost: farEnd === undefined ? null : Math.max(0, lines - farEnd.arrived),
    failed: change.get("due") - change.get("good"),
    passed,
    why,
  };
}

/** Waits until all lines of a step came, or none came for a while. */
async function arrivals(
  farEnd: TallyWindow,
  wanted: number,
  silenceMs: number,
  isInterrupted: () => boolean,
): Promise<void> {
  let before = -1;
  let lastChange = performance.now();
  while (farEnd.arrived < wanted && !isInterrupted()) {
    if (farEnd.arrived !== before) {
      before = farEnd.arrived;
      lastChange = performance.now();
    } else if (performance.now() - lastChange > silenceMs) {
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
