/**
 * What the rules do with one line, as a person reads it.
 *
 * @module
 */
import type { ActionTrace, RuleTrace } from "../rules/trace.ts";
import type { LineTrace } from "./line_tracer.ts";
import type { JudgedRecord, JudgedResult } from "./topic_verdicts.ts";

/** Longer values are cut for people; `--json` has them whole. */
const shownMax = 200;

/** A line in short: the rules that match, and what would be sent. */
export function lineText(
  number: number,
  matched: readonly { readonly name: string }[],
  result: JudgedResult,
): string {
  const names = matched.map(({ name }) => `\t - ${name}\n`).join("");
  const head = matched.length === 0
    ? `Line ${number} matches no rule\n`
    : `Line ${number} matches on:\n${names}`;
  return head + resultLines(result).map((line) => `\t => ${line}\n`).join("");
}

/** A line's whole way. `title` names the line. */
export function traceText(title: string, trace: LineTrace): string {
  const fields = Object.entries(trace.fields).map(([name, text]) =>
    `  ${name.padEnd(10)} ${inOneLine(text)}\n`
  );
  const nameWidth = Math.min(40, Math.max(0, ...trace.rules.map(({ name }) => name.length)));
  const rules = trace.rules.map((rule) => ruleText(rule, nameWidth));
  const notListed = trace.misses_not_listed === 0
    ? ""
    : `  and ${trace.misses_not_listed} more that do not match\n`;
  const notTried = trace.not_tried === 0 ? "" : `  not tried: ${trace.not_tried} behind it\n`;
  const result = resultLines(trace.result).map((line) => `  => ${line}\n`).join("");
  return `${title}\n${fields.join("")}${rules.join("")}${notListed}${notTried}${result}  ${
    time(trace.us)
  } in the rules\n`;
}

function ruleText(rule: RuleTrace, nameWidth: number): string {
  const head = `${rule.name.padEnd(nameWidth)}  ${time(rule.match_us).padStart(9)}`;
  if (!rule.matched) return `  - ${head}  ${rule.matcher}: ${rule.why}\n`;
  const variables = Object.entries(rule.variables ?? {}).map(([name, text]) =>
    `      ${name} = ${inOneLine(text)}\n`
  );
  const actions = (rule.actions ?? []).map((action) => actionText(action));
  return `  + ${head}  ${rule.matcher}\n${variables.join("")}${actions.join("")}`;
}

function actionText(action: ActionTrace): string {
  const head = `      ${action.type.padEnd(11)} ${time(action.us).padStart(9)}  `;
  switch (action.did) {
    case "sent":
      return (action.records as readonly JudgedRecord[]).map((record) =>
        `${head}${recordText(record, inOneLine)}\n`
      )
        .join("");
    case "changed":
      return `${head}the value is now ${inOneLine(action.value!)}\n`;
    case "set":
      return Object.entries(action.variables!).map(([name, text]) => `${head}${name} = ${inOneLine(text)}\n`)
        .join("");
    case "ended":
      return `${head}ends the line: ${action.reason}\n`;
    case "failed":
      return `${head}fails: ${action.reason}: ${action.message}\n`;
    case "nothing":
      return `${head}${action.message ?? "goes on"}\n`;
  }
}

function resultLines(result: LineTrace["result"]): string[] {
  switch (result.kind) {
    case "forward":
    case "default":
      return result.records.map((record) => recordText(record, shown));
    case "drop":
      return [`dropped: ${result.reason}`];
    case "dead_letter":
      return [`dead letter: ${result.reason}: ${result.message}`];
    case "unfinished":
      return ["unfinished: the time for a trace was up"];
  }
}

function recordText(
  { topic, key, headers, partition, value, unchanged, refused }: JudgedRecord,
  show: (value: string) => string,
): string {
  if (refused !== undefined) {
    return `dead letter: ${refused}: the line chose topic ${JSON.stringify(shown(topic))}`;
  }
  const parts = [
    `topic ${topic}`,
    ...(key === undefined ? [] : [`key ${shown(key)}`]),
    ...(partition === undefined ? [] : [`partition ${partition}`]),
    ...Object.entries(headers ?? {}).map(([name, text]) => `header ${name}: ${shown(text)}`),
  ];
  return `${parts.join(", ")}${unchanged ? "" : " (changed)"}: ${show(value)}`;
}

/** A value that has no line ends, or has them escaped. */
function inOneLine(value: string): string {
  const text = shown(value);
  return text.includes("\n") ? JSON.stringify(text.replaceAll("\n\t    ", "\n")) : text;
}

function shown(value: string): string {
  const text = value.length > shownMax ? `${value.slice(0, shownMax)}… (${value.length} characters)` : value;
  return text.replaceAll("\n", "\n\t    ");
}

function time(us: number): string {
  return us >= 10_000 ? `${(us / 1000).toFixed(1)} ms` : `${us.toFixed(1)} µs`;
}
