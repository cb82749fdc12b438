/**
 * Flags that say what is sent.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { type FlagReader, refuse, UsageError } from "./flags.ts";
import type { Inputs } from "./options.ts";
import type { Framing, HttpShape, Target, Work } from "./plan.ts";
import { lineBytesMax, readSizeSpec, type SizeSpec } from "./payload/sizes.ts";
import { poolBytesMax } from "./payload/pool.ts";
import { readTemplate } from "./payload/template.ts";

/** Flags of which one at most says what a message is. */
const sources = ["syslog", "template", "template-file", "payload", "payload-file", "lines"] as const;

const datagramBytesMax = 65_507;
/** A file of lines is held in memory, by each thread. */
const linesBytesMax = 64 * 1024 * 1024;
const bytesDefault = 256;

/** Reads what is sent. Without a flag: what is on standard input, else syslog lines; over HTTP a GET. */
export async function readWork(
  reader: FlagReader,
  target: Target,
  run: string,
  inputs: Inputs,
): Promise<{ readonly work: Work; readonly http: HttpShape | undefined }> {
  const chosen = sources.filter((name) => reader.text(name) !== undefined);
  if (chosen.length > 1) {
    throw new UsageError(`--${chosen[0]} and --${chosen[1]} both say what to send; keep one`);
  }
  const isHttp = target.scheme.startsWith("http");
  const [source] = chosen;
  // Who says what lines are like wants lines, also over HTTP.
  const shapes = ["message", "size", "batch"].some((name) => reader.text(name) !== undefined);
  let work = source === undefined ? undefined : readSource(source, reader, run, inputs, isHttp);
  if (work === undefined && !shapes) {
    const bytes = await inputs.stdin();
    if (bytes !== undefined && bytes.length > 0) work = { kind: "payload", bytes };
  }
  const bodiless = work === undefined && isHttp && !shapes;
  work ??= syslog(reader, "5424");
  if (target.scheme === "relp" && work.kind === "payload") {
    work = { kind: "messages", messages: [work.bytes], framing: "none" };
  }
  if (target.scheme === "udp") checkDatagrams(work);
  return { work, http: isHttp ? readHttp(reader, bodiless) : refuseHttpFlags(reader) };
}

function readSource(
  source: typeof sources[number],
  reader: FlagReader,
  run: string,
  inputs: Inputs,
  isHttp: boolean,
): Work | undefined {
  const value = reader.text(source)!;
  const read = (path: string): Buffer => {
    try {
      return Buffer.from(inputs.readBytes(path));
    } catch (error) {
      return refuse(source, `cannot read ${path}: ${(error as Error).message}`);
    }
  };
  switch (source) {
    case "syslog":
      if (value !== "5424" && value !== "3164") refuse("syslog", `write 5424 or 3164, not "${value}"`);
      return syslog(reader, value);
    case "template":
      return template([value], reader, run);
    case "template-file":
      return template(linesOf(read(value)).map((line) => Buffer.from(line).toString()), reader, run);
    case "payload":
      if (value === "-") return undefined;
      return payload(unescape(value), isHttp);
    case "payload-file":
      return payload(read(value), isHttp);
    case "lines": {
      const messages = linesOf(read(value));
      if (messages.length === 0) refuse("lines", `${value} has no lines`);
      return { kind: "messages", messages, framing: framingOf(reader) };
    }
  }
}

function payload(bytes: Buffer, isHttp: boolean): Work {
  if (bytes.length > 64 * poolBytesMax) {
    refuse("payload", `${bytes.length} bytes are too many for one message`);
  }
  if (bytes.length === 0 && !isHttp) refuse("payload", "it is empty");
  return { kind: "payload", bytes };
}

/** `\n`, `\r`, `\t`, `\0`, `\xNN` and `\\` as C has them: a shell has no other way to write them. */
function unescape(text: string): Buffer {
  const plain: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", "0": "\0", "\\": "\\" };
  const parts: Buffer[] = [];
  let from = 0;
  for (const match of text.matchAll(/\\(?:x([0-9a-fA-F]{2})|([nrt0\\]))/g)) {
    parts.push(Buffer.from(text.slice(from, match.index)));
    parts.push(match[1] === undefined ? Buffer.from(plain[match[2]!]!) : Buffer.from(match[1], "hex"));
    from = match.index + match[0].length;
  }
  return Buffer.concat([...parts, Buffer.from(text.slice(from))]);
}

