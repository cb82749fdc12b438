/**
 * Drives a load while it runs: starts the phases, takes a window every second, and steers the number of connections
 * where a controller is to find it.
 *
 * @module
 */
import type { Crew } from "./crew.ts";
import { type Snapshot, type Window, windowOf } from "./measure/sampler.ts";
import type { Plan } from "./plan.ts";
import type { LiveView } from "./report/live.ts";
import type { Search } from "./result.ts";
import { Aimd } from "./schedule/aimd.ts";
import { AutoConnections } from "./schedule/pid.ts";
import { Schedule, type Segment } from "./schedule/schedule.ts";
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
  /** Connections that a controller settled on; null without one. */
  readonly settledOn: number | null;
  readonly search: Search | null;
}

/** What a drive works with. */
export interface Drive {
  readonly settings: Settings;
  readonly plan: Plan;
  readonly crew: Crew;
  readonly live: LiveView;
  readonly take: () => Snapshot;
  readonly isInterrupted: () => boolean;
}

/** One span that was driven. */
export interface Span {
  readonly from: Snapshot;
  readonly to: Snapshot;
  readonly startMs: number;
  readonly seconds: number;
}

/** Length of a window of the series. */
const windowMs = 1000;
/** Between posting a phase and its start: every thread has it by then. */
const leadMs = 50;
/** A controller gets a sample this often. */
const controlMs = 250;

/** Collects windows over the phases of a run; one timer for all. */
export class Series {
  readonly windows: Window[] = [];
  readonly startMs: number;
  readonly #drive: Drive;
  readonly #timer: ReturnType<typeof setInterval>;
  /** The mean rate that is wanted between two times of the process's clock; null in a closed loop. */
  wantedRate: (fromMs: number, toMs: number) => number | null = () => null;
  /** Part of the run that is over. */
  progress: (nowMs: number) => number = () => 0;
  #last: Snapshot;

  constructor(drive: Drive) {
    this.#drive = drive;
    this.startMs = performance.now() + leadMs;
    this.#last = { ...drive.take(), atMs: this.startMs };
    this.#timer = setInterval(() => this.#window(), windowMs);
  }

  #window(): void {
    const now = this.#drive.take();
    if (now.atMs - this.#last.atMs < windowMs / 2) return;
    const window = windowOf(this.#last, now, this.startMs, this.wantedRate(this.#last.atMs, now.atMs));
    this.#last = now;
    this.windows.push(window);
    this.#drive.live.window(window, this.progress(now.atMs));
  }

  end(): void {
    clearInterval(this.#timer);
  }
}

let phases = 0;

/** Runs one phase to its end. */
export async function driveSpan(
  { crew, plan, take }: Drive,
  ms: number,
  segments: readonly Segment[] | undefined,
): Promise<Span> {
  const startMs = performance.now() + leadMs;
  const from = take();
  await crew.phase({
    id: ++phases,
    startsAtMs: performance.timeOrigin + startMs,
    durationMs: ms,
    segments,
    limit: plan.limit,
  });
  const to = take();
  return { from, to, startMs, seconds: Math.max(0.001, Math.min(ms, to.atMs - startMs) / 1000) };
}

/** Runs the load that the settings ask for, where that is one phase. */
export async function driveFixed(drive: Drive): Promise<Driven> {
  const { settings } = drive;
  const segments = settings.pace.kind === "open" ? settings.pace.segments : undefined;
  const schedule = segments === undefined ? undefined : new Schedule(segments);
  const startedAt = new Date();
  const series = new Series(drive);
  if (schedule !== undefined) {
    series.wantedRate = (from, to) =>
      (schedule.dueAt(to - series.startMs) - schedule.dueAt(from - series.startMs)) / (to - from) * 1000;
  }
  series.progress = (now) => progressOf(drive, (now - series.startMs) / settings.durationMs);
  const controller = steer(drive, schedule !== undefined);
  try {
    const span = await driveSpan(drive, settings.durationMs, segments);
    return {
      ...span,
      startedAt,
      windows: series.windows,
      requestedRate: schedule === undefined ? null : schedule.total / schedule.durationMs * 1000,
      settledOn: controller?.settledOn() ?? null,
      search: null,
    };
  } finally {
    controller?.end();
    series.end();
  }
}

/** With a limit, time says nothing of how far a run is. */
function progressOf({ plan, crew }: Drive, byTime: number): number {
  if (plan.limit === 0) return byTime;
  return Math.max(byTime, crew.sampler.totals().get("sent") / plan.limit);
}

/** Starts the controller that the settings ask for. */
function steer(
  drive: Drive,
  open: boolean,
): { readonly settledOn: () => number; readonly end: () => void } | undefined {
  const { settings, plan, crew, take } = drive;
  if (settings.concurrency === "fixed") return undefined;
  const aimd = settings.concurrency === "aimd" ? new Aimd(plan.connections) : undefined;
  const auto = aimd === undefined ? new AutoConnections(plan.connections, open) : undefined;
  let last = take();
  const timer = setInterval(() => {
    const now = take();
    const seconds = (now.atMs - last.atMs) / 1000;
    const change = now.totals.since(last.totals);
    const latency = now.latency.uncorrected.since(last.latency.uncorrected);
    const [answered, sent] = [change.get("answered"), change.get("sent")];
    last = now;
    const connections = aimd !== undefined
      ? aimd.step({
        rate: answered / seconds,
        latencyMs: latency.percentileMs(50),
        failed: change.failed / Math.max(1, sent),
      })
      : auto!.step({
        seconds,
        answeredRate: answered / seconds,
        // A stall of this machine must not count as the target's queue: the median does not see it.
        latencyMs: open ? latency.meanMs : latency.percentileMs(50),
        backlog: now.totals.get("backlog"),
      });
    crew.steer(connections);
  }, controlMs);
  return {
    settledOn: () => aimd?.best ?? auto!.connections,
    end: () => clearInterval(timer),
  };
}
