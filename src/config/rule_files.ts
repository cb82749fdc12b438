/**
 * Rule files: text in, rules and tests out, each with the place of every value in it.
 *
 * A rule file is a map with `rules` and `tests`. `corndog.yml` and `hotdog.yml` are rule files too where they hold
 * rules; their other keys are not looked at here. A file without either is refused: an editor that has just
 * emptied it must not switch all rules off.
 *
 * @module
 */
import type { Fault } from "../core/errors.ts";
import { checkRule, type SchemaIssue } from "../rules/schema.ts";
import { checkTest } from "../rules/test_schema.ts";
import type { RuleSource } from "./config.ts";
import { without } from "./explain.ts";
import { kindOf } from "./fields.ts";
import { isHotdog } from "./hotdog.ts";
import { isConfiguration } from "./rule_text.ts";
import { nearest } from "../core/suggest.ts";
import { parseYaml, type Path, type Place, type YamlDocument } from "./yaml.ts";

/** Rules and tests of a file, or all that is wrong with it. */
export type ParsedRules =
  | {
    readonly ok: true;
    readonly rules: readonly RuleSource[];
    readonly tests: readonly RuleSource[];
    readonly warnings: readonly Fault[];
  }
  | {
    readonly ok: false;
    readonly faults: readonly Fault[];
    /** Rules without a fault in their shape: they can be compiled to see what else is wrong. Missing where none could be read. */
    readonly rules?: readonly RuleSource[];
    readonly warnings?: readonly Fault[];
  };

/** Something wrong inside a rule, as the compiler says it: `path` is inside the rule, `actions.0.topic`. */
export interface RuleFault {
  readonly source: RuleSource;
  readonly path: string;
  readonly message: string;
  /** Character within the text at `path`, from 1, where it is known. */
  readonly column?: number;
}

/** Most rules and most tests of one file. */
export const rulesMax = 10_000;

/** Parses a rule file; `path` is the name that faults carry. Never throws. */
export function parseRuleFile(text: string, path: string): ParsedRules {
  const parsed = parseYaml(text, path);
  return parsed.ok ? rulesOf(parsed.document, path) : parsed;
}

/** Rules and tests of a rule file that was parsed. */
export function rulesOf(document: YamlDocument, path: string): ParsedRules {
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
  const reader = new ListReader(document, file);
  const rules = reader.read("rules", checkRule, filesAllowed);
  const tests = reader.read("tests", checkTest, false);
  const { faults, warnings } = reader;
  return faults.length > 0 ? { ok: false, faults, rules, warnings } : { ok: true, rules, tests, warnings };
}

/** Gives a fault inside a rule its file, line and column. */
export function locateInRule(fault: RuleFault): Fault {
  const { source, message } = fault;
  const path = fault.path === "" ? source.path : `${source.path}.${fault.path}`;
  const exact = source.places[fault.path];
  const [line, column] = exact ?? placeIn(source, fault.path);
  const textAt = exact?.[2];
  // Where the file writes the text with escapes or over several lines, its characters have no simple place.
  const within = fault.column === undefined || textAt === undefined ? 0 : textAt + fault.column - 1;
  return { file: source.file, line, column: column + within, path, message };
}

/** Where `path` (`rules.3.actions.0`) stands in the text of a rule file; line 1 where the text does not parse. */
export function locateIn(text: string, path: string): Place {
  const parsed = parseYaml(text, "");
  return parsed.ok ? parsed.document.locate(path === "" ? [] : path.split(".")) : { line: 1, column: 1 };
}

/** The place of the nearest value around `path`. */
function placeIn(source: RuleSource, path: string): readonly [line: number, column: number] {
  let inside = path;
  while (inside !== "") {
    inside = inside.slice(0, Math.max(0, inside.lastIndexOf(".")));
    const place = source.places[inside];
    if (place !== undefined) return [place[0], place[1]];
  }
  return [source.line, 1];
}

type Check = (
  value: unknown,
) => { readonly ok: true } | { readonly ok: false; readonly issues: readonly SchemaIssue[] };

/** Reads the lists of one document and notes what is wrong. */
class ListReader {
  readonly faults: Fault[] = [];
  readonly warnings: Fault[] = [];
  readonly #document: YamlDocument;
  readonly #file: string;
  /** hotdog takes no notice of keys that it does not know, so a file of its kind must not fail on them. */
  readonly #unknownKeysWarn: boolean;

