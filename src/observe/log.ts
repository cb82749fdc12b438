/**
 * The logger: one line per event on stderr, JSON for machines or a human form on a terminal.
 *
 *     {"at":"2026-01-02T03:04:05.678Z","level":"warn","component":"kafka","event":"kafka_unreachable","broker":"kafka-1:9092"}
 *     03:04:05.678 warn  kafka_unreachable broker=kafka-1:9092
 *
 * An event is a constant name with fields; its name says which component it belongs to, and each component may have a
 * level of its own. Each event name may print a few lines per period; what was left out is counted and told with the
 * next line of that name, or by `flush`. Logging never throws and never blocks: the write function is given, so that a
 * worker may hand its lines to the main thread.
 *
 * @module
 */
import type { LogLevel } from "../core/log_names.ts";
import { formatHuman, formatJson } from "./log_format.ts";
import { LogLevels } from "./log_levels.ts";
import { LogQuota } from "./log_quota.ts";

/** Fields of an event: JSON values, errors, bigints. Never a secret, never a log line's content. */
export type LogFields = Readonly<Record<string, unknown>>;

/** What stages get. */
export interface Logger {
  error(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  debug(event: string, fields?: LogFields): void;
  /** A logger whose events all carry `fields`; it shares the limits. */
  with(fields: LogFields): Logger;
  /** Lines of an event, of which others were written, were left out by who would have handed them on. */
  skipped(event: string, count: number): void;
  /** Tells what was left out so far. Call it now and then, and at the end. */
  flush(): void;
}

/** How to log. */
export interface LoggerOptions {
  readonly format: "json" | "human";
  /** One level for all, or the levels of the components, which may change. */
  readonly level: LogLevel | LogLevels;
  /** ANSI colours in the human form. */
  readonly colors: boolean;
  /** Gets each line, newline included. */
  readonly write: (line: string) => void;
  /** Epoch milliseconds. */
  readonly now: () => number;
}

/** Makes a logger. */
export function createLogger(options: LoggerOptions): Logger {
  const { level: given, write, now } = options;
  const levels = given instanceof LogLevels ? given : new LogLevels({ level: given, levels: {} });
  const quota = new LogQuota();
  const format = options.format === "json" ? formatJson : formatHuman(options.colors);

  const print = (level: LogLevel, event: string, fields: LogFields) => {
    if (!levels.allows(level, event)) return;
    const nowMs = now();
    const { left_out: before } = fields;
    const leftOut = quota.admit(level, event, nowMs, typeof before === "number" ? before : 0);
    if (leftOut < 0) return;
    write(format(nowMs, level, event, leftOut === 0 ? fields : { ...fields, left_out: leftOut }));
  };

  const flush = () => {
    const nowMs = now();
    for (const [of, leftOut] of quota.takeLeftOut()) {
      write(format(nowMs, "info", "log_left_out", { of, left_out: leftOut }));
    }
  };

  const make = (base: LogFields): Logger => {
    const at = (level: LogLevel) => (event: string, fields: LogFields = {}) =>
      print(level, event, { ...base, ...fields });
    return {
      error: at("error"),
      warn: at("warn"),
      info: at("info"),
      debug: at("debug"),
      with: (fields) => make({ ...base, ...fields }),
      skipped: (event, count) => quota.skipped(event, count),
      flush,
    };
  };
  return make({});
}
