/**
 * What the admin API shows of lines as they pass, and of the way of one line.
 *
 * @module
 */
import type { FieldName } from "../rules/program.ts";

/** Which lines a tap shows. */
export interface TapFilter {
  readonly connection?: string;
  /** Part of the peer's address. */
  readonly peer?: string;
  readonly topic?: string;
  readonly rule?: string;
  /** A field of the line that must have exactly this text. */
  readonly field?: { readonly name: FieldName; readonly value: string };
  /** Part of the lines that is looked at, above 0, at most 1. */
  readonly sample: number;
  /** True where the text of lines is to be shown. */
  readonly payload: boolean;
  /** True where lines are followed to their acknowledgement, and told then. */
  readonly trace?: boolean;
}

/** One stage that a line, or a copy of it, passed. */
export interface TraceStep {
  readonly stage: string;
  /** Since the chunk with the line came, and how long it took; milliseconds. */
  readonly at_ms: number;
  readonly ms: number;
  readonly topic?: string;
  readonly partition?: number;
  readonly broker?: string;
  /** It is there still. */
  readonly unfinished?: boolean;
}

/** A line's way. */
export interface LineTraceView {
  readonly steps: readonly TraceStep[];
  /** `spooled`: the disk alone has it, it will be sent later; `unfinished`: not at its end in time. */
  readonly end: "delivered" | "spooled" | "dead_lettered" | "dropped" | "unfinished";
  readonly ms: number;
}

/** One line that passed. */
export interface TapEvent {
  readonly at: string;
  readonly worker: number;
  readonly connection?: string;
  readonly peer: string;
  readonly outcome: "forward" | "default" | "drop" | "dead_letter";
  /** The rule that decided. */
  readonly rule?: string;
  readonly topics: readonly string[];
  readonly reason?: string;
  readonly severity: string;
  readonly hostname: string;
  readonly appname: string;
  readonly bytes: number;
  /** The beginning of the frame, where it was asked for and no rule has redacted the line. */
  readonly text?: string;
  /** Where it was followed. */
  readonly trace?: LineTraceView;
}

/** Takes what a tap saw: lines, and how many were left out for want of room. */
export type TapSink = (events: readonly TapEvent[], leftOut: number) => void;
