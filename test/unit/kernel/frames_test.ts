import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createKernel } from "../../../src/kernel/instance.ts";
import type { Kernel } from "../../../src/kernel/kernel.ts";
import { type OracleScan, scanLinesOracle, scanOctetsOracle } from "./oracle_frames.ts";
import { latin1, putInput, readRow, readScan } from "./rows.ts";

const limits = { frameBytesMax: 80, rowsMax: 5 };
const kernel = createKernel({ ...limits, pieceBytes: 4096, scratchBytes: 64, arenaBytes: 64 });

type Scan = "scanNewline" | "scanNul" | "scanOctets";

function scan(name: Scan, input: Uint8Array, behind?: number): OracleScan {
  putInput(kernel, input, behind);
  const rows = kernel[name](kernel.inputAt, kernel.inputAt + input.length);
  return readScan(kernel, rows, name === "scanOctets");
}

function texts(input: string, result: OracleScan): string[] {
  return result.rows.map(({ start, end }) => input.slice(start, end));
}

interface Case {
  name: string;
  scan: Scan;
  input: string;
  want: string[];
  stop?: OracleScan["stop"];
  consumed?: number;
  empty?: number;
  skip?: number;
  truncated?: boolean[];
}

const x80 = "x".repeat(80);
const cases: Case[] = [
  { name: "two lines", scan: "scanNewline", input: "a\nbc\n", want: ["a", "bc"] },
  { name: "one CR before the LF", scan: "scanNewline", input: "a\r\r\nb\rc\r\n", want: ["a\r", "b\rc"] },
  { name: "empty lines", scan: "scanNewline", input: "\n\r\na\n\n", want: ["a"], empty: 3 },
  { name: "half a line", scan: "scanNewline", input: "a\nbc", want: ["a"], consumed: 2 },
  { name: "nothing", scan: "scanNewline", input: "", want: [] },
  { name: "NUL in a line", scan: "scanNewline", input: "a\0b\n", want: ["a\0b"] },
  { name: "NUL before a line", scan: "scanNewline", input: "a\n\0\0b\n\0\r\n\0", want: ["a", "b"], empty: 1 },
  {
    name: "NUL frames",
    scan: "scanNul",
    input: "a\r\0\0b\nc\0d",
    want: ["a\r", "b\nc"],
    consumed: 8,
    empty: 1,
  },
  {
    name: "the table at its limit",
    scan: "scanNewline",
    input: "1\n2\n3\n4\n5\n",
    want: ["1", "2", "3", "4", "5"],
  },
  {
    name: "the table above its limit",
    scan: "scanNewline",
    input: "1\n2\n3\n4\n5\n\n6\n",
    want: ["1", "2", "3", "4", "5"],
    stop: "tableFull",
    consumed: 11,
    empty: 1,
  },
  { name: "a line at the limit", scan: "scanNewline", input: `${x80}\n`, want: [x80], truncated: [false] },
  {
    name: "a line at the limit with CR",
    scan: "scanNewline",
    input: `${x80}\r\n`,
    want: [x80],
    truncated: [false],
  },
  {
    name: "a line above the limit",
    scan: "scanNewline",
    input: `${x80}y\nz\n`,
    want: [x80, "z"],
    truncated: [true, false],
  },
  { name: "half a line at the limit", scan: "scanNewline", input: x80, want: [], consumed: 0 },
  { name: "half a line that may end with CR", scan: "scanNewline", input: `${x80}\r`, want: [], consumed: 0 },
  {
    name: "half a line above the limit",
    scan: "scanNewline",
    input: `a\n${x80}y`,
    want: ["a", x80],
    stop: "oversize",
    truncated: [false, true],
  },
  {
    name: "half a NUL frame above the limit",
    scan: "scanNul",
    input: `${x80}\r`,
    want: [x80],
    stop: "oversize",
    truncated: [true],
  },
  { name: "two octet frames", scan: "scanOctets", input: "3 <1>5 <2>ab", want: ["<1>", "<2>ab"] },
  { name: "LF inside a frame", scan: "scanOctets", input: "5 <1>\nb", want: ["<1>\nb"] },
  {
    name: "LF between frames",
    scan: "scanOctets",
    input: "\n3 <1>\n3 <2>\n",
    want: ["<1>", "<2>"],
    consumed: 12,
  },
  {
    name: "blank lines between frames",
    scan: "scanOctets",
    input: "3 <1>\n\n\n3 <2>\n\n",
    want: ["<1>", "<2>"],
    consumed: 14,
    empty: 3,
  },
  {
    name: "blank lines before no count",
    scan: "scanOctets",
    input: "3 <1>\n\n<2>",
    want: ["<1>"],
    stop: "notACount",
    consumed: 6,
    empty: 1,
  },
  { name: "LF that is counted", scan: "scanOctets", input: "4 <1>\n5 <2>\r\n", want: ["<1>", "<2>"] },
  { name: "two LF that are counted", scan: "scanOctets", input: "5 <1>\n\n", want: ["<1>\n"] },
  { name: "two CR LF that are counted", scan: "scanOctets", input: "7 <1>\r\n\r\n", want: ["<1>\r\n"] },
  { name: "CR that is counted", scan: "scanOctets", input: "4 <1>\r\n", want: ["<1>\r"], consumed: 6 },
  { name: "nothing but < and LF", scan: "scanOctets", input: "2 <\n", want: ["<"] },
  { name: "half a count", scan: "scanOctets", input: "3 <1>12", want: ["<1>"], consumed: 5 },
  { name: "a count without its <", scan: "scanOctets", input: "3 ", want: [], consumed: 0 },
  { name: "nine digits", scan: "scanOctets", input: "123456789 <", want: [], consumed: 0 },
  { name: "ten digits", scan: "scanOctets", input: "1234567890", want: [], stop: "notACount", consumed: 0 },
  { name: "a leading zero", scan: "scanOctets", input: "03 <1>", want: [], stop: "notACount", consumed: 0 },
  { name: "no space", scan: "scanOctets", input: "3<1>", want: [], stop: "notACount", consumed: 0 },
  { name: "no <", scan: "scanOctets", input: "3 abc", want: [], stop: "notACount", consumed: 0 },
  { name: "a line", scan: "scanOctets", input: "<1>a\n", want: [], stop: "notACount", consumed: 0 },
  {
    name: "an octet frame at the limit",
    scan: "scanOctets",
    input: `80 <${x80.slice(1)}`,
    want: [`<${x80.slice(1)}`],
    truncated: [false],
  },
  {
    name: "an octet frame above the limit",
    scan: "scanOctets",
    input: `81 <${x80}3 <2>`,
    want: [`<${x80.slice(1)}`, "<2>"],
    truncated: [true, false],
  },
  {
    name: "an octet frame at the limit with LF",
    scan: "scanOctets",
    input: `81 <${x80.slice(1)}\n`,
    want: [`<${x80.slice(1)}`],
    truncated: [false],
  },
  {
    name: "an octet frame at the limit with CR LF",
    scan: "scanOctets",
    input: `82 <${x80.slice(1)}\r\n3 <2>`,
    want: [`<${x80.slice(1)}`, "<2>"],
    truncated: [false, false],
  },
  {
    name: "an octet frame above the limit with CR LF",
    scan: "scanOctets",
    input: `83 <${x80}\r\n3 <2>`,
    want: [`<${x80.slice(1)}`, "<2>"],
    truncated: [true, false],
  },
  {
    name: "an octet frame that may be at the limit",
    scan: "scanOctets",
    input: `82 <${x80.slice(1)}\r`,
    want: [],
    consumed: 0,
  },
  {
    name: "half an octet frame above the limit",
    scan: "scanOctets",
    input: `100 <${x80}`,
    want: [`<${x80.slice(1)}`],
    stop: "oversize",
    skip: 19,
    truncated: [true],
  },
  {
    name: "half an octet frame below the limit",
    scan: "scanOctets",
    input: `100 <${x80.slice(2)}`,
    want: [],
    consumed: 0,
  },
];

