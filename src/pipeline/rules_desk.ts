/**
 * The rules in force and every way to change them: a changed file, SIGHUP, `PUT /admin/rules`.
 *
 * In: rule text or a rule set. It is compiled first, its in-file tests run, then all workers swap between two lines
 * or none does. A set that fails changes nothing; the reason stays visible until a later swap succeeds. Swaps run
 * one after the other. A `PUT` is written to the file it came from before it is in force: the file is the truth.
 *
 * @module
 */
import { readFile } from "node:fs/promises";
import type { RollbackResult, RulesConflict, RulesView, SwapResult } from "../admin/rules_view.ts";
import type { Config, RuleSet } from "../config/config.ts";
import { inReadingOrder } from "../config/load.ts";
import { type ParsedRules, parseRuleFile } from "../config/rule_files.ts";
import { mergeRuleText, shownText } from "../config/rule_text.ts";
import { type Fault, ForwarderError, messageOf } from "../core/errors.ts";
import { ruleName } from "../rules/compile.ts";
import { readPrevious, stageRuleFile } from "./rule_file.ts";
import { etagOf, faultOf, hashOf, meantFile, sameRules, sourceOf } from "./rule_texts.ts";
import { checkRuleSet } from "./try_rules.ts";

/** How faults of a `PUT` are told apart from those of files. */
const adminApi = "admin API";

/** A file's content as it would be. */
export interface EditedFile {
  readonly path: string;
  readonly text: string;
}

/** Reads the configuration with its rules anew, with one file as edited. Never throws. */
export type ReadConfig = (
  edited?: EditedFile,
) => { readonly ok: true; readonly config: Config } | {
  readonly ok: false;
  readonly faults: readonly Fault[];
  /** What can be read of it, for more faults. */
  readonly partial?: Config;
};

/** Puts a checked rule set in force on all workers, or answers why not. */
export type SwapWorkers = (version: number, rules: RuleSet) => Promise<readonly Fault[]>;

/** What changes together with the rules, or not at all. */
export interface Beside {
  commit(): Promise<void> | void;
  discard(): void;
  /** Shown with the result. */
  readonly told: Pick<SwapResult & { ok: true }, "listeners" | "restart_needed">;
}

/** Prepares that. @throws ForwarderError why the configuration cannot come in force */
export type PrepareBeside = (config: Config) => Promise<Beside>;

/** What the desk tells. */
export interface RulesDeskEvents {
  swapped(version: number, source: string, rules: number, hash: string): void;
  refused(source: string, faults: readonly Fault[]): void;
}

/** The control plane's rules. */
export class RulesDesk {
  readonly #programVersion: string;
  readonly #defaultTopic: string;
  readonly #readConfig: ReadConfig;
  readonly #swapWorkers: SwapWorkers;
  readonly #events: RulesDeskEvents;
  #ruleSet: RuleSet;
  #version = 1;
  #hash: string;
  #loadedAt = new Date().toISOString();
  #source: string;
  #lastError: RulesView["last_error"];
  /** The last error stood in files: it is gone when they say again what is in force. */
  #lastErrorInFiles = false;
  /** What the files say where that cannot be put in force; whoever mends it should be noticed. */
  #unusable: RuleSet | undefined;
  #queue: Promise<unknown> = Promise.resolve();

  constructor(
    config: Config,
    programVersion: string,
    readConfig: ReadConfig,
    swapWorkers: SwapWorkers,
    events: RulesDeskEvents,
  ) {
    this.#readConfig = readConfig;
    this.#ruleSet = config.rules;
    this.#defaultTopic = config.kafka.topic;
    this.#programVersion = programVersion;
    this.#swapWorkers = swapWorkers;
    this.#events = events;
    this.#source = sourceOf(config.rules);
    this.#hash = hashOf(config.rules);
  }

  /** The set in force. */
  get ruleSet(): RuleSet {
    return this.#ruleSet;
  }

  get version(): number {
    return this.#version;
  }

  /** What a change of may mean other rules: files, folders and patterns. */
  get watched(): readonly string[] {
    const sets = this.#unusable === undefined ? [this.#ruleSet] : [this.#ruleSet, this.#unusable];
    const all = sets.flatMap(({ files, origins = [] }) => [...files, ...origins]);
    return [...new Set(all.map(({ path }) => path))];
  }

