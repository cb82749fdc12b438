/**
 * Writes the line at hand into the dead letter.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { Program } from "../rules/program.ts";
import type { FrameLine } from "./frame_line.ts";
import type { Letters } from "./letters.ts";
import type { LineAtHand } from "./line_at_hand.ts";

/** What a line waits for that found no place in the dead letter. */
export type LetterWait = "room" | "letters";

/** The lines of one placer. */
export class LineLetters {
  readonly #letters: Letters;
  readonly #line: FrameLine;
  readonly #hand: LineAtHand;

  constructor(letters: Letters, line: FrameLine, hand: LineAtHand) {
    this.#letters = letters;
    this.#line = line;
    this.#hand = hand;
  }

  /**
   * The line as its rules left it: what they redacted does not go there either. Undefined where it was taken, else
   * what it waits for.
   */
  write(
    program: Program,
    reason: string,
    message: string,
    topic?: string,
    rule?: string,
  ): LetterWait | undefined {
    const line = this.#line;
    const { redaction, submission, trace } = this.#hand;
    const frame = this.#hand.frameText(program);
    const redacted = redaction === "none" ? undefined : frame === undefined ? "failed" : "done";
    const wait = this.#letters.write({
      timeMs: line.nowMs,
      reason,
      message,
      kind: "line",
      rule,
      topic,
      peer: line.peer,
      truncated: line.truncated,
      redacted,
      value: frame === undefined ? line.raw : Buffer.from(frame),
    }, submission?.receipt ?? trace);
    if (wait !== undefined) return wait;
    trace?.lettered();
    submission?.note(line.row, "dead_lettered", reason);
    return undefined;
  }
}
