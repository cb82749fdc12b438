/**
 * The two forms of a log line. Neither throws, whatever the fields hold, and neither lets a field's content end
 * the line or move the cursor of a terminal.
 *
 * @module
 */
import { type Fault, formatFault } from "../core/errors.ts";
import type { LogLevel } from "../core/log_names.ts";
import { bannerLines } from "./banner.ts";
import type { LogFields } from "./log.ts";
import { componentOf } from "./log_components.ts";

/** Turns one event into a line with its newline. */
export type LogFormat = (nowMs: number, level: LogLevel, event: string, fields: LogFields) => string;

/** Longest text of one field; a message of a peer must not fill the log. */
const fieldCharsMax = 2000;
/** Fields of a map that is shown as such. */
const mapFieldsMax = 20;
/** Causes of causes. */
const causesMax = 4;

/** One JSON object per line. A field cannot replace `at`, `level`, `component` or `event`. */
export const formatJson: LogFormat = (nowMs, level, event, fields) => {
  // What was left out is told for the component whose lines they were.
  const about = event === "log_left_out" ? String(fields.of) : event;
  const head = { at: new Date(nowMs).toISOString(), level, component: componentOf(about), event };
  try {
    return JSON.stringify({ ...head, ...fields, ...head }, plain) + "\n";
  } catch {
    // A cycle, or a toJSON that throws.
    return JSON.stringify({ ...head, fields: "unprintable" }) + "\n";
  }
};

/** `03:04:05.678 warn  event key=value`, in UTC. */
export function formatHuman(colors: boolean): LogFormat {
  const paint = (code: string, text: string) => colors ? `\x1b[${code}m${text}\x1b[0m` : text;
  return (nowMs, level, event, fields) => {
    const time = new Date(nowMs).toISOString().slice(11, 23);
    let line = `${paint("2", time)} ${paint(levelColor[level], level.padEnd(5))} ${paint("1", event)}`;
    // What has started is read by a person, once: it gets a page.
    if (event === "started") return `${[line, ...bannerLines(fields).map(oneLine)].join("\n")}\n`;
    for (const [name, value] of flat(fields)) {
      if (value !== undefined) line += ` ${paint("2", `${oneLine(name)}=`)}${humanValue(value)}`;
    }
    return line + "\n";
  };
}

const levelColor: Readonly<Record<LogLevel, string>> = { error: "31", warn: "33", info: "32", debug: "2" };

/** Fields, and those of maps in them as `evidence.cpu_ms`. */
function flat(fields: LogFields): [name: string, value: unknown][] {
  return Object.entries(fields).flatMap(([name, value]): [string, unknown][] => {
    try {
      if (typeof value !== "object" || value === null || Array.isArray(value)) return [[name, value]];
      if (value instanceof Error || "toJSON" in value) return [[name, value]];
      return Object.entries(value).slice(0, mapFieldsMax).map(([key, inner]) => [`${name}.${key}`, inner]);
    } catch {
      return [[name, "unprintable"]];
    }
  });
}

/** `corndog.yml:6:15: log.level: "loud" is not …` of a fault, as `corndog check` writes it. */
function faultText(item: unknown): unknown {
  if (typeof item !== "object" || item === null) return item;
  const { file, line, column, path, message } = item as Partial<Fault>;
  return typeof file === "string" && typeof message === "string" && typeof line === "number"
    ? formatFault({ file, line, column: column ?? 0, path: path ?? "", message })
    : item;
}

function humanValue(value: unknown): string {
  let text: string;
  try {
    const simple = plain("", Array.isArray(value) ? value.map(faultText) : value);
    text = typeof simple === "string"
      ? simple
      : Array.isArray(simple) && simple.every((item) => typeof item !== "object")
      ? simple.map((item) => String(plain("", item))).join("; ")
      : JSON.stringify(simple, plain) ?? String(simple);
  } catch {
    return "unprintable";
  }
  return /^[!#-<>-~]+$/.test(text) ? text : printable(JSON.stringify(text));
}

/** No field's content may end the line, or move the cursor. */
function oneLine(text: string): string {
  // deno-lint-ignore no-control-regex
  return printable(text.replaceAll(/[\x00-\x1f]/g, " "));
}

/** JSON leaves DEL and the C1 controls as they are; a terminal obeys them. */
function printable(text: string): string {
  return text.replaceAll(
    /[\x7f-\x9f\u2028\u2029]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** JSON.stringify's replacer: what JSON does not know. */
function plain(_key: string, value: unknown): unknown {
  if (typeof value === "string") {
    return value.length > fieldCharsMax
      ? `${value.slice(0, fieldCharsMax)}… (${value.length} characters)`
      : value;
  }
  if (typeof value === "bigint") return value.toString();
  if (value instanceof Error) return plain("", describeError(value));
  return value;
}

/** `message (code): cause: cause`. */
function describeError(error: Error): string {
  const parts: string[] = [];
  let current: unknown = error;
  for (let depth = 0; depth <= causesMax && current instanceof Error; depth++) {
    const code = (current as { code?: unknown }).code;
    parts.push(typeof code === "string" ? `${current.message} (${code})` : current.message);
    current = current.cause;
  }
  return parts.join(": ");
}