function linesOf(bytes: Buffer): Uint8Array[] {
  if (bytes.length > linesBytesMax) refuse("lines", `the file is longer than ${linesBytesMax / 2 ** 20} MiB`);
  const lines: Uint8Array[] = [];
  for (let from = 0; from < bytes.length;) {
    const end = bytes.indexOf(10, from);
    const line = bytes.subarray(from, end < 0 ? bytes.length : end);
    if (line.length > 0) lines.push(line);
    from = end < 0 ? bytes.length : end + 1;
  }
  return lines;
}

function template(lines: readonly string[], reader: FlagReader, run: string): Work {
  const own = new Map<string, string>();
  for (const field of reader.all("field")) {
    const at = field.indexOf("=");
    if (at < 1) refuse("field", `write NAME=TEMPLATE, not "${field}"`);
    own.set(field.slice(0, at), field.slice(at + 1));
  }
  if (lines.length === 0) refuse("template-file", "it has no lines");
  const expanded = lines.map((line) => {
    // The fields of the user are put in here, so that threads know only those that are built in.
    const whole = line.replace(
      /\{\{\s*([a-z_][\w.-]*)\s*\}\}/gi,
      (text, name: string) => own.get(name) ?? text,
    );
    const read = readTemplate(whole, run);
    if (!read.ok) refuse("template", read.message);
    return whole;
  });
  return { kind: "template", lines: expanded, framing: framingOf(reader), marks: true };
}

function syslog(reader: FlagReader, format: "5424" | "3164"): Work {
  const message = reader.text("message") ?? "text";
  if (message !== "text" && message !== "json") refuse("message", `write text or json, not "${message}"`);
  return {
    kind: "syslog",
    format,
    framing: framingOf(reader),
    size: readSize(reader),
    json: message === "json",
    marks: !reader.has("no-marks"),
  };
}

function readSize(reader: FlagReader): SizeSpec {
  const text = reader.text("size");
  if (text === undefined) return { kind: "fixed", bytes: bytesDefault };
  return readSizeSpec(text) ??
    refuse("size", `write bytes up to ${lineBytesMax}: 200, 100-400 or logn(300,0.5), not "${text}"`);
}

function framingOf(reader: FlagReader): Framing {
  const text = reader.text("framing") ?? "newline";
  if (text === "newline" || text === "octet" || text === "nul" || text === "none") return text;
  if (text === "lf") return "newline";
  return refuse("framing", `write newline, octet, nul or none, not "${text}"`);
}

function checkDatagrams(work: Work): void {
  const longest = work.kind === "payload"
    ? work.bytes.length
    : work.kind === "messages"
    ? work.messages.reduce((most, message) => Math.max(most, message.length), 0)
    : work.kind === "syslog"
    ? work.size.kind === "fixed" ? work.size.bytes : work.size.kind === "uniform" ? work.size.high : 0
    : 0;
  if (longest > datagramBytesMax) {
    throw new UsageError(`a datagram holds ${datagramBytesMax} bytes, and a message has ${longest}`);
  }
}

const httpFlags = ["method", "header", "batch"] as const;

function refuseHttpFlags(reader: FlagReader): undefined {
  const given = httpFlags.find((name) => reader.text(name) !== undefined);
  if (given !== undefined) refuse(given, "belongs to http:// and https:// targets");
  return undefined;
}

function readHttp(reader: FlagReader, bodiless: boolean): HttpShape {
  const method = reader.text("method") ?? (bodiless ? "GET" : "POST");
  if (!/^[A-Z]{1,16}$/.test(method)) refuse("method", `write a method such as GET or POST, not "${method}"`);
  const headers = reader.all("header").map((line): readonly [string, string] => {
    const [, name, value] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*:\s*(.*)$/.exec(line) ?? [];
    // A control character in a value would end the head early.
    // deno-lint-ignore no-control-regex
    if (name === undefined || /[\x00-\x08\x0a-\x1f\x7f]/.test(value!)) {
      refuse("header", `write NAME: VALUE, not "${line}"`);
    }
    if (/^(?:content-length|transfer-encoding)$/i.test(name)) {
      refuse("header", `${name} is made from the body`);
    }
    return [name, value!];
  });
  return { method, headers, batch: bodiless ? 0 : reader.count("batch", 1, 100_000) ?? 1 };
}
