/**
 * Traces raw frames: parsed by the kernel, taken through the rules step by step, topics judged as a worker does.
 *
 * @module
 */
import type { Config, RuleSet } from "../config/config.ts";
import { locateInRule } from "../config/rule_files.ts";
import type { Fault } from "../core/errors.ts";
import {
  type ActionTrace,
  type RuleTrace,
  RuleTracer,
  type Trace,
  type UnfinishedResult,
} from "../rules/trace.ts";
import { type JudgedResult, TopicVerdicts } from "./topic_verdicts.ts";
import { LineReader } from "./try_rules.ts";

/** A trace whose topics are judged. */
export interface LineTrace extends Omit<Trace, "result"> {
  readonly result: JudgedResult | UnfinishedResult;
}

/** Traces lines, one after the other, through one rule set. */
export class LineTracer {
  readonly #tracer: RuleTracer;
  readonly #verdicts: TopicVerdicts;
  readonly #reader = new LineReader();

  private constructor(tracer: RuleTracer, verdicts: TopicVerdicts) {
    this.#tracer = tracer;
    this.#verdicts = verdicts;
  }

  /** Compiles the rules to be watched; or all that is wrong with them. `msMax` bounds the rules' time for one line. */
  static compile(
    ruleSet: RuleSet,
    version: string,
    config: Pick<Config, "kafka" | "deadLetter">,
    msMax?: number,
  ): { readonly ok: true; readonly tracer: LineTracer } | {
    readonly ok: false;
    readonly faults: readonly Fault[];
  } {
    const compiled = RuleTracer.compile(
      ruleSet,
      { version, defaultTopic: config.kafka.topic },
      () => performance.now(),
      msMax,
    );
    if (!compiled.ok) return { ok: false, faults: compiled.faults.map(locateInRule) };
    return { ok: true, tracer: new LineTracer(compiled.tracer, new TopicVerdicts(config)) };
  }

  /** `frame` is one frame as it comes from the wire, without its delimiter. */
  trace(frame: string | Uint8Array, nowMs?: number, peer?: string): LineTrace {
    const trace = this.#tracer.trace(this.#reader.read(frame, nowMs, peer));
    return {
      ...trace,
      rules: trace.rules.map((rule) => this.#judged(rule)),
      result: trace.result.kind === "unfinished" ? trace.result : this.#verdicts.result(trace.result),
    };
  }

  #judged(rule: RuleTrace): RuleTrace {
    if (rule.actions === undefined) return rule;
    const actions = rule.actions.map((action): ActionTrace =>
      action.records === undefined
        ? action
        : { ...action, records: action.records.map((record) => this.#verdicts.record(record)) }
    );
    return { ...rule, actions };
  }
}
