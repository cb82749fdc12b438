/** Streams of another project's tests (test/vendor/syslog-streams): the fields that its parser expects, or more. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { structuredDataJson } from "../../../src/rules/json_form.ts";
import { readDatagram, type ReadLine, readStream } from "./read_lines.ts";

const folder = new URL("../../vendor/syslog-streams/telegraf/", import.meta.url);
/** The year of a line without one, in its expected field. */
const nowMs = Date.UTC(2026, 10, 21);

/** Where its parser refuses what can be read, or gives up where bytes would be lost: what is read here. */
const patient: Readonly<Record<string, readonly ReadLine[]>> = {
  // A count that is too small: the rest of the frame is a line of its own.
  octet_counting_best_effort_tcp_1st_underflow_malfunction: [
    { severity: "alert", facility: "kern", message: "217 <11>1 - -", unparsed: true },
    { message: " - - - -", unparsed: true },
  ],
  // A frame that never came whole, and one that ends behind its version.
  octet_counting_best_effort_tcp_1st_underflow_nok: [{ severity: "alert", facility: "kern", message: "2" }],
  rfc5424_best_effort_udp_min_incomplete: [{ severity: "alert", facility: "kern", message: "2" }],
  // An application name above 48 characters.
  rfc5424_best_effort_toolong_appname: [{
    severity: "err",
    facility: "local4",
    time: "2003-10-11T22:14:15.003Z",
    hostname: "mymachine.example.com",
    appname: "ALongApplicationNameContainingMoreThanTheAllowed48Character",
    msgid: "ID47",
    message: "BOM'su root' failed for lonvick on /dev/pts/8",
  }],
};

/** Tags and fields of a line of line protocol, without its time. */
function fieldsOf(line: string): Record<string, string> {
  const fields: Record<string, string> = {};
  const pattern = /(?<=^syslog,|[ ,])([a-z_]+)=("(?:[^"\\]|\\.)*"|[^ ,]*)/gs;
  for (const [, name, value] of line.matchAll(pattern)) {
    fields[name!] = value!.startsWith('"')
      ? value!.slice(1, -1).replaceAll(/\\(.)/g, (_, char) => char === "n" ? "\n" : char)
      : value!;
  }
  return fields;
}

/** What was read, under the names of line protocol. */
function lineFields(line: ReadLine, names: readonly string[]): Record<string, string> {
  const fields: Record<string, string> = {};
  const put = (name: string, value: string | undefined): void => {
    if (value !== undefined && value !== "") fields[name] = value;
  };
  put("appname", line.appname);
  put("facility", line.facility);
  put("hostname", line.hostname);
  put("severity", line.severity);
  put("message", line.message);
  put("msgid", line.msgid);
  put("procid", line.procid);
  if (line.time !== undefined) put("timestamp", `${Date.parse(line.time)}${microseconds(line.time)}000i`);
  const data = line.sd === undefined
    ? {}
    : JSON.parse(structuredDataJson(line.sd)) as Record<string, Record<string, string>>;
  for (const [id, parameters] of Object.entries(data)) {
    if (Object.keys(parameters).length === 0) put(id, "true");
    for (const [name, value] of Object.entries(parameters)) put(`${id}_${name}`, value);
  }
  return Object.fromEntries(Object.entries(fields).filter(([name]) => names.includes(name)));
}

/** The digits behind the milliseconds. */
function microseconds(time: string): string {
  return (/\.(\d+)/.exec(time)?.[1] ?? "").padEnd(6, "0").slice(3, 6);
}

for (const name of readdirSync(folder)) {
  test(`the fields are those of the stream when it is ${name}`, () => {
    const text = (file: string) => readFileSync(new URL(`${name}/${file}`, folder));
    const input = new Uint8Array(text("input.txt"));
    const listener = String(text("listener.txt"));
    const lines = name.includes("_udp") || name.includes("toolong")
      ? [readDatagram(input, nowMs)]
      : readStream(input, listener.includes("non-transparent") ? "newline" : "octet", nowMs);
    const expected = patient[name];
    if (expected !== undefined) return assert.deepEqual(lines, expected);
    const wanted = String(text("expected.out")).split(/\n(?=syslog,)/).map(fieldsOf);
    const skipped = ["source", "facility_code", "severity_code", "version"];
    assert.ok(wanted.length > 0);
    const known = ["appname", "facility", "hostname", "severity", "message", "msgid", "procid", "timestamp"];
    const got = lines.map((line, index) => lineFields(line, [...known, ...Object.keys(wanted[index] ?? {})]));
    assert.deepEqual(
      got,
      wanted.map((fields) =>
        Object.fromEntries(Object.entries(fields).filter(([field]) => !skipped.includes(field)))
      ),
    );
    // The octets of each mode find the same where the mode is told by the first bytes.
    if (!name.includes("_udp")) assert.deepEqual(readStream(input, "auto", nowMs).length, lines.length);
  });
}
