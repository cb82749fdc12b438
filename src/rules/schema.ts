/**
 * What people write under `rules:` and `tests:`: every key, its kind, and a sentence about it.
 *
 * The shape only: whether a pattern, an expression or a template is sound is said by `compile.ts`, which has all of
 * it together. A misspelt key gets the name that was probably meant; a name that the documentation has and this
 * version has not gets the reason.
 *
 * @module
 */

import * as v from "valibot";
import { didYouMean } from "./suggest.ts";

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

const expectedForwardSchema = v.strictObject({
  topic: v.string(),
  value: v.optional(v.pipe(v.string(), v.description("The whole value as text"))),
  text: v.optional(v.pipe(v.string(), v.description("The same as value"))),
  json: v.optional(
    v.pipe(v.unknown(), v.description("What the value has in it, at least; lists as a whole")),
  ),
  key: v.optional(v.nullable(v.string())),
});

/** What a test expects: records in order, `[]` for none, or what else became of the line. */
export const expectSchema = v.union([
  v.array(expectedForwardSchema),
  v.strictObject({ dropped: v.literal(true) }),
  v.strictObject({ dead_letter: v.union([v.literal(true), v.string()]) }),
]);

/** One test; every input must yield what is expected. */
export const testSchema = v.pipe(
  v.strictObject({
    name: v.optional(v.string()),
    input: v.optional(v.pipe(v.string(), v.description("One frame as it comes from the wire"))),
    inputs: v.optional(v.pipe(v.array(v.string()), v.minLength(1, "the list is empty"))),
    expect: expectSchema,
  }),
  v.check(
    (test) => (test.input === undefined) !== (test.inputs === undefined),
    'needs exactly one of "input" and "inputs"',
  ),
);

/** A rule as written, defaults applied. */
export type Rule = v.InferOutput<typeof ruleSchema>;
/** An action as written. */
export type Action = v.InferOutput<typeof actionSchema>;
/** A test as written. */
export type RuleTest = v.InferOutput<typeof testSchema>;
/** What a test expects of one record. */
export type ExpectedForward = v.InferOutput<typeof expectedForwardSchema>;

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
  return check(ruleSchema, value);
}

/** Checks the shape of one test. */
export function checkTest(value: unknown): Checked<RuleTest> {
  return check(testSchema, value);
}

function check<Schema extends v.GenericSchema>(
  schema: Schema,
  value: unknown,
): Checked<v.InferOutput<Schema>> {
  const result = v.safeParse(schema, value);
  if (result.success) return { ok: true, value: result.output };
  return { ok: false, issues: result.issues.flatMap((issue) => issuesOf(issue, [], value)) };
}

/** A union's issue is told as the issues of the branch that fits the value's kind, which is what a person meant. */
function issuesOf(issue: v.BaseIssue<unknown>, above: readonly unknown[], root: unknown): SchemaIssue[] {
  const path = [...above, ...(issue.path ?? []).map((item) => item.key)];
  const inner = issue.type === "union" ? issue.issues : undefined;
  const deeper = inner?.filter((candidate) => (candidate.path?.length ?? 0) > 0);
  if (deeper !== undefined && deeper.length > 0) {
    const told = deeper.filter((candidate) => candidate.expected !== "never");
    return dedupe((told.length > 0 ? told : deeper).flatMap((candidate) => issuesOf(candidate, path, root)));
  }
  return [{ path: path.join("."), message: messageOf(issue, path, root) }];
}

function dedupe(issues: readonly SchemaIssue[]): SchemaIssue[] {
  const byPath = new Map(issues.map((issue) => [issue.path, issue]));
  return [...byPath.values()];
}

const kinds: Readonly<Record<string, string>> = {
  string: "text",
  boolean: "true or false",
  array: "a list",
  strict_object: "a mapping",
  object: "a mapping",
};

function messageOf(issue: v.BaseIssue<unknown>, path: readonly unknown[], root: unknown): string {
  const key = String(path[path.length - 1] ?? "");
  if (issue.kind !== "schema") return issue.message;
  if (issue.type === "strict_object" && issue.expected === "never") return unknownKey(key, path, root);
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
const ruleKeys = ["name", "field", ...matcherNames, "actions"];
const testKeys = [
  "name",
  "input",
  "inputs",
  "expect",
  "topic",
  "value",
  "text",
  "json",
  "key",
  "dropped",
  "dead_letter",
];

function unknownKey(key: string, path: readonly unknown[], root: unknown): string {
  if (Object.hasOwn(laterKeys, key) && path[0] !== "expect") return laterKeys[key];
  const unknown = `unknown key "${key}"`;
  if (path[0] !== "actions") {
    const isTest = typeof root === "object" && root !== null && "expect" in root;
    return unknown + didYouMean(key, isTest ? testKeys : ruleKeys);
  }
  const action = (root as { actions: { type: string }[] }).actions[Number(path[1])];
  return unknown + didYouMean(key, actionKeys[action.type] ?? []);
}

function actionFault(type: unknown): string {
  const names = Object.keys(actionKeys);
  if (typeof type !== "string") return `missing the action's type; write one of ${names.join(", ")}`;
  if (laterActions.includes(type)) return `this version has no action "${type}" yet`;
  return `unknown action "${type}"${didYouMean(type, names)}`;
}