for (const { name, scan: which, input, want, ...rest } of cases) {
  test(`${which}() gives the frames when the input is ${name}`, () => {
    const result = scan(which, latin1(input));
    assert.deepEqual(texts(input, result), want);
    assert.equal(result.stop, rest.stop ?? "needMore");
    assert.equal(result.consumed, rest.consumed ?? input.length);
    assert.equal(result.emptyFrames, rest.empty ?? 0);
    assert.equal(result.skip, rest.skip ?? 0);
    if (rest.truncated) assert.deepEqual(result.rows.map((row) => row.truncated), rest.truncated);
  });
}

/** Bytes in which delimiters, counts and high bytes are frequent, and runs may pass the limit. */
const streamBytes: fc.Arbitrary<Uint8Array> = fc
  .array(
    fc.oneof(
      { weight: 6, arbitrary: fc.string({ maxLength: 20 }) },
      fc.constantFrom("\n", "\r\n", "\0", "\r", "\n\n\n", "5 <1>ab", "\xff", "é"),
      fc.constantFrom("6 <1>ab\n", "7 <1>ab\r\n", "5 <1>\n\n", "2 <\n"),
      fc.integer({ min: 76, max: 84 }).map((length) => `${length} <${"o".repeat(length - 3)}\r\n`),
      fc.integer({ min: 1, max: 130 }).map((length) => `${length} <${"o".repeat(length - 1)}`),
      fc.integer({ min: 70, max: 200 }).map((length) => "l".repeat(length)),
    ),
    { maxLength: 14 },
  )
  .map((parts) => latin1(parts.join("")));

const behind = fc.constantFrom(0x00, 0x0a, 0x20, 0x35, 0xff);

/** What the twin of lines knows beside, and `readScan` does not. */
function scanOf({ continues: _, ...rest }: ReturnType<typeof scanLinesOracle>): OracleScan {
  return rest;
}

