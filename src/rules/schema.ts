/**
 * What people write under `rules:`: every key, its kind, and a sentence about it.
 *
 * The shape only: whether a pattern, an expression or a template is sound is said by `compile.ts`, which has all of
 * it together. A misspelt key gets the name that was probably meant; a name that the documentation has and this
 * version has not gets the reason.
 *
 * @module
 */

import * as v from "valibot";
import { didYouMean } from "../core/suggest.ts";

/** More actions in one rule are refused; nobody writes them by hand. */
export const actionsMax = 100;

/** `type: forward`. */
export const forwardSchema = v.strictObject({
  type: v.literal("forward"),
  topic: v.pipe(v.string(), v.description("Kafka topic; a template")),
  value: v.optional(
    v.pipe(
      v.string(),
      v.description("msg (the default: what merge or replace made, else the message), raw, or a template"),
    ),
  ),
  key: v.optional(v.pipe(v.string(), v.description("Record key; a template"))),
  continue: v.optional(
    v.pipe(v.boolean(), v.description("true sends a copy and goes on with the next action")),
  ),
});

/** `type: merge`. */
export const mergeSchema = v.strictObject({
  type: v.literal("merge"),
  json: v.pipe(
    v.unknown(),
    v.description("Object that is merged deep into the message; templates inside strings"),
  ),
});

/** `type: replace`. */
export const replaceSchema = v.strictObject({
  type: v.literal("replace"),
  template: v.pipe(v.string(), v.description("The new value; a template")),
});

/** `type: stop`. */
export const stopSchema = v.strictObject({ type: v.literal("stop") });

/** `type: drop`. */
export const dropSchema = v.strictObject({ type: v.literal("drop") });

/** One action, by its `type`. */
export const actionSchema = v.variant("type", [
  forwardSchema,
  mergeSchema,
  replaceSchema,
  stopSchema,
  dropSchema,
]);

const matcherEntries = {
  regex: v.optional(v.pipe(v.string(), v.description("RE2 pattern, searched in the field"))),
  jmespath: v.optional(v.pipe(v.string(), v.description("JMESPath; matches where the result is not null"))),
  equals: v.optional(v.pipe(v.string(), v.description("The field is this text"))),
  prefix: v.optional(v.pipe(v.string(), v.description("The field begins with this text"))),
  contains: v.optional(v.pipe(v.string(), v.description("The field has this text in it"))),
};

/** The names of the matchers; a rule has exactly one. */
export const matcherNames = ["regex", "jmespath", "equals", "prefix", "contains"] as const;

/** One rule. */
export const ruleSchema = v.pipe(
  v.strictObject({
    name: v.optional(v.pipe(v.string(), v.minLength(1, "the name is empty"))),
    field: v.optional(
      v.pipe(
        v.string(),
        v.check(isField, (issue) => fieldFault(issue.input)),
        v.description(
          "msg hostname appname severity facility procid msgid timestamp peer raw, or sd.<id>.<param>",
        ),
      ),
      "msg",
    ),
    ...matcherEntries,
    actions: v.pipe(v.array(actionSchema), v.maxLength(actionsMax, `more than ${actionsMax} actions`)),
  }),
  v.check(
    (rule) => matchersOf(rule).length === 1,
    (issue) => matcherFault(matchersOf(issue.input as RuleInput)),
  ),
);

/** A rule as written, defaults applied. */
export type Rule = v.InferOutput<typeof ruleSchema>;
/** An action as written. */
export type Action = v.InferOutput<typeof actionSchema>;

type RuleInput = Partial<Record<typeof matcherNames[number], unknown>>;

/** The fields of `Line` that a rule may name, without structured data. */
export const fieldNames = [
  "msg",
  "hostname",
  "appname",
  "severity",
  "facility",
  "procid",
  "msgid",
  "timestamp",
  "peer",
  "raw",
] as const;

/** True for a name that a rule may have as `field`. */
export function isField(name: string): boolean {
  return (fieldNames as readonly string[]).includes(name) || structuredField(name) !== undefined;
}

