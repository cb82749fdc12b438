/**
 * Which variables the templates of a rule know, and where their text comes from.
 *
 * | variable | text |
 * |---|---|
 * | `msg raw hostname appname severity facility procid msgid timestamp peer sd.<id>.<param>` | the field of the line as it came, "" where it has none |
 * | `version` | corndog's version, known at load |
 * | `iso8601` | receive time, RFC 3339 |
 * | `value` | result of the rule's JMESPath; "" for objects and lists |
 * | named groups | text of the group, "" if it took no part in the match; a group hides a field of the same name |
 *
 * @module
 */

import type { LineContext } from "./line_context.ts";
import { fieldReader } from "./matcher.ts";
import { fieldNames, isField } from "./schema.ts";
import { didYouMean } from "../core/suggest.ts";
import type { Resolve, Variable } from "./template.ts";

/** Gives the variables of one rule and remembers which were asked for. */
export class RuleVariables {
  /** Names of the matcher's variables that a template uses. */
  readonly usedSlots = new Set<string>();
  /** True once a template reads anything that needs the header parsed. */
  readsHeader = false;
  readonly resolve: Resolve<LineContext>;

  /**
   * `slots` are the matcher's variables. An unknown variable is a fault, or empty, as in hotdog, or ignored: the matcher
   * is faulty, and what it would have set is not known.
   */
  constructor(slots: ReadonlyMap<string, number>, version: string, unknown: "fault" | "empty" | "ignored") {
    this.resolve = (name) => {
      const slot = slots.get(name);
      if (slot !== undefined) {
        this.usedSlots.add(name);
        return { read: (context) => context.slots[slot] };
      }
      if (name === "version") return { constant: version, read: () => version };
      if (name === "iso8601") return { jsonSafe: true, read: (context) => context.iso8601() };
      if (isField(name)) return this.#field(name);
      if (unknown === "empty") return { constant: "", read: () => "" };
      if (unknown === "ignored") return { read: () => "" };
      return { unknown: unknownVariable(name, [...slots.keys()]) };
    };
  }

  #field(name: string): Variable<LineContext> {
    if (name !== "raw" && name !== "peer") this.readsHeader = true;
    const read = fieldReader(name);
    return { jsonSafe: name === "severity" || name === "facility", read: (context) => read(context) ?? "" };
  }
}

function unknownVariable(name: string, own: readonly string[]): string {
  if (name === "value") return '"value" is known only in a rule with jmespath';
  return `unknown variable "${name}"${didYouMean(name, [...own, "version", "iso8601", ...fieldNames])}`;
}
