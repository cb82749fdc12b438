/**
 * A line whose rules have run and which waits with what they made of it: it is given again later, and its rules do
 * not run twice.
 *
 * @module
 */
import { copyHeaders } from "../rules/headers.ts";
import type { Forward, Outcome, Program } from "../rules/program.ts";
import type { FrameLine } from "./frame_line.ts";
import type { LineTrace } from "./line_trace.ts";

/** A line whose rules have run and whose copies are not all placed. */
export interface PendingLine {
  readonly outcome: Outcome;
  /** The program that made the outcome; another one may be in force by now. */
  readonly program: Program;
  /** The frame's redacted text, where rules redacted the line. */
  readonly redactedFrame: string | undefined;
  next: number;
  /** Where somebody follows the line. */
  readonly trace?: LineTrace | undefined;
}

/** The program reuses its outcome for the next line; one that waits needs its own. */
export function copyOf(outcome: Outcome, line: FrameLine): Outcome {
  return { ...outcome, forwards: outcome.forwards.slice(0, outcome.count).map((one) => kept(one, line)) };
}

/** Bytes that the line wrote are gone with it; the copy has their text. */
function kept(forward: Forward, line: FrameLine): Forward {
  const headers = forward.headers === undefined ? undefined : copyHeaders(forward.headers);
  if (forward.value !== "bytes") return { ...forward, headers };
  return { ...forward, headers, value: "text", text: line.splicedText(forward.start, forward.end) };
}
