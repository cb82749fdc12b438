/**
 * What the compiled closures of a program see of the line at hand: one object per program, moved from line to line.
 * Hot path: nothing is allocated per line.
 *
 * Once a rule redacted the line, everything that is asked here from the message or the frame gives the redacted
 * text: later matchers, templates and forwards cannot leak what was taken out. Header fields stay as they came.
 *
 * @module
 */

import type { JsonMembers } from "./json_members.ts";
import { parseJsonText } from "./json_text.ts";
import type { FieldName, Line, ValueSource } from "./program.ts";
import { StepBudget } from "./step_budget.ts";

/** The slot of the variable `value`; named groups follow it. */
export const valueSlot = 0;

/** Rewrites a text; undefined where that cannot be done within bounds. */
export type Redact = (text: string) => string | undefined;

/** Header fields whose text is kept while the line is at hand. */
const cachedFields: readonly FieldName[] = [
  "hostname",
  "appname",
  "severity",
  "facility",
  "procid",
  "msgid",
  "timestamp",
  "peer",
];

/** Not parsed; `undefined` is an answer. */
const unparsed = Symbol("unparsed");

/** State of the line at hand, for matchers, templates and actions. */
export class LineContext {
  line!: Line;
  /** Variables that the rule at hand set when it matched, by slot. */
  readonly slots: string[];
  /** What `forward` sends unless it says otherwise: the message until merge or replace made a text. */
  outputSource: ValueSource = "message";
  output = "";
  /** Where the output's bytes lie where its source is "bytes". */
  outputStart = 0;
  outputEnd = 0;
  /** True if what is done with this line ends after the rule at hand, as hotdog's failed merge asks. */
  stopsAfterRule = false;
  /** True if the line was to be redacted and could not be within bounds. */
  redactionFailed = false;
  /** Reason and text of a failure, written by who answers "failed". */
  reason = "";
  failure = "";

  /** Variables of `set` and `parse_json`, by slot of the program; undefined until an action sets them. */
  readonly #variables: unknown[] = [];
  #hasVariables = false;
  /** Texts of `cachedFields`, each good for the line whose number stands beside it. */
  readonly #texts: (string | undefined)[] = cachedFields.map(() => undefined);
  readonly #budget: StepBudget;
  readonly #textLines = new Float64Array(cachedFields.length);
  #lineNumber = 0;
  /** The result of the rule's JMESPath: parsed, or a node of the members. */
  #value: unknown = undefined;
  #valueMembers: JsonMembers | undefined = undefined;
  #valueNode = 0;
  #message: string | undefined;
  #raw: string | undefined;
  /** What to do to the frame's text once it is asked for. */
  readonly #redactors: Redact[] = [];
  #messageRedacted = false;
  #json: unknown = unparsed;
  #isoMs = Number.NaN;
  #iso = "";

  constructor(slotCount: number, nowMs: () => number = () => performance.now()) {
    this.#budget = new StepBudget(nowMs);
    this.slots = Array.from({ length: slotCount }, () => "");
  }

  /** Moves to `line`. */
  begin(line: Line): void {
    this.line = line;
    this.#lineNumber++;
    this.#budget.begin();
    this.#message = undefined;
    this.#raw = undefined;
    this.stopsAfterRule = false;
    this.redactionFailed = false;
    if (this.#hasVariables) {
      this.#variables.fill(undefined);
      this.#hasVariables = false;
    }
    if (this.#redactors.length > 0) {
      this.#redactors.length = 0;
      this.#messageRedacted = false;
      this.#json = unparsed;
    }
  }

