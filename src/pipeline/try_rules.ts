/**
 * Rules tried on lines without sending anything: in-file tests, `corndog check`, `corndog test`.
 *
 * It parses each line with the kernel and runs the compiled program, as a worker does.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { RuleSet } from "../config/config.ts";
import { locateInRule } from "../config/rule_files.ts";
import type { Fault } from "../core/errors.ts";
import { invariant } from "../core/invariant.ts";
import { createKernel } from "../kernel/instance.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { type CompileOptions, compileRules } from "../rules/compile.ts";
import type { Line, Program } from "../rules/program.ts";
import { type RuleTestResult, runRuleTests } from "../rules/tests.ts";
import { FrameLine } from "./frame_line.ts";

/** Turns one raw frame into a `Line`; the line is valid until the next call. */
export class LineReader {
  readonly #kernel: Kernel;
  readonly #line: FrameLine;

  constructor() {
    this.#kernel = createKernel({ arenaBytes: 64 * 1024, rowsMax: 64, scratchBytes: 64 * 1024 });
    this.#line = new FrameLine(this.#kernel);
  }

  /** Longer input than a frame may have is cut, as a listener would. */
  read(input: string | Uint8Array, nowMs = Date.now(), peer = "127.0.0.1:514"): Line {
    const bytes = typeof input === "string" ? Buffer.from(input) : input;
    const length = Math.min(bytes.length, this.#kernel.sizes.frameBytesMax);
    const { inputAt } = this.#kernel;
    this.#kernel.bytes.set(bytes.subarray(0, length), inputAt);
    this.#kernel.rowOf(inputAt, inputAt + length);
    this.#kernel.parseHeaders(0, 1);
    this.#line.nowMs = nowMs;
    this.#line.peer = peer;
    this.#line.move(0);
    return this.#line;
  }
}

/** Actions that remember lines; a test must not see what the one before left in them. */
const rememberingActions: ReadonlySet<unknown> = new Set(["throttle", "sample"]);

/** Runs the tests of a rule set, `program` being what it compiles to. */
export function runFileTests(ruleSet: RuleSet, options: CompileOptions, program: Program): RuleTestResult[] {
  const remembers = ruleSet.rules.some(({ value }) =>
    (value as { actions: readonly { type: unknown }[] }).actions.some(({ type }) =>
      rememberingActions.has(type)
    )
  );
  const fresh = () => {
    const compiled = compileRules(ruleSet, options);
    invariant(compiled.ok, "rules that compiled once compile again");
    return compiled.program;
  };
  const reader = new LineReader();
  return runRuleTests(
    remembers ? fresh : () => program,
    ruleSet.tests,
    (input, nowMs, peer) => reader.read(input, nowMs, peer),
  );
}

/** Compiles a rule set and runs its tests. Returns all faults, located in the files they come from. */
export function checkRuleSet(ruleSet: RuleSet, programVersion: string, defaultTopic: string): Fault[] {
  const compiled = compileRules(ruleSet, { version: programVersion, defaultTopic });
  if (!compiled.ok) return compiled.faults.map(locateInRule);
  if (ruleSet.tests.length === 0) return [];
  const results = runFileTests(ruleSet, { version: programVersion, defaultTopic }, compiled.program);
  return results.flatMap((result): Fault[] =>
    result.ok ? [] : [{
      file: result.source.file,
      line: result.source.line,
      column: 1,
      path: result.source.path,
      message: `Test "${result.name}" failed: ${result.message}`,
    }]
  );
}