  /** `GET /admin/rules`. */
  view(): RulesView {
    return {
      version: this.#version,
      hash: this.#hash,
      loaded_at: this.#loadedAt,
      source: this.#source,
      names: this.#ruleSet.rules.map(ruleName),
      files: this.#ruleSet.files.map((file) => ({ ...file, etag: etagOf(file.text) })),
      ...(this.#ruleSet.files.length > 0 ? {} : { unsaved: this.#unsaved }),
      ...(this.#lastError === undefined ? {} : { last_error: this.#lastError }),
    };
  }

  /** Compiles and tests `text` as the new content of `file` without putting it in force. */
  async check(text: string, file?: string): Promise<SwapResult> {
    const edit = await this.#edit(text, file);
    return edit.ok ? this.#check(edit.ruleSet) : this.#fault(edit.faults);
  }

  /**
   * Puts `text` in force as the new content of `file`, and writes the file. With `base`, the `etag` of the text that
   * it was made from, only if the file and the rules in force are still those.
   */
  put(text: string, file?: string): Promise<SwapResult>;
  put(text: string, file: string | undefined, base: string | undefined): Promise<SwapResult | RulesConflict>;
  put(text: string, file?: string, base?: string): Promise<SwapResult | RulesConflict> {
    return this.#inTurn(async () => await this.#conflict(file, base) ?? await this.#put(text, file));
  }

  /**
   * Puts the text that the last `put` into `file` replaced back in force, as `put` would. The text that it replaces
   * is kept in its turn, so that a second rollback undoes the first.
   */
  rollback(file?: string): Promise<RollbackResult> {
    return this.#inTurn(async (): Promise<RollbackResult> => {
      const meant = meantFile(this.#ruleSet.files, file);
      if (!meant.ok) return { ok: false, conflict: meant.fault.message };
      const { path } = meant.file;
      let current: string;
      let previous: string;
      try {
        current = await readFile(path, "utf8");
        previous = await readPrevious(path);
      } catch (error) {
        const isAbsent = (error as { code?: unknown }).code === "ENOENT";
        const conflict = isAbsent
          ? `No former text of rule file "${path}" is kept: PUT /admin/rules has not replaced it`
          : `Cannot read the former text of rule file "${path}": ${messageOf(error)}`;
        return { ok: false, conflict };
      }
      if (current === previous) {
        return { ok: false, conflict: `The former text of rule file "${path}" is the one in force` };
      }
      return await this.#put(previous, path);
    });
  }

  /**
   * Reads the files and puts their rules in force, unless they are the ones that are. It reads when its turn comes:
   * what was read before an earlier `put` wrote its file would undo that. What `prepare` prepares of the same
   * configuration comes in force with the rules, or not at all.
   */
  reload(prepare?: PrepareBeside): Promise<SwapResult> {
    return this.#inTurn(async () => {
      const read = this.#read();
      if (!read.ok) return this.#refuse("reload", read.faults);
      let beside: Beside | undefined;
      try {
        beside = await prepare?.(read.config);
      } catch (error) {
        if (!(error instanceof ForwarderError)) throw error;
        return this.#refuse("reload", [faultOf(read.config.file ?? "", error.message)]);
      }
      const result = await this.#putInForce(read.config);
      if (!result.ok) {
        beside?.discard();
        return result;
      }
      await beside?.commit();
      return { ...result, ...beside?.told };
    });
  }

  /** Puts the rules of a configuration in force, unless they are. */
  async #putInForce({ rules, file }: Config): Promise<SwapResult> {
    const source = rules.files.map(({ path }) => path).join(", ") || (file ?? "embedded default");
    if (!sameRules(rules, this.#ruleSet)) return await this.#swap(rules, source, source);
    // The workers have these rules; the names behind them may be others.
    this.#ruleSet = rules;
    if (this.#lastErrorInFiles) this.#lastError = undefined;
    return this.#success();
  }

  /**
   * Reads the configuration. A folder or pattern that had rule files and has none is a fault: an editor or a mount
   * that replaces them takes them away for a moment, and without rules every line would go to the default topic.
   */
  #read(edited?: EditedFile): ReturnType<ReadConfig> {
    const read = this.#readConfig(edited);
    if (!read.ok) {
      const { partial, faults } = read;
      if (partial === undefined) return read;
      if (edited === undefined) this.#unusable = partial.rules;
      return { ok: false, faults: inReadingOrder([...faults, ...this.#faultsOf(partial.rules)]) };
    }
    if (edited === undefined) this.#unusable = undefined;
    const now = new Map((read.config.rules.origins ?? []).map(({ path, matches }) => [path, matches.length]));
    const emptied = (this.#ruleSet.origins ?? []).filter(({ path, matches }) =>
      matches.length > 0 && now.get(path) === 0
    );
    if (emptied.length === 0) return read;
    const cure =
      "to be without them, put a file with rules: [] there or take the name out of the configuration";
    return {
      ok: false,
      faults: emptied.map(({ path }) =>
        faultOf(path, `no file matches any more, and the rules that came from there stay; ${cure}`)
      ),
    };
  }

  /** The text in force where there are no files. */
  get #unsaved(): { readonly text: string; readonly etag: string } {
    const { text = "" } = this.#ruleSet;
    return { text, etag: etagOf(text) };
  }

  /** What is no longer what an edited text was made from. */
  async #conflict(file: string | undefined, base: string | undefined): Promise<RulesConflict | undefined> {
    if (base === undefined) return undefined;
    const changed = (what: string): RulesConflict => ({
      ok: false,
      conflict: `Cannot replace rules that are not those you began with: ${what}; read them again`,
    });
    if (this.#ruleSet.files.length === 0) {
      return this.#unsaved.etag === base ? undefined : changed(`version ${this.#version} is in force`);
    }
    const meant = meantFile(this.#ruleSet.files, file);
    // What is wrong with the name is told by the change itself.
    if (!meant.ok) return undefined;
    const inForce = meant.file;
    if (etagOf(inForce.text) !== base) return changed(`version ${this.#version} is in force`);
    const onDisk = await readFile(inForce.path, "utf8").catch(() => undefined);
    return onDisk === undefined || etagOf(shownText(onDisk)) === base
      ? undefined
      : changed(`file "${inForce.path}" has changed`);
  }

  async #put(text: string, file: string | undefined): Promise<SwapResult> {
    const edit = await this.#edit(text, file);
    if (!edit.ok) return this.#refuse(adminApi, edit.faults);
    const staged = edit.file === undefined ? undefined : await stageRuleFile(edit.file.path, edit.file.text);
    if (staged !== undefined && !staged.ok) {
      return this.#refuse(adminApi, [faultOf(edit.file!.path, staged.message)]);
    }
    const result = await this.#swap(
      edit.ruleSet,
      edit.file?.path ?? `${adminApi} (not saved: no rule file is loaded)`,
      adminApi,
    );
    if (staged !== undefined) await (result.ok ? staged.commit() : staged.discard());
    return result;
  }

  #inTurn<Result>(act: () => Promise<Result>): Promise<Result> {
    const result = this.#queue.then(act);
    this.#queue = result.catch(() => {});
    return result;
  }

  /** `asker` is who hears of faults; `source` is where the rules come from, once they are in force. */
  async #swap(ruleSet: RuleSet, source: string, asker: string): Promise<SwapResult> {
    const checked = this.#check(ruleSet);
    if (!checked.ok) return this.#refuse(asker, checked.faults);
    const version = this.#version + 1;
    const faults = await this.#swapWorkers(version, ruleSet);
    if (faults.length > 0) return this.#refuse(asker, faults);
    this.#ruleSet = ruleSet;
    this.#version = version;
    this.#loadedAt = new Date().toISOString();
    this.#source = source;
    this.#hash = hashOf(ruleSet);
    this.#lastError = undefined;
    this.#events.swapped(version, source, ruleSet.rules.length, this.#hash);
    return this.#success();
  }

  #check(ruleSet: RuleSet): SwapResult {
    const faults = this.#faultsOf(ruleSet);
    return faults.length > 0 ? this.#fault(faults) : this.#success(ruleSet);
  }

  /** Parses the text of a rule file; what has the right shape is compiled where other rules have not. */
  #parse(text: string, path: string): ParsedRules {
    const parsed = parseRuleFile(text, path);
    if (parsed.ok || parsed.rules === undefined) return parsed;
    const rules = { ...this.#ruleSet, rules: parsed.rules, tests: [] };
    return { ok: false, faults: inReadingOrder([...parsed.faults, ...this.#faultsOf(rules)]) };
  }

  #faultsOf(ruleSet: RuleSet): readonly Fault[] {
    return checkRuleSet(ruleSet, this.#programVersion, this.#defaultTopic);
  }

  #refuse(source: string, faults: readonly Fault[]): SwapResult {
    this.#lastError = { at: new Date().toISOString(), faults };
    this.#lastErrorInFiles = source !== adminApi;
    this.#events.refused(source, faults);
    return this.#fault(faults);
  }

  #success(ruleSet = this.#ruleSet): SwapResult {
    return { ok: true, version: this.#version, rules: ruleSet.rules.length, tests: ruleSet.tests.length };
  }

  #fault(faults: readonly Fault[]): SwapResult {
    return { ok: false, version: this.#version, faults };
  }

  /** The rule set that would be in force if `file` had `text`, and the file as it would be written. */
  async #edit(
    text: string,
    file: string | undefined,
  ): Promise<
    | { readonly ok: true; readonly ruleSet: RuleSet; readonly file: EditedFile | undefined }
    | { readonly ok: false; readonly faults: readonly Fault[] }
  > {
    const { files } = this.#ruleSet;
    if (files.length === 0 && file === undefined) {
      const parsed = this.#parse(text, adminApi);
      if (!parsed.ok) return parsed;
      return {
        ok: true,
        ruleSet: { ...this.#ruleSet, rules: parsed.rules, tests: parsed.tests, text },
        file: undefined,
      };
    }
    const meant = meantFile(files, file);
    if (!meant.ok) return { ok: false, faults: [meant.fault] };
    const { path } = meant.file;
    const parsed = this.#parse(text, path);
    if (!parsed.ok) return parsed;
    let current: string;
    try {
      current = await readFile(path, "utf8");
    } catch (error) {
      return { ok: false, faults: [faultOf(path, `Cannot read rule file "${path}": ${messageOf(error)}`)] };
    }
    const edited = { path, text: mergeRuleText(current, text) };
    const read = this.#read(edited);
    return read.ok ? { ok: true, ruleSet: read.config.rules, file: edited } : read;
  }
}
