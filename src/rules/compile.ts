/**
 * Rules as written to a `Program`: everything is decided here, once, and all faults are told at once.
 *
 * Rules run in order. Where one matches, its actions run in order. `forward` ends the line unless it says
 * `continue: true`; `stop` and `drop` end it; a rule that fails gives the whole line to the dead letter, also where a
 * copy was to go out before, so that a replay of the dead letter does all of it. Without rules, or where no rule ends
 * or forwards a line, the outcome is `default`.
 *
 * Where the dialects differ:
 *
 * | | corndog | hotdog |
 * |---|---|---|
 * | merge into what is no JSON object | dead letter | the rule's other actions run, then the line ends |
 * | second merge in a rule | continues on the first | starts from the message again |
 * | `replace` that renders "" | sends "" | sends the message |
 * | unknown variable | fault at load | renders "" |
 *
 * @module
 */

import type { RuleSet, RuleSource } from "../config/config.ts";
import { messageOf } from "../core/errors.ts";
import { compileAction, type CompiledAction, done, failed, goOn } from "./actions.ts";
import { LineContext, valueSlot } from "./line_context.ts";
import { checkMatcher, type Match } from "./matcher.ts";
import type { Forward, Line, Outcome, Program } from "./program.ts";
import { noMatch, tooCostly } from "./regex.ts";
import { checkRule, checkTest, type Rule } from "./schema.ts";
import { RuleVariables } from "./variables.ts";

/** What rules may ask about the program they run in. */
export interface CompileOptions {
  /** Text of the variable `version`. */
  readonly version: string;
  /** Where lines go that no rule forwards. */
  readonly defaultTopic: string;
}

/** One thing that is wrong with a rule or test. */
export interface RuleFault {
  readonly source: RuleSource;
  /** Below the rule: `actions.0.topic`; empty for the whole rule. */
  readonly path: string;
  readonly message: string;
  /** Character within the text at `path`, from 1, where it is known. */
  readonly column?: number;
}

/** How a rule is called in counters, dead letters and tests: its name, or its file and line. */
export function ruleName(source: RuleSource): string {
  const { name } = source.value as { readonly name?: unknown };
  return typeof name === "string"
    ? name
    : `${source.file.slice(source.file.lastIndexOf("/") + 1)}:${source.line}`;
}

/** A program, or everything that is wrong with the rules and tests. */
export type Compiled = { readonly ok: true; readonly program: Program } | {
  readonly ok: false;
  readonly faults: readonly RuleFault[];
};

/**
 * Compiles all rules of a set and checks the shape of its tests.
 *
 * @example
 * ```ts
 * const compiled = compileRules(config.rules, { version: "0.1.0", defaultTopic: config.kafka.topic });
 * if (compiled.ok) {
 *   const outcome = compiled.program.apply(line);
 *   if (outcome.kind === "forward") send(outcome.forwards[0]);
 * }
 * ```
 */
export function compileRules(ruleSet: RuleSet, options: CompileOptions): Compiled {
  const faults: RuleFault[] = [];
  const rules: CompiledRule[] = [];
  for (const source of ruleSet.rules) {
    const rule = compileRule(source, ruleSet.dialect, options.version, faults);
    if (rule !== undefined) rules.push(rule);
  }
  for (const source of ruleSet.tests) {
    const checked = checkTest(source.value);
    if (!checked.ok) faults.push(...checked.issues.map((issue) => ({ source, ...issue })));
  }
  // hotdog's messages lose their header on the way; whoever has no rules wants the line as it came.
  const fallback = {
    topic: options.defaultTopic,
    value: ruleSet.dialect === "hotdog" ? "message" : "raw",
  } as const;
  return faults.length > 0 ? { ok: false, faults } : { ok: true, program: new RulesProgram(rules, fallback) };
}

interface CompiledRule {
  readonly name: string;
  readonly match: Match;
  /** Matches every line. */
  readonly always: boolean;
  readonly actions: readonly CompiledAction[];
  readonly readsHeader: boolean;
  readonly slotCount: number;
}

