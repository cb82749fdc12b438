/**
 * The chores of one folder (indexes, cursor, removal): one run at a time, when the earliest plan says, and after a
 * failure again with growing pauses, for ever.
 *
 * @module
 */
import { InvariantError } from "../core/invariant.ts";
import { backoffMs, ioProblem } from "../core/io_problem.ts";
import type { SpoolClock } from "./clock.ts";

/** What chores are. */
export interface ChoresParts {
  readonly clock: SpoolClock;
  readonly folder: string;
  /** Does what is due. Returns what the system refused, or rejects with it. */
  work(): Promise<unknown>;
  /** In how many milliseconds there is something to do; undefined: nothing is left. */
  nextMs(): number | undefined;
  /** Why a run failed; undefined when one succeeded again. */
  problem(message: string | undefined): void;
}

/** The timer of one folder's chores. */
export class Chores {
  readonly #parts: ChoresParts;
  #timer: unknown;
  #timerAtMs = Infinity;
  #running: Promise<void> | undefined;
  #attempts = 0;
  #stopped = false;

  constructor(parts: ChoresParts) {
    this.#parts = parts;
  }

  /** They are due in `delayMs`, if they were not before. */
  plan(delayMs: number): void {
    const { clock } = this.#parts;
    const atMs = clock.monoMs() + delayMs;
    if (this.#stopped || this.#running !== undefined || atMs >= this.#timerAtMs) return;
    clock.clear(this.#timer);
    this.#timerAtMs = atMs;
    this.#timer = clock.set(() => {
      this.#timerAtMs = Infinity;
      this.#running = this.#run();
    }, delayMs);
  }

  /** Something of theirs that was done elsewhere failed with `error`. */
  failed(error: unknown): void {
    this.#note(error);
    this.#planNext();
  }

  /** Nothing is begun any more. */
  stop(): void {
    this.#stopped = true;
    this.#parts.clock.clear(this.#timer);
  }

  /** Resolves when none runs. */
  async rest(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    let failure: unknown;
    try {
      failure = await this.#parts.work();
    } catch (error) {
      if (error instanceof InvariantError) throw error;
      failure = error ?? new Error("unknown");
    }
    this.#note(failure);
    this.#running = undefined;
    this.#planNext();
  }

  #note(failure: unknown): void {
    const { folder, problem } = this.#parts;
    if (failure !== undefined) problem(ioProblem("write", folder, failure));
    else if (this.#attempts > 0) problem(undefined);
    this.#attempts = failure === undefined ? 0 : this.#attempts + 1;
  }

  #planNext(): void {
    const delayMs = this.#attempts > 0 ? backoffMs(this.#attempts - 1) : this.#parts.nextMs();
    if (delayMs !== undefined) this.plan(delayMs);
  }
}
