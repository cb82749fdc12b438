/**
 * Names of severities and facilities, spelled as in syslog.h without its prefix; facilities 12 to 15, which that
 * header lacks, as the Rust crate syslog_rfc5424 spells them, which hotdog uses.
 *
 * @module
 */

/** Severities by number, RFC 5424 table 2. */
export const severityNames = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"] as const;

/** Facilities by number, RFC 5424 table 1. */
export const facilityNames = [
  "kern",
  "user",
  "mail",
  "daemon",
  "auth",
  "syslog",
  "lpr",
  "news",
  "uucp",
  "cron",
  "authpriv",
  "ftp",
  "ntp",
  "audit",
  "alert",
  "clockd",
  "local0",
  "local1",
  "local2",
  "local3",
  "local4",
  "local5",
  "local6",
  "local7",
] as const;

/** The severity of a PRI value. */
export function severityOfPriority(priority: number): number {
  return priority & 7;
}

/** The facility of a PRI value. */
export function facilityOfPriority(priority: number): number {
  return priority >>> 3;
}
