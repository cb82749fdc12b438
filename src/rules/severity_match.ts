/**
 * `severity: "<= warning"` and `facility: [auth, authpriv]`, decided at load: which of the numbers match.
 *
 * Numbers compare. Severity counts down with urgency (RFC 5424 table 2: emerg is 0, debug 7), so `<= warning` is
 * warning and everything more urgent. A line without a priority matches no comparison, not even `!=`.
 *
 * | written | matches |
 * |---|---|
 * | `warning`, `4`, `"== warning"` | this one |
 * | `"<= warning"`, also `< >= > !=` | by number |
 * | `[err, crit]` | any of these |
 *
 * @module
 */

import { didYouMean } from "../core/suggest.ts";
import { facilityNames, severityNames } from "../core/syslog_names.ts";

/** Other names of severities that people write; syslog.h has the first three. */
const severityAliases: Readonly<Record<string, number>> = {
  panic: 0,
  error: 3,
  warn: 4,
  emergency: 0,
  critical: 2,
  informational: 6,
};

/** What can be compared. */
export type Scale = "severity" | "facility";

/** A comparison as written. */
export type Comparison = string | number | readonly (string | number)[];

/** By number: true where the line matches. A member that is not there, as for -1, is no match. */
export type Matching = readonly boolean[];

const comparison = /^\s*(<=|>=|==|!=|<|>)?\s*(\S+)\s*$/;

/** Which numbers match, or what is wrong; `index` is the place in the list, where it is one. */
export function compileComparison(
  scale: Scale,
  written: Comparison,
):
  | { readonly ok: true; readonly matching: Matching }
  | { readonly ok: false; readonly message: string; readonly index: number | undefined } {
  const count = (scale === "severity" ? severityNames : facilityNames).length;
  if (typeof written !== "string" && typeof written !== "number") {
    const matching = new Array<boolean>(count).fill(false);
    for (const [index, name] of written.entries()) {
      const found = numberOf(scale, String(name));
      if (typeof found === "string") return { ok: false, message: found, index };
      matching[found] = true;
    }
    return { ok: true, matching };
  }
  const parts = comparison.exec(String(written));
  if (parts === null) {
    const message = `must be a comparison such as "<= warning", is ${JSON.stringify(written)}`;
    return { ok: false, message, index: undefined };
  }
  const [, operator = "==", name] = parts;
  const wanted = numberOf(scale, name);
  if (typeof wanted === "string") return { ok: false, message: wanted, index: undefined };
  const matching = Array.from({ length: count }, (_, number) => holds(operator, number, wanted));
  return matching.includes(true)
    ? { ok: true, matching }
    : { ok: false, message: `"${written}" can never match`, index: undefined };
}

function holds(operator: string, number: number, wanted: number): boolean {
  switch (operator) {
    case "<":
      return number < wanted;
    case "<=":
      return number <= wanted;
    case ">":
      return number > wanted;
    case ">=":
      return number >= wanted;
    case "!=":
      return number !== wanted;
    default:
      return number === wanted;
  }
}

/** The number of a name or of digits, or what is wrong with it. */
function numberOf(scale: Scale, name: string): number | string {
  const names: readonly string[] = scale === "severity" ? severityNames : facilityNames;
  const lower = name.toLowerCase();
  const known = names.indexOf(lower);
  if (known >= 0) return known;
  if (scale === "severity" && Object.hasOwn(severityAliases, lower)) return severityAliases[lower];
  const number = /^[0-9]{1,2}$/.test(lower) ? Number(lower) : -1;
  if (number >= 0 && number < names.length) return number;
  const meant = scale === "severity" ? [...names, ...Object.keys(severityAliases)] : names;
  return `unknown ${scale} "${name}"${didYouMean(name, meant)}; ` +
    `it is a name or a number from 0 to ${names.length - 1}`;
}
