import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createKernel } from "../../../src/kernel/instance.ts";
import { bestMs } from "../../support/best_ms.ts";
import { type OracleHeader, parseHeaderOracle, type Span } from "./oracle_headers.ts";
import { latin1, parseOne, putInput, readHeader } from "./rows.ts";

const kernel = createKernel({ scratchBytes: 64, arenaBytes: 64 });

interface Case {
  name: string;
  input: string;
  /** The parts as text; what is left out must be absent. */
  want:
    & Partial<Record<"timestamp" | "hostname" | "appname" | "procid" | "msgid" | "structuredData", string>>
    & {
      priority?: number;
      format?: OracleHeader["format"];
      message: string;
    };
}

const bom = "\xef\xbb\xbf";
const v1 = "<13>1 2026-01-02T03:04:05Z web app 12 ID7";
const v1Parts = {
  priority: 13,
  format: "rfc5424",
  timestamp: "2026-01-02T03:04:05Z",
  hostname: "web",
  appname: "app",
  procid: "12",
  msgid: "ID7",
} as const;
const bsdParts = { priority: 13, format: "rfc3164", timestamp: "Dec  2 16:31:03" } as const;

const cases: Case[] = [
  { name: "RFC 5424", input: `${v1} - hello`, want: { ...v1Parts, message: "hello" } },
  {
    name: "RFC 5424 with nil values",
    input: "<1>1 - - - - - - A",
    want: { priority: 1, format: "rfc5424", message: "A" },
  },
  { name: "RFC 5424 without a message", input: `${v1} -`, want: { ...v1Parts, message: "" } },
  { name: "RFC 5424 with an empty message", input: `${v1} - `, want: { ...v1Parts, message: "" } },
  {
    name: "RFC 5424 with a byte order mark",
    input: `${v1} - ${bom}\xc3\xa9`,
    want: { ...v1Parts, message: "\xc3\xa9" },
  },
  {
    name: "structured data",
    input: `${v1} [a@1 x="1" y="2"][b] hello`,
    want: { ...v1Parts, structuredData: `[a@1 x="1" y="2"][b]`, message: "hello" },
  },
  {
    name: "structured data with escapes",
    input: `${v1} [a x="\\"\\\\\\] ] y"] hello`,
    want: { ...v1Parts, structuredData: `[a x="\\"\\\\\\] ] y"]`, message: "hello" },
  },
  {
    name: "structured data without a message",
    input: `${v1} [a x="1"]`,
    want: { ...v1Parts, structuredData: `[a x="1"]`, message: "" },
  },
  {
    name: "structured data and a byte order mark",
    input: `${v1} [a] ${bom}hi`,
    want: { ...v1Parts, structuredData: "[a]", message: "hi" },
  },
  { name: "no structured data", input: `${v1} hello`, want: { ...v1Parts, message: "hello" } },
  {
    name: "a bracket that is no structured data",
    input: `${v1} [x y] hi`,
    want: { ...v1Parts, message: "[x y] hi" },
  },
  { name: "a value without its end", input: `${v1} [a x="1`, want: { ...v1Parts, message: `[a x="1` } },
  { name: "text behind an element", input: `${v1} [INFO]hi`, want: { ...v1Parts, message: "[INFO]hi" } },
  { name: "the header alone", input: v1, want: { ...v1Parts, message: "" } },
  {
    name: "two spaces between fields",
    input: "<13>1 -  a b c - x",
    want: { priority: 13, message: "1 -  a b c - x" },
  },
  { name: "a missing field", input: "<13>1 - a b c", want: { priority: 13, message: "1 - a b c" } },
  {
    name: "a version of three digits",
    input: "<1>999 - - - - - - A",
    want: { priority: 1, format: "rfc5424", message: "A" },
  },
  {
    name: "a version of four digits",
    input: "<1>9999 - - - -",
    want: { priority: 1, format: "rfc3164", message: "9999 - - - -" },
  },
  {
    name: "the largest PRI",
    input: "<191>1 - - - - - - A",
    want: { priority: 191, format: "rfc5424", message: "A" },
  },
  {
    name: "a PRI above the largest",
    input: "<192>1 - - - - - - A",
    want: { message: "<192>1 - - - - - - A" },
  },
  { name: "an empty PRI", input: "<>hello", want: { message: "<>hello" } },
  { name: "a PRI without its end", input: "<13", want: { message: "<13" } },
  { name: "a PRI alone", input: "<0>", want: { priority: 0, format: "rfc3164", message: "" } },
  { name: "text", input: "hello world", want: { message: "hello world" } },
  { name: "text with a colon", input: "error: no disk", want: { message: "error: no disk" } },
  {
    name: "RFC 3164",
    input: "<13>Dec  2 16:31:03 host app: Test",
    want: { ...bsdParts, hostname: "host", appname: "app", message: "Test" },
  },
  {
    name: "RFC 3164 with a pid",
    input: "<13>Dec  2 16:31:03 host app[42]: Test",
    want: { ...bsdParts, hostname: "host", appname: "app", procid: "42", message: "Test" },
  },
  {
    name: "RFC 3164 without a space behind the tag",
    input: "<13>Dec  2 16:31:03 host app[42]:Test",
    want: { ...bsdParts, hostname: "host", appname: "app", procid: "42", message: "Test" },
  },
  {
    name: "RFC 3164 with an indented message",
    input: "<13>Dec  2 16:31:03 host app:   Test",
    want: { ...bsdParts, hostname: "host", appname: "app", message: "  Test" },
  },
  {
    name: "RFC 3164 without a host",
    input: "<13>Dec  2 16:31:03 postfix/smtpd[42]: Test",
    want: { ...bsdParts, appname: "postfix/smtpd", procid: "42", message: "Test" },
  },
  {
    name: "RFC 3164 without a tag",
    input: "<13>Dec  2 16:31:03 host one two",
    want: { ...bsdParts, hostname: "host", message: "one two" },
  },
  {
    name: "RFC 3164 with JSON and no tag",
    input: `<13>Dec  2 16:31:03 host {"a": 1}`,
    want: { ...bsdParts, hostname: "host", message: `{"a": 1}` },
  },
  { name: "a timestamp alone", input: "<13>Dec  2 16:31:03", want: { ...bsdParts, message: "" } },
  {
    name: "a day of one place",
    input: "<13>Dec 2 16:31:03 host app: Test",
    want: { ...bsdParts, timestamp: "Dec 2 16:31:03", hostname: "host", appname: "app", message: "Test" },
  },
  {
    name: "RFC 3164 without a PRI",
    input: "Dec  2 16:31:03 host app: Test",
    want: {
      format: "rfc3164",
      timestamp: "Dec  2 16:31:03",
      hostname: "host",
      appname: "app",
      message: "Test",
    },
  },
  {
    name: "a year behind the day",
    input: "<13>Dec 02 2024 16:31:03 host app: Test",
    want: {
      ...bsdParts,
      timestamp: "Dec 02 2024 16:31:03",
      hostname: "host",
      appname: "app",
      message: "Test",
    },
  },
  {
    name: "a year behind the time",
    input: "<13>Dec  2 16:31:03 2024 host app: Test",
    want: {
      ...bsdParts,
      timestamp: "Dec  2 16:31:03 2024",
      hostname: "host",
      appname: "app",
      message: "Test",
    },
  },
  {
    name: "fractions of a second",
    input: "<13>Dec  2 16:31:03.125 host app: Test",
    want: {
      ...bsdParts,
      timestamp: "Dec  2 16:31:03.125",
      hostname: "host",
      appname: "app",
      message: "Test",
    },
  },
  {
    name: "an ISO timestamp",
    input: "<13>2024-12-02T16:31:03.125+01:00 host app: Test",
    want: {
      ...bsdParts,
      timestamp: "2024-12-02T16:31:03.125+01:00",
      hostname: "host",
      appname: "app",
      message: "Test",
    },
  },
  {
    name: "an ISO timestamp with a space and without a PRI",
    input: "2024-12-02 16:31:03 host app: Test",
    want: {
      format: "rfc3164",
      timestamp: "2024-12-02 16:31:03",
      hostname: "host",
      appname: "app",
      message: "Test",
    },
  },
  {
    name: "the shortest with a year in front",
    input: "<189>: 2024 Mar 1 18:48:50",
    want: { priority: 189, format: "rfc3164", timestamp: "2024 Mar 1 18:48:50", message: "" },
  },
  {
    name: "Cisco IOS",
    input: "<189>29: *Mar  1 18:48:50.483 UTC: %SYS-5-CONFIG_I: Configured",
    want: {
      priority: 189,
      format: "rfc3164",
      timestamp: "Mar  1 18:48:50.483 UTC",
      appname: "%SYS-5-CONFIG_I",
      message: "Configured",
    },
  },
  {
    name: "Cisco IOS without a timestamp",
    input: "<189>29: %SYS-5-CONFIG_I: Configured",
    want: { priority: 189, format: "rfc3164", appname: "%SYS-5-CONFIG_I", message: "Configured" },
  },
  {
    name: "Cisco ASA",
    input: "<166>Dec 02 2024 16:31:03 fw1 : %ASA-6-302013: Built",
    want: {
      priority: 166,
      format: "rfc3164",
      timestamp: "Dec 02 2024 16:31:03",
      hostname: "fw1",
      appname: "%ASA-6-302013",
      message: "Built",
    },
  },
  {
    name: "a PRI and a tag",
    input: "<13>app[42]: Test",
    want: { priority: 13, format: "rfc3164", appname: "app", procid: "42", message: "Test" },
  },
  {
    name: "a PRI and text",
    input: "<13>hello world",
    want: { priority: 13, format: "rfc3164", message: "hello world" },
  },
  {
    name: "a PRI and JSON",
    input: `<13>{"a": 1}`,
    want: { priority: 13, format: "rfc3164", message: `{"a": 1}` },
  },
  {
    name: "an impossible month",
    input: "<13>Foo  2 16:31:03 host app: T",
    want: { priority: 13, format: "rfc3164", message: "Foo  2 16:31:03 host app: T" },
  },
  // What other parsers' test streams contain (influxdata/telegraf, plugins/inputs/syslog/testcases).
  {
    name: "a frame cut by a wrong count",
    input: "<1>217 <11>1 - -",
    want: { priority: 1, message: "217 <11>1 - -" },
  },
  { name: "a PRI and a version", input: "<1>2", want: { priority: 1, format: "rfc3164", message: "2" } },
  {
    name: "two messages in a packet",
    input: "<1>3 - - - - - - A<1>4 - - - - - - B",
    want: { priority: 1, format: "rfc5424", message: "A<1>4 - - - - - - B" },
  },
  {
    name: "a message of two lines",
    input: "<1>3 - - - - - - hello\nworld",
    want: { priority: 1, format: "rfc5424", message: "hello\nworld" },
  },
  {
    name: "a tab before the message",
    input: "<1>1 - - - - - - \tA",
    want: { priority: 1, format: "rfc5424", message: "\tA" },
  },
  {
    name: "an application name above 48 characters",
    input:
      "<163>1 2003-10-11T22:14:15.003Z mymachine.example.com ALongApplicationNameContainingMoreThanTheAllowed48Character - ID47 - BOM'su root' failed",
    want: {
      priority: 163,
      format: "rfc5424",
      timestamp: "2003-10-11T22:14:15.003Z",
      hostname: "mymachine.example.com",
      appname: "ALongApplicationNameContainingMoreThanTheAllowed48Character",
      msgid: "ID47",
      message: "BOM'su root' failed",
    },
  },
  {
    name: "an origin element and parameters",
    input:
      `<29>1 2016-02-21T04:32:57+00:00 web1 someservice 2341 2 [origin][meta sequence="14125553" service="someservice"] "GET /v1/ok HTTP/1.1" 200`,
    want: {
      priority: 29,
      format: "rfc5424",
      timestamp: "2016-02-21T04:32:57+00:00",
      hostname: "web1",
      appname: "someservice",
      procid: "2341",
      msgid: "2",
      structuredData: `[origin][meta sequence="14125553" service="someservice"]`,
      message: `"GET /v1/ok HTTP/1.1" 200`,
    },
  },
];

