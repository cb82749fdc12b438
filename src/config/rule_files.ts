/**
 * Rule files: text in, rules and tests out, each with the place of every value in it.
 *
 * A rule file is a map with `rules` and `tests`. `corndog.yml` and `hotdog.yml` are rule files too where they hold
 * rules; their other keys are not looked at here. A file without either is refused: an editor that has just
 * emptied it must not switch all rules off.
 *
 * @module
 */
import type { GenericSchema } from "valibot";
import type { Fault } from "../core/errors.ts";
import { ruleSchema, testSchema } from "../rules/schema.ts";
import type { RuleSource } from "./config.ts";
import { explain } from "./explain.ts";
import { kindOf } from "./fields.ts";
import { isConfiguration } from "./rule_text.ts";
import { nearest } from "./suggest.ts";
import { parseYaml, type Path, type Place, type YamlDocument } from "./yaml.ts";

/** Rules and tests of a file, or all that is wrong with it. */
export type ParsedRules =
  | { readonly ok: true; readonly rules: readonly RuleSource[]; readonly tests: readonly RuleSource[] }
  | { readonly ok: false; readonly faults: readonly Fault[] };

/** Something wrong inside a rule, as the compiler says it: `path` is inside the rule, `actions.0.topic`. */
export interface RuleFault {
  readonly source: RuleSource;
  readonly path: string;
  readonly message: string;
}

/** Most rules and most tests of one file. */
export const rulesMax = 10_000;

/** Parses a rule file; `path` is the name that faults carry. Never throws. */
export function parseRuleFile(text: string, path: string): ParsedRules {
  const parsed = parseYaml(text, path);
  if (!parsed.ok) return parsed;
  const { document } = parsed;
  const { value } = document;
  const fault = (at: Path, message: string, key: "key" | "value" = "value"): Fault => ({
    file: path,
    ...document.locate(at, key),
    path: at.join("."),
    message,
  });
  if (value === null) {
    return { ok: false, faults: [fault([], "the file is empty; write rules: [] if no rules are meant")] };
  }
  if (typeof value !== "object" || Array.isArray(value)) {
    const cure = Array.isArray(value) ? "; write rules: above the list" : "";
    return {
      ok: false,
      faults: [fault([], `wants a map with rules: and tests:, but ${kindOf(value)} is written here${cure}`)],
    };
  }
  if (!Object.hasOwn(value, "rules") && !Object.hasOwn(value, "tests")) {
    const [first] = Object.keys(value);
    const best = Object.keys(value).map((key) => nearest(key, ["rules", "tests"])).find((key) =>
      key !== undefined
    );
    const cure = best === undefined ? "" : `; did you mean "${best}"?`;
    return {
      ok: false,
      faults: [
        fault(first === undefined ? [] : [first], `the file has neither rules: nor tests:${cure}`, "key"),
      ],
    };
  }
  return readRules(document, path, isConfiguration(value));
}

/**
 * Rules and tests that stand in `document` itself. Texts in the list name other files; they are passed over where
 * `filesAllowed`, else they are faults.
 */
export function readRules(document: YamlDocument, file: string, filesAllowed: boolean): ParsedRules {
  const faults: Fault[] = [];
  const rules = readList(document, file, "rules", ruleSchema, filesAllowed, faults);
  const tests = readList(document, file, "tests", testSchema, false, faults);
  return faults.length > 0 ? { ok: false, faults } : { ok: true, rules, tests };
}

/** The texts in `rules:` that name files, with their index. */
export function ruleFileNames(
  document: YamlDocument,
): readonly { readonly index: number; readonly name: string }[] {
  const list = (document.value as { rules?: unknown } | null)?.rules;
  if (!Array.isArray(list)) return [];
  return list.flatMap((name, index) => typeof name === "string" ? [{ index, name }] : []);
}

/** Gives a fault inside a rule its file, line and column. */
export function locateInRule(fault: RuleFault): Fault {
  const { source } = fault;
  const place = placeIn(source, fault.path);
  const path = fault.path === "" ? source.path : `${source.path}.${fault.path}`;
  return { file: source.file, ...place, path, message: fault.message };
}

/** Where `path` (`rules.3.actions.0`) stands in the text of a rule file; line 1 where the text does not parse. */
export function locateIn(text: string, path: string): Place {
  const parsed = parseYaml(text, "");
  return parsed.ok ? parsed.document.locate(path === "" ? [] : path.split(".")) : { line: 1, column: 1 };
}

function placeIn(source: RuleSource, path: string): Place {
  let inside = path;
  while (true) {
    const place = source.places[inside];
    if (place !== undefined) return { line: place[0], column: place[1] };
    if (inside === "") return { line: source.line, column: 1 };
    inside = inside.slice(0, Math.max(0, inside.lastIndexOf(".")));
  }
}

function readList(
  document: YamlDocument,
  file: string,
  section: "rules" | "tests",
  schema: GenericSchema<unknown, unknown>,
  filesAllowed: boolean,
  faults: Fault[],
): RuleSource[] {
  const list = (document.value as Record<string, unknown>)[section];
  const fault = (path: Path, message: string, at: "key" | "value" = "value") =>
    faults.push({ file, ...document.locate(path, at), path: path.join("."), message });
  // `rules:` with nothing behind it is what is left when all rules are commented out.
  if (list === undefined || list === null) return [];
  if (!Array.isArray(list)) {
    fault([section], `wants a list (- ...), but ${kindOf(list)} is written here`);
    return [];
  }
  if (list.length > rulesMax) {
    fault([section], `has ${list.length} entries, at most ${rulesMax} are read`);
    return [];
  }
  const sources: RuleSource[] = [];
  list.forEach((value: unknown, index) => {
    if (typeof value === "string" && section === "rules") {
      if (!filesAllowed) {
        fault(
          [section, index],
          `wants a rule, but ${kindOf(value)} is written here; rule files are named in corndog.yml`,
        );
      }
      return;
    }
    const explained = explain(schema, value);
    if (!explained.ok) {
      for (const problem of explained.problems) {
        fault([section, index, ...problem.path], problem.message, problem.at);
      }
      return;
    }
    const places: Record<string, [number, number]> = {};
    note(document, [section, index], value, "", places);
    sources.push({ value, file, path: `${section}.${index}`, line: places[""]![0], places });
  });
  return sources;
}

/** Notes the place of `value` and of everything in it. */
function note(
  document: YamlDocument,
  path: Path,
  value: unknown,
  inside: string,
  places: Record<string, [number, number]>,
): void {
  const { line, column } = document.locate(path);
  places[inside] = [line, column];
  if (typeof value !== "object" || value === null) return;
  for (const [key, item] of Object.entries(value)) {
    note(
      document,
      [...path, Array.isArray(value) ? Number(key) : key],
      item,
      inside === "" ? key : `${inside}.${key}`,
      places,
    );
  }
}
