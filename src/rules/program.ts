/**
 * What a compiled set of rules is to the pipeline: one call per line, or none where the answer is always the same.
 *
 * A program is pure: it sees a `Line`, writes an `Outcome`, and knows no clock, socket or memory. Values that no
 * rule changed are named ("message", "raw"), never decoded; the pipeline copies their bytes from the frame.
 *
 * @module
 */

import type { RuleTimes } from "./rule_times.ts";
import type { Edits } from "./edits.ts";
import type { RecordHeaders } from "./headers.ts";
import type { JsonMembers } from "./json_members.ts";

/** A field that a rule or template may look at. `sd` is reached as `sd.<id>.<param>`. */
export type FieldName =
  | "msg"
  | "hostname"
  | "appname"
  | "severity"
  | "facility"
  | "procid"
  | "msgid"
  | "timestamp"
  | "peer"
  | "raw";

/** Where the bytes of a line are. Offsets in `bytes`; they change from line to line, `bytes` does not. */
export interface FrameBytes {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly messageStart: number;
  readonly end: number;
  /** True if all of the frame's bytes are below 0x80. */
  readonly isAscii: boolean;
}

/** One line as a rule sees it. The pipeline lends one object and moves it from row to row: nothing may keep it. */
export interface Line {
  /** The field as text (invalid UTF-8 becomes U+FFFD), or undefined where the line has none. Severity and facility are names ("err", "local0"). */
  text(field: FieldName): string | undefined;
  /** True if the bytes of the message or frame begin with `prefix` (ASCII); asks without decoding a text. */
  startsWith(field: "msg" | "raw", prefix: string): boolean;
  /** Numeric severity 0-7 or facility 0-23, or -1 without a priority. */
  severity(): number;
  facility(): number;
  /** A structured data parameter, unescaped. */
  structured(id: string, param: string): string | undefined;
  /**
   * The time in the header as RFC 3339 with its zone; undefined where there is none or it is no time. A line of a test
   * may leave this out: then the field is what it is.
   */
  time?(): string | undefined;
  /** All structured data as it was written (RFC 5424 6.3), or undefined where the line has none. */
  structuredData(): string | undefined;
  /** The message parsed as JSON, at most once per line; undefined where it is not JSON. Callers must not change it. */
  json(): unknown;
  /**
   * The members of a message that is a JSON object, read from its bytes; undefined where it is none, or where it is
   * parsed already or cannot be read so: then `json` knows. A line that keeps no bytes leaves this out.
   */
  members?(): JsonMembers | undefined;
  /**
   * Writes the message with `edits`, whose positions are those of `members`, as bytes from `splicedStart` to
   * `splicedEnd`, which stay until the next line. False where that is not exact (the message is not UTF-8) or finds no
   * room. A line that keeps no bytes leaves these four out.
   */
  splice?(edits: Edits): boolean;
  readonly splicedStart?: number;
  readonly splicedEnd?: number;
  /**
   * Writes the line's JSON form as bytes, from `splicedStart` to `splicedEnd` like `splice`. `time` are the members
   * that tell the time; without it a time that is written as RFC 3339 is taken as it stands, and `needs_time` is the
   * answer where it is not. False: the text has to be made. A line that keeps no bytes leaves it out.
   */
  writeJsonForm?(time: string | undefined): boolean | "needs_time";
  /** Spliced bytes as text. */
  splicedText?(start: number, end: number): string;
  /** Receive time of the line, epoch milliseconds. */
  readonly nowMs: number;
  /** The bytes of the line. Where a line keeps none, every rule is tried. */
  readonly frame?: FrameBytes;
}

/** Where a value comes from: bytes of the frame, text that a rule made, or bytes that the line wrote for a rule. */
export type ValueSource = "message" | "raw" | "text" | "bytes";

/** One record to send. Objects of this shape are reused: read them before the next line. */
export interface Forward {
  topic: string;
  /** True where the topic's text came from the line and not from the rule file alone; then it must be checked. */
  topicFromLine: boolean;
  value: ValueSource;
  /** The value where `value` is "text". */
  text: string;
  /** Where the value's bytes lie where `value` is "bytes". */
  start: number;
  end: number;
  /** undefined is a null key. */
  key: string | undefined;
  /** undefined is none. The values inside are reused too (`copyHeaders`). */
  headers: RecordHeaders | undefined;
  /** The partition that the rule chose, or -1 where the producer chooses. */
  partition: number;
}

/** Why a rule dropped a line; each is counted as `dropped_<reason>`. */
export type RuleDropReason = "rule_stop" | "rule_drop" | "rule_sample" | "rule_throttle";

/** What became of one line. One object per program, written anew by each `apply`. */
export interface Outcome {
  /** `forward`: `forwards[0..count)`. `drop`: a rule ended it, `reason` is a `RuleDropReason`. `dead_letter`: a rule failed or said so. `default`: no rule forwarded or ended it. */
  kind: "forward" | "drop" | "dead_letter" | "default";
  count: number;
  readonly forwards: Forward[];
  /** Constant name of the reason for `drop` (a `RuleDropReason`) and `dead_letter`. */
  reason: string;
  /** For people: why, with the rule's name. */
  message: string;
  /** Index of the rule that decided, -1 for none. */
  rule: number;
  /**
   * `done`: a rule redacted the line, its frame must not go anywhere as it came (`Program.redactedFrame`). `failed`:
   * a rule was to redact it and could not, so that what it holds is not known.
   */
  redaction: "none" | "done" | "failed";
}

/** A compiled rule set. */
export interface Program {
  /** True if no rule can change what every line gets: then `uniform` tells it, and `apply` need not be called. */
  readonly uniform:
    | { readonly topic: string; readonly value: "message" | "raw" | "json"; readonly rule: number }
    | undefined;
  /** One word, which may be shared: 1 + index of the rule that is tried at this moment, 0 outside of rules. */
  tried: Int32Array;
  /** Where a line goes that no rule forwards or ends (`default`), and what of it. */
  readonly fallback: { readonly topic: string; readonly value: "message" | "raw" };
  /** False if no rule looks at header fields or the message, so that headers need not be parsed. */
  readonly needsHeaders: boolean;
  /** The rules' names, by index, as in hit counters. */
  readonly names: readonly string[];
  /** Matches per rule, by index. The pipeline adds to the `uniform` rule's count itself, unless it is -1. */
  readonly hits: Float64Array;
  /** What each rule costs, sampled; nothing is sampled where `uniform` decides. */
  readonly times: RuleTimes;
  /** Runs the rules over one line. The outcome is valid until the next call. Never throws: a rule that fails gives `dead_letter`. */
  apply(line: Line): Outcome;
  /** The redacted text of the frame of the last line, where its redaction is `done`; undefined where that is out of bounds. */
  redactedFrame(): string | undefined;
}
