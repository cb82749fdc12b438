/**
 * Names of severities, RFC 5424 table 2, spelled as in syslog.h without its prefix (and as hotdog spells them).
 *
 * @module
 */

/** By number: 0 is the most urgent. */
export const severityNames: readonly string[] = [
  "emerg",
  "alert",
  "crit",
  "err",
  "warning",
  "notice",
  "info",
  "debug",
];

/** The severity of a PRI value. */
export function severityOfPriority(priority: number): number {
  return priority & 7;
}
