/**
 * The matcher of a rule as one closure: does the line at hand match, and with which variables.
 *
 * @module
 */

import type { LineContext } from "./line_context.ts";
import { valueSlot } from "./line_context.ts";
import { compileJmesPath, type JmesPath, valueText } from "./jmespath.ts";
import { parseJsonText } from "./json_text.ts";
import type { FieldName } from "./program.ts";
import {
  type CheckedRegex,
  checkRegex,
  compileRegex,
  linearStepsMax,
  matched,
  type MatchResult,
  noMatch,
  tooCostly,
} from "./regex.ts";
import { matcherNames, type Rule, structuredField } from "./schema.ts";

/** Answers for the line at hand. `tooCostly` has set reason and failure of the context. */
export type Match = (context: LineContext) => MatchResult;

/** A matcher whose pattern or expression is sound; it is compiled when it is known which variables are used. */
export interface CheckedMatcher {
  readonly kind: typeof matcherNames[number];
  /** Variables that it sets, with their slot. */
  readonly slots: ReadonlyMap<string, number>;
  /** `used` are the variables that templates of the rule ask for. */
  compile(used: ReadonlySet<string>): CompiledMatcher;
}

/** A compiled matcher. */
export interface CompiledMatcher {
  /** True if it matches wherever the field exists. */
  readonly always: boolean;
  readonly match: Match;
}

/** What is wrong with a matcher; `path` is its key, `column` counts characters of its text from 1. */
export interface MatcherFault {
  readonly path: string;
  readonly message: string;
  readonly column: number;
}

/** Checks the one matcher of a rule. Numbers its variables from `valueSlot` on. */
export function checkMatcher(
  rule: Rule,
): { readonly ok: true; readonly matcher: CheckedMatcher } | {
  readonly ok: false;
  readonly fault: MatcherFault;
} {
  if (rule.regex !== undefined) {
    const checked = checkRegex(rule.regex);
    if (!checked.ok) return { ok: false, fault: { path: "regex", ...checked.fault } };
    return { ok: true, matcher: regexMatcher(rule.field, checked.regex) };
  }
  if (rule.jmespath !== undefined) {
    const compiled = compileJmesPath(rule.jmespath);
    if (!compiled.ok) return { ok: false, fault: { path: "jmespath", ...compiled } };
    return { ok: true, matcher: jmesPathMatcher(rule.field, compiled.path) };
  }
  return { ok: true, matcher: textMatcher(rule) };
}

/** Reads a field of the line at hand; undefined where the line has none. Message and frame are always there. */
export function fieldReader(field: string): (context: LineContext) => string | undefined {
  if (field === "msg") return (context) => context.message();
  if (field === "raw") return (context) => context.line.text("raw") ?? "";
  const structured = structuredField(field);
  if (structured !== undefined) {
    const { id, param } = structured;
    return (context) => context.line.structured(id, param);
  }
  const name = field as FieldName;
  return (context) => context.line.text(name);
}

function regexMatcher(field: string, checked: CheckedRegex): CheckedMatcher {
  const names = [...checked.names.keys()];
  const slots = new Map(names.map((name, index) => [name, valueSlot + 1 + index]));
  const compile = (used: ReadonlySet<string>): CompiledMatcher => {
    const wanted = names.filter((name) => used.has(name))
      .map((name) => ({ group: checked.names.get(name)!, slot: slots.get(name)! }));
    const regex = compileRegex(checked, wanted);
    if (regex.kind === "always") return { always: true, match: presence(field) };
    const read = fieldReader(field);
    const search = regex.match;
    const match: Match = (context) => {
      const text = read(context);
      if (text === undefined) return noMatch;
      const result = search(text, context.slots);
      if (result === tooCostly) {
        context.reason = "regex_too_costly";
        context.failure =
          `${text.length} characters are too many for the pattern, which needs the linear engine ` +
          `(${linearStepsMax} steps at most)`;
      }
      return result;
    };
    return { always: false, match: guarded(field, regex.prefix, match) };
  };
  return { kind: "regex", slots, compile };
}

/** `match`, asked only where the field's bytes begin with `prefix`: most lines are told apart without a text. */
function guarded(field: string, prefix: string, match: Match): Match {
  if (prefix === "" || (field !== "msg" && field !== "raw")) return match;
  return (context) => context.line.startsWith(field, prefix) ? match(context) : noMatch;
}

/** Matches wherever the field exists, without decoding what always exists. */
function presence(field: string): Match {
  if (field === "msg" || field === "raw") return () => matched;
  const read = fieldReader(field);
  return (context) => read(context) === undefined ? noMatch : matched;
}

function jmesPathMatcher(field: string, path: JmesPath): CheckedMatcher {
  const slots = new Map([["value", valueSlot]]);
  const read = fieldReader(field);
  const documentOf = field === "msg"
    ? (context: LineContext) => context.line.json()
    : (context: LineContext) => parseJsonText(read(context) ?? "");
  const search = path.search;
  const match: Match = (context) => {
    const document = documentOf(context);
    if (document === undefined) return noMatch;
    const result = search(document);
    if (result === null) return noMatch;
    context.slots[valueSlot] = valueText(result);
    return matched;
  };
  return { kind: "jmespath", slots, compile: () => ({ always: false, match }) };
}

function textMatcher(rule: Rule): CheckedMatcher {
  const kind = matcherNames.find((name) => rule[name] !== undefined)!;
  const wanted = rule[kind]!;
  const read = fieldReader(rule.field);
  const isAlways = wanted === "" && kind !== "equals";
  const prefix = kind !== "contains" && isAscii(wanted) ? wanted : "";
  const match = isAlways ? presence(rule.field) : guarded(rule.field, prefix, textSearch(kind, wanted, read));
  return { kind, slots: new Map(), compile: () => ({ always: isAlways, match }) };
}

function textSearch(
  kind: CheckedMatcher["kind"],
  wanted: string,
  read: (context: LineContext) => string | undefined,
): Match {
  switch (kind) {
    case "equals":
      return (context) => read(context) === wanted ? matched : noMatch;
    case "prefix":
      return (context) => read(context)?.startsWith(wanted) === true ? matched : noMatch;
    default:
      return (context) => read(context)?.includes(wanted) === true ? matched : noMatch;
  }
}

function isAscii(text: string): boolean {
  for (let index = 0; index < text.length; index++) if (text.charCodeAt(index) > 0x7f) return false;
  return true;
}
