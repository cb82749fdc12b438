import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  countUndecided,
  findHalfCount,
  findResync,
  notACount,
  readBareCount,
  readOctetCount,
} from "../../../src/framing/octet_count.ts";

const cases: [string, number][] = [
  ["", countUndecided],
  ["1", countUndecided],
  ["123456789", countUndecided],
  ["123456789 ", countUndecided],
  ["123456789 <", 123456789 + 10],
  ["1234567890", notACount],
  ["5 <1>ab", 7],
  ["5 x", notACount],
  ["5<", notACount],
  ["0", notACount],
  ["05 <", notACount],
  [" 5 <", notACount],
  ["<5 ", notACount],
];

for (const [input, want] of cases) {
  test(`readOctetCount() gives ${want} when the bytes are "${input}"`, () => {
    const bytes = new TextEncoder().encode(`??${input}<<`);
    assert.equal(readOctetCount(bytes, 2, 2 + input.length), want);
  });
}

const frameBytesMax = 80;

/** "|" is where the next frame may begin; no "|" is nowhere. */
const resyncs = [
  "",
  "text",
  "text\n|",
  "\n|text\n",
  "text |5 <1>",
  "text|5 <1>5 <2>",
  "text\n|5 <1>",
  "text 5 <\n|1>",
  "|5 <1>\n",
  "5 <1",
  "5 <1>".replace(" ", "  "),
  "5 <1234>",
  "5 <>",
  "5 <a>",
  "5<1>",
  " <1>",
  "05 <1>",
  "0 <1> |80 <191>",
  "81 <1>",
  "1234567890 <1>",
  "x5 <1 |6 <1>",
  "7 <1 |5 <191>",
];

for (const text of resyncs) {
  test(`findResync() gives the place of "|" when the bytes are ${JSON.stringify(text)}`, () => {
    const want = text.indexOf("|");
    const input = text.replace("|", "");
    const bytes = new TextEncoder().encode(`7${input}>`);
    const found = findResync(bytes, 1, 1 + input.length, frameBytesMax);
    assert.equal(found, want < 0 ? -1 : 1 + want);
  });
}

/** "|" is the beginning of what may become a count. */
const halves = [
  "text|",
  "text |5",
  "text|55 ",
  "5 |55",
  "text|5 <",
  "text|5 <191",
  "5  |",
  "5 <|1234",
  "5 <1>|",
]
  .concat(["<|12", " <|12", "x12345678901|2345678901", "1234567890 <|1", "|", "|5"]);

for (const text of halves) {
  test(`findHalfCount() gives the place of "|" when the bytes are "${text}"`, () => {
    const input = text.replace("|", "");
    const bytes = new TextEncoder().encode(`7${input}9`);
    assert.equal(findHalfCount(bytes, 1, 1 + input.length), 1 + text.indexOf("|"));
  });
}

const damage = fc.array(fc.constantFrom("x", "1", "0", "23", "1234567", " ", "<", ">", "\n", "4 <1>"), {
  maxLength: 20,
}).map((parts) => parts.join(""));

test("findHalfCount() leaves out nothing that findResync() finds when more bytes come", () => {
  fc.assert(
    fc.property(damage, damage, (before, behind) => {
      const bytes = new TextEncoder().encode(before + behind);
      if (findResync(bytes, 0, before.length, frameBytesMax) >= 0) return;
      const half = findHalfCount(bytes, 0, before.length);
      assert.ok(before.length - half <= 14, "it is short");
      const whole = findResync(bytes, 0, bytes.length, frameBytesMax);
      assert.equal(findResync(bytes, half, bytes.length, frameBytesMax), whole);
    }),
    { numRuns: 20_000 },
  );
});

const bareCounts: { input: string; want: number; ended?: number }[] = [
  { input: "4 te", want: countUndecided, ended: notACount },
  { input: "4 text", want: countUndecided, ended: 6 },
  { input: "4 text\n", want: 6 },
  { input: "4 text5", want: countUndecided, ended: notACount },
  { input: "4 text5 ", want: 6 },
  { input: "4 text5x", want: notACount },
  { input: "4 text05 ", want: notACount },
  { input: "4 texts", want: notACount },
  { input: "5 text\n", want: 7 },
  { input: "6 text\r\n", want: 8 },
  { input: "6 a\n", want: notACount },
  { input: "6 a\ntext5 ", want: notACount },
  { input: "60 5 <1>", want: notACount },
  { input: "80 x", want: countUndecided, ended: notACount },
  { input: "81 x", want: notACount },
  { input: "text", want: notACount },
  { input: "1234567890 ", want: notACount },
];

for (const { input, want, ended } of bareCounts) {
  test(`readBareCount() gives ${want} when the bytes are ${JSON.stringify(input)}`, () => {
    const bytes = new TextEncoder().encode(`7${input}\n\n`);
    const read = (end: boolean): number => readBareCount(bytes, 1, 1 + input.length, frameBytesMax, 0, end);
    assert.equal(read(false), want);
    assert.equal(read(true), ended ?? want);
  });
}
