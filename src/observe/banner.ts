/**
 * What a person reads on the terminal when corndog has started: the fields of the event `started`, one thing per line.
 *
 *     03:04:05.678 info  started
 *       corndog    1.2.0 on bun 1.4.5, process 4711
 *       config     /etc/corndog/corndog.yml
 *       listen     syslog tcp://0.0.0.0:1514, http http://0.0.0.0:8080
 *
 * Pure. A field that is not there has no line.
 *
 * @module
 */
import type { LogFields } from "./log.ts";

/** Width of the names. */
const nameChars = 10;

/** The lines below the event's own. */
export function bannerLines(fields: LogFields): string[] {
  const text = (name: string) => textOf(fields[name]);
  const joined = (parts: readonly string[]) => parts.filter((part) => part !== "").join(", ");
  const after = (word: string, name: string) => text(name) === "" ? "" : `${word} ${text(name)}`;
  const rows: [name: string, value: string][] = [
    ["corndog", joined([`${text("version")} on ${text("runtime")}`, after("process", "pid")])],
    ["config", text("config")],
    ["rules", joined([`${text("rules")} in force`, after("version", "rules_version"), text("rules_hash")])],
    ["", text("rule_files")],
    ["listen", text("listeners")],
    ["workers", joined([text("workers"), after("memory", "memory")])],
    ["io", text("io") === "" ? "" : `${text("io")} (${text("io_reason")})`],
    ["sink", joined([text("sink"), text("brokers"), after("topic", "topic"), text("dir")])],
    ["spool", joined([text("spool"), after("at most", "spool_bytes_max")])],
    ["letters", text("dead_letter")],
    ["admin", text("admin")],
    ["log", text("log")],
  ];
  return rows.filter(([, value]) => value !== "").map(([name, value]) =>
    `  ${name.padEnd(nameChars)} ${value}`
  );
}

function textOf(value: unknown): string {
  if (value === undefined || value === null) return "";
  return Array.isArray(value) ? value.map(textOf).join(", ") : String(value);
}
