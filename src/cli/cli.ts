/**
 * The command line: finds the command, parses its options, calls it, and turns what it throws into an exit code.
 *
 * `corndog COMMAND …`, and as in hotdog without a command: `-c FILE` runs, `-t LOG` tests, `-V`, `-h`.
 *
 * @module
 */
import { nearest } from "../core/suggest.ts";
import { ForwarderError, messageOf } from "../core/errors.ts";
import { version } from "../version.ts";
import { type Option, parseArguments } from "./arguments.ts";
import { clobberCommand } from "./clobber_command.ts";
import { checkCommand, schemaCommand, testCommand } from "./check_command.ts";
import { type Command, exitCode } from "./command.ts";
import type { Commands } from "./commands.ts";
import { completionScript, shells } from "./completion.ts";
import { deadletterCommand } from "./deadletter_command.ts";
import { commandHelp, helpOption, topHelp } from "./help.ts";
import { type CliIo, processIo } from "./io.ts";
import { manPage } from "./man_page.ts";
import { reportError } from "./report.ts";
import { demoCommand, runCommand } from "./run_command.ts";
import { spoolCommand } from "./spool_command.ts";
import { reloadCommand, upgradeCommand } from "./control_commands.ts";
import { statsCommand } from "./stats_command.ts";
import { tapCommand } from "./tap_command.ts";
import { topCommand } from "./top_command.ts";
import { connectionsCommand, whyCommand } from "./why_command.ts";

const versionCommand: Command = {
  name: "version",
  usage: "",
  summary: "the version",
  details: "Writes the version, as corndog -V does.",
  options: [],
  examples: [],
  restMax: 0,
  act({ io }): Promise<number> {
    io.out(`corndog ${version}\n`);
    return Promise.resolve(exitCode.fine);
  },
};

const completionCommand: Command = {
  name: "completion",
  usage: shells.join("|"),
  summary: "completions for a shell",
  details: "Writes what the shell has to read to complete corndog's commands and options.",
  options: [],
  examples: [
    ["source <(corndog completion bash)", "for this shell"],
    ["corndog completion fish > ~/.config/fish/completions/corndog.fish", "for good"],
  ],
  restMax: 1,
  act({ given, io }): Promise<number> {
    const shell = shells.find((name) => name === given.rest[0]);
    if (shell === undefined) {
      const written = given.rest[0] === undefined ? "name a shell" : `no completions for "${given.rest[0]}"`;
      return Promise.resolve(usage(io, `${written}: ${shells.join(", ")}`, completionCommand));
    }
    io.out(completionScript(shell, allCommands));
    return Promise.resolve(exitCode.fine);
  },
};

const manCommand: Command = {
  name: "man",
  usage: "",
  summary: "the man page",
  details: "Writes corndog(1) in the form that man reads.",
  options: [],
  examples: [["corndog man | man -l -", "to read it"]],
  restMax: 0,
  act({ io }): Promise<number> {
    io.out(manPage(allCommands));
    return Promise.resolve(exitCode.fine);
  },
};

/** All commands, in the order of the help. */
export const allCommands: readonly Command[] = [
  runCommand,
  demoCommand,
  checkCommand,
  testCommand,
  clobberCommand,
  reloadCommand,
  upgradeCommand,
  statsCommand,
  topCommand,
  tapCommand,
  whyCommand,
  connectionsCommand,
  spoolCommand,
  deadletterCommand,
  schemaCommand,
  completionCommand,
  manCommand,
  versionCommand,
];

/** hotdog's way to test a log; only without a command. */
const testOption: Option = { name: "test", short: "t", value: "LOG", description: "try the rules on a log" };

/**
 * Runs one command line.
 *
 * @param argv what follows the program's name
 * @returns the exit code
 * @example
 * ```ts
 * process.exitCode = await runCli(process.argv.slice(2), { run, demo, checkRules, testRules });
 * ```
 */
