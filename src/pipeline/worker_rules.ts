/**
 * The rules of one worker: compiled beside the program in force and adopted, between two lines, when the shared version
 * says so.
 *
 * @module
 */
import type { RuleSet } from "../config/config.ts";
import { locateInRule } from "../config/rule_files.ts";
import { type Fault, ForwarderError } from "../core/errors.ts";
import { invariant } from "../core/invariant.ts";
import { type Compiled, compileRules } from "../rules/compile.ts";
import type { Program } from "../rules/program.ts";
import { controlWord, type StartMessage, type WorkerLog } from "./protocol.ts";

/** Rules that are named in one line of the log. */
const namesMax = 20;

/** Compiles and keeps programs until they are adopted. */
export class WorkerRules {
  readonly #start: StartMessage;
  readonly #log: WorkerLog;
  readonly #control: Int32Array;
  readonly #prepared = new Map<number, Program>();

  constructor(start: StartMessage, log: WorkerLog) {
    this.#start = start;
    this.#log = log;
    this.#control = new Int32Array(start.control);
  }

  /** The program of the start. @throws ForwarderError `rules_invalid` */
  compile(rules: RuleSet): Program {
    const compiled = this.#compile(rules, this.#start.version);
    if (!compiled.ok) {
      throw new ForwarderError(
        "rules_invalid",
        compiled.faults.map((fault) => fault.message).join("; "),
      );
    }
    return compiled.program;
  }

  /** Compiles `rules` beside the program in force, to be adopted as `version`. */
  prepare(version: number, rules: RuleSet): readonly Fault[] {
    const compiled = this.#compile(rules, version);
    if (!compiled.ok) return compiled.faults.map(locateInRule);
    this.#prepared.set(version, compiled.program);
    return [];
  }

  /** Forgets a prepared version that was not committed. */
  discard(version: number): void {
    this.#prepared.delete(version);
  }

  /** What is in force, unless that is `version`: the intake asks between two lines. */
  adopt(version: number): { program: Program; version: number } | undefined {
    const inForce = Atomics.load(this.#control, controlWord.rulesVersion);
    if (inForce === version) return undefined;
    const program = this.#prepared.get(inForce);
    invariant(program !== undefined, "a version in force was prepared by every worker");
    this.#prepared.clear();
    this.#log("rules_adopted", { version: inForce }, "debug");
    return { program, version: inForce };
  }

  /** Compiles, and tells what came of it and in how long. */
  #compile(rules: RuleSet, version: number): Compiled {
    const fromMs = performance.now();
    const compiled = compileRules(rules, this.#options);
    if (!compiled.ok) return compiled;
    const { engines: { counts, linear }, program } = compiled;
    this.#log("rules_compiled", {
      version,
      rules: rules.rules.length,
      files: rules.files.slice(0, namesMax).map(({ path }) => path),
      ms: Math.round((performance.now() - fromMs) * 10) / 10,
      needs_headers: program.needsHeaders,
      patterns: counts,
      ...(linear.length === 0 ? {} : { slow_patterns_in: linear.slice(0, namesMax) }),
    }, "debug");
    return compiled;
  }

  get #options() {
    const { programVersion, config, worker } = this.#start;
    return {
      version: programVersion,
      defaultTopic: config.kafka.topic,
      workers: config.workers,
      seed: worker,
    };
  }
}
