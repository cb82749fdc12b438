/**
 * Names of facilities, RFC 5424 table 1, spelled as in syslog.h without its prefix; 12 to 15, which that header
 * lacks, as the Rust crate syslog_rfc5424 spells them, which hotdog uses.
 *
 * @module
 */

/** By number. */
export const facilityNames: readonly string[] = [
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
];

/** The facility of a PRI value. */
export function facilityOfPriority(priority: number): number {
  return priority >>> 3;
}
