/**
 * `corndog test`: runs the tests of the rule files, or shows what the rules do with each line of a log; once, or
 * after every change of a rule file.
 *
 * @module
 */
import process from "node:process";
import type { Config } from "../config/config.ts";
import { locateInRule } from "../config/rule_files.ts";
import type { LoadResult } from "../config/load.ts";
import type { Fault } from "../core/errors.ts";
import { compileRules } from "../rules/compile.ts";
import { inputsOf, type RuleTestResult } from "../rules/tests.ts";
import { version } from "../version.ts";
import { traceText } from "./line_text.ts";
import { LineTracer } from "./line_tracer.ts";
import { faultText, type ReportStyle, summaryText, testText } from "./test_report.ts";
import { watchTests } from "./test_watch.ts";
import { tryLog } from "./try_log.ts";
import { runFileTests } from "./try_rules.ts";

/** What `corndog test` was asked for. */
export interface TestRequest {
  /** A file, `-` for stdin, or undefined for the tests in the rule files. */
  readonly log: string | undefined;
  readonly json: boolean;
  /** Each rule that was tried on a line: of the log, or of the tests that failed. */
  readonly explain: boolean;
  /** Reads the configuration again; then a change of a rule file tests again, and there is no end. */
  readonly watch: (() => LoadResult) | undefined;
  readonly write: (text: string) => void;
  /** True where a screen can be cleared and coloured. */
  readonly terminal: boolean;
}

/** Moves to the top left and clears the screen, and what scrolled out of it. */
const clearScreen = "\x1b[H\x1b[2J\x1b[3J";

/** Returns the exit code: 1 if a test failed or the rules have faults. */
export async function testRules(config: Config, request: TestRequest): Promise<number> {
  if (request.watch === undefined) return await testOnce(config, request);
  return await watchTests({
    config,
    reload: request.watch,
    test: (loaded, run) => testAgain(loaded, run, request),
  });
}

async function testAgain(loaded: LoadResult, run: number, request: TestRequest): Promise<void> {
  const { write, terminal, json } = request;
  if (terminal && !json) write(clearScreen);
  for (const warning of loaded.warnings) {
    if (!json) write(`warning: ${faultText(warning, styleOf(request))}\n`);
  }
  const exitCode = loaded.ok ? await testOnce(loaded.config, request) : tellFaults(loaded.faults, request);
  write(
    json
      ? `${JSON.stringify({ run, ok: exitCode === 0 })}\n`
      : `run ${run}; tests again when a rule file changes\n`,
  );
}

async function testOnce(config: Config, request: TestRequest): Promise<number> {
  const { log } = request;
  if (log === undefined) return runTests(config, request);
  const faults = await tryLog(config, { ...request, log });
  return faults.length === 0 ? 0 : tellFaults(faults, request);
}

function tellFaults(faults: readonly Fault[], request: TestRequest): number {
  for (const fault of faults) {
    const text = request.json ? JSON.stringify({ ok: false, fault }) : faultText(fault, styleOf(request));
    request.write(`${text}\n`);
  }
  return 1;
}

function runTests(config: Config, request: TestRequest): number {
  const options = { version, defaultTopic: config.kafka.topic };
  const compiled = compileRules(config.rules, options);
  if (!compiled.ok) return tellFaults(compiled.faults.map(locateInRule), request);
  const { json, explain, write } = request;
  const style = styleOf(request);
  const results = runFileTests(config.rules, options, compiled.program);
  for (const result of results) {
    write(testText(result, style));
    if (explain && !result.ok) write(explainTest(config, result, json));
  }
  if (!json) write(summaryText(results, style));
  return results.some(({ ok }) => !ok) ? 1 : 0;
}

/** The way of each line of a test that gave what was not expected, behind the lines before it. */
function explainTest(config: Config, result: RuleTestResult & { readonly ok: false }, json: boolean): string {
  const compiled = LineTracer.compile(config.rules, version, config);
  if (!compiled.ok) return "";
  const failed = new Map(result.failed.map(({ number, times }) => [number, times]));
  return inputsOf(result.source).map(({ number, input, nowMs, peer }) => {
    const trace = compiled.tracer.trace(input, nowMs, peer);
    const left = failed.get(number);
    if (left === undefined || left === 0) return "";
    failed.set(number, left - 1);
    if (left > 1) return "";
    return json
      ? `${JSON.stringify({ name: result.name, input: number, ...trace })}\n`
      : traceText(`Input ${number} of ${result.name}`, trace);
  }).join("");
}

function styleOf({ json, terminal }: TestRequest): ReportStyle {
  return { json, colors: terminal && !plain(), cwd: process.cwd() };
}

/** https://no-color.org: any value that is not empty. */
function plain(): boolean {
  return (process.env["NO_COLOR"] ?? "") !== "" || process.env["TERM"] === "dumb";
}
