/**
 * One line's way through the rules, step by step: each rule that was tried, why it did not match, its variables,
 * what each action did, and how long it took.
 *
 * The rules are those of `compileRules` with something to watch around every matcher and action, so that a trace
 * cannot say anything else than what traffic gets. A tracer is a program of its own: what its rules remember
 * (throttle) is what passed through it, and counters of traffic stay as they are. Times are of one run that nobody
 * warmed up: they tell the dear rule from the cheap one, not what a line costs.
 *
 * @module
 */

import type { RuleSet } from "../config/config.ts";
import { messageOf } from "../core/errors.ts";
import type { CompiledAction } from "./actions.ts";
import { done, failed } from "./actions.ts";
import { type CompileOptions, compileRules, type RuleFault, ruleName } from "./compile.ts";
import { explainLine, type LineResult, recordOf, type SentRecord } from "./explain.ts";
import type { LineContext } from "./line_context.ts";
import type { WrittenMatcher } from "./matcher_schema.ts";
import type { Line, Outcome, Program } from "./program.ts";
import { matched, noMatch } from "./regex.ts";
import type { CompiledRule } from "./rules_program.ts";
import type { Action } from "./schema.ts";
import { matcherText, shorten, whyNot } from "./why_not.ts";

/** Rules without a match that a trace lists; the others are counted. */
export const missesMax = 1_000;
/** Values and variables are cut at this many characters. */
export const tracedCharsMax = 4_096;

/** What one action did. */
export interface ActionTrace {
  readonly type: string;
  /**
   * `sent`: `records`; `changed`: `value` is what a later forward sends; `set`: `variables`; `ended` and `failed` say
   * why; `nothing`: goes on.
   */
  readonly did: "sent" | "changed" | "set" | "ended" | "failed" | "nothing";
  readonly records?: readonly SentRecord[];
  readonly value?: string;
  readonly variables?: Readonly<Record<string, string>>;
  readonly reason?: string;
  readonly message?: string;
  readonly us: number;
}

/** One rule that was tried. */
export interface RuleTrace {
  readonly rule: number;
  readonly name: string;
  readonly file: string;
  readonly line: number;
  /** The matcher in words: `msg regex ^hello`. */
  readonly matcher: string;
  readonly matched: boolean;
  /** Why it did not match, or could not be tried. */
  readonly why?: string;
  /** What the matcher set. */
  readonly variables?: Readonly<Record<string, string>>;
  readonly actions?: readonly ActionTrace[];
  /** The matcher's time, and that of the whole rule, microseconds. */
  readonly match_us: number;
  readonly us: number;
}

/** A line's way. */
export interface Trace {
  /** The line's fields, as matchers and templates see them; those it has not are missing. */
  readonly fields: Readonly<Record<string, string>>;
  /** Rules in the order they were tried. */
  readonly rules: readonly RuleTrace[];
  /** Rules that were tried without a match, beyond `missesMax`. */
  readonly misses_not_listed: number;
  /** Rules behind the one that ended the line. */
  readonly not_tried: number;
  /** Index of the rule that decided, -1 for none. */
  readonly decided_by: number;
  readonly result: LineResult | UnfinishedResult;
  readonly us: number;
}

/** The time for a trace was up before the rules came to an end. */
export interface UnfinishedResult {
  readonly kind: "unfinished";
  readonly limit: "trace_time";
}

/** Traces lines through one rule set. */
export class RuleTracer {
  readonly #program: Program;
  readonly #recorder: Recorder;

  private constructor(program: Program, recorder: Recorder) {
    this.#program = program;
    this.#recorder = recorder;
  }

  /**
   * Compiles the rules to be watched. `clockMs` need only be steady and fine. A line on which the rules spend more
   * than `msMax` is left where it is.
   */
  static compile(
    ruleSet: RuleSet,
    options: Omit<CompileOptions, "watch">,
    clockMs: () => number,
    msMax = Infinity,
  ): { readonly ok: true; readonly tracer: RuleTracer } | {
    readonly ok: false;
    readonly faults: readonly RuleFault[];
  } {
    const recorder = new Recorder(ruleSet, clockMs, msMax);
    const compiled = compileRules(ruleSet, { ...options, watch: (rule, at) => recorder.watch(rule, at) });
    if (!compiled.ok) return compiled;
    return { ok: true, tracer: new RuleTracer(compiled.program, recorder) };
  }

  /** Runs the rules over the line; what it says outlives the line. */
  trace(line: Line): Trace {
    const recorder = this.#recorder;
    recorder.begin();
    const explanation = explainLine(this.#program, line);
    return {
      fields: fieldsOf(line),
      rules: recorder.rules,
      misses_not_listed: recorder.missesNotListed,
      not_tried: this.#program.names.length - recorder.tried,
      decided_by: explanation.decidedBy,
      result: recorder.isLate
        ? { kind: "unfinished", limit: "trace_time" }
        : shortenResult(explanation.result),
      us: microseconds(recorder.spentMs),
    };
  }
}

/** A rule's trace while it is made. */
interface OpenRule extends Omit<RuleTrace, "us"> {
  us: number;
  readonly actions: ActionTrace[];
}

/** Writes down what the watched closures do. */
class Recorder {
  readonly #ruleSet: RuleSet;
  readonly #clockMs: () => number;
  readonly #msMax: number;
  rules: RuleTrace[] = [];
  tried = 0;
  missesNotListed = 0;
  /** What matchers and actions took, without the writing down. */
  spentMs = 0;
  #misses = 0;

  constructor(ruleSet: RuleSet, clockMs: () => number, msMax: number) {
    this.#ruleSet = ruleSet;
    this.#clockMs = clockMs;
    this.#msMax = msMax;
  }

