/**
 * Which variables the templates of a rule know, and where their text comes from.
 *
 * | variable | text |
 * |---|---|
 * | `msg raw hostname appname severity facility procid msgid timestamp peer sd.<id>.<param>` | the field of the line, "" where it has none; `msg` and `raw` redacted once a rule did so, else as they came |
 * | `version` | corndog's version, known at load |
 * | `iso8601` | receive time, RFC 3339 |
 * | `value` | result of the rule's JMESPath |
 * | named groups | text of the group, "" if it took no part in the match; a group hides everything else of that name |
 * | what `set` and `parse_json` named | from there on, in later rules of the line too; "" while it is not set |
 *
 * `value` and what `set` and `parse_json` named may be any JSON: `name.member.0` is a member of it. The text of a number
 * or boolean is its JSON, that of null, objects and lists is "" (the filter `json` writes those). In hotdog's dialect
 * `value` is text and has no members.
 *
 * @module
 */

import type { LineContext } from "./line_context.ts";
import { fieldReader } from "./field_reader.ts";
import { valueText } from "./jmespath.ts";
import { valueSlot } from "./line_context.ts";
import { fieldNames, isField } from "./matcher_schema.ts";
import { didYouMean } from "../core/suggest.ts";
import type { Resolve, Variable } from "./template.ts";

/** Names that `set` and `parse_json` cannot give. */
const reservedNames: readonly string[] = [...fieldNames, "version", "iso8601", "value", "sd"];

/** The variables that actions of a program set, by name. */
export class ProgramVariables {
  readonly #slots = new Map<string, number>();

  /** The slot of a name, undefined while no action has set it. */
  find(name: string): number | undefined {
    return this.#slots.get(name);
  }

  /** The slot of a name from here on. */
  declare(name: string): number {
    const slot = this.#slots.get(name) ?? this.#slots.size;
    this.#slots.set(name, slot);
    return slot;
  }

  get names(): readonly string[] {
    return [...this.#slots.keys()];
  }
}

/** What a rule's variables are made of. */
export interface VariablesOptions {
  /** The matcher's variables. */
  readonly slots: ReadonlyMap<string, number>;
  readonly version: string;
  readonly program: ProgramVariables;
  readonly dialect: "corndog" | "hotdog";
  /** True where the matcher is faulty: what it would have set is not known, and no variable is called unknown. */
  readonly isFaulty: boolean;
}

/** Gives the variables of one rule and remembers which were asked for. */
export class RuleVariables {
  /** Names of the matcher's variables that a template uses. */
  readonly usedSlots = new Set<string>();
  /** True once a template reads anything that needs the header parsed. */
  readsHeader = false;
  readonly resolve: Resolve<LineContext>;
  readonly #options: VariablesOptions;

  constructor(options: VariablesOptions) {
    this.#options = options;
    this.resolve = (name) => this.#find(name) ?? this.#member(name) ?? this.#unknown(name);
  }

  /** The slot for a variable that an action sets, or why it cannot have that name. */
  declare(name: string): number | { readonly fault: string } {
    if (reservedNames.includes(name)) return { fault: `"${name}" is taken; choose another name` };
    if (this.#options.slots.has(name)) return { fault: `"${name}" is a named group of this rule` };
    return this.#options.program.declare(name);
  }

  #find(name: string): Variable<LineContext> | undefined {
    const { slots, version, program, dialect } = this.#options;
    const slot = slots.get(name);
    if (slot !== undefined) {
      this.usedSlots.add(name);
      const read = (context: LineContext) => context.slots[slot];
      return slot !== valueSlot || dialect === "hotdog" ? { read } : { read, value: readValue };
    }
    if (name === "version") return { constant: version, read: () => version };
    if (name === "iso8601") return { jsonSafe: true, read: (context) => context.iso8601() };
    if (isField(name)) return this.#field(name);
    const variable = program.find(name);
    if (variable === undefined) return undefined;
    const value = (context: LineContext) => context.variable(variable);
    return { read: (context) => valueText(value(context)), value };
  }

  /** `name.member.0` of a variable that may be any JSON. */
  #member(name: string): Variable<LineContext> | undefined {
    const [root, ...path] = name.split(".");
    if (path.length === 0) return undefined;
    const whole = this.#find(root)?.value;
    if (whole === undefined) return undefined;
    const value = (context: LineContext) => memberAt(whole(context), path);
    return { read: (context) => valueText(value(context)), value };
  }

  #unknown(name: string): Variable<LineContext> | { readonly unknown: string } {
    const { slots, program, dialect, isFaulty } = this.#options;
    if (isFaulty) return { read: () => "", value: () => "" };
    if (dialect === "hotdog") return { constant: "", read: () => "" };
    if (name === "value") return { unknown: '"value" is known only in a rule with jmespath' };
    const known = [...slots.keys(), ...program.names, "version", "iso8601", ...fieldNames];
    return { unknown: `unknown variable "${name}"${didYouMean(name, known)}` };
  }

  #field(name: string): Variable<LineContext> {
    if (name !== "raw" && name !== "peer") this.readsHeader = true;
    const read = fieldReader(name);
    return { jsonSafe: name === "severity" || name === "facility", read: (context) => read(context) ?? "" };
  }
}

function readValue(context: LineContext): unknown {
  return context.value();
}

const listIndex = /^(?:0|[1-9][0-9]{0,8})$/;

/** The member of a parsed value; own members only, undefined where there is none. */
function memberAt(value: unknown, path: readonly string[]): unknown {
  let at = value;
  for (let i = 0; i < path.length; i++) {
    if (typeof at !== "object" || at === null) return undefined;
    if (Array.isArray(at) ? !listIndex.test(path[i]) : !Object.hasOwn(at, path[i])) return undefined;
    at = (at as Record<string, unknown>)[path[i]];
  }
  return at;
}