  /** Takes `steps` of what all rules may do with the line; false, with reason and failure, if they did as much. */
  spend(steps: number): boolean {
    if (this.#budget.take(steps)) return true;
    this.reason = "regex_too_costly";
    this.failure = `the rules together take too long with the line`;
    return false;
  }

  /** The message as text; empty where the line has none. */
  message(): string {
    return this.#message ??= this.line.text("msg") ?? "";
  }

  /** The frame as text, or undefined where it could not be redacted within bounds. */
  raw(): string | undefined {
    if (this.#raw !== undefined) return this.#raw;
    let text: string | undefined = this.line.text("raw") ?? "";
    for (let i = 0; i < this.#redactors.length && text !== undefined; i++) text = this.#redactors[i](text);
    return this.#raw = text;
  }

  /** The message parsed as JSON, at most once; undefined where it is not JSON. Not to be changed. */
  json(): unknown {
    if (!this.#messageRedacted) return this.line.json();
    if (this.#json === unparsed) {
      this.#json = parseJsonText(this.message());
    }
    return this.#json;
  }

  /** The members of the message as its bytes have them; undefined where `json` has to be asked. */
  members(): JsonMembers | undefined {
    return this.#messageRedacted ? undefined : this.line.members?.();
  }

  /** The result of the rule's JMESPath with its JSON type; undefined where it has none. */
  value(): unknown {
    if (this.#valueNode !== 0) this.setValue(parseJsonText(this.#valueMembers!.json(this.#valueNode)));
    return this.#value;
  }

  /** Sets what `value` gives. */
  setValue(value: unknown): void {
    this.#value = value;
    this.#valueNode = 0;
  }

  /** The same, parsed when somebody asks. */
  setValueNode(members: JsonMembers, node: number): void {
    this.#valueMembers = members;
    this.#valueNode = node;
  }

  /** A header field, decoded once per line; `index` is from `cachedFieldIndex`. */
  field(index: number): string | undefined {
    if (this.#textLines[index] !== this.#lineNumber) {
      this.#textLines[index] = this.#lineNumber;
      this.#texts[index] = this.line.text(cachedFields[index]);
    }
    return this.#texts[index];
  }

  /** True if message or frame begin with `prefix` (ASCII); asks without decoding a text. */
  startsWith(field: "msg" | "raw", prefix: string): boolean {
    if (this.#redactors.length === 0) return this.line.startsWith(field, prefix);
    return (field === "msg" ? this.message() : this.raw())?.startsWith(prefix) === true;
  }

  /** True once a rule redacted the line: its bytes are not what may be sent or searched. */
  get redacted(): boolean {
    return this.#redactors.length > 0;
  }

  /** True if redaction changed the message. */
  get messageRedacted(): boolean {
    return this.#messageRedacted;
  }

  /** Redacts the message, what was made of it, and, when it is asked for, the frame. False: out of bounds. */
  redact(redact: Redact): boolean {
    const before = this.message();
    const message = redact(before);
    if (message === undefined) return false;
    // Spliced bytes are redacted as text too.
    if (this.outputSource === "bytes") this.setOutput(this.outputText());
    if (this.outputSource === "text") {
      const output = this.output === before ? message : redact(this.output);
      if (output === undefined) return false;
      this.output = output;
    }
    this.#redactors.push(redact);
    this.#raw = undefined;
    if (message === before) return true;
    this.#message = message;
    this.#messageRedacted = true;
    this.#json = unparsed;
    if (this.outputSource === "message") this.resetOutput();
    return true;
  }

  /** Forgets what merge and replace of an earlier rule made of the line. */
  resetOutput(): void {
    if (this.#messageRedacted) this.setOutput(this.message());
    else this.outputSource = "message";
  }

  /** Sets what `forward` sends. */
  setOutput(text: string): void {
    this.outputSource = "text";
    this.output = text;
  }

  /** Sets what `forward` sends to bytes that the line wrote. */
  setOutputBytes(start: number, end: number): void {
    this.outputSource = "bytes";
    this.outputStart = start;
    this.outputEnd = end;
  }

  /** What `forward` sends, as text. */
  outputText(): string {
    if (this.outputSource === "bytes") return this.line.splicedText!(this.outputStart, this.outputEnd);
    return this.outputSource === "text" ? this.output : this.message();
  }

  /** The variable in `slot` of the program, undefined where no action set it on this line. */
  variable(slot: number): unknown {
    return slot < this.#variables.length ? this.#variables[slot] : undefined;
  }

  /** All variables that actions set on this line, by slot; for traces. */
  get variables(): readonly unknown[] {
    return this.#variables;
  }

  /** Sets a variable for the rest of the line. */
  setVariable(slot: number, value: unknown): void {
    while (this.#variables.length <= slot) this.#variables.push(undefined);
    this.#variables[slot] = value;
    this.#hasVariables = true;
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

/** Where `LineContext.field` keeps the text of a header field, or -1 for a field that is not one. */
export function cachedFieldIndex(field: string): number {
  return (cachedFields as readonly string[]).indexOf(field);
}

function isoOf(ms: number): string {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? "" : `${date.toISOString().slice(0, -1)}+00:00`;
}
