/**
 * What is known of the line that is placed now, beside its bytes: the request it came with, who follows it, and what
 * its rules did with it.
 *
 * @module
 */
import type { Outcome, Program } from "../rules/program.ts";
import type { LineTrace } from "./line_trace.ts";
import type { PendingLine } from "./pending_line.ts";
import type { Submission } from "./submission.ts";

/** One for all lines of a placer, changed from line to line. */
export class LineAtHand {
  /** The request whose lines are placed now. */
  submission: Submission | undefined;
  /** Who follows the line. */
  trace: LineTrace | undefined;
  redaction: Outcome["redaction"] = "none";
  /** What is kept of it where it waited. */
  pending: PendingLine | undefined;

  /** The redacted text of its frame; undefined where nothing was redacted, or it cannot be had. */
  frameText(program: Program): string | undefined {
    if (this.redaction !== "done") return undefined;
    return this.pending === undefined ? program.redactedFrame() : this.pending.redactedFrame;
  }
}
