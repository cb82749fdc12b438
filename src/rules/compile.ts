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
 * | `"{{value}}"` alone in a merge | keeps its JSON type | is a text |
 * | a line that no rule forwards | the whole frame | the message |
 *
 * @module
 */

import process from "node:process";
import type { RuleSet, RuleSource } from "../config/config.ts";
import { compileAction } from "./actions.ts";
import { hashText } from "./hash.ts";
import { valueSlot } from "./line_context.ts";
import { checkMatcher } from "./matcher.ts";
import type { Program } from "./program.ts";
import type { RegexClass } from "./regex.ts";
import { type CompiledRule, RulesProgram } from "./rules_program.ts";
import { checkRule, type Rule } from "./schema.ts";
import { checkTest } from "./test_schema.ts";
import { ProgramVariables, RuleVariables } from "./variables.ts";

/** What rules may ask about the program they run in. */
export interface CompileOptions {
  /** Text of the variable `version`. */
  readonly version: string;
  /** Where lines go that no rule forwards. */
  readonly defaultTopic: string;
  /** Workers that share the traffic (default 1): each lets its part of a throttle's rate through. */
  readonly workers?: number;
  /** Where the pseudo-random numbers of `sample` begin; the same seed gives the same choices. */
  readonly seed?: number;
  /** Environment variables that rules name (`redact`'s `key_env`); those of the process by default. */
  readonly environment?: (name: string) => string | undefined;
  /**
   * Wraps every rule, to watch it at work: for traces, not for traffic. Then every rule is tried, and its matcher
   * sets all of its variables, asked for or not.
   */
  readonly watch?: WatchRule;
}

/** Puts something around a compiled rule; `index` is its place in the rule set. */
export type WatchRule = (rule: CompiledRule, index: number) => CompiledRule;

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

/** How the patterns of matchers are run: how many by which engine, and the rules whose patterns need the slow one. */
export interface Engines {
  readonly counts: Readonly<Partial<Record<RegexClass, number>>>;
  readonly linear: readonly string[];
}

/** A program, or everything that is wrong with the rules and tests. */
export type Compiled = { readonly ok: true; readonly program: Program; readonly engines: Engines } | {
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
  const program = new ProgramVariables();
  for (const [index, source] of ruleSet.rules.entries()) {
    const rule = compileRule({ source, index, dialect: ruleSet.dialect, program, options, faults });
    if (rule !== undefined) rules.push(options.watch?.(rule, index) ?? rule);
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
  return faults.length > 0
    ? { ok: false, faults }
    : { ok: true, program: new RulesProgram(rules, fallback), engines: enginesOf(rules) };
}

function enginesOf(rules: readonly CompiledRule[]): Engines {
  const counts: Partial<Record<RegexClass, number>> = {};
  for (const { engines } of rules) for (const kind of engines) counts[kind] = (counts[kind] ?? 0) + 1;
  return {
    counts,
    linear: rules.filter(({ engines }) => engines.includes("linear")).map(({ name }) => name),
  };
}

/** One rule on its way into a program. */
interface RuleToCompile {
  readonly source: RuleSource;
  /** Its place in the rule set. */
  readonly index: number;
  readonly dialect: RuleSet["dialect"];
  /** What the rules before it may have set. */
  readonly program: ProgramVariables;
  readonly options: CompileOptions;
  readonly faults: RuleFault[];
}

function compileRule(
  { source, index, dialect, program, options, faults }: RuleToCompile,
): CompiledRule | undefined {
  const checked = checkRule(source.value);
  if (!checked.ok) {
    faults.push(...checked.issues.map((issue) => ({ source, ...issue })));
    declareWritten(source.value, program);
    return undefined;
  }
  const rule: Rule = checked.value;
  const before = faults.length;
  const found = checkMatcher(rule);
  if (!found.ok) faults.push(...found.faults.map((fault) => ({ source, ...fault })));
  const slots = found.ok ? found.matcher.slots : new Map<string, number>();
  const { version, watch, workers = 1, seed = 0, environment = environmentOfProcess } = options;
  const variables = new RuleVariables({ slots, version, program, dialect, isFaulty: !found.ok });
  const actions = rule.actions.map((action, place) =>
    compileAction(action, {
      dialect,
      variables,
      workers,
      seed: hashText(`${seed} ${index} ${place}`),
      environment,
      fault: (path, message, column) => {
        faults.push({ source, path: `actions.${place}.${path}`, message, column });
      },
    })
  );
  if (!found.ok || faults.length > before) return undefined;
  const matcher = found.matcher.compile(watch === undefined ? variables.usedSlots : new Set(slots.keys()));
  return {
    name: ruleName(source),
    match: matcher.match,
    always: matcher.always,
    // Whoever watches wants to see every rule tried.
    needs: watch === undefined ? matcher.needs : [],
    engines: found.matcher.engines,
    actions,
    readsHeader: matcher.readsHeader || variables.readsHeader || actions.some((action) => action.readsHeader),
    slots,
    slotCount: valueSlot + 1 + slots.size,
  };
}

function environmentOfProcess(name: string): string | undefined {
  return process.env[name];
}

/** What a refused rule would have set is known to the rules behind it, so that one fault is not told of all of them. */
function declareWritten(rule: unknown, program: ProgramVariables): void {
  const { actions } = (rule ?? {}) as { readonly actions?: unknown };
  if (!Array.isArray(actions)) return;
  for (const action of actions) {
    const { type, name } = (action ?? {}) as { readonly type?: unknown; readonly name?: unknown };
    if (type === "set" && typeof name === "string") program.declare(name);
    if (type === "parse_json") program.declare(typeof name === "string" ? name : "json");
  }
}
