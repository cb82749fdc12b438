/**
 * Runs a schema and says everything that is wrong, in plain words with the cure.
 *
 * The schema library stops at the first unknown key of a map; here such keys are taken out and the schema runs
 * again, so that one pass of `corndog check` names all faults.
 *
 * @module
 */
import * as v from "valibot";
import { kindOf } from "./fields.ts";
import { didYouMean, nearest } from "../core/suggest.ts";
import { quote } from "./units.ts";
import type { Path } from "./yaml.ts";

/** One thing that is wrong in a value. */
export interface Problem {
  readonly path: Path;
  /** Whether the key itself is wrong or what stands behind it. */
  readonly at: "key" | "value";
  readonly message: string;
}

/** The output of a schema, or all that is wrong. */
export type Explained<T> = { readonly ok: true; readonly output: T } | {
  readonly ok: false;
  readonly problems: readonly Problem[];
};

/** Problems reported of one value. */
const problemsMax = 200;

/**
 * Validates `value`. The value itself is left as it is.
 *
 * @param moreKeys keys of the topmost map that somebody else reads, for the sake of suggestions
 */
export function explain<T>(
  schema: v.GenericSchema<unknown, T>,
  value: unknown,
  moreKeys: readonly string[] = [],
): Explained<T> {
  const problems: Problem[] = [];
  let current = value;
  while (true) {
    const result = v.safeParse(schema, current);
    if (result.success) {
      return problems.length === 0 ? { ok: true, output: result.output } : { ok: false, problems };
    }
    const issues = result.issues.flatMap((issue) => leaves(issue, []));
    const unknown = issues.filter((issue) => issue.unknown);
    for (const issue of unknown) problems.push(unknownKey(schema, value, issue, moreKeys));
    if (unknown.length > 0 && problems.length < problemsMax) {
      current = unknown.reduce((rest, issue) => without(rest, issue.path), current);
      continue;
    }
    for (const issue of issues) {
      if (!issue.unknown) {
        problems.push({ path: issue.path, at: "value", message: plainMessage(issue.issue) });
      }
    }
    return { ok: false, problems: distinct(problems).slice(0, problemsMax) };
  }
}

interface Leaf {
  readonly issue: v.BaseIssue<unknown>;
  readonly path: Path;
  readonly unknown: boolean;
}

/** The issues that a person can act on: of a union without words of its own, those of the branch that went furthest. */
function leaves(issue: v.BaseIssue<unknown>, prefix: Path): Leaf[] {
  const path = [...prefix, ...(issue.path ?? []).map((item) => item.key as string | number)];
  const ownWords = !issue.message.startsWith("Invalid ");
  if (issue.issues !== undefined && issue.issues.length > 0 && !ownWords) {
    const nested = issue.issues.flatMap((inner) => leaves(inner, path));
    const deepest = Math.max(...nested.map((leaf) => leaf.path.length));
    if (deepest > path.length) return nested.filter((leaf) => leaf.path.length === deepest).slice(0, 1);
  }
  const parent = issue.path?.at(-1);
  if (parent?.origin === "key" && Array.isArray(parent.input)) {
    // A list passes for a map until its "keys" are looked at.
    return [{
      issue: { ...issue, type: "list_for_map", input: parent.input },
      path: path.slice(0, -1),
      unknown: false,
    }];
  }
  const unknown = parent?.origin === "key" && issue.expected === "never";
  return [{ issue, path, unknown }];
}

function unknownKey(
  schema: v.GenericSchema,
  value: unknown,
  leaf: Leaf,
  moreKeys: readonly string[],
): Problem {
  const key = String(leaf.path.at(-1));
  const known = [
    ...keysAt(schema, value, leaf.path.slice(0, -1)),
    ...(leaf.path.length === 1 ? moreKeys : []),
  ];
  const best = nearest(key, known);
  const cure = best !== undefined
    ? `; did you mean "${best}"?`
    : known.length > 0
    ? `; the keys here are ${known.join(", ")}`
    : "; remove it";
  return { path: leaf.path, at: "key", message: `unknown key ${quote(key)}${cure}` };
}

