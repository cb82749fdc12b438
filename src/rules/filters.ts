/**
 * Filters of templates: `{{hostname | default: "unknown" | lower}}`. A closed set, chained from left to right.
 *
 * | filter | gives |
 * |---|---|
 * | `default: "x"` | `x` where there is nothing: no value, null, or an empty text |
 * | `json` | the value as JSON: a text with quotes and escapes, an object or list whole |
 * | `lower`, `upper` | Unicode's default case mapping |
 * | `trim` | without white space at both ends |
 * | `truncate: n` | at most n characters; a character beyond U+FFFF is one and never cut |
 * | `sha256` | SHA-256 of the text as UTF-8, in hexadecimal |
 *
 * A filter takes what stands before it: the value with its JSON type for the first one, and for `json` and `default`
 * also behind `default`; else a text.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { didYouMean } from "../core/suggest.ts";
import { valueText } from "./jmespath.ts";
import { jsonText } from "./json_write.ts";

/** What a filter makes of a value: a text or any JSON value; undefined and null are no value. */
export type ApplyFilter = (value: unknown) => unknown;

/** A filter, ready to run; `jsonSafe` if its text never needs escaping inside a JSON string. */
export interface Filter {
  readonly apply: ApplyFilter;
  readonly jsonSafe: "always" | "as_before" | "never";
}

/** A filter's argument as written: text or number. */
export type FilterArgument = string | number;

/** Longer results of `truncate` are not asked for by anybody; a frame has less. */
const truncateMax = 1_000_000;

const plain: Readonly<Record<string, Filter>> = {
  json: { apply: jsonText, jsonSafe: "never" },
  lower: { apply: (value) => valueText(value).toLowerCase(), jsonSafe: "as_before" },
  upper: { apply: (value) => valueText(value).toUpperCase(), jsonSafe: "as_before" },
  trim: { apply: (value) => valueText(value).trim(), jsonSafe: "as_before" },
  sha256: {
    apply: (value) => createHash("sha256").update(valueText(value)).digest("hex"),
    jsonSafe: "always",
  },
};

/** The names of all filters. */
export const filterNames: readonly string[] = ["default", "truncate", ...Object.keys(plain)];

/** The filter of that name, or what is wrong with the call. */
export function filterOf(
  name: string,
  args: readonly FilterArgument[],
): Filter | { readonly fault: string } {
  if (Object.hasOwn(plain, name)) {
    return args.length === 0 ? plain[name] : { fault: `the filter "${name}" takes no argument` };
  }
  const [argument] = args;
  switch (name) {
    case "default": {
      if (args.length !== 1) return { fault: 'the filter "default" takes one text: default: "x"' };
      const text = String(argument);
      return { apply: (value) => isNothing(value) ? text : value, jsonSafe: "never" };
    }
    case "truncate": {
      const isCount = args.length === 1 && typeof argument === "number" && Number.isInteger(argument) &&
        argument >= 0 && argument <= truncateMax;
      if (!isCount) return { fault: 'the filter "truncate" takes one count of characters: truncate: 80' };
      return { apply: (value) => truncate(valueText(value), argument), jsonSafe: "as_before" };
    }
  }
  return { fault: `unknown filter "${name}"${didYouMean(name, filterNames)}` };
}

function isNothing(value: unknown): boolean {
  return value === undefined || value === null || value === "";
}

function truncate(text: string, count: number): string {
  if (text.length <= count) return text;
  let at = 0;
  for (let left = count; left > 0 && at < text.length; left--) {
    at += text.codePointAt(at)! > 0xffff ? 2 : 1;
  }
  return text.slice(0, at);
}