function textsOf(input: string, header: OracleHeader): Case["want"] {
  const want: Record<string, unknown> = { message: input.slice(header.message) };
  for (const [name, value] of Object.entries(header)) {
    if (name === "message" || value === undefined) continue;
    want[name] = Array.isArray(value) ? input.slice(...(value as unknown as NonNullable<Span>)) : value;
  }
  return want as Case["want"];
}

for (const { name, input, want } of cases) {
  test(`parseHeaders() finds the parts when the frame is ${name}`, () => {
    assert.deepEqual(textsOf(input, parseOne(kernel, latin1(input))), want);
    assert.deepEqual(textsOf(input, parseHeaderOracle(latin1(input))), want, "the twin");
  });
}

const word = fc.constantFrom(
  "-",
  "web",
  "app",
  "app:",
  "app[3]:",
  ":",
  "[",
  "]",
  "UTC:",
  "%SYS-5-X:",
  "{",
  "a=b",
  `"`,
);
const stamp = fc.constantFrom(
  "Dec  2 16:31:03",
  "Jan 31 00:00:00.5",
  "Feb 9 2024 12:00:00",
  "*Mar  1 18:48:50.483 UTC:",
  "Dec  2 16:31:03 2024",
  "Dec  2 16:31:03 2024:",
  "2024-12-02T16:31:03Z",
  "2024-12-02 16:31:03,1+0100",
  "-",
);
const element = fc.constantFrom(
  "-",
  "[a]",
  `[a x="1"]`,
  `[a x="\\"]"][b c="\\\\"]`,
  `[a x=1]`,
  `[a x="1`,
  "[",
  "[a ]",
);
const gap = fc.constantFrom(" ", " ", " ", " ", "", "  ");

