/**
 * The compiled rules at work on one line after the other.
 *
 * @module
 */

import { messageOf } from "../core/errors.ts";
import { type CompiledAction, done, failed, goOn } from "./actions.ts";
import { emptyForward } from "./forward.ts";
import { forwardRedacted } from "./forward_action.ts";
import { LineContext, valueSlot } from "./line_context.ts";
import type { Match } from "./leaf_matcher.ts";
import { Prefilter } from "./prefilter.ts";
import type { Needs } from "./prefilter_needs.ts";
import type { Line, Outcome, Program } from "./program.ts";
import { noMatch, type RegexClass, tooCostly } from "./regex.ts";
import { linesPerSample, RuleTimes } from "./rule_times.ts";
import { charsPerStep, searchStepsMax, sliceSteps } from "./step_budget.ts";
import { warmUp } from "./warm_up.ts";

/** With fewer rules to tell apart, trying them all is cheaper (bench/rules.ts). */
const filteredRulesMin = 10;

/** One rule, ready to run. */
export interface CompiledRule {
  readonly name: string;
  readonly match: Match;
  /** Matches every line. */
  readonly always: boolean;
  /** What a line must have to match. */
  readonly needs: Needs;
  /** How the patterns of its matcher are run. */
  readonly engines: readonly RegexClass[];
  readonly actions: readonly CompiledAction[];
  readonly readsHeader: boolean;
  /** Variables that its matcher may set, with their slot. */
  readonly slots: ReadonlyMap<string, number>;
  readonly slotCount: number;
}

/** What every line gets, where the first rule (or the want of rules) decides that alone. */
function uniformOf(rules: readonly CompiledRule[], fallback: Program["fallback"]): Program["uniform"] {
  const first = rules.at(0);
  if (first === undefined) return { ...fallback, rule: -1 };
  const uniform = first.always ? first.actions.at(0)?.uniform : undefined;
  return uniform === undefined ? undefined : { ...uniform, rule: 0 };
}

/** The prefilter of so many rules, where it saves more trials than it costs. */
function prefilterOf(rules: readonly CompiledRule[]): Prefilter | undefined {
  const prefilter = new Prefilter(rules.map(({ needs }) => needs));
  return rules.length - prefilter.unfiltered.length >= filteredRulesMin ? prefilter : undefined;
}

/** Steps of a rule on a line of so many bytes, and of each of its actions: a line of any length has a few. */
function trialStepsOf(bytes: number): number {
  return Math.min(1 + bytes / charsPerStep, sliceSteps);
}

/** The rules at work. Hot path: `apply` allocates nothing of its own. */
export class RulesProgram implements Program {
  readonly uniform: Program["uniform"];
  readonly needsHeaders: boolean;
  readonly names: readonly string[];
  readonly hits: Float64Array;
  readonly times: RuleTimes;
  readonly fallback: Program["fallback"];
  tried = new Int32Array(1);
  readonly #rules: readonly CompiledRule[];
  readonly #prefilter: Prefilter | undefined;
  readonly #context: LineContext;
  readonly #outcome: Outcome;

  #lines = 0;
  #sampled = false;

  constructor(rules: readonly CompiledRule[], fallback: Program["fallback"]) {
    this.#rules = rules;
    this.#prefilter = prefilterOf(rules);
    this.fallback = fallback;
    this.names = rules.map(({ name }) => name);
    this.times = new RuleTimes(rules.length, () => performance.now());
    this.hits = new Float64Array(rules.length);
    this.needsHeaders = fallback.value === "message" || rules.some((rule) => rule.readsHeader);
    this.uniform = uniformOf(rules, fallback);
    this.#context = new LineContext(Math.max(valueSlot + 1, ...rules.map((rule) => rule.slotCount)));
    const tried = this.#prefilter === undefined
      ? rules
      : this.#prefilter.unfiltered.map((rule) => rules[rule]);
    warmUp(tried.map(({ match }) => match), this.#context);
    // Every forward action runs once per line at most.
    const forwardsMax = rules.flatMap((rule) => rule.actions).filter((action) => action.forwards).length;
    // One more for a redacted line that goes where lines go that no rule forwards.
    this.#outcome = {
      kind: "default",
      count: 0,
      forwards: Array.from({ length: forwardsMax + 1 }, emptyForward),
      reason: "",
      message: "",
      rule: -1,
      redaction: "none",
    };
  }

