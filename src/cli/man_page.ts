/**
 * The man page corndog(1), made of what the commands declare.
 *
 * @module
 */
import { version } from "../version.ts";
import type { Option } from "./arguments.ts";
import { helpOption, type HelpPage } from "./help.ts";

/** The page in the man macros, groff_man(7). */
export function manPage(pages: readonly HelpPage[]): string {
  return `.\\" Made by corndog man.
.TH CORNDOG 1 "" "corndog ${roff(version)}" "User Commands"
.SH NAME
corndog \\- edge log forwarder: syslog in, rules applied, Apache Kafka out
.SH SYNOPSIS
.B corndog
.I COMMAND
.RI [ OPTION ]...
.br
.B corndog
.RI "\\-c " FILE " [\\-t " LOG "]"
.SH DESCRIPTION
corndog takes log lines, decides by rules which Kafka topic each belongs to and in what form, and keeps account of
every one.
Without
.B \\-c
it reads corndog.yml, then hotdog.yml, from the current folder.
.SH COMMANDS
${pages.map(commandSection).join("")}.SH SIGNALS
.TP
.B SIGTERM, SIGINT
deliver what was taken, then end; a second one ends at once
.TP
.B SIGHUP
read the rules again
.SH EXIT STATUS
.TP
.B 0
fine
.TP
.B 1
faults or failed tests
.TP
.B 2
wrong usage
.TP
.B 78
faults of the configuration at run
.TP
.B 97, 98, 99
of clobber: the target refused, the generator was the limit, a threshold failed
.SH FILES
.TP
.I corndog.yml
the configuration;
.B corndog schema
writes its JSON Schema
`;
}

function commandSection(page: HelpPage): string {
  const options = [...page.options, helpOption].map(optionEntry).join("");
  const examples = page.examples.map(([command, what]) => `.PP\n.EX\n${roff(command)}\n.EE\n${roff(what)}\n`);
  return `.SS "corndog ${roff(`${page.name} ${page.usage}`.trim())}"
${paragraphs(page.details)}${options}${examples.join("")}`;
}

function paragraphs(text: string): string {
  return text.trim().split(/\n{2,}/).map((paragraph) => {
    // An indented block is an example or a table: it keeps its lines.
    const block = /^\s{2,}/m.test(paragraph);
    return block ? `.PP\n.EX\n${roff(paragraph)}\n.EE\n` : `.PP\n${roff(paragraph)}\n`;
  }).join("");
}

function optionEntry({ name, short, value, description }: Option): string {
  const names = [...(short === undefined ? [] : [`-${short}`]), `--${name}`].join(", ");
  return `.TP\n.B ${roff(names)}${value === undefined ? "" : ` \\fI${roff(value)}\\fR`}\n${
    roff(description)
  }\n`;
}

/** Text that means nothing to roff: no escapes, no requests at the beginning of a line, hyphens that can be copied. */
function roff(text: string): string {
  return text.replaceAll("\\", "\\e").replaceAll("-", "\\-").replace(/^([.'])/gm, "\\&$1");
}
