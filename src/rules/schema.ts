/**
 * What people write under `rules:`: every key, its kind, and a sentence about it.
 *
 * The shape only: whether a pattern, an expression or a template is sound is said by `compile.ts`, which has all of
 * it together. A misspelt key gets the name that was probably meant.
 *
 * @module
 */

import * as v from "valibot";
import { didYouMean } from "../core/suggest.ts";
import {
  type Action,
  actionKeys,
  actionSchema,
  builtInPatterns,
  keysInAction,
  ownPatternSchema,
} from "./action_schema.ts";
import {
  fieldNames,
  isField,
  matcherDepthMax,
  matcherEntries,
  matcherFault,
  matcherKeys,
  matcherNames,
  structuredField,
  tooDeepMatcher,
  type WrittenMatcher,
} from "./matcher_schema.ts";

export { type Action, fieldNames, isField, matcherNames, structuredField };

/** More actions in one rule are refused; nobody writes them by hand. */
export const actionsMax = 100;

/** One rule. */
export const ruleSchema = v.pipe(
  v.strictObject({
    name: v.optional(v.pipe(v.string(), v.minLength(1, "the name is empty"))),
    ...matcherEntries,
    actions: v.pipe(v.array(actionSchema), v.maxLength(actionsMax, `more than ${actionsMax} actions`)),
  }),
  v.check(
    (rule) => matcherFault(rule) === undefined,
    (issue) => matcherFault(issue.input as WrittenMatcher)!,
  ),
);

/** A rule as written, defaults applied. */
export type Rule = v.InferOutput<typeof ruleSchema>;

/** One thing that is wrong, with its path below the rule or test: `actions.0.topic`, empty for the whole. */
export interface SchemaIssue {
  readonly path: string;
  readonly message: string;
}

/** A checked value, or everything that is wrong with it. */
export type Checked<T> = { readonly ok: true; readonly value: T } | {
  readonly ok: false;
  readonly issues: readonly SchemaIssue[];
};

/** Checks the shape of one rule. */
export function checkRule(value: unknown): Checked<Rule> {
  const deep = tooDeepMatcher(value);
  if (deep !== undefined) {
    return { ok: false, issues: [{ path: deep, message: `nested deeper than ${matcherDepthMax}` }] };
  }
  return check(ruleSchema, value, ruleKeysAt, ruleBranchAt);
}

/** The keys that the mapping at a path may have. */
export type KeysAt = (
  path: readonly unknown[],
  mapping: Readonly<Record<string, unknown>>,
) => readonly string[];

/** The branch of a union that a person meant with `input`, where its own faults say more than the union's. */
export type BranchAt = (path: readonly unknown[], input: unknown) => v.GenericSchema | undefined;

/** Checks `value` against `schema`; all faults, unknown keys with the name that was probably meant. */
export function check<Schema extends v.GenericSchema>(
  schema: Schema,
  value: unknown,
  keysAt: KeysAt,
  branchAt: BranchAt = () => undefined,
): Checked<v.InferOutput<Schema>> {
  const result = v.safeParse(schema, value);
  if (result.success) return { ok: true, value: result.output };
  return { ok: false, issues: result.issues.flatMap((issue) => issuesOf(issue, [], keysAt, branchAt)) };
}

function issuesOf(
  issue: v.BaseIssue<unknown>,
  above: readonly unknown[],
  keysAt: KeysAt,
  branchAt: BranchAt,
): SchemaIssue[] {
  const path = [...above, ...(issue.path ?? []).map((item) => item.key)];
  const branch = issue.type === "union" ? branchAt(path, issue.input) : undefined;
  if (branch !== undefined) {
    // The union's own issues are those of every branch; a person meant the one that the value looks like.
    const result = v.safeParse(branch, issue.input);
    return (result.issues ?? []).flatMap((inner) => issuesOf(inner, path, keysAt, branchAt));
  }
  const isUnknownKey = issue.type === "strict_object" && issue.expected === "never";
  if (!isUnknownKey) return [{ path: path.join("."), message: messageOf(issue, path) }];
  // The library stops at the first unknown key of a mapping; a person wants to see all of them.
  const mapping = issue.path![issue.path!.length - 1].input as Record<string, unknown>;
  const holder = path.slice(0, -1);
  if (Array.isArray(mapping)) {
    return [{ path: holder.join("."), message: `must be a mapping, is ${describe(mapping)}` }];
  }
  const known = keysAt(holder, mapping);
  return Object.keys(mapping).filter((key) => !known.includes(key)).map((key) => ({
    path: [...holder, key].join("."),
    message: unknownKey(key, known),
  }));
}

const kinds: Readonly<Record<string, string>> = {
  string: "text",
  number: "a number",
  boolean: "true or false",
  array: "a list",
  strict_object: "a mapping",
  union: "true or text",
  object: "a mapping",
};

/** What a key takes that takes more than one kind. */
const unionKinds: Readonly<Record<string, string>> = {
  severity: "a name, a number, a comparison or a list",
  facility: "a name, a number, a comparison or a list",
  partition: "a number or a template",
  rate: "a number, or text such as 1/10",
};

function messageOf(issue: v.BaseIssue<unknown>, path: readonly unknown[]): string {
  const key = String(path[path.length - 1] ?? "");
  if (issue.kind !== "schema") return issue.message;
  if (issue.type === "strict_object" && issue.received === "undefined" && issue.path !== undefined) {
    return `missing key "${key}"`;
  }
  if (issue.type === "variant" && key === "type") return actionFault(issue.input);
  if (issue.type === "picklist") return patternFault(issue.input);
  const kind = issue.type === "variant"
    ? "a mapping"
    : issue.type === "union" && Object.hasOwn(unionKinds, key)
    ? unionKinds[key]
    : kinds[issue.type];
  const want = kind ?? issue.expected?.replaceAll(/[()]/g, "").replaceAll(" | ", " or ") ?? "something else";
  return `must be ${want}, is ${describe(issue.input)}`;
}

function describe(value: unknown): string {
  if (value === null) return "empty";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a mapping";
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}

const ruleKeys = ["name", ...matcherKeys, "actions"];

function ruleKeysAt(path: readonly unknown[], mapping: Readonly<Record<string, unknown>>): readonly string[] {
  if (path.length === 0) return ruleKeys;
  if (path[0] !== "actions") return matcherKeys;
  return path.length === 2 ? actionKeys[String(mapping.type)] ?? [] : keysInAction(path.slice(2));
}

/** A pattern of `redact` is a name, or a mapping with a regex. */
function ruleBranchAt(path: readonly unknown[], input: unknown): v.GenericSchema | undefined {
  if (path.at(-2) !== "patterns") return undefined;
  return typeof input === "object" && input !== null ? ownPatternSchema : v.picklist(builtInPatterns);
}

function unknownKey(key: string, known: readonly string[]): string {
  return `unknown key "${key}"${didYouMean(key, known)}`;
}

function actionFault(type: unknown): string {
  const names = Object.keys(actionKeys);
  if (typeof type !== "string") return `missing the action's type; write one of ${names.join(", ")}`;
  return `unknown action "${type}"${didYouMean(type, names)}`;
}

function patternFault(name: unknown): string {
  const names = `${builtInPatterns.join(", ")} or { regex: … }`;
  if (typeof name !== "string") return `must be one of ${names}, is ${describe(name)}`;
  return `unknown pattern "${name}"${didYouMean(name, builtInPatterns)}; it is one of ${names}`;
}