  apply(line: Line): Outcome {
    this.#sampled = (this.#lines++ & (linesPerSample - 1)) === 0;
    const outcome = this.#tryRules(line);
    this.tried[0] = 0;
    if (this.#context.redacted && outcome.redaction === "none") outcome.redaction = "done";
    if (this.#sampled) this.times.lap(-1);
    return outcome;
  }

  redactedFrame(): string | undefined {
    return this.#context.raw();
  }

  #tryRules(line: Line): Outcome {
    const outcome = this.#outcome;
    const context = this.#context;
    outcome.kind = "default";
    outcome.count = 0;
    outcome.reason = "";
    outcome.message = "";
    outcome.rule = -1;
    outcome.redaction = "none";
    context.begin(line);
    const { frame } = line;
    let filter = frame === undefined ? undefined : this.#prefilter;
    const count = this.#rules.length;
    const trialSteps = frame === undefined ? 1 : trialStepsOf(frame.end - frame.start);
    let index = 0;
    try {
      if (filter !== undefined) {
        filter.look(context, frame!);
        index = filter.next(0);
      }
      for (; index < count; index = filter === undefined ? index + 1 : filter.next(index + 1)) {
        const rule = this.#rules[index];
        if (this.#sampled) this.times.lap(index);
        this.tried[0] = index + 1;
        if (!context.spend(trialSteps)) return this.#fail(index);
        const matches = rule.match(context);
        if (matches === noMatch) continue;
        if (matches === tooCostly) return this.#fail(index);
        if (!context.spend(Math.min(trialSteps * rule.actions.length, searchStepsMax))) {
          return this.#fail(index);
        }
        this.hits[index]++;
        const sentBefore = outcome.count;
        const signal = this.#run(rule);
        if (outcome.count > sentBefore) outcome.rule = index;
        if (signal === done) return this.#end(index);
        if (signal === failed) return this.#fail(index);
        // The later rules see another text than the bytes.
        if (context.redacted) filter = undefined;
      }
    } catch (error) {
      context.reason = "rule_failed";
      context.failure = messageOf(error);
      return this.#fail(index);
    }
    if (outcome.count > 0) outcome.kind = "forward";
    else if (context.redacted) return this.#sendRedacted();
    return outcome;
  }

  /** No rule forwards the line or ends it, and its bytes must not go out as they came. */
  #sendRedacted(): Outcome {
    if (!forwardRedacted(this.#context, this.#outcome, this.fallback)) return this.#fail(-1);
    this.#outcome.kind = "forward";
    return this.#outcome;
  }

  #run(rule: CompiledRule): 0 | 1 | 2 {
    const context = this.#context;
    const actions = rule.actions;
    context.resetOutput();
    for (let i = 0; i < actions.length; i++) {
      const signal = actions[i].run(context, this.#outcome);
      if (signal !== goOn) return signal;
    }
    if (!context.stopsAfterRule) return goOn;
    this.#outcome.reason = "rule_stop";
    return done;
  }

  /** Copies that went out before stay; a line without any was dropped by the action that ended it. */
  #end(rule: number): Outcome {
    const outcome = this.#outcome;
    outcome.rule = rule;
    if (outcome.count > 0) {
      outcome.kind = "forward";
      outcome.reason = "";
    } else {
      outcome.kind = "drop";
      outcome.message = this.names[rule];
    }
    return outcome;
  }

  #fail(rule: number): Outcome {
    const outcome = this.#outcome;
    outcome.kind = "dead_letter";
    outcome.count = 0;
    outcome.rule = rule;
    outcome.reason = this.#context.reason;
    if (this.#context.redactionFailed) outcome.redaction = "failed";
    const { failure } = this.#context;
    outcome.message = rule < 0 ? failure : `rule "${this.names[rule]}": ${failure}`;
    return outcome;
  }
}