const twins: { name: Scan; oracle: (input: Uint8Array) => OracleScan }[] = [
  { name: "scanNewline", oracle: (input) => scanOf(scanLinesOracle(input, 10, limits)) },
  { name: "scanNul", oracle: (input) => scanOf(scanLinesOracle(input, 0, limits)) },
  { name: "scanOctets", oracle: (input) => scanOctetsOracle(input, limits) },
];

for (const { name, oracle } of twins) {
  test(`${name}() equals its twin when the bytes are anything`, () => {
    fc.assert(
      fc.property(streamBytes, behind, (input, after) => {
        assert.deepEqual(scan(name, input, after), oracle(input));
      }),
      { numRuns: 2000 },
    );
  });
}

for (const [name, delimiter] of [["scanNewline", 10], ["scanNul", 0]] as const) {
  test(`${name}() equals its twin when frames are split and the first may be a rest`, () => {
    fc.assert(
      fc.property(
        streamBytes,
        behind,
        fc.boolean(),
        fc.integer({ min: 4, max: 80 }),
        (input, after, continues, max) => {
          const split = { frameBytesMax: max, rowsMax: limits.rowsMax, splits: true };
          kernel.limitFrames(max, true);
          try {
            kernel.continues = continues;
            const got = scan(name, input, after);
            assert.deepEqual(
              { ...got, continues: kernel.continues },
              scanLinesOracle(input, delimiter, split, continues),
            );
          } finally {
            kernel.limitFrames(limits.frameBytesMax, false);
          }
        },
      ),
      { numRuns: 3000 },
    );
  });
}

test("scanOctets() equals its twin when frames are split", () => {
  const split = { ...limits, splits: true };
  kernel.limitFrames(limits.frameBytesMax, true);
  try {
    fc.assert(
      fc.property(streamBytes, behind, (input, after) => {
        assert.deepEqual(scan("scanOctets", input, after), scanOctetsOracle(input, split));
      }),
      { numRuns: 2000 },
    );
  } finally {
    kernel.limitFrames(limits.frameBytesMax, false);
  }
});

test("rowsOf() writes the parts of a datagram when frames are split, and one row when they are not", () => {
  putInput(kernel, new TextEncoder().encode("é".repeat(50) + "x"));
  kernel.limitFrames(41, true);
  try {
    assert.equal(kernel.rowsOf(kernel.inputAt, kernel.inputAt + 101), 3);
    const rows = [0, 1, 2].map((row) => readRow(kernel, row));
    // A character of two bytes is not cut in half.
    assert.deepEqual(rows.map(({ start, end }) => [start, end]), [[0, 40], [40, 80], [80, 101]]);
    assert.deepEqual(rows.map(({ split }) => split), ["part", "continued", "continued"]);
  } finally {
    kernel.limitFrames(limits.frameBytesMax, false);
  }
  assert.equal(kernel.rowsOf(kernel.inputAt, kernel.inputAt + 101), 1);
  assert.deepEqual(readRow(kernel, 0), { from: 0, start: 0, end: 80, ascii: false, truncated: true });
});

test("scanNewline() tells ASCII from other bytes when they stand at each place of a line", () => {
  const wide = createKernel({ frameBytesMax: 400, pieceBytes: 4096, scratchBytes: 64, arenaBytes: 64 });
  for (let length = 1; length <= 200; length++) {
    const input = latin1(`é\n${"a".repeat(length)}\né\n`);
    putInput(wide, input);
    wide.scanNewline(wide.inputAt, wide.inputAt + input.length);
    assert.equal(readRow(wide, 1).ascii, true, `length ${length}`);
    for (let at = 0; at < length; at++) {
      wide.bytes[wide.inputAt + 2 + at] = 0x80;
      wide.scanNewline(wide.inputAt, wide.inputAt + input.length);
      assert.equal(readRow(wide, 1).ascii, false, `length ${length}, place ${at}`);
      wide.bytes[wide.inputAt + 2 + at] = 0x61;
    }
  }
});

test("rowOf() writes one row when given a datagram", () => {
  const ends: [string, boolean, boolean][] = [["abc", true, false], [x80, true, false], [
    x80 + "é",
    true,
    true,
  ], [
    "é",
    false,
    false,
  ]];
  for (const [text, ascii, truncated] of ends) {
    const input = latin1(text);
    putInput(kernel, input, 0xff);
    kernel.rowOf(kernel.inputAt, kernel.inputAt + input.length);
    const end = Math.min(input.length, limits.frameBytesMax);
    assert.deepEqual(readRow(kernel, 0), { from: 0, start: 0, end, ascii, truncated });
  }
});

test("scans stay inside the memory when the input ends where the memory ends", () => {
  const small: Kernel = createKernel({ ...limits, pieceBytes: 64, scratchBytes: 1, arenaBytes: 1 });
  const end = small.bytes.length - 64;
  small.bytes.fill(0x61, small.arenaAt, end - 1);
  small.bytes[end - 1] = 0x0a;
  assert.equal(small.scanNewline(end - 81, end), 1);
});
