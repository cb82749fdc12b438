/**
 * Help texts, made of what the commands declare.
 *
 * @module
 */
import type { Option } from "./arguments.ts";
import { version } from "../version.ts";

/** What the help of a command is made of. */
export interface HelpPage {
  readonly name: string;
  /** What follows the name: `[-c FILE] [LOG|-]`. */
  readonly usage: string;
  readonly summary: string;
  /** Paragraphs, already wrapped. */
  readonly details: string;
  readonly options: readonly Option[];
  /** The same options under titles, where there are many. */
  readonly optionGroups?: readonly (readonly [title: string, options: readonly Option[]])[];
  readonly examples: readonly (readonly [command: string, what: string])[];
}

/** The help that `corndog --help` gives. */
export function topHelp(pages: readonly HelpPage[]): string {
  return `corndog ${version}: syslog in, rules applied, Apache Kafka out

Usage: corndog COMMAND [OPTION]...
       corndog -c FILE [-t LOG]          as in hotdog: run, or test a log

Commands:
${table(pages.map((page) => [page.name, page.summary]))}
Start here:
${
    table([
      ["corndog demo", "see it work, nothing to set up"],
      ["corndog run", "syslog on 127.0.0.1:1514, dashboard on http://127.0.0.1:8585"],
      ["corndog check -c corndog.yml", "all faults of a configuration"],
    ])
  }
Without -c, corndog.yml is read, then hotdog.yml, from the current folder.
Exit codes: 0 fine, 1 faults or failed tests, 2 wrong usage, 78 faults of the configuration at run.
corndog COMMAND --help tells more about a command.
`;
}

/** The help of one command. */
export function commandHelp(page: HelpPage): string {
  const rows = (options: readonly Option[]): [string, string][] =>
    options.map((option) => [optionText(option), option.description]);
  const width = Math.max(...rows(page.options).map(([left]) => left.length), 0);
  const options = page.optionGroups === undefined
    ? `Options:\n${table(rows([...page.options, helpOption]))}`
    : [...page.optionGroups, ["Help", [helpOption]] as const]
      .map(([title, group]) => `${title}:\n${table(rows(group), width)}`).join("\n");
  const examples = page.examples.length === 0 ? "" : `\nExamples:\n${table(page.examples)}`;
  return `corndog ${page.name}: ${page.summary}

Usage: corndog ${page.name}${page.usage === "" ? "" : ` ${page.usage}`}

${page.details.trim()}

${options}${examples}`;
}

/** `-h`, which every command has. */
export const helpOption: Option = { name: "help", short: "h", description: "show this help" };

function optionText(option: Option): string {
  const short = option.short === undefined ? "    " : `-${option.short}, `;
  return `${short}--${option.name}${option.value === undefined ? "" : ` ${option.value}`}`;
}

function table(rows: readonly (readonly [string, string])[], widthMin = 0): string {
  const width = Math.max(widthMin, ...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}\n`).join("");
}