  constructor(document: YamlDocument, file: string) {
    this.#document = document;
    this.#file = file;
    this.#unknownKeysWarn = isHotdog(document.value);
  }

  read(section: "rules" | "tests", check: Check, filesAllowed: boolean): RuleSource[] {
    const list = (this.#document.value as Record<string, unknown>)[section];
    if (list === undefined || (list === null && section === "tests")) return [];
    if (list === null) {
      // What is left of an editor's accident looks like this too; without rules every line goes to one topic.
      this.#fault([section], "has no value; write rules: [] if no rules are meant");
      return [];
    }
    if (!Array.isArray(list)) {
      this.#fault([section], `wants a list (- ...), but ${kindOf(list)} is written here`);
      return [];
    }
    if (list.length > rulesMax) {
      this.#fault([section], `has ${list.length} entries, at most ${rulesMax} are read`);
      return [];
    }
    return list.flatMap((value: unknown, index) => {
      if (typeof value !== "string" || section === "tests") {
        return this.#source([section, index], value, check);
      }
      if (!filesAllowed) {
        this.#fault(
          [section, index],
          `wants a rule, but ${kindOf(value)} is written here; rule files are named in corndog.yml`,
        );
      }
      return [];
    });
  }

  /**
   * Checks one rule or test. Unknown keys are taken out and the rest checked again, so that all are named, and what
   * is left is compiled for more faults.
   */
  #source(at: Path, written: unknown, check: Check): RuleSource[] {
    let value = written;
    let sound = false;
    for (let round = 0; round < roundsMax; round++) {
      const checked = check(value);
      if (checked.ok) {
        sound = true;
        break;
      }
      const unknown = checked.issues.filter((issue) => issue.message.startsWith("unknown key"));
      for (const issue of unknown) {
        const path = stepsIn(issue.path, value);
        if (this.#unknownKeysWarn) {
          this.#note(this.warnings, [...at, ...path], `${issue.message}; ignored, as in hotdog`, "key");
        } else this.#note(this.faults, [...at, ...path], issue.message, "key");
        value = without(value, path);
      }
      if (unknown.length > 0) continue;
      for (const issue of checked.issues) this.#fault([...at, ...stepsIn(issue.path, value)], issue.message);
      break;
    }
    if (!sound) return [];
    const places: Places = {};
    this.#place(at, value, "", places);
    return [{ value, file: this.#file, path: at.join("."), line: places[""]![0], places }];
  }

  /** Notes the place of `value` and of everything in it. */
  #place(path: Path, value: unknown, inside: string, places: Places): void {
    const { line, column } = this.#document.locate(path);
    const textAt = typeof value === "string" ? this.#document.textOffset(path) : undefined;
    places[inside] = textAt === undefined ? [line, column] : [line, column, textAt];
    if (typeof value !== "object" || value === null) return;
    for (const [key, item] of Object.entries(value)) {
      const below = inside === "" ? key : `${inside}.${key}`;
      this.#place([...path, Array.isArray(value) ? Number(key) : key], item, below, places);
    }
  }

  #fault(path: Path, message: string): void {
    this.#note(this.faults, path, message, "value");
  }

  #note(list: Fault[], path: Path, message: string, at: "key" | "value"): void {
    list.push({ file: this.#file, ...this.#document.locate(path, at), path: path.join("."), message });
  }
}

type Places = Record<string, readonly [line: number, column: number, textAt?: number]>;

/** Rounds of checking one rule; each takes out at least one unknown key. */
const roundsMax = 50;

/** A path in text taken apart. A key may have dots in it (`json: { "a.b": 1 }`), so the value decides. */
function stepsIn(path: string, value: unknown): string[] {
  if (path === "") return [];
  const parts = path.split(".");
  const steps: string[] = [];
  let here = value;
  while (parts.length > 0) {
    let length = parts.length;
    const isMap = typeof here === "object" && here !== null;
    while (length > 1 && !(isMap && Object.hasOwn(here as object, parts.slice(0, length).join(".")))) {
      length--;
    }
    const step = parts.splice(0, length).join(".");
    steps.push(step);
    here = isMap ? (here as Record<string, unknown>)[step] : undefined;
  }
  return steps;
}
