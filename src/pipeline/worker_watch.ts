/**
 * The sentinel and the flight recorder together: a worker that is held is told of and recorded, and what all threads
 * did before is written to a file while it lasts.
 *
 * @module
 */
import process from "node:process";
import type { StallFields, StallList } from "../admin/looks_view.ts";
import { flightKind, FlightRecorder, flightTrace } from "../observe/flight.ts";
import type { Logger } from "../observe/log.ts";
import { Sentinel, type Stall } from "../observe/sentinel.ts";
import { readFacts } from "../observe/thread_facts.ts";
import { FlightDumps } from "./flight_dumps.ts";
import type { StallProfile } from "./stall_profile.ts";

/** What a dump of the flight recorder holds. */
const dumpSeconds = 60;

/** What is watched, and who is told. */
export interface WorkerWatchParts {
  readonly workers: number;
  readonly activity: SharedArrayBuffer;
  readonly flight: SharedArrayBuffer;
  readonly log: Logger;
  /** Name of a rule in force. */
  ruleName(index: number): string | undefined;
  /** A worker that was held is to watch itself. */
  arm(worker: number): void;
}

/** The watch over the workers of one process. */
export class WorkerWatch {
  readonly #parts: WorkerWatchParts;
  readonly #dumps: FlightDumps;
  readonly #sentinel: Sentinel;

  constructor(parts: WorkerWatchParts) {
    const { activity, workers, log } = parts;
    this.#parts = parts;
    const own = new FlightRecorder(parts.flight, 0);
    this.#dumps = new FlightDumps(() => this.flight(dumpSeconds), log);
    this.#sentinel = new Sentinel({
      activity,
      workers,
      facts: readFacts,
      ruleName: (index) => parts.ruleName(index),
      held: (stall, level) => {
        log[level]("worker_held", { ...stallFields(stall) });
        own.record(flightKind["worker held"], performance.now() - stall.ms, stall.ms, stall.worker, 0);
        if (level === "error") this.#dumps.write("stall");
      },
      released: (stall) => {
        log.info("worker_released", { ...stallFields(stall) });
        // A thread that got no core does nothing that a profile could show, and sampling it costs half a percent of one.
        if (stall.cause !== "machine") parts.arm(stall.worker);
      },
    }, performance.now());
  }

  /** Workers run: from now on one without a pulse is held. */
  start(): void {
    this.#sentinel.start();
  }

  stop(): void {
    this.#sentinel.stop();
  }

  /** A worker that rested has work. */
  awake(): void {
    this.#sentinel.wake();
  }

  /** Times that a worker was held. */
  get total(): number {
    return this.#sentinel.total;
  }

  /** How long a worker has been held, 0 where it is not, and by which rule. */
  held(worker: number): ReturnType<Sentinel["held"]> {
    return this.#sentinel.held(worker);
  }

  /** What a worker that watches itself was doing when it was held again. */
  profiled(worker: number, { heldMs, samples, stacks }: StallProfile): void {
    this.#sentinel.profiled(worker, { samples, stacks });
    this.#parts.log.warn("stall_profile", { worker, held_ms: heldMs, samples, stacks });
  }

  /** What all threads did in the last seconds, as a Chrome trace. */
  flight(seconds: number): ReturnType<typeof flightTrace> {
    const { workers, flight } = this.#parts;
    const names = ["control plane", ...Array.from({ length: workers }, (_, worker) => `worker ${worker}`)];
    return flightTrace(flight, names, process.pid, Date.now() - seconds * 1000);
  }

  /** Writes that to a file. */
  dump(why: string): void {
    this.#dumps.write(why);
  }

  /** `GET /admin/stalls`. */
  list(): StallList {
    return {
      total: this.#sentinel.total,
      stalls: this.#sentinel.stalls.map((stall) => ({
        at: new Date(stall.sinceMs).toISOString(),
        over: stall.over,
        ...stallFields(stall),
      })),
    };
  }
}

function stallFields(stall: Stall): StallFields {
  const { worker, ms, cause, rule, connection, bytes, evidence, profile } = stall;
  return { worker, ms: Math.round(ms), cause, rule, connection, bytes, evidence, profile };
}
