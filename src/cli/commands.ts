/**
 * What the command line needs from the rest of the program. The entry point injects it, so that the commands know
 * nothing of workers, kernels and sockets.
 *
 * @module
 */
import type { Config, RuleSet } from "../config/config.ts";
import type { Files } from "../config/files.ts";
import type { LoadResult } from "../config/load.ts";
import type { Fault } from "../core/errors.ts";
import type { Arguments } from "./arguments.ts";

/** What `corndog run` was asked for beside the configuration. */
export interface RunOptions {
  /** What is odd about the configuration; the run logs it, the command line does not show it. */
  readonly warnings: readonly Fault[];
  /** Reads the same configuration again, with the same `-c`, `--rules` and `--set`; from `files` instead of the disk. */
  readonly readConfig: (files?: Files) => LoadResult;
}

/** What `corndog demo` was asked for. */
export interface DemoOptions {
  readonly durationMs: number;
}

/** What `corndog test` was asked for. */
export interface TestOptions {
  /** A log to try the rules on, `-` for standard input; without it the tests of the rule files run. */
  readonly log: string | undefined;
  /** One JSON object per line of output. */
  readonly json: boolean;
  /** Each rule that was tried, and why it did not match. */
  readonly explain: boolean;
  /** Reads the configuration again, after each change of a rule file; undefined where one run is wanted. */
  readonly watch: (() => LoadResult) | undefined;
}

/** Which dead letters `corndog deadletter` is about. */
export interface LetterCommand {
  /** A file elsewhere than the configuration says. */
  readonly file: string | undefined;
  /** Both where it is undefined. */
  readonly from: "file" | "topic" | undefined;
  /** All where it is undefined. */
  readonly reasons: readonly string[] | undefined;
  readonly json: boolean;
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
}

/** What `corndog deadletter replay` was asked for. */
export interface ReplayCommand extends LetterCommand {
  readonly route: "auto" | "listener" | "topic";
  /** The configuration's own where it is undefined. */
  readonly listener:
    | {
      readonly host: string;
      readonly port: number;
      readonly path: string;
      readonly framing: "auto" | "newline" | "octet" | "nul";
    }
    | undefined;
  /** Letters per second. */
  readonly rate: number;
  readonly limit: number;
  readonly dryRun: boolean;
  readonly again: boolean;
}

/** The parts of the program that commands call. Each resolves with the process's exit code. */
export interface Commands {
  /** Begins what a run needs and no configuration decides about; called before that is read. */
  prepareRun?(): void;
  /** @throws ForwarderError when it cannot start */
  run(config: Config, options: RunOptions): Promise<number>;
  demo(config: Config, options: DemoOptions): Promise<number>;
  /** Compiles the rules and runs their tests; all faults, located. */
  checkRules(rules: RuleSet, config: Config): readonly Fault[] | Promise<readonly Fault[]>;
  /** Runs the in-file tests, or shows what the rules do with each line of a log. Exit code 1 on a failure. */
  testRules(config: Config, options: TestOptions): Promise<number>;
  /** Runs the load generator. Its exit code, or what is wrong with the flags. */
  clobber(given: Arguments): Promise<number | { readonly usage: string }>;
  /** Counts dead letters. @throws ForwarderError */
  listLetters(config: Config, command: LetterCommand): Promise<number>;
  /** Sends dead letters again. @throws ForwarderError */
  replayLetters(config: Config, command: ReplayCommand): Promise<number>;
}
