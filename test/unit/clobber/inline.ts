/**
 * Whole runs of the load generator inside a test: its threads run in this one, its reports are kept.
 *
 * @module
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import process from "node:process";
import { parseArguments } from "../../../src/cli/arguments.ts";
import { clobberCommand } from "../../../src/cli/clobber_command.ts";
import { readVerifyAccess } from "../../../src/cli/verify_access.ts";
import { readSettings } from "../../../src/clobber/options.ts";
import type { Result } from "../../../src/clobber/result.ts";
import { runClobber } from "../../../src/clobber/run.ts";
import { runLoadThread } from "../../../src/clobber/worker/load_thread.ts";
import type { FromLoadThread, LoadThread } from "../../../src/clobber/worker/protocol.ts";
import { dial, runtime } from "../../../src/runtime/current.ts";

/** What a run gave. */
export interface Ran {
  readonly code: number;
  readonly err: string;
  /** What `--json -` wrote; undefined where the run did not come that far. */
  readonly result: Result | undefined;
}

/** Runs a command line. `interrupt` is called with what an interrupt would call. */
export async function clobberInline(
  argv: readonly string[],
  interrupt: (act: () => void) => void = () => {},
): Promise<Ran> {
  const parsed = parseArguments(argv, clobberCommand.options);
  assert.ok(parsed.ok);
  const settings = await readSettings(parsed.arguments, {
    readText: (path) => readFileSync(path, "utf8"),
    readBytes: (path) => readFileSync(path),
    stdin: () => Promise.resolve(undefined),
    outputProblem: () => undefined,
    readAccess: readVerifyAccess,
  });
  let out = "";
  let err = "";
  const code = await runClobber({ ...settings, output: { ...settings.output, json: "-" } }, {
    spawn: inlineThread,
    dial,
    out: (text) => void (out += text),
    err: (text) => void (err += text),
    terminalColumns: undefined,
    colors: false,
    onInterrupt(handler) {
      interrupt(handler);
      return () => {};
    },
    processCpuMs: () => process.cpuUsage().user / 1000,
    runtime: runtime.version,
  });
  return { code, err, result: out === "" ? undefined : JSON.parse(out) };
}

/** As above, for a run that must come to its report. */
export async function resultOf(argv: readonly string[]): Promise<Result & { readonly code: number }> {
  const { code, err, result } = await clobberInline(argv);
  assert.ok(result !== undefined, `exit ${code}: ${err}`);
  return { ...result, code };
}

function inlineThread(): LoadThread {
  let take: (message: FromLoadThread) => void = () => {};
  const receive = runLoadThread((message) => queueMicrotask(() => take(structuredClone(message))));
  return {
    post: (message) => receive(message),
    onMessage: (handler) => take = handler,
    onExit: () => {},
    terminate: () => {},
  };
}
