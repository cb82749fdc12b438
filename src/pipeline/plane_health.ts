/**
 * Whether the process lives, and whether lines that come now can be delivered or kept: `/healthz`, `/readyz`, and the
 * events that tell when that changes.
 *
 * @module
 */
import type { Config } from "../config/config.ts";
import { HeartbeatWatch } from "../observe/heartbeat.ts";
import type { Logger } from "../observe/log.ts";
import { counter, type CounterRowReader } from "../observe/row.ts";
import type { WorkerReport } from "./protocol.ts";
import { spoolProblems } from "./spool_totals.ts";

/** A worker whose heartbeat stands still for this long is held by something. */
const heartbeatAgeMax = 10_000;

/** What it looks at. */
export interface HealthParts {
  readonly config: Config;
  readonly log: Logger;
  /** By worker. */
  readonly readers: readonly CounterRowReader[];
  reports(): readonly WorkerReport[];
}

/** The health of one process. */
export class Health {
  readonly #parts: HealthParts;
  readonly #heartbeats: HeartbeatWatch;
  readonly #failures: string[] = [];
  #told = "";

  constructor(parts: HealthParts) {
    this.#parts = parts;
    this.#heartbeats = new HeartbeatWatch(parts.readers.length, performance.now());
  }

  /** True if something ended that should not have. */
  get hasFailed(): boolean {
    return this.#failures.length > 0;
  }

  /** A worker ended by itself. */
  failed(worker: number, reason: string): void {
    this.#failures.push(`Worker ${worker} ended: ${reason}`);
  }

  /** `/healthz`. */
  healthy(): { ok: boolean; problems: readonly string[] } {
    const problems = [...this.#failures];
    this.ages().forEach((ageMs, worker) => {
      if (ageMs > heartbeatAgeMax) {
        problems.push(`Worker ${worker} has not moved for ${Math.round(ageMs / 1000)} s`);
      }
    });
    return { ok: problems.length === 0, problems };
  }

  /** `/readyz`. */
  ready(state: string): { ok: boolean; problems: readonly string[]; warnings?: readonly string[] } {
    const reports = this.#parts.reports();
    const problems = [...this.healthy().problems, ...readinessProblems(reports)];
    if (state !== "running") problems.push(`corndog is ${state}`);
    const warnings = [...sinkProblems(reports), ...sinkTroubles(reports)]
      .filter((problem) => !problems.includes(problem));
    return { ok: problems.length === 0, problems, ...(warnings.length === 0 ? {} : { warnings }) };
  }

  /** How long each worker has not moved. */
  ages(): number[] {
    const now = performance.now();
    return this.#parts.readers.map((reader, worker) =>
      this.#heartbeats.look(worker, reader.read()[counter.heartbeat]!, now)
    );
  }

  /** Logs that delivery stopped, why, and that it goes on: once per change, not once per report. */
  tell(): void {
    const { log, config } = this.#parts;
    const reports = this.#parts.reports();
    const problems = readinessProblems(reports);
    const delivery = sinkProblems(reports);
    const told = [...problems, "", ...delivery].join("; ");
    if (told === this.#told) return;
    this.#told = told;
    if (problems.length > 0) log.warn("not_ready", { problems: [...new Set([...problems, ...delivery])] });
    else if (delivery.length > 0) {
      log.warn("spooling", { problems: delivery, note: "lines are taken and kept in the spool" });
    } else log.info("ready", { sink: config.sink });
  }
}

/** What keeps lines from being delivered. */
export function sinkProblems(reports: readonly WorkerReport[]): string[] {
  const problems = new Set<string>();
  for (const { sink, deadLetterProblem } of reports) {
    if (!sink.ready) problems.add(sink.problem ?? `Sink ${sink.name} is not ready`);
    if (deadLetterProblem !== undefined) problems.add(deadLetterProblem);
  }
  return [...problems];
}

/** Why lines that come now can be neither delivered nor kept, or that the spool is not what it should be. */
function readinessProblems(reports: readonly WorkerReport[]): string[] {
  const spool = spoolProblems(reports.map(({ spool }) => spool));
  const kept = spool.length === 0 && reports.every(({ spool }) => spool !== undefined);
  const stalled = reports.length > 0 && reports.every(({ sinkTroubles }) => sinkTroubles.stalled);
  return [
    ...spool,
    ...sinkProblems(kept ? reports.map(withReadySink) : reports),
    ...!kept && stalled ? sinkTroubles(reports) : [],
  ];
}

/** What holds up a part of the lines, over all workers. */
export function sinkTroubles(reports: readonly WorkerReport[]): string[] {
  return [...new Set(reports.flatMap(({ sinkTroubles }) => sinkTroubles.texts))];
}

/** The spool takes what the sink cannot. */
function withReadySink(report: WorkerReport): WorkerReport {
  return { ...report, sink: { ...report.sink, ready: true } };
}
