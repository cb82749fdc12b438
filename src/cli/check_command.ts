/**
 * `corndog check`, `corndog test` and `corndog schema`: looking at a configuration without running it.
 *
 * @module
 */
import schema from "../../corndog.schema.json" with { type: "json" };
import type { Config } from "../config/config.ts";
import { printConfig } from "../config/print.ts";
import { type Call, type Command, exitCode } from "./command.ts";
import { allFaults, configOptions, loader } from "./loading.ts";
import { counted, nearby, reportError, reportFaults, reportWarnings } from "./report.ts";

/** `corndog check`. */
export const checkCommand: Command = {
  name: "check",
  usage: "[-c FILE] [--rules PATH]... [--set KEY=VALUE]... [--print]",
  summary: "all faults of a configuration at once",
  details:
    `Reads the configuration and its rule files, compiles the rules, runs their tests, looks at certificates and
keys, and writes every fault as file:line:column: path: message. Exit code 0 without faults, else 1.
Nothing listens and nothing is sent.`,
  options: [
    ...configOptions,
    {
      name: "print",
      description: "write the configuration in force, with every default and without secrets",
    },
  ],
  examples: [["corndog check -c corndog.yml --print", "what is in force"]],
  restMax: 0,
  async act({ given, io, commands }: Call): Promise<number> {
    const loaded = loader(given, io)();
    reportWarnings(io, loaded.warnings);
    const faults = await allFaults(loaded, commands);
    if (!loaded.ok || faults.length > 0) {
      reportFaults(io, faults);
      reportError(io, `${counted(faults.length, "fault")}, ${counted(loaded.warnings.length, "warning")}`);
      return exitCode.faults;
    }
    if (given.switches.has("print")) io.out(printConfig(loaded.config));
    else io.out(`${summaryOf(loaded.config, io.cwd)}, ${counted(loaded.warnings.length, "warning")}\n`);
    return exitCode.fine;
  },
};

/** `corndog test`. */
export const testCommand: Command = {
  name: "test",
  usage: "[-c FILE] [--rules PATH]... [--set KEY=VALUE]... [--explain] [--json] [--watch] [LOG|-]",
  summary: "run the rules' tests, or try the rules on a log",
  details: `Without LOG it runs the tests: of the rule files; exit code 1 if one fails.
With LOG it shows for each line the rules that match and what would be sent where; - reads standard input.`,
  options: [
    ...configOptions,
    {
      name: "explain",
      description:
        "each rule tried, why it did not match, variables, actions, times; without LOG for failed tests",
    },
    { name: "json", description: "one JSON object per line" },
    { name: "watch", description: "again whenever a rule file changes" },
  ],
  examples: [
    ["corndog test -c corndog.yml", "the tests in the rule files"],
    ["corndog test -c corndog.yml example.log", "what happens to each line of a log"],
    ["corndog test --rules rules/app.yml --watch", "while writing rules"],
    ["tail -n 5 /var/log/syslog | corndog test -", "the same for standard input"],
  ],
  restMax: 1,
  async act({ given, io, commands }: Call): Promise<number> {
    const load = loader(given, io);
    const log = given.rest[0];
    const watch = given.switches.has("watch");
    if (log !== undefined && /\.ya?ml$/.test(log)) {
      reportError(
        io,
        `"${log}" has the name of rules, and this is the place of a log; for its tests write --rules ${log}`,
      );
      return exitCode.usage;
    }
    if (watch && log === "-") {
      reportError(io, "--watch reads its log again and again, and standard input can be read only once");
      return exitCode.usage;
    }
    const loaded = load();
    reportWarnings(io, loaded.warnings);
    if (!loaded.ok) {
      const faults = await allFaults(loaded, commands);
      reportFaults(io, faults);
      reportError(io, `${counted(faults.length, "fault")} in the configuration; nothing was tested`);
      return exitCode.faults;
    }
    return await commands.testRules(loaded.config, {
      log,
      json: given.switches.has("json"),
      explain: given.switches.has("explain"),
      watch: watch ? () => load() : undefined,
    });
  },
};

/** `corndog schema`. */
export const schemaCommand: Command = {
  name: "schema",
  usage: "",
  summary: "JSON Schema of the configuration, for editors",
  details:
    `Writes a JSON Schema (draft 7). An editor that knows YAML schemas then completes and checks corndog.yml; with
yaml-language-server put this line on top of it:
  # yaml-language-server: $schema=./corndog.schema.json`,
  options: [],
  examples: [["corndog schema > corndog.schema.json", "beside the configuration"]],
  restMax: 0,
  act({ io }: Call): Promise<number> {
    io.out(`${JSON.stringify(schema, undefined, 2)}\n`);
    return Promise.resolve(exitCode.fine);
  },
};

function summaryOf(config: Config, cwd: string): string {
  const { rules, tests } = config.rules;
  const parts = [
    counted(config.listen.length, "listener"),
    counted(rules.length, "rule"),
    counted(tests.length, "test"),
    `sink ${config.sink}`,
  ];
  const file = config.file === undefined ? "embedded default" : nearby(cwd, config.file);
  return `${file}: fine: ${parts.join(", ")}`;
}
