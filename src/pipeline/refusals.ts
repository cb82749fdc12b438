/**
 * Tells the log of refused senders without letting them fill it: the first of a reason at once, the others of it as a
 * number with the next line, at most one line per reason and period.
 *
 * @module
 */
import type { WorkerLog } from "./protocol.ts";

/** A line per reason in this time. */
const periodMs = 5_000;
/** Reasons that are told apart. They are constants; this is never met. */
const reasonsMax = 64;

interface Told {
  atMs: number;
  /** Refusals since the last line, and the newest of them. */
  more: number;
  peer: string;
}

/** The refusals of one worker. */
export class Refusals {
  readonly #log: WorkerLog;
  readonly #nowMs: () => number;
  readonly #told = new Map<string, Told>();

  constructor(log: WorkerLog, nowMs: () => number) {
    this.#log = log;
    this.#nowMs = nowMs;
  }

  /** A sender was refused at `listener` for `reason`. */
  tell(
    event: string,
    listener: string,
    peer: string,
    reason: string,
    problem: string,
    fields: Readonly<Record<string, unknown>> = {},
  ): void {
    const nowMs = this.#nowMs();
    const name = `${event} ${reason}`;
    const told = this.#told.get(name);
    if (told !== undefined && nowMs - told.atMs < periodMs) {
      told.more++;
      told.peer = peer;
      return;
    }
    const more = told?.more ?? 0;
    this.#log(event, {
      listener,
      peer,
      ...fields,
      reason,
      problem,
      ...(more === 0 ? {} : { since_last: more }),
    });
    if (told !== undefined || this.#told.size < reasonsMax) {
      this.#told.set(name, { atMs: nowMs, more: 0, peer });
    }
  }
}
