/**
 * The actions of a rule as closures, one per action, decided at load. Hot path: what they allocate is the text they
 * make.
 *
 * Order is that of the file. A text made by `merge` or `replace` is what a later `forward` of the same rule sends;
 * templates see the line as it came.
 *
 * @module
 */

import type { LineContext } from "./line_context.ts";
import { isJsonObject, type JsonObject, parseJsonText } from "./json_text.ts";
import { compileMerge } from "./merge.ts";
import type { Forward, Outcome } from "./program.ts";
import type { Action } from "./schema.ts";
import { compileTemplate, hasVariables, type Template } from "./template.ts";
import { topicNameFault } from "./topic_name.ts";
import type { RuleVariables } from "./variables.ts";

/** What an action says about the rest: go on with the next action, the line is done, or it failed. */
export const goOn = 0;
/** The line is done: forwarded, stopped or dropped. */
export const done = 1;
/** The rule failed; the context has reason and failure. */
export const failed = 2;
/** One of `goOn`, `done`, `failed`. */
export type Signal = 0 | 1 | 2;

/** Runs one action on the line at hand. */
export type RunAction = (context: LineContext, outcome: Outcome) => Signal;

/** What the compiler of actions needs to know. */
export interface ActionOptions {
  readonly dialect: "corndog" | "hotdog";
  readonly variables: RuleVariables;
  /** Reports a fault; `path` is below the action. */
  fault(path: string, message: string, column?: number): void;
}

/** A compiled action. */
export interface CompiledAction {
  readonly run: RunAction;
  /** True for `forward`: it takes a place in `Outcome.forwards`. */
  readonly forwards: boolean;
  /** Set for a forward that sends the same bytes to the same topic whatever the line is. */
  readonly uniform?: { readonly topic: string; readonly value: "message" | "raw" };
  /** True if it needs the message or header of the line. */
  readonly readsHeader: boolean;
}

/** Compiles one action; faults are reported, and the result is then not to be run. */
export function compileAction(action: Action, options: ActionOptions): CompiledAction {
  switch (action.type) {
    case "forward":
      return compileForward(action, options);
    case "merge":
      return { run: compileMergeAction(action, options), forwards: false, readsHeader: true };
    case "replace":
      return { run: compileReplace(action, options), forwards: false, readsHeader: false };
    case "stop":
      return { run: ender("rule_stop"), forwards: false, readsHeader: false };
    case "drop":
      return { run: ender("rule_drop"), forwards: false, readsHeader: false };
  }
}

function ender(reason: string): RunAction {
  return (_context, outcome) => {
    outcome.reason = reason;
    return done;
  };
}

function templateOf(text: string, path: string, options: ActionOptions): Template<LineContext> | undefined {
  const compiled = compileTemplate(text, options.variables.resolve);
  if (compiled.ok) return compiled.template;
  for (const { message, column } of compiled.faults) options.fault(path, message, column);
  return undefined;
}

function compileForward(
  action: Extract<Action, { type: "forward" }>,
  options: ActionOptions,
): CompiledAction {
  const topic = templateOf(action.topic, "topic", options);
  const topicFault = topic?.constant === undefined ? undefined : topicNameFault(topic.constant);
  if (topicFault !== undefined) options.fault("topic", topicFault, 1);
  const key = action.key === undefined ? undefined : templateOf(action.key, "key", options);
  const writeValue = compileValue(action.value, options);
  const signal = action.continue === true ? goOn : done;
  const isOutput = action.value === undefined || action.value === "msg";
  const run: RunAction = (context, outcome) => {
    const forward: Forward = outcome.forwards[outcome.count++];
    writeTopic(forward, context);
    writeValue(forward, context);
    writeKey(forward, context);
    return signal;
  };
  const writeTopic = topicWriter(topic);
  const writeKey = keyWriter(key);
  const isUniform = topic?.constant !== undefined && action.key === undefined && signal === done &&
    (isOutput || action.value === "raw");
  return {
    run,
    forwards: true,
    readsHeader: isOutput,
    uniform: isUniform ? { topic: topic.constant, value: isOutput ? "message" : "raw" } : undefined,
  };
}