/** Frames that are nearly headers. */
const nearFrame: fc.Arbitrary<Uint8Array> = fc.oneof(
  fc.tuple(
    fc.constantFrom("<13>", "<191>", "<192>", "<0>", "<", "", "<013>", "<13> "),
    fc.constantFrom("1 ", "12 ", "0 ", "", "29: ", "12345678901: "),
    stamp,
    gap,
    fc.array(fc.tuple(word, gap).map((pair) => pair.join("")), { maxLength: 6 }),
    element,
    gap,
    fc.constantFrom("", "hello", bom + "hi", "\xff\x00", `{"a": 1}`),
  ).map((parts) => latin1(parts.flat().join(""))),
  fc.uint8Array({ maxLength: 60 }),
  fc.string({ maxLength: 60 }).map(latin1),
);

const behind = fc.constantFrom(0x20, 0x22, 0x3a, 0x31, 0x5d);

test("parseHeaders() equals its twin when the frame is nearly a header", () => {
  fc.assert(
    fc.property(nearFrame, behind, (frame, after) => {
      fc.pre(frame.length > 0);
      assert.deepEqual(parseOne(kernel, frame, after), parseHeaderOracle(frame));
    }),
    { numRuns: 20_000 },
  );
});

test("parseHeaders() equals its twin when good frames are damaged", () => {
  const frames = cases.map(({ input }) => latin1(input));
  fc.assert(
    fc.property(
      fc.constantFrom(...frames),
      fc.array(fc.tuple(fc.nat(), fc.constantFrom(0x20, 0x3a, 0x5b, 0x5d, 0x22, 0x5c, 0x2d, 0x30, 0xff)), {
        maxLength: 4,
      }),
      fc.nat(),
      behind,
      (frame, changes, cut, after) => {
        const damaged = frame.slice(0, 1 + (cut % frame.length));
        for (const [at, byte] of changes) damaged[at % damaged.length] = byte;
        assert.deepEqual(parseOne(kernel, damaged, after), parseHeaderOracle(damaged));
      },
    ),
    { numRuns: 20_000 },
  );
});

test("parseHeaders() leaves other rows alone when given a range", () => {
  const input = latin1("<13>1 - a - - - - x\n<14>1 - b - - - - y\n<15>1 - c - - - - z\n");
  putInput(kernel, input);
  assert.equal(kernel.scanNewline(kernel.inputAt, kernel.inputAt + input.length), 3);
  kernel.parseHeaders(1, 2);
  assert.equal(readHeader(kernel, 1).priority, 14);
  assert.throws(() => readHeader(kernel, 0), /not parsed/);
  assert.throws(() => readHeader(kernel, 2), /not parsed/);
});

test("parseHeaders() stays linear when a frame is made of brackets", () => {
  const heldMsMax = 2000;
  for (const text of ["[", "a[", "]", '[a x="', "\\"]) {
    const frame = latin1(`<13>1 - - - - - ${text.repeat(60_000 / text.length)}`);
    const bare = latin1(`<13>${text.repeat(60_000 / text.length)}`);
    const best = bestMs(
      () => {
        for (let i = 0; i < 20; i++) {
          parseOne(kernel, frame);
          parseOne(kernel, bare);
        }
      },
      heldMsMax,
      5,
    );
    assert.ok(best < heldMsMax, `40 frames of ${text}: ${best} ms`);
  }
});
