/**
 * The actions of a rule as closures, one per action, decided at load. Hot path: what they allocate is the text they
 * make.
 *
 * Order is that of the file. A text made by `merge` or `replace` is what a later `forward` of the same rule sends;
 * templates see the line as it came. What `redact` took out is gone for the rest of the line, in later rules too.
 *
 * | action | does |
 * |---|---|
 * | `forward` | sends a record; ends the line unless `continue: true` |
 * | `merge`, `replace` | make the text that a later forward of the rule sends |
 * | `redact` | takes personal data out of message, frame and that text, for the rest of the line |
 * | `set`, `parse_json` | set a variable for the rest of the line |
 * | `sample`, `throttle` | drop the line, or go on |
 * | `stop`, `drop` | end the line |
 * | `dead_letter` | ends the line in the dead letter, also where copies were to go out before |
 *
 * @module
 */

import {
  type ActionOptions,
  type CompiledAction,
  done,
  failed,
  goOn,
  type RunAction,
  templateOf,
} from "./action.ts";
import type { Action } from "./action_schema.ts";
import { compileForward } from "./forward_action.ts";
import { parseJsonText } from "./json_text.ts";
import { compileMergeAction } from "./merge_action.ts";
import type { RuleDropReason } from "./program.ts";
import { checkOwnPattern, compileRedact, type Replacement } from "./redact.ts";
import { keepsKey, Sampler, sampleRate } from "./sample.ts";
import { searchStepsMax } from "./step_budget.ts";
import { intervalMs, Throttle } from "./throttle.ts";

export {
  type ActionOptions,
  type CompiledAction,
  done,
  failed,
  goOn,
  type RunAction,
  type Signal,
} from "./action.ts";

/** Steps (`step_budget.ts`) per character that the patterns with names take at most, and each of one's own. */
const redactStepsPerChar = 8;

type ActionOf<Type extends Action["type"]> = Extract<Action, { type: Type }>;

/** Compiles one action; faults are reported, and the result is then not to be run. */
export function compileAction(action: Action, options: ActionOptions): CompiledAction {
  switch (action.type) {
    case "forward":
      return compileForward(action, options);
    case "merge":
      return reading(compileMergeAction(action.json, options));
    case "replace":
      return blind(compileReplace(action, options));
    case "set":
      return blind(compileSet(action, options));
    case "parse_json":
      return reading(compileParseJson(action, options));
    case "redact":
      return reading(compileRedactAction(action, options));
    case "sample":
      return blind(compileSample(action, options));
    case "throttle":
      return blind(compileThrottle(action, options));
    case "stop":
      return blind(ender("rule_stop"));
    case "drop":
      return blind(ender("rule_drop"));
    case "dead_letter":
      return blind(compileDeadLetter(action, options));
  }
}

/** An action that looks at the message. */
function reading(run: RunAction): CompiledAction {
  return { run, forwards: false, readsHeader: true };
}

/** An action that looks at nothing but its templates. */
function blind(run: RunAction): CompiledAction {
  return { run, forwards: false, readsHeader: false };
}

function ender(reason: RuleDropReason): RunAction {
  return (_context, outcome) => {
    outcome.reason = reason;
    return done;
  };
}

function compileDeadLetter(action: ActionOf<"dead_letter">, options: ActionOptions): RunAction {
  const { reason } = action;
  const message = templateOf(action.message ?? "sent there by the rule", "message", options);
  return (context) => {
    context.reason = reason;
    context.failure = message.render(context);
    return failed;
  };
}

function compileSample(action: ActionOf<"sample">, options: ActionOptions): RunAction {
  const rate = sampleRate(action.rate);
  const drop = ender("rule_sample");
  if (action.by !== undefined) {
    const by = templateOf(action.by, "by", options);
    return (context, outcome) => keepsKey(by.render(context), rate) ? goOn : drop(context, outcome);
  }
  const sampler = new Sampler(rate, options.seed);
  return (context, outcome) => sampler.keeps() ? goOn : drop(context, outcome);
}

/** Every worker lets its part through; a part of less than one line at once would never let one through. */
function compileThrottle(action: ActionOf<"throttle">, options: ActionOptions): RunAction {
  const key = templateOf(action.key, "key", options);
  const throttle = new Throttle({
    rate: action.rate * 1000 / intervalMs(action.per) / options.workers,
    burst: Math.max(1, (action.burst ?? action.rate) / options.workers),
    keysMax: action.keys,
  });
  const drop = ender("rule_throttle");
  return (context, outcome) =>
    throttle.passes(key.render(context), context.line.nowMs) ? goOn : drop(context, outcome);
}

function compileSet(action: ActionOf<"set">, options: ActionOptions): RunAction {
  const template = templateOf(action.value, "value", options);
  const slot = options.variables.declare(action.name);
  if (typeof slot === "object") {
    options.fault("name", slot.fault, 1);
    return () => failed;
  }
  const value = template.value ?? template.render;
  return (context) => {
    context.setVariable(slot, value(context));
    return goOn;
  };
}

function compileParseJson(action: ActionOf<"parse_json">, options: ActionOptions): RunAction {
  const from = action.from === undefined ? undefined : templateOf(action.from, "from", options);
  const slot = options.variables.declare(action.name);
  if (typeof slot === "object") {
    options.fault("name", slot.fault, 1);
    return () => failed;
  }
  return (context) => {
    const value = from === undefined && context.outputSource === "message"
      ? context.json()
      : parseJsonText(from === undefined ? context.outputText() : from.render(context));
    if (value === undefined) {
      context.reason = "parse_json_failed";
      context.failure = "the text is not JSON";
      return failed;
    }
    context.setVariable(slot, value);
    return goOn;
  };
}

function compileRedactAction(action: ActionOf<"redact">, options: ActionOptions): RunAction {
  const patterns = action.patterns.flatMap((pattern, index): Parameters<typeof compileRedact>[0] => {
    if (typeof pattern === "string") return [pattern];
    const checked = checkOwnPattern(pattern);
    if (checked.ok) return [checked.pattern];
    options.fault(`patterns.${index}.regex`, checked.fault.message, checked.fault.column);
    return [];
  });
  const redact = compileRedact(patterns, replacementOf(action, options));
  const ownCount = action.patterns.filter((pattern) => typeof pattern !== "string").length;
  const stepsPerChar = redactStepsPerChar * (1 + ownCount);
  return (context) => {
    const affordable = context.spend(Math.min(context.message().length * stepsPerChar, searchStepsMax));
    if (affordable && context.redact(redact)) return goOn;
    context.redactionFailed = true;
    if (!affordable) return failed;
    context.reason = "redact_too_costly";
    context.failure = "the message has too many matches to be redacted";
    return failed;
  };
}

function replacementOf({ hash, replacement }: ActionOf<"redact">, options: ActionOptions): Replacement {
  if (hash === undefined) return { kind: "text", text: replacement };
  const { key, key_env } = hash;
  const secret = key ?? options.environment(key_env!);
  if (secret === undefined || secret === "") {
    options.fault("hash.key_env", `the environment variable ${JSON.stringify(key_env)} is not set`, 1);
  }
  return { kind: "hash", key: secret ?? "" };
}

function compileReplace(action: ActionOf<"replace">, options: ActionOptions): RunAction {
  const template = templateOf(action.template, "template", options);
  const isHotdog = options.dialect === "hotdog";
  return (context) => {
    const text = template.render(context);
    // hotdog takes an empty output for none and sends the message.
    if (isHotdog && text === "") context.resetOutput();
    else context.setOutput(text);
    return goOn;
  };
}
