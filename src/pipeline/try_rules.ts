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
import { createKernel } from "../kernel/instance.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { compileRules } from "../rules/compile.ts";
import type { Line } from "../rules/program.ts";
import { runRuleTests } from "../rules/tests.ts";
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

/** Compiles a rule set and runs its tests. Returns all faults, located in the files they come from. */
export function checkRuleSet(ruleSet: RuleSet, programVersion: string, defaultTopic: string): Fault[] {
  const compiled = compileRules(ruleSet, { version: programVersion, defaultTopic });
  if (!compiled.ok) return compiled.faults.map(locateInRule);
  if (ruleSet.tests.length === 0) return [];
  const reader = new LineReader();
  const results = runRuleTests(compiled.program, ruleSet.tests, (input) => reader.read(input));
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
