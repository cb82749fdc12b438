/**
 * What a compiled action is, and what compiling one needs to know.
 *
 * @module
 */

import type { LineContext } from "./line_context.ts";
import type { Outcome } from "./program.ts";
import { compileTemplate, type Template } from "./template.ts";
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
  /** Workers that share the traffic: each lets its part of a rate through. */
  readonly workers: number;
  /** Where this action's pseudo-random numbers begin. */
  readonly seed: number;
  /** An environment variable. */
  environment(name: string): string | undefined;
  /** Reports a fault; `path` is below the action. */
  fault(path: string, message: string, column?: number): void;
}

/** A compiled action. */
export interface CompiledAction {
  readonly run: RunAction;
  /** True for `forward`: it takes a place in `Outcome.forwards`. */
  readonly forwards: boolean;
  /** Set for a forward that sends the same bytes to the same topic whatever the line is. */
  readonly uniform?: { readonly topic: string; readonly value: "message" | "raw" | "json" };
  /** True if it needs the message or header of the line. */
  readonly readsHeader: boolean;
}

/** What `templateOf` gives for a template with faults; the rule is refused before it could run. */
export const emptyTemplate: Template<LineContext> = {
  constant: "",
  render: () => "",
  renderJson: () => "",
  value: undefined,
};

/** Compiles a template of an action; faults are reported at `path`. */
export function templateOf(text: string, path: string, options: ActionOptions): Template<LineContext> {
  const compiled = compileTemplate(text, options.variables.resolve);
  if (compiled.ok) return compiled.template;
  for (const { message, column } of compiled.faults) options.fault(path, message, column);
  return emptyTemplate;
}