  /** True once the time is up; the rules behind are then not tried. */
  get isLate(): boolean {
    return this.spentMs > this.#msMax;
  }

  begin(): void {
    this.rules = [];
    this.tried =
      this.missesNotListed =
      this.spentMs =
      this.#misses =
        0;
  }

  watch(rule: CompiledRule, index: number): CompiledRule {
    const source = this.#ruleSet.rules[index];
    const value = source.value as WrittenMatcher & { readonly actions: readonly Action[] };
    const place = {
      rule: index,
      name: ruleName(source),
      file: source.file,
      line: source.line,
      matcher: matcherText(value),
    };
    let open: OpenRule;
    const match = (context: LineContext) => {
      if (this.isLate) return noMatch;
      this.tried++;
      const beganMs = this.#clockMs();
      const result = rule.match(context);
      const us = this.#since(beganMs);
      const entry = { ...place, match_us: us, us };
      if (result === matched) {
        open = { ...entry, matched: true, variables: variablesOf(rule.slots, context), actions: [] };
        this.rules.push(open);
      } else if (result !== noMatch) {
        this.rules.push({ ...entry, matched: false, why: `${context.reason}: ${context.failure}` });
      } else if (this.#misses++ < missesMax) {
        this.rules.push({ ...entry, matched: false, why: whyNot(value, context) });
      } else this.missesNotListed++;
      return result;
    };
    const actions = rule.actions.map((action, at) =>
      this.#watchAction(action, value.actions[at], (trace) => {
        open.actions.push(trace);
        open.us = microseconds((open.us + trace.us) / 1000);
      })
    );
    return { ...rule, match, actions };
  }

  #watchAction(
    action: CompiledAction,
    written: Action,
    record: (trace: ActionTrace) => void,
  ): CompiledAction {
    const { type } = written;
    const run = (context: LineContext, outcome: Outcome) => {
      const sentBefore = outcome.count;
      const before = outputOf(context);
      const variables = [...context.variables];
      const beganMs = this.#clockMs();
      try {
        const signal = action.run(context, outcome);
        const us = this.#since(beganMs);
        const set = variableSetBy(written, variables, context.variables);
        record({ type, ...(set ?? didOf(context, outcome, signal, sentBefore, before)), us });
        return signal;
      } catch (error) {
        const us = this.#since(beganMs);
        record({ type, did: "failed", reason: "rule_failed", message: messageOf(error), us });
        throw error;
      }
    };
    return { ...action, run };
  }

  #since(beganMs: number): number {
    const ms = this.#clockMs() - beganMs;
    this.spentMs += ms;
    return microseconds(ms);
  }
}

function didOf(
  context: LineContext,
  outcome: Outcome,
  signal: number,
  sentBefore: number,
  before: string | undefined,
): Omit<ActionTrace, "type" | "us"> {
  if (signal === failed) return { did: "failed", reason: context.reason, message: context.failure };
  if (outcome.count > sentBefore) {
    const records = outcome.forwards.slice(sentBefore, outcome.count).map((forward) =>
      shortenRecord(recordOf(forward, context.line))
    );
    return { did: "sent", records };
  }
  if (signal === done) return { did: "ended", reason: outcome.reason };
  const after = outputOf(context);
  if (after !== undefined && after !== before) {
    return { did: "changed", value: shorten(after, tracedCharsMax) };
  }
  if (context.stopsAfterRule) return { did: "nothing", message: "the line ends after this rule" };
  return { did: "nothing" };
}

/** The text that rules made so far; undefined while it is the message. */
function outputOf(context: LineContext): string | undefined {
  return context.outputSource === "message" ? undefined : context.outputText();
}

function variablesOf(slots: ReadonlyMap<string, number>, context: LineContext): Record<string, string> {
  return Object.fromEntries(
    [...slots].map(([name, slot]) => [name, shorten(variableText(name, slot, context), tracedCharsMax)]),
  );
}

function variableText(name: string, slot: number, context: LineContext): string {
  return name === "value" ? anyText(context.value()) : context.slots[slot];
}

/** Text as it is, anything else as JSON. */
function anyText(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value) ?? "";
}

/** What `set` or `parse_json` set anew. */
function variableSetBy(
  action: Action,
  before: readonly unknown[],
  after: readonly unknown[],
): Omit<ActionTrace, "type" | "us"> | undefined {
  if (action.type !== "set" && action.type !== "parse_json") return undefined;
  const slot = after.findIndex((value, at) => value !== before[at]);
  if (slot < 0) return undefined;
  const { name = "json" } = action as { readonly name?: string };
  return { did: "set", variables: { [name]: shorten(anyText(after[slot]), tracedCharsMax) } };
}

const shownFields = [
  "peer",
  "facility",
  "severity",
  "timestamp",
  "hostname",
  "appname",
  "procid",
  "msgid",
  "msg",
] as const;

function fieldsOf(line: Line): Record<string, string> {
  return Object.fromEntries(shownFields.flatMap((field) => {
    const text = line.text(field);
    return text === undefined ? [] : [[field, shorten(text, tracedCharsMax)]];
  }));
}

function shortenResult(result: LineResult): LineResult {
  return "records" in result ? { ...result, records: result.records.map(shortenRecord) } : result;
}

function shortenRecord(record: SentRecord): SentRecord {
  const { key, value } = record;
  return {
    ...record,
    key: key === undefined ? undefined : shorten(key, tracedCharsMax),
    value: shorten(value, tracedCharsMax),
  };
}

/** Tenths of a microsecond; finer is noise. */
function microseconds(ms: number): number {
  return Math.round(ms * 10_000) / 10;
}
