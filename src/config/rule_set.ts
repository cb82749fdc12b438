/**
 * Collects the rules of a configuration: those that stand in it, and those of the files it or the command line names.
 *
 * Order is the order of writing: an entry of `rules:` that names files stands for the rules of these files, sorted
 * by file name. A file is read once, however many patterns match it.
 *
 * @module
 */
import type { Fault } from "../core/errors.ts";
import type { RuleOrigin, RuleSet, RuleSource } from "./config.ts";
import { absolute, type Files, filesNamed, isPattern, tryRead } from "./files.ts";
import { isHotdog } from "./hotdog.ts";
import { type ParsedRules, readRules, rulesOf } from "./rule_files.ts";
import { redactText } from "./rule_text.ts";
import { parseYaml, type YamlDocument } from "./yaml.ts";

/** Where rules may come from. */
export interface RuleOrigins {
  /** The configuration, if it is a file. */
  readonly main:
    | { readonly path: string; readonly text: string; readonly document: YamlDocument }
    | undefined;
  readonly dialect: RuleSet["dialect"];
  /** `--rules`: files, folders or patterns that replace the `rules` of the configuration. */
  readonly rulePaths: readonly string[];
  /** Folder that names in the configuration begin at. */
  readonly base: string;
  readonly cwd: string;
  readonly files: Files;
}

/** The rules, and all that is wrong or odd about them. */
export interface CollectedRules {
  readonly rules: RuleSet;
  readonly faults: readonly Fault[];
  readonly warnings: readonly Fault[];
}

/** Collects the rules. Never throws. */
export function collectRules(origins: RuleOrigins): CollectedRules {
  return new Collector(origins).run();
}

class Collector {
  readonly #origins: RuleOrigins;
  readonly #rules: RuleSource[] = [];
  readonly #tests: RuleSource[] = [];
  readonly #read = new Map<string, string>();
  readonly #found: RuleOrigin[] = [];
  readonly #faults: Fault[] = [];
  readonly #warnings: Fault[] = [];
  #hotdogFiles = 0;

  constructor(origins: RuleOrigins) {
    this.#origins = origins;
  }

  run(): CollectedRules {
    const { rulePaths, main, cwd } = this.#origins;
    if (rulePaths.length > 0) {
      for (const path of rulePaths) {
        this.#named(
          absolute(cwd, path),
          (message) => ({ file: `--rules ${path}`, line: 0, column: 0, path: "", message }),
        );
      }
    } else if (main !== undefined) {
      this.#main(main);
    }
    const onlyHotdog = main === undefined && this.#hotdogFiles > 0 && this.#hotdogFiles === this.#read.size;
    return {
      rules: {
        dialect: onlyHotdog ? "hotdog" : this.#origins.dialect,
        rules: this.#rules,
        tests: this.#tests,
        files: [...this.#read].map(([path, text]) => ({ path, text })),
        origins: this.#found,
      },
      faults: this.#faults,
      warnings: this.#warnings,
    };
  }

  #main(main: NonNullable<RuleOrigins["main"]>): void {
    const value = main.document.value as Record<string, unknown> | null;
    if (value === null || typeof value !== "object") return;
    const own = readRules(main.document, main.path, true);
    if (own.ok && own.rules.length + own.tests.length > 0) {
      this.#read.set(main.path, redactText(main.text, main.document));
    }
    // Rules of the file and names of files take turns in one list; both know their index in it.
    const byIndex = new Map((own.rules ?? []).map((rule) => [Number(rule.path.split(".")[1]), rule]));
    const length = Array.isArray(value["rules"]) ? value["rules"].length : 0;
    for (let index = 0; index < length; index++) {
      const rule = byIndex.get(index);
      if (rule !== undefined) this.#rules.push(rule);
      else this.#nameIn(main, index);
    }
    if (own.ok) this.#tests.push(...own.tests);
    else this.#faults.push(...own.faults);
    this.#warnings.push(...own.warnings ?? []);
  }

  #nameIn(main: NonNullable<RuleOrigins["main"]>, index: number): void {
    const name = (main.document.value as { rules: readonly unknown[] }).rules[index];
    if (typeof name !== "string") return;
    this.#named(absolute(this.#origins.base, name), (message) => ({
      file: main.path,
      ...main.document.locate(["rules", index]),
      path: `rules.${index}`,
      message,
    }));
  }

  /** Reads what an absolute name means: a file, all `.yml` of a folder, or the files that a pattern matches. */
  #named(path: string, fault: (message: string) => Fault): void {
    const { files, main } = this.#origins;
    const isOne = !isPattern(path) && !files.isFolder(path);
    const found = filesNamed(files, path).filter((match) => isOne || match !== main?.path);
    this.#found.push({ path, matches: found });
    if (found.length === 0) this.#warnings.push(fault(`no file matches ${path}; no rules come from there`));
    for (const match of found) this.#file(match, fault);
  }

  #file(path: string, fault: (message: string) => Fault): void {
    if (this.#read.has(path)) return;
    const read = tryRead(this.#origins.files, path);
    if (!read.ok) {
      this.#faults.push(fault(`the rule file ${path} ${read.problem}`));
      return;
    }
    const yaml = parseYaml(read.text, path);
    // Text that does not parse is not shown: nobody knows where its secrets are.
    this.#read.set(path, yaml.ok ? redactText(read.text, yaml.document) : "");
    const parsed: ParsedRules = yaml.ok ? rulesOf(yaml.document, path) : yaml;
    if (yaml.ok && isHotdog(yaml.document.value)) this.#hotdogFiles++;
    this.#rules.push(...parsed.rules ?? []);
    this.#warnings.push(...parsed.warnings ?? []);
    if (parsed.ok) this.#tests.push(...parsed.tests);
    else this.#faults.push(...parsed.faults);
  }
}
