import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createKernel } from "../../../src/kernel/instance.ts";
import { facilityNames, severityNames } from "../../../src/core/syslog_names.ts";
import { HeaderReader } from "../../../src/syslog/header.ts";

const kernel = createKernel({ scratchBytes: 64, arenaBytes: 64 });
const reader = new HeaderReader(kernel);

/** Puts the lines into the table, parsed. */
function parse(...lines: string[]): void {
  const bytes = new TextEncoder().encode(lines.join("\n") + "\n");
  kernel.bytes.set(bytes, kernel.inputAt);
  const rows = kernel.scanNewline(kernel.inputAt, kernel.inputAt + bytes.length);
  assert.equal(rows, lines.length);
  kernel.parseHeaders(0, rows);
}

test("field() gives the text when the field is there, and undefined when it is nil", () => {
  parse('<13>1 2026-01-02T03:04:05Z web - 12 - [a b="c"] hello', "<14>1 - - app - ID - héllo");
  const fields = ["timestamp", "hostname", "appname", "procid", "msgid", "structuredData"] as const;
  assert.deepEqual(fields.map((field) => reader.field(0, field)), [
    "2026-01-02T03:04:05Z",
    "web",
    undefined,
    "12",
    undefined,
    `[a b="c"]`,
  ]);
  assert.deepEqual(fields.map((field) => reader.field(1, field)), [
    undefined,
    undefined,
    "app",
    undefined,
    "ID",
    undefined,
  ]);
  assert.equal(reader.message(0), "hello");
  assert.equal(reader.message(1), "héllo");
  assert.equal(reader.raw(1), "<14>1 - - app - ID - héllo");
});

test("message() is the whole frame when there is no header", () => {
  parse("just text");
  assert.equal(reader.message(0), "just text");
});

test("message() has U+FFFD when bytes are no UTF-8", () => {
  kernel.bytes.set([0x61, 0xff, 0x62, 0x0a], kernel.inputAt);
  kernel.scanNewline(kernel.inputAt, kernel.inputAt + 4);
  kernel.parseHeaders(0, 1);
  assert.equal(reader.message(0), "a\ufffdb");
});

test("severity() and facility() tell numbers and names when the PRI is any", () => {
  for (let priority = 0; priority <= 191; priority++) {
    parse(`<${priority}>1 - - - - - - x`);
    assert.equal(reader.severity(0), priority % 8);
    assert.equal(reader.facility(0), Math.floor(priority / 8));
    assert.equal(reader.severityName(0), severityNames[priority % 8]);
    assert.equal(reader.facilityName(0), facilityNames[Math.floor(priority / 8)]);
  }
});

test("severity() and facility() are -1 without names when there is no PRI", () => {
  parse("Dec  2 16:31:03 host app: Test");
  assert.deepEqual([reader.severity(0), reader.facility(0)], [-1, -1]);
  assert.deepEqual([reader.severityName(0), reader.facilityName(0)], [undefined, undefined]);
});

test("severityNames and facilityNames have every number of RFC 5424 when counted", () => {
  assert.equal(severityNames.length, 8);
  assert.equal(facilityNames.length, 24);
  assert.equal(new Set(facilityNames).size, 24);
});

const lookups: { name: string; data: string; id: string; parameter: string; want: string | undefined }[] = [
  { name: "in the first element", data: `[a x="1" y="2"]`, id: "a", parameter: "y", want: "2" },
  { name: "in the second element", data: `[a x="1"][b x="2"]`, id: "b", parameter: "x", want: "2" },
  { name: "twice: the first counts", data: `[a x="1" x="2"]`, id: "a", parameter: "x", want: "1" },
  { name: "empty", data: `[a x=""]`, id: "a", parameter: "x", want: "" },
  { name: "escaped", data: `[a x="\\"\\\\\\]\\n"]`, id: "a", parameter: "x", want: `"\\]\\n` },
  { name: "like syntax", data: `[a x="] [b y=\\"1"][b y="2"]`, id: "b", parameter: "y", want: "2" },
  { name: "not ASCII", data: `[a x="é"]`, id: "a", parameter: "x", want: "é" },
  { name: "absent", data: `[a x="1"]`, id: "a", parameter: "y", want: undefined },
  { name: "of an absent element", data: `[a x="1"]`, id: "b", parameter: "x", want: undefined },
  { name: "of an element that begins alike", data: `[ab x="1"]`, id: "a", parameter: "x", want: undefined },
  { name: "of an element without parameters", data: `[a]`, id: "a", parameter: "x", want: undefined },
  { name: "asked of nil", data: "-", id: "a", parameter: "x", want: undefined },
];

for (const { name, data, id, parameter, want } of lookups) {
  test(`structured() gives the value when the parameter is ${name}`, () => {
    parse(`<13>1 - - - - - ${data} hello`);
    assert.equal(reader.message(0), "hello");
    assert.equal(reader.structured(0, id, parameter), want);
  });
}

test("structured() gives back what was written when names and values are anything", () => {
  const names = fc.stringMatching(/^[a-z@.0-9]{1,8}$/);
  const value = fc.string({ unit: "binary", maxLength: 12 }).map((text) =>
    text.replaceAll("\n", " ").toWellFormed()
  );
  const elements = fc.uniqueArray(
    fc.tuple(names, fc.uniqueArray(fc.tuple(names, value), { selector: ([name]) => name, maxLength: 4 })),
    { selector: ([id]) => id, minLength: 1, maxLength: 4 },
  );
  fc.assert(
    fc.property(elements, (written) => {
      const escaped = (text: string): string => text.replace(/["\\\]]/g, "\\$&");
      const data = written.map(([id, parameters]) =>
        `[${id}${parameters.map(([name, text]) => ` ${name}="${escaped(text)}"`).join("")}]`
      );
      parse(`<13>1 - - - - - ${data.join("")} hello`);
      for (const [id, parameters] of written) {
        for (const [name, text] of parameters) assert.equal(reader.structured(0, id, name), text);
      }
    }),
    { numRuns: 1000 },
  );
});
