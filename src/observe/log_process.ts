/**
 * The logger of the main thread: to stderr, as the configuration says.
 *
 * @module
 */
import process from "node:process";
import type { LogSettings } from "../core/log_names.ts";
import { createLogger, type Logger } from "./log.ts";
import type { LogLevels } from "./log_levels.ts";

/** Writes to stderr; `auto` is human on a terminal, with colours where NO_COLOR is not set (https://no-color.org). */
export function createProcessLogger(format: LogSettings["format"], levels: LogLevels): Logger {
  const isTerminal = process.stderr.isTTY === true;
  return createLogger({
    format: format === "auto" ? isTerminal ? "human" : "json" : format,
    level: levels,
    colors: isTerminal && !process.env.NO_COLOR,
    write: (line) => void process.stderr.write(line),
    now: Date.now,
  });
}
