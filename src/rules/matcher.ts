/**
 * The matcher of a rule as one closure: does the line at hand match, and with which variables.
 *
 * Variables are the named groups of regexes, and `value` of a JMESPath. Of `any` they come from the first element that
 * matches, of `all` from every element, the later one where two have the same name; what is inside `not` has none.
 *
 * @module
 */

import { compileJmesPath } from "./jmespath.ts";
import {
  comparisonMatch,
  type CompiledMatcher,
  jmesPathMatcher,
  type Match,
  regexMatcher,
  textMatcher,
} from "./leaf_matcher.ts";
import { type LineContext, valueSlot } from "./line_context.ts";
import { matcherNames, type WrittenMatcher } from "./matcher_schema.ts";
import { needsOfAll, needsOfAny } from "./prefilter_needs.ts";
import { checkRegex, matched, noMatch, type RegexClass, tooCostly } from "./regex.ts";
import { compileComparison, type Scale } from "./severity_match.ts";

export { fieldReader } from "./field_reader.ts";

/** A matcher whose pattern or expression is sound; it is compiled when it is known which variables are used. */
export interface CheckedMatcher {
  /** Variables that it sets, with their slot. */
  readonly slots: ReadonlyMap<string, number>;
  /** `used` are the variables that templates of the rule ask for. */
  compile(used: ReadonlySet<string>): CompiledMatcher;
  /** How its patterns are run, once it is compiled. */
  readonly engines: readonly RegexClass[];
}

/** What is wrong with a matcher; `path` is its key, `column` counts characters of its text from 1. */
export interface MatcherFault {
  readonly path: string;
  readonly message: string;
  readonly column?: number;
}

/** Checks the matcher of a rule. Numbers its variables from `valueSlot` on. */
export function checkMatcher(
  rule: WrittenMatcher,
): { readonly ok: true; readonly matcher: CheckedMatcher } | {
  readonly ok: false;
  readonly faults: readonly MatcherFault[];
} {
  const checker = new Checker();
  const { compile } = checker.check(rule, "");
  if (checker.faults.length > 0) return { ok: false, faults: checker.faults };
  const { slots, engines } = checker;
  return {
    ok: true,
    matcher: {
      slots,
      engines,
      compile: (used) => {
        const compiled = compile(used);
        return isCompound(rule)
          ? { ...compiled, match: withFreshSlots(compiled.match, slots, used) }
          : compiled;
      },
    },
  };
}

type Compile = (used: ReadonlySet<string>) => CompiledMatcher;

/** A sound matcher anywhere in the tree. */
interface Checked {
  readonly compile: Compile;
  /** Variables that it may set. */
  readonly names: readonly string[];
}

function isCompound({ all, any, not }: WrittenMatcher): boolean {
  return (all ?? any ?? not) !== undefined;
}

/** An element that did not match leaves its variables as they were: they must not be those of an earlier line. */
function withFreshSlots(match: Match, slots: ReadonlyMap<string, number>, used: ReadonlySet<string>): Match {
  const own = [...slots].filter(([name]) => used.has(name)).map(([, slot]) => slot);
  if (own.length === 0) return match;
  return (context) => {
    clear(context, own);
    return match(context);
  };
}

function clear(context: LineContext, slots: readonly number[]): void {
  for (let i = 0; i < slots.length; i++) {
    context.slots[slots[i]] = "";
    if (slots[i] === valueSlot) context.setValue(undefined);
  }
}

const noneUsed: ReadonlySet<string> = new Set();

/** Checks matchers of any depth and gives their variables slots. */
class Checker {
  readonly faults: MatcherFault[] = [];
  readonly slots = new Map<string, number>();
  readonly engines: RegexClass[];

  /** Those inside it share its list of engines. */
  constructor(engines: RegexClass[] = []) {
    this.engines = engines;
  }

  check(written: WrittenMatcher, path: string): Checked {
    const field = written.field ?? "msg";
    const key = matcherNames.find((name) => written[name] !== undefined)!;
    const here = path === "" ? key : `${path}.${key}`;
    switch (key) {
      case "regex":
        return this.#regex(field, written.regex!, here);
      case "jmespath":
        return this.#jmesPath(field, written.jmespath!, here);
      case "severity":
      case "facility":
        return this.#comparison(key, written[key]!, here);
      case "all":
      case "any":
        return this.#list(key, written[key]!, here);
      case "not":
        return this.#not(written.not!, here);
      default:
        return { compile: textMatcher(field, key, written[key]!), names: [] };
    }
  }

