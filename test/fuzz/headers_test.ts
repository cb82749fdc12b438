/**
 * Random and damaged frames through the header parser: it finds what its twin of regular expressions finds, every
 * part lies inside the frame and in order, and no frame takes long.
 *
 * @runtimes bun deno
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createKernel } from "../../src/kernel/instance.ts";
import { HeaderReader } from "../../src/syslog/header.ts";
import { parseHeaderOracle, type Span } from "../unit/kernel/oracle_headers.ts";
import { parseOne } from "../unit/kernel/rows.ts";
import { fuzz, fuzzTimeout } from "./fuzz.ts";
import { latin1, latin1Text, mutate } from "./mutate.ts";
import type { Random } from "./random.ts";

const kernel = createKernel({ scratchBytes: 64, arenaBytes: 64 });
const reader = new HeaderReader(kernel);

const frames = [
  '<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog 111 ID47 [ex@32473 iut="3" e="A\\"]"][b] \xef\xbb\xbfhi',
  "<34>1 - - - - - - nothing",
  "<13>Dec  2 16:31:03 host app[42]: Test",
  "<13>Dec  2 16:31:03 2024 host app: Test",
  "2024-12-02 16:31:03,125 host app: Test",
  "<189>29: *Mar  1 18:48:50.483 UTC: %SYS-5-CONFIG_I: Configured",
  "<166>Dec 02 2024 16:31:03 fw1 : %ASA-6-302013: Built",
  "<189>: 2024 Mar  1 18:48:50 UTC: %ETHPORT-5-IF_UP: Interface is up",
  "<189>29: router1: *Mar  1 18:48:50.483 UTC: %SYS-5-CONFIG_I: Configured",
  "<189>46: router1: 000045: *Mar  1 18:48:50.123: %SYS-5-CONFIG_I: Configured",
  "<132>WLC1: *spamApTask4: Mar 01 18:48:50.483: %CAPWAP-3-DTLS: closed",
  "<189>123: cucm1: Mar 01 2024 18:48:50.010 UTC :  %UC_RTMT-2-ALERT: x",
  "<133>Mar  1 18:48:50 bigip1 notice tmm[1234]: 01010029:5: Clock advanced",
  "<14>Mar  1 18:48:50 ap1 US8P60,18e829f2b0c5,v4.3.13: switch: TRAPMGR: up",
  "<189>Mar  1 2024 18:48:50+01:00 S6730 app[1]:text",
  "<13>2024-03-01 13:48:50 -0500 web1 app: up",
  "<189>1: r1 RP/0/RSP0/CPU0:Mar  1 18:48:50.483 UTC: config[65]: %MGBL-SYS-5-CONFIG_I : x",
  "<134>1 1709318930.483 MX84 events type=vpn",
  '<189>date=2024-03-01 time=18:48:50 devname="FG100" devid="FG1" logid="1"',
  "<13>Mar  1 18:48:50 Message forwarded from aix1: sshd[1]: x",
  "<13>Mar  1 18:48:50 last message repeated 3 times",
  '<13>{"a": 1}',
  "plain text",
];
const tokens = [
  ",",
  "notice ",
  "app[1]: ",
  "date=",
  " devname=",
  "RP/0:",
  "message repeated ",
  "Forwarded from ",
  "1 1709318930.",
  "\t",
  " ",
  "  ",
  ":",
  ": ",
  "-",
  "[",
  "]",
  '"',
  "\\",
  "=",
  "<13>",
  "1 ",
  "%",
  "UTC",
  "Dec  2 16:31:03",
  "2024",
  '[a b="c"]',
  "\0",
  "\n",
  "\xff",
];

function make(random: Random): Uint8Array {
  if (random.oneIn(10)) return random.bytes(random.between(1, 300));
  const long = random.oneIn(30) ? random.pick(tokens).repeat(random.between(1, 20_000)) : "";
  const frame = mutate(random, latin1(random.pick(frames) + long), tokens, 6);
  return frame.length === 0 ? latin1("x") : frame.subarray(0, kernel.sizes.frameBytesMax);
}

function run(frame: Uint8Array): void {
  const header = parseOne(kernel, frame, frame.length % 256);
  checkSpans(frame.length, Object.values(header));
  // The twin is made of regular expressions and takes long with long frames.
  if (frame.length < 1_000) assert.deepEqual(header, parseHeaderOracle(frame));
  for (const field of ["timestamp", "hostname", "appname", "procid", "msgid", "structuredData"] as const) {
    const span: Span = header[field];
    assert.equal(reader.field(0, field) === undefined, span === undefined);
  }
  const data = reader.field(0, "structuredData");
  if (data !== undefined) reader.structured(0, data.slice(1, 3), "b");
}

function checkSpans(length: number, values: readonly unknown[]): void {
  let last = 0;
  const spans = values.filter((value) => Array.isArray(value)) as [number, number][];
  for (const [start, end] of spans.sort((a, b) => a[0] - b[0])) {
    assert.ok(last <= start && start < end && end <= length, `${start} to ${end} behind ${last}`);
    last = end;
  }
  const message = values.at(-1);
  assert.ok(typeof message === "number" && message <= length, "the message lies in the frame");
}

test("the header parser keeps its promises when the frame is anything", fuzzTimeout, async () => {
  const report = await fuzz<Uint8Array>({
    name: "headers",
    make,
    run,
    show: (frame) => JSON.stringify(latin1Text(frame)),
  });
  assert.ok(report.cases > 1000, `${report.cases} cases`);
});