/** `sd.<id>.<param>` apart; the id may have dots (an enterprise number), the parameter has none. */
export function structuredField(name: string): { readonly id: string; readonly param: string } | undefined {
  const last = name.lastIndexOf(".");
  if (!name.startsWith("sd.") || last <= 3 || last === name.length - 1) return undefined;
  return { id: name.slice(3, last), param: name.slice(last + 1) };
}

function fieldFault(name: string): string {
  if (name === "sd" || name.startsWith("sd.")) {
    return `"${name}" is no field; structured data is sd.<id>.<param>`;
  }
  return `unknown field "${name}"${didYouMean(name, fieldNames)}`;
}

function matchersOf(rule: RuleInput): string[] {
  return matcherNames.filter((name) => rule[name] !== undefined);
}

function matcherFault(found: readonly string[]): string {
  return found.length === 0
    ? `has no matcher; write one of ${matcherNames.join(", ")}`
    : `has ${found.length} matchers (${found.join(", ")}); write exactly one`;
}

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
  return check(ruleSchema, value, ruleKeysAt);
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
  const known = keysAt(holder, mapping);
  return Object.keys(mapping).filter((key) => !known.includes(key)).map((key) => ({
    path: [...holder, key].join("."),
    message: unknownKey(key, known),
  }));
}

const kinds: Readonly<Record<string, string>> = {
  string: "text",
  boolean: "true or false",
  array: "a list",
  strict_object: "a mapping",
  union: "true or text",
  object: "a mapping",
};

function messageOf(issue: v.BaseIssue<unknown>, path: readonly unknown[]): string {
  const key = String(path[path.length - 1] ?? "");
  if (issue.kind !== "schema") return issue.message;
  if (issue.type === "strict_object" && issue.received === "undefined" && issue.path !== undefined) {
    return `missing key "${key}"`;
  }
  if (issue.type === "variant" && key === "type") return actionFault(issue.input);
  const kind = issue.type === "variant" ? "a mapping" : kinds[issue.type];
  const want = kind ?? issue.expected?.replaceAll(/[()]/g, "").replaceAll(" | ", " or ") ?? "something else";
  return `must be ${want}, is ${describe(issue.input)}`;
}

function describe(value: unknown): string {
  if (value === null) return "empty";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a mapping";
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}

/** Documented names that this version does not carry yet: who writes one means something by it. */
const laterKeys: Readonly<Record<string, string>> = {
  all: "this version has no all/any/not yet; write one matcher",
  any: "this version has no all/any/not yet; write several rules",
  not: "this version has no all/any/not yet; write a rule before it that stops",
  severity: "this version does not compare severities yet; write field: severity and equals:",
  facility: "this version does not compare facilities yet; write field: facility and equals:",
  headers: "this version sends no record headers yet; remove the key",
  partition: "this version chooses partitions itself; remove the key",
};

const laterActions = ["sample", "throttle", "redact", "set", "parse_json", "dead_letter"];
const actionKeys: Readonly<Record<string, readonly string[]>> = {
  forward: Object.keys(forwardSchema.entries),
  merge: Object.keys(mergeSchema.entries),
  replace: Object.keys(replaceSchema.entries),
  stop: Object.keys(stopSchema.entries),
  drop: Object.keys(dropSchema.entries),
};

function ruleKeysAt(path: readonly unknown[], mapping: Readonly<Record<string, unknown>>): readonly string[] {
  return path.length === 0
    ? ["name", "field", ...matcherNames, "actions"]
    : actionKeys[String(mapping.type)] ?? [];
}

function unknownKey(key: string, known: readonly string[]): string {
  const isRule = known.includes("actions") || known.includes("type");
  if (isRule && Object.hasOwn(laterKeys, key)) return laterKeys[key];
  return `unknown key "${key}"${didYouMean(key, known)}`;
}

function actionFault(type: unknown): string {
  const names = Object.keys(actionKeys);
  if (typeof type !== "string") return `missing the action's type; write one of ${names.join(", ")}`;
  if (laterActions.includes(type)) return `this version has no action "${type}" yet`;
  return `unknown action "${type}"${didYouMean(type, names)}`;
}
