/**
 * One request whose lines take the way of syslog lines and that is answered: what it asks for, and its books.
 *
 * @module
 */
import { Receipt, type Until } from "../batch/receipt.ts";
import type { LineOptions } from "./line_options.ts";
import type { FramingMode } from "../framing/framer.ts";

/** The lines of a request. The bytes must stay as they are until `placed` or the answer. */
export type RequestLines =
  /** All bytes are one frame. */
  | { readonly kind: "one"; readonly bytes: Uint8Array }
  /** `count` frames at [ranges[2 i], ranges[2 i + 1]), ascending, none empty. */
  | {
    readonly kind: "ranges";
    readonly bytes: Uint8Array;
    readonly ranges: Uint32Array;
    readonly count: number;
  }
  /** As on a connection that ends behind the bytes: frames over the limit are cut, empty ones are skipped. */
  | { readonly kind: "framed"; readonly bytes: Uint8Array; readonly framing: FramingMode };

/** What a request hands over. */
export interface SubmitRequest {
  readonly lines: RequestLines;
  /** Who sent it, as rules see it. */
  readonly peer: string;
  /** Where lines go that no rule forwards; undefined: the default topic. Checked like a topic that a line chose. */
  readonly topic?: string | undefined;
  /** What of a line is the value where no rule forwards it: its message; the whole frame where it is not said. */
  readonly value?: "message" | undefined;
  /** Record key of lines that get none from a rule. */
  readonly key?: string | undefined;
  /** How its lines are read: zone, what lacks a header; as listeners that say nothing of it where missing. */
  readonly options?: LineOptions | undefined;
  readonly until: Until;
  /** The answer comes within this time, to `sweepMs`. */
  readonly waitMs: number;
  /**
   * All lines are in batches: the bytes are free, and what is submitted from here on comes behind them. A connection
   * that submits the next request earlier gives up the order between them. Not called where the request is refused.
   */
  readonly placed?: (() => void) | undefined;
}

/** What is to be said about one line that was not simply forwarded. */
export interface LineNote {
  /** Frame of the request, counted from 0; of framed lines, empty ones not counted. */
  readonly line: number;
  /** `dropped` by a rule and `dead_lettered` are successes; so is `truncated`, of which the rest is lost. */
  readonly state: "dropped" | "dead_lettered" | "truncated";
  /** Constant name: a drop reason, a reason of the dead letter, a refused topic's. */
  readonly reason: string;
}

/** Why lines were not taken. */
export type RefusalReason =
  /** Lines that came before wait for memory already, or these waited for it until their deadline: 503, or 429. */
  | "busy"
  /** The spool is full: 503. */
  | "spool_full"
  /** The dead letter is full and a line has to go there: 503. */
  | "dead_letter_full"
  /** corndog ends: 503. */
  | "stopping"
  /** The sender went away. */
  | "cancelled"
  /** A frame is longer than `frame_max`: 413. */
  | "frame_too_large"
  /** A frame has no bytes: 400. */
  | "frame_empty"
  /** The topic may not be chosen by senders: 403 or 422. */
  | "topic_not_legal"
  | "topic_not_allowed"
  | "topic_is_dead_letter"
  | "topics_max";

/** The answer to a request. */
export interface SubmissionResult {
  /**
   * `kept`: every line has come as far as `until`. `late`: every line is placed, and `until` was not reached by the
   * deadline, or Kafka cannot take the lines now and they are in the spool. `refused`: lines from `placed` on were not taken.
   */
  readonly kind: "kept" | "late" | "refused";
  /** How far what was placed has come: `memory` is lost with the process. */
  readonly reached: Until;
  /** Lines that were taken, in order from the first. */
  readonly placed: number;
  readonly dropped: number;
  readonly deadLettered: number;
  readonly truncated: number;
  /** The first `notesMax` lines to which something else happened than to be forwarded. */
  readonly notes: readonly LineNote[];
  /** Why Kafka refused a batch with lines of this request; its records are in the dead letter. */
  readonly rejection: string | undefined;
  readonly refusal: RefusalReason | undefined;
  /** When it is worth to try again, where trying again may help; else 0. */
  readonly retryAfterMs: number;
}

/** Notes that one answer carries. */
export const notesMax = 100;

const noNotes: readonly LineNote[] = [];

/** The books of a request on its way. The intake and the placer write them. */
export class Submission {
  readonly request: SubmitRequest;
  /** Undefined where the answer does not wait for batches. */
  readonly receipt: Receipt | undefined;
  /** On the monotonic clock. */
  readonly deadlineMs: number;
  /** `placing` until the last line is placed, then `waiting` for the receipt. */
  state: "placing" | "waiting" | "answered" = "placing";
  /** Lines that are placed. */
  placed = 0;
  dropped = 0;
  deadLettered = 0;
  truncated = 0;
  #notes: LineNote[] | undefined;
  #notedLine = -1;
  #notedState: LineNote["state"] | undefined;

  constructor(request: SubmitRequest, deadlineMs: number, fulfilled: (submission: Submission) => void) {
    this.request = request;
    this.deadlineMs = deadlineMs;
    this.receipt = request.until === "memory" ? undefined : new Receipt(request.until, () => fulfilled(this));
  }

  /** Counts line `row` of the rows that are placed now; `placed` is the first of them. Copies of a line count once. */
  note(row: number, state: LineNote["state"], reason: string): void {
    const line = this.placed + row;
    if (line === this.#notedLine && state === this.#notedState) return;
    this.#notedLine = line;
    this.#notedState = state;
    if (state === "dropped") this.dropped++;
    else if (state === "dead_lettered") this.deadLettered++;
    else this.truncated++;
    const notes = this.#notes ??= [];
    if (notes.length < notesMax) notes.push({ line, state, reason });
  }

  /** The answer. */
  result(
    kind: SubmissionResult["kind"],
    refusal: RefusalReason | undefined,
    retryAfterMs: number,
  ): SubmissionResult {
    return {
      kind,
      reached: this.receipt?.reached ?? "memory",
      placed: this.placed,
      dropped: this.dropped,
      deadLettered: this.deadLettered,
      truncated: this.truncated,
      notes: this.#notes ?? noNotes,
      rejection: this.receipt?.rejection,
      refusal,
      retryAfterMs,
    };
  }
}
