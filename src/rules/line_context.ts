/**
 * What the compiled closures of a program see of the line at hand: one object per program, moved from line to line.
 * Hot path: nothing is allocated per line.
 *
 * @module
 */

import type { Line, ValueSource } from "./program.ts";

/** The slot of the variable `value`; named groups follow it. */
export const valueSlot = 0;

/** State of the line at hand, for matchers, templates and actions. */
export class LineContext {
  line!: Line;
  /** Variables that the rule at hand set when it matched, by slot. */
  readonly slots: string[];
  /** What `forward` sends unless it says otherwise: the message until merge or replace made a text. */
  outputSource: ValueSource = "message";
  output = "";
  /** True if what is done with this line ends after the rule at hand, as hotdog's failed merge asks. */
  stopsAfterRule = false;
  /** Reason and text of a failure, written by who answers "failed". */
  reason = "";
  failure = "";

  #message: string | undefined;
  #isoMs = Number.NaN;
  #iso = "";

  constructor(slotCount: number) {
    this.slots = Array.from({ length: slotCount }, () => "");
  }

  /** Moves to `line`. */
  begin(line: Line): void {
    this.line = line;
    this.#message = undefined;
    this.stopsAfterRule = false;
  }

  /** The message as text; empty where the line has none. */
  message(): string {
    return this.#message ??= this.line.text("msg") ?? "";
  }

  /** Forgets what an earlier rule made of the line. */
  resetOutput(): void {
    this.outputSource = "message";
  }

  /** Sets what `forward` sends. */
  setOutput(text: string): void {
    this.outputSource = "text";
    this.output = text;
  }

  /** Receive time as RFC 3339, UTC, with the offset written as hotdog did: `2026-01-02T03:04:05.678+00:00`. */
  iso8601(): string {
    const now = this.line.nowMs;
    if (now !== this.#isoMs) {
      this.#isoMs = now;
      this.#iso = isoOf(now);
    }
    return this.#iso;
  }
}

function isoOf(ms: number): string {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? "" : `${date.toISOString().slice(0, -1)}+00:00`;
}
