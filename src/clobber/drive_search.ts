/**
 * Searches the highest rate that holds (`--find-max`): each step of `FindMax` is a phase of its own, judged by the
 * thresholds; a step in which the generator was the limit says nothing about the target and ends the climb.
 *
 * @module
 */
import { type Drive, type Driven, driveSpan, Series, type Span } from "./drive.ts";
import { checkGates, type Gate } from "./measure/gate.ts";
import { achievedMin } from "./measure/verdict.ts";
import { type Pace } from "./plan.ts";
import type { SearchStep } from "./result.ts";
import { FindMax, kneeOf } from "./schedule/find_max.ts";
import { nowMicros } from "./verify/source.ts";
import type { Tally, TallyWindow } from "./verify/tally.ts";
import { stepText } from "./report/summary.ts";
import { countText, shareText } from "./report/text.ts";
import { spanLimits, spanMeasured } from "./span.ts";

/**
 * Lines of a step are awaited at the far end until none came for so long: what a step left behind would be in the way
 * of the next one.
 */
const silenceMs = 3000;

/** Repetitions of a step that the generator spoiled, and of all steps: on a machine that is never quiet it ends too. */
const retriesMax = 2;
const retriesInAllMax = 8;

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
  let generatorLimits: string[] = [];
  let retries = 0;
  let retriesInAll = 0;
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
      // A rate that was not reached does not hold, however quick the answers were to what was sent of it.
      const sentShare = spanMeasured(span, step.rate, "sentShare", lines, farEnd) ?? 1;
      if (sentShare < achievedMin && limits.length === 0) {
        broken.push(`only ${shareText(sentShare)} of it could be sent`);
      }
      // A step in which the generator was late says nothing; it is tried again before that ends the climb.
      if (limits.length > 0 && retries < retriesMax && retriesInAll < retriesInAllMax) {
        retries++;
        retriesInAll++;
        continue;
      }
      retries = 0;
      if (limits.length > 0) generatorLimits = limits.map((why) => `at ${countText(step.rate)}/s ${why}`);
      const passed = broken.length === 0 && limits.length === 0;
      const done = stepOf(step.kind, step.rate, span, farEnd, lines, passed, [...broken, ...limits]);
      steps.push(done);
      live.note(stepText(done));
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
      knee: kneeOf(steps.filter(({ why }) => why.length === 0 || generatorLimits.length === 0)),
      steps,
      generatorLimited: generatorLimits.length > 0,
      limits: generatorLimits,
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
