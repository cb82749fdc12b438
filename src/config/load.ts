/**
 * Reads a configuration: file, then environment, then `--set`; corndog's own form or hotdog's; rules from wherever
 * they are named. Out comes the `Config` in force, or every fault of every file at once.
 *
 * It promises never to throw and never to guess: what it cannot read, it names with file, line, column and the cure.
 *
 * @module
 */
import process from "node:process";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import type { Fault } from "../core/errors.ts";
import type { Config } from "./config.ts";
import { type Environment, substitute } from "./environment.ts";
import { explain, type Problem, without } from "./explain.ts";
import { absolute, diskFiles, type Files, folderOf, tellingTried, tryRead } from "./files.ts";
import { isHotdog, originalPath, translateHotdog, type Translation } from "./hotdog.ts";
import { findLaterKeys } from "./later.ts";
import {
  apply,
  fromEnvironment,
  fromRustLog,
  fromSets,
  gapOf,
  knownKeys,
  originOf,
  type Override,
} from "./overrides.ts";
import { resolve } from "./resolve.ts";
import { collectRules } from "./rule_set.ts";
import { deadLetterTopicFaults, templatedTopicWarnings } from "./rule_topics.ts";
import { configSchema, type WrittenConfig } from "./schema.ts";
import { parseYaml, type Path, type YamlDocument } from "./yaml.ts";

/** What to load, and the world to load it from. Everything has the running process as default. */
export interface LoadOptions {
  /** The configuration file; without it `corndog.yml`, then `hotdog.yml` in `cwd`, then the embedded default. */
  readonly path?: string | undefined;
  /** False takes the embedded default without looking for a file. */
  readonly search?: boolean;
  /** `key=value`, as after `--set`. */
  readonly sets?: readonly string[];
  /** Rule files, folders or patterns that replace `rules` of the configuration. */
  readonly rulePaths?: readonly string[];
  readonly env?: Environment;
  readonly cwd?: string;
  readonly files?: Files;
  readonly cores?: number;
  readonly nowMs?: number;
}

/** The configuration in force, or all that is wrong. Warnings change nothing, but a person should read them. */
export type LoadResult =
  | { readonly ok: true; readonly config: Config; readonly warnings: readonly Fault[] }
  | {
    readonly ok: false;
    readonly faults: readonly Fault[];
    readonly warnings: readonly Fault[];
    /**
     * What can be read of it: not to be run, but to be looked at for more faults. Its rules are those without a
     * fault in their shape; it has no tests, because they would miss the others. Undefined where nothing is readable.
     */
    readonly partial?: Config;
  };

/** Names that are looked for without `-c`, in this order. */
export const configNames = ["corndog.yml", "hotdog.yml"] as const;

/** Loads a configuration with its rules. Never throws. */
export function loadConfig(options: LoadOptions = {}): LoadResult {
  const world: World = {
    env: options.env ?? process.env,
    cwd: options.cwd ?? process.cwd(),
    files: options.files ?? diskFiles,
    cores: options.cores ?? availableParallelism(),
    nowMs: options.nowMs ?? Date.now(),
  };
  const main = readMain(options, world);
  if (!main.ok) return { ok: false, faults: main.faults, warnings: [] };
  return new Loader(options, world, main.main).run();
}

interface World {
  readonly env: Environment;
  readonly cwd: string;
  readonly files: Files;
  readonly cores: number;
  readonly nowMs: number;
}

interface MainFile {
  readonly path: string;
  readonly text: string;
  readonly document: YamlDocument;
}

function readMain(
  options: LoadOptions,
  world: World,
): { readonly ok: true; readonly main: MainFile | undefined } | {
  readonly ok: false;
  readonly faults: readonly Fault[];
} {
  const path = options.path !== undefined
    ? absolute(world.cwd, options.path)
    : options.search === false
    ? undefined
    : configNames.map((name) => join(world.cwd, name)).find((candidate) => world.files.exists(candidate));
  if (path === undefined) return { ok: true, main: undefined };
  const read = tryRead(world.files, path);
  if (!read.ok) {
    return {
      ok: false,
      faults: [{
        file: path,
        line: 0,
        column: 0,
        path: "",
        message: `the configuration file ${read.problem}`,
      }],
    };
  }
  const parsed = parseYaml(read.text, path);
  if (!parsed.ok) return parsed;
  return { ok: true, main: { path, text: read.text, document: parsed.document } };
}

/** One load: the steps of `run`, and what they found. */
class Loader {
  readonly #options: LoadOptions;
  readonly #world: World;
  readonly #main: MainFile | undefined;
  readonly #faults: Fault[] = [];
  readonly #warnings: Fault[] = [];
  #translation: Translation | undefined;
  #overrides: readonly Override[] = [];
  /** Paths whose text names a variable that is not set; what else is wrong with that text is an echo. */
  readonly #unset = new Set<string>();
  /** For a file beside a hotdog.yml the path from where corndog was started, which was looked at before. */
  readonly #triedFirst = new Map<string, string>();

