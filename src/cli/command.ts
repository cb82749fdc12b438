/**
 * What a command is to the command line: its help, and what it does.
 *
 * @module
 */
import type { Arguments } from "./arguments.ts";
import type { Commands } from "./commands.ts";
import type { HelpPage } from "./help.ts";
import type { CliIo } from "./io.ts";

/** What a command works with. */
export interface Call {
  readonly given: Arguments;
  readonly io: CliIo;
  readonly commands: Commands;
}

/** One command. */
export interface Command extends HelpPage {
  /** Most arguments that are not options. */
  readonly restMax: number;
  /** Does it; resolves with the exit code. */
  act(call: Call): Promise<number>;
}

/** Exit codes that users rely on. */
export const exitCode = {
  fine: 0,
  faults: 1,
  usage: 2,
  /** EX_CONFIG of sysexits.h; systemd's `RestartPreventExitStatus=78` keeps it from trying again and again. */
  config: 78,
} as const;
