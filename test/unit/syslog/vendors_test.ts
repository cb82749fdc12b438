/** Lines of vendors, alone and as streams in every framing: the fields are what the vendor means. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { zoneOf } from "../../../src/syslog/time_zone.ts";
import { readDatagram, readStream } from "./read_lines.ts";
import { vendorLines } from "./vendor_lines.ts";

const nowMs = Date.UTC(2024, 2, 1, 19);
const zone = zoneOf("Europe/Berlin");
const encoder = new TextEncoder();

for (const { from, line, want } of vendorLines) {
  test(`the fields are read when the sender is ${from}`, () => {
    assert.deepEqual(readDatagram(encoder.encode(line), nowMs, zone), want);
  });
}

const wanted = vendorLines.map(({ want }) => want);

test("a stream of all of them gives the same when they are lines, NUL frames or octet-counted", () => {
  const lines = vendorLines.map(({ line }) => encoder.encode(line));
  const join = (parts: Uint8Array[]): Uint8Array => {
    const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      bytes.set(part, at);
      at += part.length;
    }
    return bytes;
  };
  const ended = (end: number[]) => join(lines.flatMap((line) => [line, Uint8Array.from(end)]));
  for (const mode of ["auto", "newline"] as const) {
    assert.deepEqual(readStream(ended([10]), mode, nowMs, zone), wanted, mode);
    assert.deepEqual(readStream(ended([13, 10]), mode, nowMs, zone), wanted, `${mode}, CR LF`);
    assert.deepEqual(readStream(ended([10, 0]), mode, nowMs, zone), wanted, `${mode}, LF NUL`);
  }
  for (const mode of ["auto", "nul"] as const) {
    assert.deepEqual(readStream(ended([0]), mode, nowMs, zone), wanted, `${mode}, NUL`);
  }
  const counted = join(lines.flatMap((line) => [encoder.encode(`${line.length} `), line]));
  for (const mode of ["auto", "octet"] as const) {
    assert.deepEqual(readStream(counted, mode, nowMs, zone), wanted, `${mode}, octet counting`);
  }
});