  constructor(options: LoadOptions, world: World, main: MainFile | undefined) {
    this.#options = options;
    this.#world = world;
    this.#main = main;
  }

  run(): LoadResult {
    const written = this.#overridden(this.#document());
    const dialect = this.#translation === undefined ? "corndog" : "hotdog";
    const base = this.#main === undefined ? this.#world.cwd : folderOf(this.#main.path);
    const collected = collectRules({
      main: this.#main,
      dialect,
      rulePaths: this.#options.rulePaths ?? [],
      base,
      cwd: this.#world.cwd,
      files: this.#world.files,
    });
    const { explained, broken } = this.#explained(written);
    const resolved = explained === undefined ? undefined : resolve(explained, {
      file: this.#main?.path,
      dialect,
      files: tellingTried(this.#world.files, (path) => this.#triedFirst.get(path)),
      env: this.#world.env,
      absolute: (path) => this.#absolute(base, path),
      dataDir: this.#dataDir(),
      cores: this.#world.cores,
      nowMs: this.#world.nowMs,
    });
    const sound = (problem: Problem) =>
      !broken.has(String(problem.path[0])) && !this.#isRefused(problem.path);
    this.#faults.push(...(resolved?.faults ?? []).filter(sound).map((problem) => this.#fault(problem)));
    this.#warnings.push(...(resolved?.warnings ?? []).filter(sound).map((problem) => this.#fault(problem)));
    this.#faults.push(...collected.faults);
    this.#warnings.push(...collected.warnings);
    this.#faults.push(...deadLetterTopicFaults(collected.rules.rules, explained?.dead_letter.topic));
    if (explained !== undefined && explained.kafka.topics.allow === undefined) {
      this.#warnings.push(...templatedTopicWarnings(collected.rules.rules, explained.kafka.topic));
    }
    const warnings = inReadingOrder(this.#warnings);
    if (resolved === undefined) return { ok: false, faults: inReadingOrder(this.#faults), warnings };
    if (this.#faults.length === 0) {
      return { ok: true, config: { ...resolved.config, rules: collected.rules }, warnings };
    }
    const partial = { ...resolved.config, rules: { ...collected.rules, tests: [] } };
    return { ok: false, faults: inReadingOrder(this.#faults), warnings, partial };
  }

  /** What the file says, in corndog's words, without its rules, with `${NAME}` replaced. */
  #document(): unknown {
    const value = this.#main?.document.value ?? {};
    if (isHotdog(value)) {
      const translation = translateHotdog(value);
      this.#translation = translation;
      for (const problem of translation.faults) this.#faults.push(this.#faultInFile(problem));
      for (const problem of translation.warnings) this.#warnings.push(this.#faultInFile(problem));
      return translation.document;
    }
    if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
    const { rules: _rules, tests: _tests, ...own } = value as Record<string, unknown>;
    const problems: Problem[] = [];
    const substituted = substitute(own, this.#world.env, problems);
    for (const problem of problems) {
      this.#faults.push(this.#faultInFile(problem));
      this.#unset.add(problem.path.join("."));
    }
    return substituted;
  }

  /** The document with the environment and `--set` put over it. */
  #overridden(document: unknown): unknown {
    const known = knownKeys(configSchema);
    const env = fromEnvironment(this.#world.env, known);
    const sets = fromSets(this.#options.sets ?? [], known);
    this.#faults.push(...env.faults, ...sets.faults);
    this.#warnings.push(...env.warnings);
    let result = document;
    const fitting: Override[] = [];
    // Another program's variable: only who comes from hotdog has written it for us.
    const rust = this.#translation === undefined ? [] : fromRustLog(this.#world.env);
    for (const override of [...rust, ...env.overrides, ...sets.overrides]) {
      if (this.#isIdleLogin(override, document)) continue;
      const gap = gapOf(result, override);
      if (gap === undefined) {
        result = apply(result, [override]);
        fitting.push(override);
      } else {
        this.#faults.push({ file: override.origin, line: 0, column: 0, path: "", message: gap });
      }
    }
    this.#overrides = fitting;
    return this.#withMechanism(result);
  }

  /** librdkafka takes no notice of a login where the protocol of a hotdog.yml has none. */
  #isIdleLogin(override: Override, document: unknown): boolean {
    return this.#translation !== undefined && override.origin.startsWith("SASL_") &&
      mapAt(document, ["kafka", "sasl"]) === undefined;
  }

  /** `SASL_SCRAM_*` say the kind of login in their name. */
  #withMechanism(document: unknown): unknown {
    const sasl = mapAt(document, ["kafka", "sasl"]);
    const override = this.#overrides.find(({ origin }) => origin.startsWith("SASL_SCRAM_"));
    if (override === undefined || sasl === undefined || sasl["mechanism"] !== undefined) return document;
    const message = "no kafka.sasl.mechanism is written; scram-sha-512 is used";
    this.#warnings.push({
      file: `environment ${override.origin}`,
      line: 0,
      column: 0,
      path: "kafka.sasl.mechanism",
      message,
    });
    return apply(document, [{
      path: ["kafka", "sasl", "mechanism"],
      value: "scram-sha-512",
      origin: override.origin,
    }]);
  }

  /** Runs the schema. Sections with faults are left out of the result, so that the others are looked at all the same. */
  #explained(
    document: unknown,
  ): { readonly explained: WrittenConfig | undefined; readonly broken: ReadonlySet<string> } {
    const later = findLaterKeys(document);
    for (const key of later) this.#faults.push(this.#fault({ ...key, at: "key" }));
    const carried = later.reduce((rest, key) => without(rest, key.path), document);
    const explained = explain(configSchema, carried, ["rules", "tests"]);
    if (explained.ok) return { explained: explained.output, broken: new Set() };
    for (const problem of explained.problems) {
      const echo = isEcho(problem, later.map((key) => key.path)) || this.#unset.has(problem.path.join("."));
      if (!echo) this.#faults.push(this.#fault(problem));
    }
    const broken = new Set(explained.problems.map((problem) => String(problem.path[0])));
    const rest = explain(configSchema, [...broken].reduce((value, key) => without(value, [key]), carried));
    return { explained: rest.ok ? rest.output : undefined, broken };
  }

  /** A fault of the document in corndog's words, put where a person wrote it. */
  #fault(problem: Problem): Fault {
    const override = originOf(problem.path, this.#overrides);
    if (override !== undefined) {
      const file = override.origin.startsWith("--set") ? override.origin : `environment ${override.origin}`;
      return { file, line: 0, column: 0, path: problem.path.join("."), message: problem.message };
    }
    return this.#faultInFile({ ...problem, path: this.#original(problem.path) });
  }

  #faultInFile(problem: Problem): Fault {
    const path = problem.path.join(".");
    if (this.#main === undefined) {
      return { file: "embedded default", line: 0, column: 0, path, message: problem.message };
    }
    return {
      file: this.#main.path,
      ...this.#main.document.locate(problem.path, problem.at),
      path,
      message: problem.message,
    };
  }

  /** True below what the translation of a hotdog.yml has refused already. */
  #isRefused(path: Path): boolean {
    const original = this.#original(path);
    const refused = this.#translation?.faults ?? [];
    return refused.some((fault) => fault.path.every((step, index) => step === original[index]));
  }

  #original(path: Path): Path {
    return this.#translation === undefined ? path : originalPath(path, this.#translation.moved);
  }

