/**
 * A terminal and commands that remember, for tests of the command line.
 *
 * @module
 */
import type { Config, RuleSet } from "../../../src/config/config.ts";
import type {
  Commands,
  DemoOptions,
  LetterCommand,
  ReplayCommand,
  RunOptions,
  TestOptions,
} from "../../../src/cli/commands.ts";
import type { Arguments } from "../../../src/cli/arguments.ts";
import { runCli } from "../../../src/cli/cli.ts";
import type { CliIo } from "../../../src/cli/io.ts";
import type { Fault } from "../../../src/core/errors.ts";

/** What a command line did. */
export interface Ran {
  readonly exitCode: number;
  readonly out: string;
  readonly err: string;
  readonly called: readonly Called[];
  /** Rules that were to be compiled. */
  readonly checked: readonly RuleSet[];
}

/** One call of an injected command. */
export type Called =
  | { readonly name: "run"; readonly config: Config; readonly options: RunOptions }
  | { readonly name: "demo"; readonly config: Config; readonly options: DemoOptions }
  | { readonly name: "clobber"; readonly given: Arguments }
  | { readonly name: "listLetters"; readonly config: Config; readonly command: LetterCommand }
  | { readonly name: "replayLetters"; readonly config: Config; readonly command: ReplayCommand }
  | { readonly name: "testRules"; readonly config: Config; readonly options: TestOptions };

/** What the outside does in a test. */
export interface Outside {
  readonly cwd?: string;
  readonly env?: Record<string, string>;
  readonly colors?: boolean;
  readonly ruleFaults?: readonly Fault[];
  readonly run?: () => Promise<number>;
  readonly fetch?: CliIo["fetch"];
}

/** Runs one command line against an outside that remembers. */
export async function cli(argv: readonly string[], outside: Outside = {}): Promise<Ran> {
  let out = "";
  let err = "";
  const called: Called[] = [];
  const checked: RuleSet[] = [];
  const io: CliIo = {
    out: (text) => void (out += text),
    err: (text) => void (err += text),
    env: outside.env ?? {},
    cwd: outside.cwd ?? "/",
    colors: outside.colors ?? false,
    fetch: outside.fetch ?? (() => Promise.reject(new Error("no network in tests"))),
    readFile: () => "secret-token\n",
  };
  const commands: Commands = {
    run(config, options) {
      called.push({ name: "run", config, options });
      return outside.run?.() ?? Promise.resolve(0);
    },
    demo(config, options) {
      called.push({ name: "demo", config, options });
      return Promise.resolve(0);
    },
    checkRules(rules) {
      checked.push(rules);
      return outside.ruleFaults ?? [];
    },
    clobber(given) {
      called.push({ name: "clobber", given });
      return Promise.resolve(0);
    },
    listLetters(config, command) {
      called.push({ name: "listLetters", config, command });
      return Promise.resolve(0);
    },
    replayLetters(config, command) {
      called.push({ name: "replayLetters", config, command });
      return Promise.resolve(0);
    },
    testRules(config, options) {
      called.push({ name: "testRules", config, options });
      return Promise.resolve(0);
    },
  };
  const exitCode = await runCli(argv, commands, io);
  return { exitCode, out, err, called, checked };
}
