/**
 * What was thrown and nobody caught ends the thread. Left alone, Bun prints an unhandled rejection and goes on, and
 * a forwarder with a broken invariant must not go on.
 *
 * @module
 */
import { writeSync } from "node:fs";
import process from "node:process";

/** The bug's exit code; a supervisor (systemd) starts the process again. */
const crashExitCode = 1;

/** Installs the handlers for this thread. `thread` names it in the last words, which go to stderr at once. */
export function dieOnUncaught(thread: string): void {
  const die = (error: unknown) => {
    const problem = error instanceof Error ? error.stack ?? error.message : String(error);
    const line = { at: new Date().toISOString(), level: "error", event: "crashed", thread, problem };
    // Synchronous: nothing asynchronous happens any more.
    writeSync(2, `${JSON.stringify(line)}\n`);
    process.exit(crashExitCode);
  };
  process.on("unhandledRejection", die);
  process.on("uncaughtException", die);
}
