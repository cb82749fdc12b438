/**
 * What people write to say which lines a rule is for: one matcher, or `all`, `any`, `not` of matchers, each with its
 * own `field`.
 *
 * @module
 */

import * as v from "valibot";
import { didYouMean } from "../core/suggest.ts";

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

/** The names of the matchers; a rule has exactly one, and so has each element of `all`, `any` and `not`. */
export const matcherNames = [
  "regex",
  "jmespath",
  "equals",
  "prefix",
  "contains",
  "severity",
  "facility",
  "all",
  "any",
  "not",
] as const;

/** Matchers that look at a `field`. */
const fieldMatchers: readonly string[] = ["regex", "jmespath", "equals", "prefix", "contains"];

/** `all`, `any` and `not` may be nested this deep. */
export const matcherDepthMax = 10;
/** Elements of one `all` or `any`. */
export const matcherElementsMax = 1_000;

/** A matcher as written. */
export interface WrittenMatcher {
  readonly field?: string;
  readonly regex?: string;
  readonly jmespath?: string;
  readonly equals?: string;
  readonly prefix?: string;
  readonly contains?: string;
  readonly severity?: string | number | (string | number)[];
  readonly facility?: string | number | (string | number)[];
  readonly all?: WrittenMatcher[];
  readonly any?: WrittenMatcher[];
  readonly not?: WrittenMatcher;
}

const comparisonSchema = v.union([v.string(), v.number(), v.array(v.union([v.string(), v.number()]))]);

/** An element of `all`, `any` and `not`; recursive. */
export const nestedMatcherSchema: v.LazySchema<v.GenericSchema<WrittenMatcher>> = v.lazy(() => elementSchema);

const elementsSchema = v.pipe(
  v.array(nestedMatcherSchema),
  v.minLength(1, "the list is empty"),
  v.maxLength(matcherElementsMax, `more than ${matcherElementsMax} matchers`),
);

/** The keys of a matcher, for the rule that has one and for the elements of another. */
export const matcherEntries = {
  field: v.optional(
    v.pipe(
      v.string(),
      v.check(isField, (issue) => fieldFault(issue.input)),
      v.description(
        "What the matcher looks at: msg (the default) hostname appname severity facility procid msgid timestamp peer raw, or sd.<id>.<param>",
      ),
    ),
  ),
  regex: v.optional(v.pipe(v.string(), v.description("RE2 pattern, searched in the field"))),
  jmespath: v.optional(v.pipe(v.string(), v.description("JMESPath; matches where the result is not null"))),
  equals: v.optional(v.pipe(v.string(), v.description("The field is this text"))),
  prefix: v.optional(v.pipe(v.string(), v.description("The field begins with this text"))),
  contains: v.optional(v.pipe(v.string(), v.description("The field has this text in it"))),
  severity: v.optional(
    v.pipe(
      comparisonSchema,
      v.description('Name or number, a comparison such as "<= warning" (emerg is 0), or a list of names'),
    ),
  ),
  facility: v.optional(
    v.pipe(
      comparisonSchema,
      v.description('Name or number, a comparison such as "!= cron", or a list of names'),
    ),
  ),
  all: v.optional(v.pipe(elementsSchema, v.description("Matches where all of these match"))),
  any: v.optional(
    v.pipe(elementsSchema, v.description("Matches where one of these matches, tried in order")),
  ),
  not: v.optional(nestedMatcherSchema),
};

/** One matcher by itself. */
export const elementSchema: v.GenericSchema<WrittenMatcher> = v.pipe(
  v.strictObject(matcherEntries),
  v.check(
    (matcher) => matcherFault(matcher) === undefined,
    (issue) => matcherFault(issue.input as WrittenMatcher)!,
  ),
);

/** Keys that an element of `all`, `any`, `not` may have. */
export const matcherKeys: readonly string[] = ["field", ...matcherNames];

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

/** What is wrong with the number of matchers and with `field`, if anything. */
export function matcherFault(matcher: WrittenMatcher): string | undefined {
  const found = matcherNames.filter((name) => matcher[name] !== undefined);
  if (found.length === 0) return `has no matcher; write one of ${matcherNames.join(", ")}`;
  if (found.length > 1) return `has ${found.length} matchers (${found.join(", ")}); write exactly one`;
  if (matcher.field === undefined || fieldMatchers.includes(found[0])) return undefined;
  return found[0] === "severity" || found[0] === "facility"
    ? `field has no meaning beside ${found[0]}; remove it`
    : `field has no meaning beside ${found[0]}; write it into each element`;
}

/** The path of the first matcher that is nested too deep, below `value`; undefined where none is. */
export function tooDeepMatcher(value: unknown): string | undefined {
  const stack: { readonly at: unknown; readonly path: string; readonly depth: number }[] = [
    { at: value, path: "", depth: 0 },
  ];
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    const { at, path, depth } = next;
    if (typeof at !== "object" || at === null) continue;
    if (depth > matcherDepthMax) return path;
    for (const key of ["all", "any", "not"] as const) {
      const below = (at as Record<string, unknown>)[key];
      const here = path === "" ? key : `${path}.${key}`;
      if (!Array.isArray(below)) stack.push({ at: below, path: here, depth: depth + 1 });
      else {below.forEach((item, index) =>
          stack.push({ at: item, path: `${here}.${index}`, depth: depth + 1 })
        );}
    }
  }
  return undefined;
}
