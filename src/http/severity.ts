/**
 * Severities of syslog (RFC 5424, table 2) from the words that others have for them.
 *
 * @module
 */
import { severityInfo } from "./syslog_line.ts";

const severities: Readonly<Record<string, number>> = {
  emerg: 0,
  emergency: 0,
  panic: 0,
  alert: 1,
  crit: 2,
  critical: 2,
  fatal: 2,
  err: 3,
  error: 3,
  warn: 4,
  warning: 4,
  notice: 5,
  info: 6,
  information: 6,
  informational: 6,
  debug: 7,
  trace: 7,
};

/** The severity that a word such as `Warning` means; info where it is not known. */
export function severityOf(word: string): number {
  const key = word.toLowerCase();
  return Object.hasOwn(severities, key) ? severities[key]! : severityInfo;
}