  #slot(name: string): number {
    const known = this.slots.get(name);
    if (known !== undefined) return known;
    const named = this.slots.size - (this.slots.has("value") ? 1 : 0);
    const slot = name === "value" ? valueSlot : valueSlot + 1 + named;
    this.slots.set(name, slot);
    return slot;
  }

  #regex(field: string, pattern: string, path: string): Checked {
    const checked = checkRegex(pattern);
    if (!checked.ok) {
      this.faults.push({ path, ...checked.fault });
      return neverRun;
    }
    const names = [...checked.regex.names.keys()];
    const slots = new Map(names.map((name) => [name, this.#slot(name)]));
    const compile: Compile = (used) => {
      const compiled = regexMatcher(field, checked.regex, slots, used);
      if (compiled.engine !== undefined) this.engines.push(compiled.engine);
      return compiled;
    };
    return { compile, names };
  }

  #jmesPath(field: string, expression: string, path: string): Checked {
    const compiled = compileJmesPath(expression);
    if (!compiled.ok) {
      this.faults.push({ path, message: compiled.message, column: compiled.column });
      return neverRun;
    }
    this.#slot("value");
    return {
      compile: (used) => jmesPathMatcher(field, compiled.path, used.has("value")),
      names: ["value"],
    };
  }

  #comparison(scale: Scale, written: NonNullable<WrittenMatcher[Scale]>, path: string): Checked {
    const compiled = compileComparison(scale, written);
    if (!compiled.ok) {
      const { index, message } = compiled;
      this.faults.push({ path: index === undefined ? path : `${path}.${index}`, message });
      return neverRun;
    }
    const match = comparisonMatch(scale, compiled.matching);
    return { compile: () => ({ always: false, readsHeader: true, needs: [], match }), names: [] };
  }

  #list(key: "all" | "any", written: readonly WrittenMatcher[], path: string): Checked {
    const elements = written.map((element, index) => this.check(element, `${path}.${index}`));
    const names = [...new Set(elements.flatMap((element) => element.names))];
    if (key === "any") return { compile: (used) => anyOf(compileAll(elements, used)), names };
    const compile: Compile = (used) => {
      const own = names.filter((name) => used.has(name)).map((name) => this.#slot(name));
      return allOf(compileAll(elements, used), own);
    };
    return { compile, names };
  }

  #not(written: WrittenMatcher, path: string): Checked {
    const inner = new Checker(this.engines);
    const { compile } = inner.check(written, path);
    this.faults.push(...inner.faults);
    return { compile: () => not(compile(noneUsed)), names: [] };
  }
}

function compileAll(elements: readonly Checked[], used: ReadonlySet<string>): CompiledMatcher[] {
  return elements.map(({ compile }) => compile(used));
}

function not({ match, readsHeader }: CompiledMatcher): CompiledMatcher {
  return {
    always: false,
    readsHeader,
    needs: [],
    match: (context) => {
      const result = match(context);
      return result === tooCostly ? tooCostly : result === matched ? noMatch : matched;
    },
  };
}

/** Stands for a matcher with a fault; the rule is refused before it could run. */
const neverRun: Checked = {
  compile: () => ({ always: false, readsHeader: false, needs: [], match: () => noMatch }),
  names: [],
};

/** Every element; one that fails takes back the variables that those before it set. */
function allOf(compiled: readonly CompiledMatcher[], own: readonly number[]): CompiledMatcher {
  const matches = compiled.map(({ match }) => match);
  const before = own.map(() => "");
  const match: Match = (context) => {
    for (let i = 0; i < own.length; i++) before[i] = context.slots[own[i]];
    for (let i = 0; i < matches.length; i++) {
      const result = matches[i](context);
      if (result === matched) continue;
      if (i > 0) restore(context, own, before);
      return result;
    }
    return matched;
  };
  return {
    always: compiled.every(({ always }) => always),
    readsHeader: compiled.some(({ readsHeader }) => readsHeader),
    needs: needsOfAll(compiled.map(({ needs }) => needs)),
    match,
  };
}

/** The type of an earlier `value` is forgotten with it: it comes back as text. */
function restore(context: LineContext, slots: readonly number[], texts: readonly string[]): void {
  for (let i = 0; i < slots.length; i++) {
    if (slots[i] === valueSlot && context.slots[valueSlot] !== texts[i]) context.setValue(texts[i]);
    context.slots[slots[i]] = texts[i];
  }
}

/** The first element that matches. */
function anyOf(compiled: readonly CompiledMatcher[]): CompiledMatcher {
  const matches = compiled.map(({ match }) => match);
  const match: Match = (context) => {
    for (let i = 0; i < matches.length; i++) {
      const result = matches[i](context);
      if (result !== noMatch) return result;
    }
    return noMatch;
  };
  return {
    always: compiled.some(({ always }) => always),
    readsHeader: compiled.some(({ readsHeader }) => readsHeader),
    needs: needsOfAny(compiled.map(({ needs }) => needs)),
    match,
  };
}
