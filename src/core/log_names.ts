/**
 * What the log is made of: its levels, and the parts of corndog that have one of their own.
 *
 * @module
 */

/** Levels, quiet to loud. */
export const logLevels = ["error", "warn", "info", "debug"] as const;

/** A member of `logLevels`. */
export type LogLevel = (typeof logLevels)[number];

/** Parts of corndog as `log.levels` names them; every event belongs to one. */
export const logComponents = [
  "process",
  "listeners",
  "http",
  "relp",
  "rules",
  "spool",
  "kafka",
  "dead_letter",
  "watch",
  "admin",
  "metrics",
] as const;

/** A member of `logComponents`. */
export type LogComponent = (typeof logComponents)[number];

/** `auto`: human on a terminal, JSON elsewhere. */
export const logFormats = ["auto", "json", "human"] as const;

/** What is written to the log, and how. */
export interface LogSettings {
  readonly format: (typeof logFormats)[number];
  readonly level: LogLevel;
  /** Where a component has another one. */
  readonly levels: Readonly<Partial<Record<LogComponent, LogLevel | undefined>>>;
}
