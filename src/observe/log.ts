/**
 * The logger: one line per event on stderr, JSON for machines or a human form on a terminal.
 *
 *     {"at":"2026-01-02T03:04:05.678Z","level":"warn","event":"kafka_unreachable","broker":"kafka-1:9092"}
 *     03:04:05.678 warn  kafka_unreachable broker=kafka-1:9092
 *
 * An event is a constant name with fields. Each event name may print a few lines per period; what was left out is
 * counted and told with the next line of that name, or by `flush`. Logging never throws and never blocks: the
 * write function is given, so that a worker may hand its lines to the main thread.
 *
 * @module
 */
import { formatHuman, formatJson } from "./log_format.ts";

/** Levels, quiet to loud. */
export const logLevels = ["error", "warn", "info", "debug"] as const;

/** A member of `logLevels`. */
export type LogLevel = (typeof logLevels)[number];

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
  /** Tells what was left out so far. Call it now and then, and at the end. */
  flush(): void;
}

/** How to log. */
export interface LoggerOptions {
  readonly format: "json" | "human";
  readonly level: LogLevel;
  /** ANSI colours in the human form. */
  readonly colors: boolean;
  /** Gets each line, newline included. */
  readonly write: (line: string) => void;
  /** Epoch milliseconds. */
  readonly now: () => number;
}

/** Lines of one event name per period: enough to see a pattern, few enough not to fill a disk. */
export const linesPerPeriodMax = 10;
/** @see linesPerPeriodMax */
export const periodMs = 10_000;

/** Event names that are counted apart; names are constants of the source, so that this is never met. */
const namesMax = 1000;

interface Quota {
  startedAtMs: number;
  printed: number;
  leftOut: number;
}

/** Makes a logger. */
export function createLogger(options: LoggerOptions): Logger {
  const quotas = new Map<string, Quota>();
  const rank = logLevels.indexOf(options.level);
  const format = options.format === "json" ? formatJson : formatHuman(options.colors);

  /** How many lines were left out before this one; -1 if this one is left out too. */
  const admit = (event: string, nowMs: number): number => {
    let quota = quotas.get(event);
    if (quota === undefined) {
      if (quotas.size >= namesMax) return -1;
      quota = { startedAtMs: nowMs, printed: 0, leftOut: 0 };
      quotas.set(event, quota);
    }
    if (nowMs - quota.startedAtMs >= periodMs || nowMs < quota.startedAtMs) {
      quota.startedAtMs = nowMs;
      quota.printed = 0;
    }
    if (quota.printed >= linesPerPeriodMax) {
      quota.leftOut++;
      return -1;
    }
    quota.printed++;
    const leftOut = quota.leftOut;
    quota.leftOut = 0;
    return leftOut;
  };

  const print = (level: LogLevel, event: string, fields: LogFields) => {
    if (logLevels.indexOf(level) > rank) return;
    const nowMs = options.now();
    const leftOut = admit(event, nowMs);
    if (leftOut < 0) return;
    options.write(format(nowMs, level, event, leftOut === 0 ? fields : { ...fields, left_out: leftOut }));
  };

  const flush = () => {
    const nowMs = options.now();
    for (const [event, quota] of quotas) {
      if (quota.leftOut === 0) continue;
      options.write(format(nowMs, "info", "log_left_out", { of: event, left_out: quota.leftOut }));
      quota.leftOut = 0;
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
      flush,
    };
  };
  return make({});
}

/**
 * Reads `CORNDOG_LOG` (json, human) and `CORNDOG_LOG_LEVEL`. Without them: human on a terminal, JSON elsewhere,
 * level info. A value that is neither is named in `problems` and the default holds.
 */
export function logSettings(
  environment: Readonly<Record<string, string | undefined>>,
  stderrIsTerminal: boolean,
): Pick<LoggerOptions, "format" | "level" | "colors"> & { readonly problems: readonly string[] } {
  const problems: string[] = [];
  const choose = <T extends string>(name: string, allowed: readonly T[], fallback: T): T => {
    const value = environment[name];
    if (value === undefined || value === "") return fallback;
    const found = allowed.find((one) => one === value);
    if (found === undefined) {
      problems.push(`Cannot use ${name}="${value}": expected one of ${allowed.join(", ")}`);
    }
    return found ?? fallback;
  };
  const format = choose("CORNDOG_LOG", ["json", "human"], stderrIsTerminal ? "human" : "json");
  const level = choose("CORNDOG_LOG_LEVEL", logLevels, "info");
  // https://no-color.org: any non-empty value.
  return { format, level, colors: stderrIsTerminal && !environment.NO_COLOR, problems };
}
