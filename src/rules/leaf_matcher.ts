/**
 * What a matcher without elements looks for: a regex, a JMESPath expression, a text, a severity or facility. Each is
 * one closure over the line at hand, with what a line must have for it to match.
 *
 * @module
 */

import type { JsonKey } from "../core/json_key.ts";
import { fieldReader, isHeaderless, type ReadField } from "./field_reader.ts";
import { type JmesPath, valueText } from "./jmespath.ts";
import { findChain } from "./json_members.ts";
import { parseJsonText } from "./json_text.ts";
import { type LineContext, valueSlot } from "./line_context.ts";
import { chainNeeds, type Needs, textNeeds } from "./prefilter_needs.ts";
import {
  type CheckedRegex,
  compileRegex,
  linearStepsMax,
  matched,
  type MatchResult,
  noMatch,
  type RegexClass,
  tooCostly,
} from "./regex.ts";
import type { Matching, Scale } from "./severity_match.ts";
import { searchStepsMax } from "./step_budget.ts";
import { searchStepsPerChar, textSearch } from "./text_search.ts";

/** Answers for the line at hand. `tooCostly` has set reason and failure of the context. */
export type Match = (context: LineContext) => MatchResult;

/** A compiled matcher. */
export interface CompiledMatcher {
  /** True if it matches every line. */
  readonly always: boolean;
  /** True if it needs the message or header of the line. */
  readonly readsHeader: boolean;
  /** What a line must have to match. */
  readonly needs: Needs;
  readonly match: Match;
  /** How its pattern is run, where it is one. */
  readonly engine?: RegexClass;
}

export function comparisonMatch(scale: Scale, matching: Matching): Match {
  return scale === "severity"
    ? (context) => matching[context.line.severity()] === true ? matched : noMatch
    : (context) => matching[context.line.facility()] === true ? matched : noMatch;
}

export function regexMatcher(
  field: string,
  checked: CheckedRegex,
  slots: ReadonlyMap<string, number>,
  used: ReadonlySet<string>,
): CompiledMatcher {
  const wanted = [...slots].filter(([name]) => used.has(name))
    .map(([name, slot]) => ({ group: checked.names.get(name)!, slot }));
  const regex = compileRegex(checked, wanted);
  if (regex.kind === "always") return { ...presence(field), engine: "always" };
  const read = fieldReader(field);
  const { match: search, steps } = regex;
  const match: Match = (context) => {
    const text = read(context);
    if (text === undefined) return noMatch;
    if (!context.spend(steps(text.length))) return tooCostly;
    const result = search(text, context.slots);
    if (result === tooCostly) {
      context.reason = "regex_too_costly";
      context.failure =
        `${text.length} characters are too many for the pattern, which needs the linear engine ` +
        `(${linearStepsMax} steps at most)`;
    }
    return result;
  };
  return { ...reading(field, regex.needs(field), guarded(field, regex.prefix, match)), engine: regex.kind };
}

/** A matcher that looks at the field's text. */
function reading(field: string, needs: Needs, match: Match): CompiledMatcher {
  return { always: false, readsHeader: !isHeaderless(field), needs, match };
}

/** `match`, asked only where the field's bytes begin with `prefix`: most lines are told apart without a text. */
function guarded(field: string, prefix: string, match: Match): Match {
  if (prefix === "" || (field !== "msg" && field !== "raw")) return match;
  return (context) => context.startsWith(field, prefix) ? match(context) : noMatch;
}

/** Matches wherever the field exists, without decoding what always exists. */
function presence(field: string): CompiledMatcher {
  if (field === "msg" || field === "raw") {
    return {
      always: true,
      readsHeader: false,
      needs: [],
      match: () => matched,
    };
  }
  const read = fieldReader(field);
  return reading(field, [], (context) => read(context) === undefined ? noMatch : matched);
}

export function jmesPathMatcher(field: string, path: JmesPath, isUsed: boolean): CompiledMatcher {
  const read = fieldReader(field);
  const documentOf = field === "msg"
    ? (context: LineContext) => context.json()
    : (context: LineContext) => parseJsonText(read(context) ?? "");
  const search = path.search;
  const parsed: Match = (context) => {
    const document = documentOf(context);
    if (document === undefined) return noMatch;
    const result = search(document);
    if (result === null) return noMatch;
    if (isUsed) {
      context.slots[valueSlot] = valueText(result);
      context.setValue(result);
    }
    return matched;
  };
  const { keys } = path;
  return reading(
    field,
    path.chain === undefined ? [] : chainNeeds(field, path.chain),
    keys === undefined || field !== "msg" ? parsed : chainMatch(keys, isUsed, parsed),
  );
}

/** A chain looked for in the message's bytes; `parsed` answers where the line cannot. */
function chainMatch(keys: readonly JsonKey[], isUsed: boolean, parsed: Match): Match {
  return (context) => {
    const members = context.members();
    if (members === undefined) return parsed(context);
    const node = findChain(members, keys);
    if (node === 0 || members.isNull(node)) return noMatch;
    if (isUsed) {
      context.slots[valueSlot] = members.text(node);
      context.setValueNode(members, node);
    }
    return matched;
  };
}

type TextMatcher = "equals" | "prefix" | "contains";

export function textMatcher(field: string, kind: TextMatcher, wanted: string): () => CompiledMatcher {
  const compiled = wanted === "" && kind !== "equals" ? presence(field) : reading(
    field,
    textNeeds(field, kind, wanted),
    guarded(
      field,
      kind !== "contains" && isAscii(wanted) ? wanted : "",
      textMatch(kind, wanted, fieldReader(field)),
    ),
  );
  return () => compiled;
}

function textMatch(kind: TextMatcher, wanted: string, read: ReadField): Match {
  switch (kind) {
    case "equals":
      return (context) => read(context) === wanted ? matched : noMatch;
    case "prefix":
      return (context) => read(context)?.startsWith(wanted) === true ? matched : noMatch;
    case "contains":
      return containsMatch(wanted, read);
  }
}

function containsMatch(wanted: string, read: ReadField): Match {
  const search = textSearch(wanted);
  return (context) => {
    const text = read(context);
    if (text === undefined) return noMatch;
    if (!context.spend(Math.min(text.length * searchStepsPerChar, searchStepsMax))) return tooCostly;
    return search(text) ? matched : noMatch;
  };
}

function isAscii(text: string): boolean {
  for (let index = 0; index < text.length; index++) if (text.charCodeAt(index) > 0x7f) return false;
  return true;
}