function plainMessage(issue: v.BaseIssue<unknown>): string {
  if (issue.type === "list_for_map") return "wants a map (key: value), but a list is written here";
  if (!issue.message.startsWith("Invalid ")) return issue.message;
  if (issue.kind === "schema" && issue.input === undefined && issue.path?.at(-1)?.origin === "key") {
    return "this key is missing";
  }
  if (issue.kind === "schema" && (issue.expected === "Object" || issue.expected === "Array")) {
    const what = issue.expected === "Array" ? "a list" : "a map (key: value)";
    return issue.input === null
      ? `has no value; write ${what} or remove the key`
      : `wants ${what}, but ${kindOf(issue.input)} is written here`;
  }
  return issue.expected === null
    ? `${kindOf(issue.input)} is not allowed here`
    : `wants ${plainExpectation(issue)}, but ${kindOf(issue.input)} is written here${
      typeof issue.input === "string" ? didYouMean(issue.input, expectedWords(issue.expected)) : ""
    }`;
}

function plainExpectation(issue: v.BaseIssue<unknown>): string {
  const { expected } = issue;
  if (expected === "string") return "text";
  if (expected === "number") return "a number";
  if (expected === "boolean") return "true or false";
  return expected!.replace(/^\(|\)$/g, "").replaceAll(" | ", " or ");
}

/** The words of a closed list that the library expected: `("a" | "b")`. */
function expectedWords(expected: string): string[] {
  return [...expected.matchAll(/"([^"]*)"/g)].map((match) => match[1]!);
}

function distinct(problems: readonly Problem[]): Problem[] {
  const seen = new Set<string>();
  return problems.filter((problem) => {
    const mark = `${problem.path.join("\0")}\0\0${problem.message}`;
    return !seen.has(mark) && seen.add(mark);
  });
}

/** `value` with the key at `path` taken out; only the maps on the way are copied. */
export function without(value: unknown, path: Path): unknown {
  const [step, ...rest] = path;
  if (Array.isArray(value)) {
    return value.map((item, index) => index === Number(step) && rest.length > 0 ? without(item, rest) : item);
  }
  if (typeof value !== "object" || value === null || step === undefined) return value;
  const copy: Record<string, unknown> = { ...value };
  if (rest.length === 0) delete copy[step];
  else copy[step] = without(copy[step], rest);
  return copy;
}

/** The keys that `schema` knows at `path`. */
function keysAt(schema: v.GenericSchema, value: unknown, path: Path): string[] {
  let current: unknown = schema;
  let input: unknown = value;
  for (const step of path) {
    current = inner(current, input, step);
    input = typeof input === "object" && input !== null
      ? (input as Record<string | number, unknown>)[step]
      : undefined;
  }
  const map = unwrap(current, input) as { entries?: Record<string, unknown> } | undefined;
  return map?.entries === undefined ? [] : Object.keys(map.entries);
}

function inner(schema: unknown, input: unknown, step: string | number): unknown {
  const open = unwrap(schema, input) as { entries?: Record<string, unknown>; item?: unknown } | undefined;
  return open?.entries?.[step] ?? open?.item;
}

/** Takes optional, pipe, lazy, union and variant off a schema, to the map or list that `input` was meant for. */
function unwrap(schema: unknown, input: unknown): unknown {
  let current = schema as {
    wrapped?: unknown;
    getter?: (input: unknown) => unknown;
    options?: readonly unknown[];
    key?: string;
  } | undefined;
  for (let layer = 0; layer < 20 && current !== undefined; layer++) {
    if (current.wrapped !== undefined) current = current.wrapped as typeof current;
    else if (typeof current.getter === "function") current = current.getter(input) as typeof current;
    else if (Array.isArray(current.options) && typeof current.options[0] === "object") {
      current = bestOption(current.options, input) as typeof current;
    } else break;
  }
  return current;
}

/** The branch of a union that shares most keys with what is written. */
function bestOption(options: readonly unknown[], input: unknown): unknown {
  const written = typeof input === "object" && input !== null ? input as Record<string, unknown> : {};
  let best: unknown;
  let bestScore = -1;
  for (const option of options) {
    const open = unwrap(option, input) as { entries?: Record<string, { literal?: unknown }> } | undefined;
    if (open?.entries === undefined) continue;
    const keys = Object.keys(open.entries).filter((key) => key in written);
    const literals = keys.filter((key) => open.entries![key]?.literal === written[key]);
    const score = keys.length + 10 * literals.length;
    if (score > bestScore) [best, bestScore] = [option, score];
  }
  return best;
}