  /** hotdog took names from where it was started; a file that is there beside the hotdog.yml is meant as well. */
  #absolute(base: string, path: string): string {
    const started = absolute(this.#world.cwd, path);
    const beside = absolute(base, path);
    if (this.#translation === undefined || started === beside) return beside;
    if (this.#world.files.exists(started)) return started;
    this.#triedFirst.set(beside, started);
    return beside;
  }

  /** systemd names a folder that survives and that the service may write to. */
  #dataDir(): string {
    const state = this.#world.env["STATE_DIRECTORY"]?.split(":")[0];
    return state === undefined || state === "" ? join(this.#world.cwd, "corndog-data") : state;
  }
}

/** Files in the order they were read (`files` first), from top to bottom in each. */
export function inReadingOrder(faults: readonly Fault[], files: readonly string[] = []): Fault[] {
  const order = [...new Set([...files, ...faults.map((fault) => fault.file)])];
  return [...faults].sort((a, b) =>
    order.indexOf(a.file) - order.indexOf(b.file) || a.line - b.line || a.column - b.column
  );
}

/** True if a problem is only there because a key of a later version was taken out, as a listener without `syslog`. */
function isEcho(problem: Problem, taken: readonly Path[]): boolean {
  const parent = problem.path.slice(0, -1).join(".");
  return problem.message === "this key is missing" &&
    taken.some((path) => path.slice(0, -1).join(".") === parent);
}

function mapAt(document: unknown, path: Path): Record<string, unknown> | undefined {
  let value = document;
  for (const step of path) {
    if (typeof value !== "object" || value === null) return undefined;
    value = (value as Record<string | number, unknown>)[step];
  }
  return typeof value === "object" && value !== null ? value as Record<string, unknown> : undefined;
}
