/**
 * Drives a load while it runs: starts the phase, takes a window every second, and steers the number of connections
 * where a controller is to find it.
 *
 * @module
 */
import type { Crew } from "./crew.ts";
import { type Snapshot, type Window, windowOf } from "./measure/sampler.ts";
import type { Plan } from "./plan.ts";
import type { LiveView } from "./report/live.ts";
import { Schedule } from "./schedule/schedule.ts";
import type { Search } from "./result.ts";
import type { Settings } from "./settings.ts";

/** What a drive gives. */
export interface Driven {
  readonly from: Snapshot;
  readonly to: Snapshot;
  readonly startedAt: Date;
  /** Time in which messages were due. */
  readonly seconds: number;
  readonly windows: readonly Window[];
  /** Mean of the requested rate; null in a closed loop. */
  readonly requestedRate: number | null;
  readonly search: Search | null;
}

/** Length of a window of the series. */
export const windowMs = 1000;
/** Between posting a phase and its start: every thread has it by then. */
export const leadMs = 50;

/** Runs one phase from start to end. */
export async function driveFixed(
  settings: Settings,
  plan: Plan,
  crew: Crew,
  live: LiveView,
  take: () => Snapshot,
  _interrupted: () => boolean,
): Promise<Driven> {
  const segments = settings.pace.kind === "open" ? settings.pace.segments : undefined;
  const schedule = segments === undefined ? undefined : new Schedule(segments);
  const startedAt = new Date();
  const startMs = performance.now() + leadMs;
  const from = take();
  const windows: Window[] = [];
  let last: Snapshot = { ...from, atMs: startMs };
  const timer = setInterval(() => {
    const now = take();
    const wanted = schedule === undefined ? null : schedule.rateAt(now.atMs - startMs);
    const window = windowOf(last, now, startMs, wanted);
    last = now;
    windows.push(window);
    live.window(window, (now.atMs - startMs) / settings.durationMs);
  }, windowMs);
  try {
    await crew.phase({
      id: 1,
      startsAtMs: performance.timeOrigin + startMs,
      durationMs: settings.durationMs,
      segments,
      limit: plan.limit,
    });
  } finally {
    clearInterval(timer);
  }
  const to = take();
  const seconds = Math.min(settings.durationMs, to.atMs - startMs) / 1000;
  return {
    from,
    to,
    startedAt,
    seconds,
    windows,
    requestedRate: schedule === undefined ? null : schedule.total / schedule.durationMs * 1000,
    search: null,
  };
}