function compileRule(
  source: RuleSource,
  dialect: RuleSet["dialect"],
  version: string,
  faults: RuleFault[],
): CompiledRule | undefined {
  const checked = checkRule(source.value);
  if (!checked.ok) {
    faults.push(...checked.issues.map((issue) => ({ source, ...issue })));
    return undefined;
  }
  const rule: Rule = checked.value;
  const before = faults.length;
  const found = checkMatcher(rule);
  if (!found.ok) faults.push({ source, ...found.fault });
  const unknown = !found.ok ? "ignored" : dialect === "hotdog" ? "empty" : "fault";
  const variables = new RuleVariables(found.ok ? found.matcher.slots : new Map(), version, unknown);
  const actions = rule.actions.map((action, index) =>
    compileAction(action, {
      dialect,
      variables,
      fault: (path, message, column) => {
        faults.push({ source, path: `actions.${index}.${path}`, message, column });
      },
    })
  );
  if (!found.ok || faults.length > before) return undefined;
  const matcher = found.matcher.compile(variables.usedSlots);
  const isWhole = rule.field === "msg" || rule.field === "raw";
  return {
    name: ruleName(source),
    match: matcher.match,
    always: matcher.always && isWhole,
    actions,
    readsHeader: !isHeaderless(rule.field, matcher.always) || variables.readsHeader ||
      actions.some((action) => action.readsHeader),
    slotCount: valueSlot + 1 + found.matcher.slots.size,
  };
}

/** True if a matcher on `field` needs no header; a message that is there in any case is not looked at. */
function isHeaderless(field: string, always: boolean): boolean {
  return field === "raw" || field === "peer" || (field === "msg" && always);
}

/** What every line gets, where the first rule (or the want of rules) decides that alone. */
function uniformOf(rules: readonly CompiledRule[], fallback: Program["fallback"]): Program["uniform"] {
  const first = rules.at(0);
  if (first === undefined) return { ...fallback, rule: -1 };
  const uniform = first.always ? first.actions.at(0)?.uniform : undefined;
  return uniform === undefined ? undefined : { ...uniform, rule: 0 };
}

function emptyForward(): Forward {
  return { topic: "", topicFromLine: false, value: "message", text: "", key: undefined };
}

/** The rules at work. Hot path: `apply` allocates nothing of its own. */
class RulesProgram implements Program {
  readonly uniform: Program["uniform"];
  readonly needsHeaders: boolean;
  readonly names: readonly string[];
  readonly hits: Float64Array;
  readonly fallback: Program["fallback"];
  readonly #rules: readonly CompiledRule[];
  readonly #context: LineContext;
  readonly #outcome: Outcome;

  constructor(rules: readonly CompiledRule[], fallback: Program["fallback"]) {
    this.#rules = rules;
    this.fallback = fallback;
    this.names = rules.map(({ name }) => name);
    this.hits = new Float64Array(rules.length);
    this.needsHeaders = fallback.value === "message" || rules.some((rule) => rule.readsHeader);
    this.uniform = uniformOf(rules, fallback);
    this.#context = new LineContext(Math.max(valueSlot + 1, ...rules.map((rule) => rule.slotCount)));
    // Every forward action runs once per line at most.
    const forwardsMax = rules.flatMap((rule) => rule.actions).filter((action) => action.forwards).length;
    this.#outcome = {
      kind: "default",
      count: 0,
      forwards: Array.from({ length: forwardsMax }, emptyForward),
      reason: "",
      message: "",
      rule: -1,
    };
  }

  apply(line: Line): Outcome {
    const outcome = this.#outcome;
    const context = this.#context;
    outcome.kind = "default";
    outcome.count = 0;
    outcome.reason = "";
    outcome.message = "";
    outcome.rule = -1;
    context.begin(line);
    let index = 0;
    try {
      for (; index < this.#rules.length; index++) {
        const rule = this.#rules[index];
        const matches = rule.match(context);
        if (matches === noMatch) continue;
        if (matches === tooCostly) return this.#fail(index);
        this.hits[index]++;
        const sentBefore = outcome.count;
        const signal = this.#run(rule);
        if (outcome.count > sentBefore) outcome.rule = index;
        if (signal === done) return this.#end(index);
        if (signal === failed) return this.#fail(index);
      }
    } catch (error) {
      context.reason = "rule_failed";
      context.failure = messageOf(error);
      return this.#fail(index);
    }
    if (outcome.count > 0) outcome.kind = "forward";
    return outcome;
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
    outcome.message = `rule "${this.names[rule]}": ${this.#context.failure}`;
    return outcome;
  }
}
