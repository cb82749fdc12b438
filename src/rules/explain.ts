/**
 * What rules do with a line, as data that outlives the line: for `corndog test`, in-file tests and people.
 *
 * @module
 */

import { fallbackForward } from "./forward.ts";
import type { RecordHeaders } from "./headers.ts";
import type { Forward, Line, Outcome, Program } from "./program.ts";

/** One record that would be sent. */
export interface SentRecord {
  readonly topic: string;
  readonly topicFromLine: boolean;
  readonly key: string | undefined;
  /** Missing where there are none. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Missing where the producer chooses. */
  readonly partition?: number;
  /** The value as text; a message or frame that is not UTF-8 has U+FFFD where it is not. */
  readonly value: string;
  /** True if the value is the line's own bytes, unchanged. */
  readonly unchanged: boolean;
}

/** What became of a line. `default` is the record that lines get which no rule forwards. */
export type LineResult =
  | { readonly kind: "forward" | "default"; readonly records: readonly SentRecord[] }
  | { readonly kind: "drop"; readonly reason: string; readonly message: string }
  | { readonly kind: "dead_letter"; readonly reason: string; readonly message: string };

/** A line, explained. */
export interface Explanation {
  /** The rules that matched, in order. */
  readonly matched: readonly { readonly rule: number; readonly name: string }[];
  /** The rule that decided, -1 for none. */
  readonly decidedBy: number;
  readonly result: LineResult;
}

/** Runs the rules over a line and says which matched and what would be sent. Hit counters stay as they are. */
export function explainLine(program: Program, line: Line): Explanation {
  const before = program.hits.slice();
  const outcome = program.apply(line);
  const matched = program.names.flatMap((name, rule) =>
    program.hits[rule] > before[rule] ? [{ rule, name }] : []
  );
  program.hits.set(before);
  return { matched, decidedBy: outcome.rule, result: resultOf(outcome, line, program) };
}

function resultOf(outcome: Outcome, line: Line, program: Program): LineResult {
  switch (outcome.kind) {
    case "forward":
      return {
        kind: "forward",
        records: outcome.forwards.slice(0, outcome.count).map((forward) => recordOf(forward, line)),
      };
    case "default":
      return { kind: "default", records: [recordOf(fallbackForward(program), line)] };
    case "drop":
    case "dead_letter":
      return { kind: outcome.kind, reason: outcome.reason, message: outcome.message };
  }
}

/** A record as data that outlives the line. */
export function recordOf(forward: Forward, line: Line): SentRecord {
  const { topic, topicFromLine, key, headers, partition } = forward;
  const value = valueOf(forward, line);
  return {
    topic,
    topicFromLine,
    key,
    ...(headers === undefined ? {} : { headers: headersOf(headers) }),
    ...(partition < 0 ? {} : { partition }),
    value,
    unchanged: forward.value === "message" || forward.value === "raw",
  };
}

function valueOf(forward: Forward, line: Line): string {
  switch (forward.value) {
    case "text":
      return forward.text;
    case "bytes":
      return line.splicedText!(forward.start, forward.end);
    case "message":
      return line.text("msg") ?? "";
    case "raw":
      return line.text("raw") ?? "";
  }
}

function headersOf({ names, values }: RecordHeaders): Record<string, string> {
  return Object.fromEntries(names.map((name, at) => [name, values[at]]));
}
