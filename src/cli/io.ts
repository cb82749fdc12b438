/**
 * The terminal, the environment and the network as commands see them; tests give their own.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import process from "node:process";
import type { Environment } from "../config/environment.ts";

/** Everything outside that a command touches. */
export interface CliIo {
  /** Results. */
  readonly out: (text: string) => void;
  /** Faults, warnings, and what is not a result. */
  readonly err: (text: string) => void;
  readonly env: Environment;
  readonly cwd: string;
  /** True where faults may be coloured. */
  readonly colors: boolean;
  readonly fetch: (
    url: string,
    init: { method?: string; headers: Record<string, string>; signal: AbortSignal },
  ) => Promise<Response>;
  readonly readFile: (path: string) => string;
}

/** The running process. */
export function processIo(): CliIo {
  process.stdout.on("error", endWithReader);
  return {
    out: (text) => {
      try {
        process.stdout.write(text);
      } catch (error) {
        endWithReader(error);
      }
    },
    err: (text) => void process.stderr.write(text),
    env: process.env,
    cwd: process.cwd(),
    // https://no-color.org: any value that is not empty.
    colors: process.stderr.isTTY === true && (process.env["NO_COLOR"] ?? "") === "" &&
      process.env["TERM"] !== "dumb",
    fetch: (url, init) => fetch(url, init),
    readFile: (path) => readFileSync(path, "utf8"),
  };
}

/** `corndog … | head`: whoever read has enough. */
function endWithReader(error: unknown): void {
  if ((error as { code?: unknown } | null)?.code !== "EPIPE") throw error;
  process.exit(0);
}
