/**
 * `corndog test`: runs the tests of the rule files, or shows what the rules do with each line of a log.
 *
 * @module
 */
import { createReadStream } from "node:fs";
import process from "node:process";
import { createInterface } from "node:readline";
import type { Config } from "../config/config.ts";
import { locateInRule } from "../config/rule_files.ts";
import { formatFault, ForwarderError, messageOf } from "../core/errors.ts";
import { compileRules } from "../rules/compile.ts";
import type { Program } from "../rules/program.ts";
import { explainLine, type Explanation } from "../rules/explain.ts";
import { version } from "../version.ts";
import { LineReader, runFileTests } from "./try_rules.ts";

/** Longer values are cut for people; `--json` has them whole. */
const shownMax = 200;

/** What `corndog test` was asked for. */
export interface TestRequest {
  /** A file, `-` for stdin, or undefined for the tests in the rule files. */
  readonly log: string | undefined;
  readonly json: boolean;
  readonly write: (text: string) => void;
}

/** Returns the exit code: 1 if a test failed or the rules have faults. */
export async function testRules(config: Config, request: TestRequest): Promise<number> {
  const compiled = compileRules(config.rules, { version, defaultTopic: config.kafka.topic });
  if (!compiled.ok) {
    for (const fault of compiled.faults) request.write(`${formatFault(locateInRule(fault))}\n`);
    return 1;
  }
  if (request.log === undefined) return runTests(config, compiled.program, request);
  await tryLog(compiled.program, request.log, request);
  return 0;
}

function runTests(config: Config, program: Program, { json, write }: TestRequest): number {
  const results = runFileTests(config.rules, { version, defaultTopic: config.kafka.topic }, program);
  const failed = results.filter((result) => !result.ok).length;
  for (const result of results) {
    const { file, line } = result.source;
    if (json) {
      write(
        `${
          JSON.stringify({
            name: result.name,
            file,
            line,
            ok: result.ok,
            ...(result.ok ? {} : { message: result.message }),
          })
        }\n`,
      );
    } else if (result.ok) write(`ok    ${result.name}\n`);
    else write(`FAIL  ${result.name}  (${file}:${line})\n${indent(result.message)}\n`);
  }
  if (!json) {
    write(
      results.length === 0
        ? "no tests: write some under tests: in a rule file, or name a log to try the rules on\n"
        : `${results.length - failed} passed, ${failed} failed\n`,
    );
  }
  return failed > 0 ? 1 : 0;
}

async function tryLog(program: Program, log: string, { json, write }: TestRequest): Promise<void> {
  const reader = new LineReader();
  const input = log === "-" ? process.stdin : createReadStream(log);
  let failure: unknown;
  input.on("error", (error) => failure = error);
  let number = 0;
  try {
    // "latin1" keeps every byte, so that what is not UTF-8 is tried as it is.
    input.setEncoding("latin1");
    for await (const text of createInterface({ input, crlfDelay: Infinity })) {
      number++;
      const bytes = Uint8Array.from(text, (character) => character.charCodeAt(0));
      const explanation = explainLine(program, reader.read(bytes));
      write(json ? `${JSON.stringify({ line: number, ...explanation })}\n` : explained(number, explanation));
    }
  } catch (error) {
    failure ??= error;
  }
  if (failure !== undefined) {
    throw new ForwarderError("disk_failed", `Cannot read log "${log}": ${messageOf(failure)}`);
  }
}

function explained(number: number, { matched, result }: Explanation): string {
  const names = matched.map(({ name }) => `\t - ${name}\n`).join("");
  const head = matched.length === 0
    ? `Line ${number} matches no rule\n`
    : `Line ${number} matches on:\n${names}`;
  switch (result.kind) {
    case "forward":
    case "default":
      return head + result.records.map(({ topic, key, value, unchanged }) => {
        const how = unchanged ? "" : " (changed)";
        return `\t => topic ${topic}${key === undefined ? "" : `, key ${key}`}${how}: ${shown(value)}\n`;
      }).join("");
    case "drop":
      return `${head}\t => dropped: ${result.reason}\n`;
    case "dead_letter":
      return `${head}\t => dead letter: ${result.reason}: ${result.message}\n`;
  }
}

function shown(value: string): string {
  const text = value.length > shownMax ? `${value.slice(0, shownMax)}… (${value.length} characters)` : value;
  return text.replaceAll("\n", "\n\t    ");
}

function indent(text: string): string {
  return text.split("\n").map((line) => `      ${line}`).join("\n");
}
