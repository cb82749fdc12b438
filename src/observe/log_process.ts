/**
 * The logger of the main thread: to stderr, as the environment says.
 *
 * @module
 */
import process from "node:process";
import { createLogger, type Logger, logSettings } from "./log.ts";

/** Reads `CORNDOG_LOG` and `CORNDOG_LOG_LEVEL`; settings that make no sense are told as the first events. */
export function createProcessLogger(): Logger {
  const { problems, ...settings } = logSettings(process.env, process.stderr.isTTY === true);
  const log = createLogger({
    ...settings,
    write: (line) => void process.stderr.write(line),
    now: Date.now,
  });
  for (const problem of problems) log.warn("log_setting_ignored", { problem });
  return log;
}