export async function runCli(
  argv: readonly string[],
  commands: Commands,
  io: CliIo = processIo(),
): Promise<number> {
  const [first, ...rest] = argv;
  if (first === undefined) {
    io.err(topHelp(allCommands));
    return exitCode.usage;
  }
  if (first === "-h" || first === "--help" || first === "help") return help(rest[0], io);
  if (first === "-V" || first === "--version") return await call(versionCommand, [], commands, io);
  if (first.startsWith("-")) return await hotdogStyle(argv, commands, io);
  const command = allCommands.find((candidate) => candidate.name === first);
  return command === undefined ? unknownCommand(first, io) : await call(command, rest, commands, io);
}

async function call(
  command: Command,
  argv: readonly string[],
  commands: Commands,
  io: CliIo,
): Promise<number> {
  const parsed = parseArguments(argv, [...command.options, helpOption]);
  if (!parsed.ok) return usage(io, parsed.message, command);
  const given = parsed.arguments;
  if (given.switches.has("help")) {
    io.out(commandHelp(command));
    return exitCode.fine;
  }
  if (given.rest.length > command.restMax) {
    const extra = given.rest[command.restMax]!;
    const cure = given.values.has("rules")
      ? "; quote a pattern ('rules/*.yml') or write --rules before each file"
      : "";
    return usage(io, `${command.name} does not take the argument "${extra}"${cure}`, command);
  }
  try {
    return await command.act({ given, io, commands });
  } catch (error) {
    if (!(error instanceof ForwarderError)) throw error;
    reportError(io, `${messageOf(error)} (${error.code})`);
    return configCodes.has(error.code) ? exitCode.config : exitCode.faults;
  }
}

/** Failures that only a changed configuration cures. */
const configCodes: ReadonlySet<string> = new Set([
  "config_invalid",
  "rules_invalid",
  "certificate_unusable",
  "not_supported",
]);

/** `corndog -c FILE` runs, `corndog -c FILE -t LOG` tests. */
async function hotdogStyle(argv: readonly string[], commands: Commands, io: CliIo): Promise<number> {
  const parsed = parseArguments(argv, [...runCommand.options, testOption, helpOption, {
    name: "version",
    short: "V",
    description: "",
  }]);
  if (!parsed.ok) return usage(io, parsed.message, undefined);
  const { switches, values, rest } = parsed.arguments;
  if (switches.has("help")) return help(undefined, io);
  if (switches.has("version")) return await call(versionCommand, [], commands, io);
  const named = rest.find((word) => allCommands.some((command) => command.name === word));
  if (named !== undefined) {
    return usage(
      io,
      `the command stands first: corndog ${named} ${argv.filter((word) => word !== named).join(" ")}`,
      undefined,
    );
  }
  const log = values.get("test")?.[0];
  const others = [...values].flatMap(([name, given]) =>
    name === "test" ? [] : given.flatMap((value) => [`--${name}`, value])
  );
  const more = [...others, "--", ...rest];
  return log === undefined
    ? await call(runCommand, more, commands, io)
    : await call(testCommand, [...more, log], commands, io);
}

function help(name: string | undefined, io: CliIo): number {
  if (name === undefined || name.startsWith("-")) {
    io.out(topHelp(allCommands));
    return exitCode.fine;
  }
  const command = allCommands.find((candidate) => candidate.name === name);
  if (command === undefined) return unknownCommand(name, io);
  io.out(commandHelp(command));
  return exitCode.fine;
}

function unknownCommand(name: string, io: CliIo): number {
  const best = nearest(name, allCommands.map((command) => command.name));
  const cure = best !== undefined
    ? `; did you mean "corndog ${best}"?`
    : /\.ya?ml$/.test(name)
    ? `; to run this file: corndog run -c ${name}`
    : "";
  return usage(io, `unknown command "${name}"${cure}`, undefined);
}

function usage(io: CliIo, message: string, command: Command | undefined): number {
  reportError(io, message);
  io.err(
    command === undefined
      ? "corndog --help lists the commands\n"
      : `Usage: corndog ${command.name} ${command.usage}\ncorndog ${command.name} --help tells more\n`,
  );
  return exitCode.usage;
}