/** Writes one member of a record. */
type WriteForward = (forward: Forward, context: LineContext) => void;

function topicWriter(topic: Template<LineContext> | undefined): WriteForward {
  const constant = topic?.constant ?? "";
  if (topic === undefined || topic.constant !== undefined) {
    return (forward) => {
      forward.topic = constant;
      forward.topicFromLine = false;
    };
  }
  return (forward, context) => {
    forward.topic = topic.render(context);
    forward.topicFromLine = true;
  };
}

function keyWriter(key: Template<LineContext> | undefined): WriteForward {
  if (key === undefined) {
    return (forward) => {
      forward.key = undefined;
    };
  }
  return (forward, context) => {
    forward.key = key.render(context);
  };
}

function compileValue(value: string | undefined, options: ActionOptions): WriteForward {
  if (value === undefined || value === "msg") {
    return (forward, context) => {
      forward.value = context.outputSource;
      forward.text = context.outputSource === "text" ? context.output : "";
    };
  }
  if (value === "raw") {
    return (forward) => {
      forward.value = "raw";
      forward.text = "";
    };
  }
  if (value === "json") {
    options.fault("value", "this version does not write the JSON form yet; write msg, raw or a template");
  } else if (!hasVariables(value)) {
    options.fault("value", `must be msg, raw or a template with a {{variable}}, is ${JSON.stringify(value)}`);
  }
  const template = templateOf(value, "value", options);
  return (forward, context) => {
    forward.value = "text";
    forward.text = template!.render(context);
  };
}

function compileReplace(action: Extract<Action, { type: "replace" }>, options: ActionOptions): RunAction {
  const template = templateOf(action.template, "template", options);
  const isHotdog = options.dialect === "hotdog";
  return (context) => {
    const text = template!.render(context);
    // hotdog takes an empty output for none and sends the message.
    if (isHotdog && text === "") context.resetOutput();
    else context.setOutput(text);
    return goOn;
  };
}

function compileMergeAction(action: Extract<Action, { type: "merge" }>, options: ActionOptions): RunAction {
  const isHotdog = options.dialect === "hotdog";
  const failMerge = isHotdog ? hotdogMergeFailure : mergeFailure;
  let apply: (text: string, document: JsonObject, context: LineContext) => string;
  if (isJsonObject(action.json)) {
    const compiled = compileMerge(action.json, options.variables.resolve);
    if (!compiled.ok) {
      for (const { path, message, column } of compiled.faults) {
        options.fault(joinPath("json", path), message, column);
      }
      return () => failed;
    }
    apply = compiled.merge.apply;
  } else {
    // hotdog passes the message on where the file has no object to merge.
    if (!isHotdog) options.fault("json", "must be a mapping: only an object can be merged into a message");
    apply = (text) => text;
  }
  return (context) => {
    // hotdog merges into the message whatever an earlier action made.
    const isFirst = isHotdog || context.outputSource === "message";
    const text = isFirst ? context.message() : context.output;
    const document = isFirst ? context.line.json() : parseJsonText(text);
    if (!isJsonObject(document)) return failMerge(context, document === undefined);
    context.setOutput(apply(text, document, context));
    return goOn;
  };
}

function joinPath(path: string, below: string): string {
  return below === "" ? path : `${path}.${below}`;
}

function mergeFailure(context: LineContext, isNotJson: boolean): Signal {
  context.reason = isNotJson ? "merge_not_json" : "merge_not_object";
  context.failure = isNotJson
    ? "the value to merge into is not JSON"
    : "the value to merge into is no JSON object";
  return failed;
}

/** In hotdog the remaining actions of the rule run with what there is, and no further rule does. */
function hotdogMergeFailure(context: LineContext): Signal {
  context.stopsAfterRule = true;
  return goOn;
}
