/**
 * What people write under `actions:`: every key, its kind, and a sentence about it.
 *
 * @module
 */

import * as v from "valibot";

/** Highest partition that a rule or line may choose; Kafka advises against more in a topic. */
export const partitionMax = 99_999;
/** Patterns of one `redact`. */
const patternsMax = 100;
/** Keys that `throttle` remembers unless the rule says otherwise. */
export const throttleKeysDefault = 10_000;
/** More would take more than some 100 MiB in every worker. */
const throttleKeysMax = 1_000_000;

/** `type: forward`. */
export const forwardSchema = v.strictObject({
  type: v.literal("forward"),
  topic: v.pipe(v.string(), v.description("Kafka topic; a template")),
  value: v.optional(
    v.pipe(
      v.string(),
      v.description(
        "msg (the default: what merge or replace made, else the message), raw (the whole frame), json (parsed header and msg), or a template",
      ),
    ),
  ),
  key: v.optional(v.pipe(v.string(), v.description("Record key; a template"))),
  headers: v.optional(v.pipe(
    v.unknown(),
    v.check(isTextMap, "must be a mapping of names to templates"),
    v.description("Record headers: names to templates"),
  )),
  partition: v.optional(v.pipe(
    v.union([
      v.pipe(
        v.number(),
        v.check(isPartition, `must be a whole number from 0 to ${partitionMax}`),
      ),
      v.string(),
    ]),
    v.description("Partition, from 0; a number or a template that gives one"),
  )),
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

const variableNameSchema = v.pipe(
  v.string(),
  v.regex(/^[A-Za-z_][A-Za-z0-9_]*$/, "a variable's name is letters, digits and _"),
);

/** `type: set`. */
export const setSchema = v.strictObject({
  type: v.literal("set"),
  name: v.pipe(variableNameSchema, v.description("Variable for the rest of this line, in later rules too")),
  value: v.pipe(v.string(), v.description("Its value; a template. Exactly one variable keeps its JSON type")),
});

/** `type: parse_json`. */
export const parseJsonSchema = v.strictObject({
  type: v.literal("parse_json"),
  name: v.optional(
    v.pipe(variableNameSchema, v.description("Variable for the result: {{json.member.0}} and so on")),
    "json",
  ),
  from: v.optional(
    v.pipe(v.string(), v.description("Text to parse; a template (default: what forward would send)")),
  ),
});

/** Patterns that `redact` knows by name. */
export const builtInPatterns = ["email", "ip", "card", "bearer"] as const;

/** A pattern of one's own. */
export const ownPatternSchema = v.strictObject({
  regex: v.pipe(v.string(), v.minLength(1, "the pattern is empty"), v.description("RE2 pattern")),
  name: v.optional(
    v.pipe(
      v.string(),
      v.regex(/^[A-Za-z0-9_-]{1,32}$/, "a pattern's name is 1 to 32 letters, digits, _ and -"),
      v.description("What stands for a match: [name]"),
    ),
    "redacted",
  ),
});

const hashSchema = v.pipe(
  v.strictObject({
    key: v.optional(
      v.pipe(v.string(), v.minLength(1, "the key is empty"), v.description("The secret itself")),
    ),
    key_env: v.optional(v.pipe(v.string(), v.description("Environment variable that has the secret"))),
  }),
  v.check(
    ({ key, key_env }) => (key === undefined) !== (key_env === undefined),
    'needs exactly one of "key" and "key_env"',
  ),
);

/** `type: redact`. */
export const redactSchema = v.pipe(
  v.strictObject({
    type: v.literal("redact"),
    patterns: v.pipe(
      v.array(v.union([v.picklist(builtInPatterns), ownPatternSchema])),
      v.minLength(1, "the list is empty"),
      v.maxLength(patternsMax, `more than ${patternsMax} patterns`),
      v.description("email, ip, card (Luhn), bearer, or { regex, name }"),
    ),
    replacement: v.optional(v.pipe(
      v.string(),
      v.check(
        (text) => /[^\s0-9.,:;@_-]/.test(text),
        "must have a letter or bracket in it, so that what stands beside it cannot grow together",
      ),
      v.description("Text for every match (default: [email], [ip], [card], [bearer])"),
    )),
    hash: v.optional(v.pipe(
      hashSchema,
      v.description("Keeps matches joinable: [email:…] with the first 128 bits of HMAC-SHA256"),
    )),
  }),
  v.check(
    ({ replacement, hash }) => replacement === undefined || hash === undefined,
    "has replacement and hash; write one of them",
  ),
);

/** `type: sample`. */
export const sampleSchema = v.strictObject({
  type: v.literal("sample"),
  rate: v.pipe(
    v.union([
      v.pipe(v.number(), v.check((rate) => rate >= 0 && rate <= 1, "must be from 0 to 1, or 1/N")),
      v.pipe(v.string(), v.regex(/^1\/[1-9][0-9]{0,8}$/, "must be from 0 to 1, or 1/N")),
    ]),
    v.description("Share of lines that go on: 0 to 1, or 1/N; the others are dropped"),
  ),
  by: v.optional(v.pipe(v.string(), v.description("Template: lines with the same text share one fate"))),
});

/** `type: throttle`. */
export const throttleSchema = v.strictObject({
  type: v.literal("throttle"),
  key: v.optional(v.pipe(v.string(), v.description("Template: each text has a bucket of its own")), ""),
  rate: v.pipe(
    v.number(),
    v.check((rate) => rate > 0 && Number.isFinite(rate), "must be more than 0"),
    v.description("Lines per `per`, over all workers"),
  ),
  per: v.optional(
    v.pipe(
      v.string(),
      v.regex(/^[1-9][0-9]{0,8}(?:ms|s|m|h)$/, "must be a time such as 1s, 500ms, 5m, 1h"),
      v.description("Interval of the rate"),
    ),
    "1s",
  ),
  burst: v.optional(
    v.pipe(
      v.number(),
      v.check((burst) => burst >= 1 && Number.isInteger(burst), "must be a whole number from 1 on"),
      v.description("Lines that may come at once (default: rate, at least 1)"),
    ),
  ),
  keys: v.optional(
    v.pipe(
      v.number(),
      v.check(
        (keys) => Number.isInteger(keys) && keys >= 1 && keys <= throttleKeysMax,
        `must be a whole number from 1 to ${throttleKeysMax}`,
      ),
      v.description("Keys that are remembered; beyond them the busy ones share a bucket"),
    ),
    throttleKeysDefault,
  ),
});

/** `type: stop`. */
export const stopSchema = v.strictObject({ type: v.literal("stop") });

/** `type: drop`. */
export const dropSchema = v.strictObject({ type: v.literal("drop") });

/** `type: dead_letter`. */
export const deadLetterSchema = v.strictObject({
  type: v.literal("dead_letter"),
  reason: v.optional(
    v.pipe(
      v.string(),
      v.regex(/^[a-z][a-z0-9_]{0,63}$/, "a reason is up to 64 of a-z, 0-9 and _, such as unknown_tenant"),
      v.description("Constant name, as letters are grouped by it"),
    ),
    "rule_dead_letter",
  ),
  message: v.optional(v.pipe(v.string(), v.description("For people; a template"))),
});

/** One action, by its `type`. */
export const actionSchema = v.variant("type", [
  forwardSchema,
  mergeSchema,
  replaceSchema,
  setSchema,
  parseJsonSchema,
  redactSchema,
  sampleSchema,
  throttleSchema,
  stopSchema,
  dropSchema,
  deadLetterSchema,
]);

/** An action as written, defaults applied. */
export type Action = v.InferOutput<typeof actionSchema>;

/** Keys of each action, by its type. */
export const actionKeys: Readonly<Record<string, readonly string[]>> = {
  forward: Object.keys(forwardSchema.entries),
  merge: Object.keys(mergeSchema.entries),
  replace: Object.keys(replaceSchema.entries),
  set: Object.keys(setSchema.entries),
  parse_json: Object.keys(parseJsonSchema.entries),
  redact: Object.keys(redactSchema.entries),
  sample: Object.keys(sampleSchema.entries),
  throttle: Object.keys(throttleSchema.entries),
  stop: Object.keys(stopSchema.entries),
  drop: Object.keys(dropSchema.entries),
  dead_letter: Object.keys(deadLetterSchema.entries),
};

/** Keys of the mapping at a path below an action. */
export function keysInAction(path: readonly unknown[]): readonly string[] {
  if (path[0] === "patterns") return Object.keys(ownPatternSchema.entries);
  return path[0] === "hash" ? Object.keys(hashSchema.entries) : [];
}

function isTextMap(value: unknown): value is Readonly<Record<string, string>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) &&
    Object.values(value).every((text) => typeof text === "string");
}

/** True for what may be a partition. */
export function isPartition(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= partitionMax;
}
