/**
 * Results of the tests in rule files: for people with what came instead, for programs as one JSON object per test.
 *
 * @module
 */
import { isAbsolute, relative } from "node:path";
import { type Fault, formatFault } from "../core/errors.ts";
import type { FailedInput, RuleTestResult } from "../rules/tests.ts";
import type { DiffLine } from "../rules/text_diff.ts";

/** An input is shown up to this length. */
const inputShownMax = 200;

/** How results are written. */
export interface ReportStyle {
  readonly json: boolean;
  readonly colors: boolean;
  readonly cwd: string;
}

const red = 31;
const green = 32;

/** One test's result, with its line ends. */
export function testText(result: RuleTestResult, style: ReportStyle): string {
  const { name, ok, source } = result;
  const file = nearby(style.cwd, source.file);
  if (style.json) {
    const { line } = source;
    const rest = ok ? {} : { message: result.message, failed: result.failed };
    return `${JSON.stringify({ name, file: source.file, line, ok, ...rest })}\n`;
  }
  if (ok) return `${paint("ok", green, style)}    ${name}\n`;
  const isList = Array.isArray((source.value as { readonly inputs?: unknown }).inputs);
  const failed = result.failed.map((input) => failedText(input, isList, style)).join("");
  return `${paint("FAIL", red, style)}  ${name}  (${file}:${source.line})\n${failed}`;
}

/** The line below all tests. */
export function summaryText(results: readonly RuleTestResult[], style: ReportStyle): string {
  if (results.length === 0) {
    return "no tests: write some under tests: in a rule file, or name a log to try the rules on\n";
  }
  const failed = results.filter(({ ok }) => !ok).length;
  const legend = failed === 0 ? "" : ` (${paint("-", red, style)} wanted, ${paint("+", green, style)} came)`;
  return `${results.length - failed} passed, ${failed} failed${legend}\n`;
}

function failedText(
  { number, times, input, matched, differences }: FailedInput,
  isList: boolean,
  style: ReportStyle,
): string {
  const shown = input.length > inputShownMax
    ? `${input.slice(0, inputShownMax)}… (${input.length} characters)`
    : input;
  const head = [
    `      input${isList ? ` ${number}` : ""}${times > 1 ? `, time ${times}` : ""}: ${
      JSON.stringify(shown).slice(1, -1).replaceAll('\\"', '"')
    }`,
    `      matched: ${matched.length === 0 ? "no rule" : matched.join(", ")}`,
  ];
  const body = differences.flatMap(({ what, lines }) => [
    `      ${what}`,
    ...lines.map((line) => `        ${diffText(line, style)}`),
  ]);
  return [...head, ...body].map((line) => `${line.trimEnd()}\n`).join("");
}

function diffText({ mark, text }: DiffLine, style: ReportStyle): string {
  if (mark === " ") return `  ${text}`;
  return paint(`${mark} ${text}`, mark === "-" ? red : green, style);
}

function paint(text: string, color: number, { colors }: ReportStyle): string {
  return colors ? `\x1b[${color}m${text}\x1b[0m` : text;
}

/** A fault as `file:line:column: path: message`, the file as seen from the working directory. */
export function faultText(fault: Fault, { cwd }: ReportStyle): string {
  return formatFault({ ...fault, file: nearby(cwd, fault.file) });
}

function nearby(cwd: string, file: string): string {
  if (!isAbsolute(file)) return file;
  const path = relative(cwd, file);
  return path === "" || path.startsWith("..") ? file : path;
}
