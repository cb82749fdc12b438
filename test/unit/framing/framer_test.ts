import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import fc from "fast-check";
import { Framer, type FramingMode } from "../../../src/framing/framer.ts";
import { createKernel } from "../../../src/kernel/instance.ts";
import { frameFlag, type Kernel, receiveBufferBytes, receiveHeadBytes } from "../../../src/kernel/kernel.ts";
import { bestMs } from "../../support/best_ms.ts";
import { frameOracle, type OracleFrame, type OracleStream } from "./oracle_framer.ts";

const frameBytesMax = 80;
/** Small pieces and a small table, so that every limit is met often. */
const kernel = createKernel({
  frameBytesMax,
  pieceBytes: 64,
  rowsMax: 4,
  scratchBytes: 64,
  arenaBytes: 64,
  receiveBuffers: 2,
});

/** Puts a chunk where the operating system puts it: at the beginning of the second receive buffer. */
function received(chunk: Uint8Array): Uint8Array {
  const at = kernel.receiveAt + receiveHeadBytes + receiveBufferBytes + receiveHeadBytes;
  kernel.bytes.fill(0x0a, at - receiveHeadBytes, at + chunk.length + 64);
  kernel.bytes.set(chunk, at);
  return kernel.bytes.subarray(at, at + chunk.length);
}

function latin1(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "latin1"));
}

function readFrame(from: Kernel, row: number): OracleFrame {
  const word = from.rowsAt / 4 + row * 4;
  const text = Buffer.from(from.bytes.slice(from.words[word], from.words[word + 1])).toString("latin1");
  const flags = from.words[word + 2]!;
  // deno-lint-ignore no-control-regex
  assert.equal((flags & frameFlag.ascii) !== 0, /^[\x00-\x7f]*$/.test(text), "ASCII flag");
  const truncated = (flags & frameFlag.truncated) !== 0;
  if ((flags & frameFlag.split) === 0) return { text, truncated };
  return { text, truncated, split: (flags & frameFlag.continued) === 0 ? "part" : "continued" };
}

/** Another connection's work, which leaves nothing of ours in the input region. */
function disturb(): void {
  kernel.bytes.fill(0x0a, kernel.inputAt, kernel.inputAt + kernel.inputBytes);
  kernel.bytes.fill(0xff, kernel.rowsAt, kernel.scratchAt);
}

/** Cuts at the given places; what lies between is a chunk. */
function cutAt(stream: Uint8Array, places: readonly number[]): Uint8Array[] {
  const sorted = [...new Set(places.map((place) => place % (stream.length + 1)))].sort((a, b) => a - b);
  return [0, ...sorted].map((start, i) => stream.slice(start, sorted[i] ?? stream.length));
}

/**
 * Runs the chunks through a framer. `stops` says, call by call, how many rows are taken before a suspension
 * (with another connection's work in between); without any, all rows are taken.
 */
function frameChunks(
  mode: FramingMode,
  chunks: readonly Uint8Array[],
  stops: readonly number[] = [],
  oversize: "truncate" | "split" = "truncate",
): OracleStream {
  const framed = frameEach(mode, chunks, stops, oversize, (chunk) => chunk);
  assert.deepEqual(frameEach(mode, chunks, stops, oversize, received), framed, "frames of chunks in place");
  return framed;
}

/** The same with chunks that lie where `place` puts them. */
function frameEach(
  mode: FramingMode,
  chunks: readonly Uint8Array[],
  stops: readonly number[],
  oversize: "truncate" | "split",
  place: (chunk: Uint8Array) => Uint8Array,
): OracleStream {
  const framer = new Framer(kernel, { mode, frameBytesMax, oversize });
  const frames: OracleFrame[] = [];
  let call = 0;
  const takeRows = (rows: number): void => {
    const stop = call < stops.length ? stops[call++]! : undefined;
    const taken = stop === undefined ? rows : Math.min(rows, stop);
    for (let row = 0; row < taken; row++) frames.push(readFrame(kernel, row));
    if (stop === undefined) return;
    framer.suspend(taken);
    disturb();
  };
  for (const given of chunks) {
    const chunk = place(given);
    const kept = chunk.slice();
    framer.begin(chunk);
    for (let rows = framer.next(); rows > 0; rows = framer.next()) takeRows(rows);
    assert.equal(framer.pending, false);
    assert.ok(framer.heldBytes <= frameBytesMax + 19, "held bytes respect their limit");
    assert.deepEqual(chunk, kept, "the chunk is not written to");
    disturb();
  }
  for (let rows = framer.finish(); rows > 0; rows = framer.finish()) takeRows(rows);
  assert.equal(framer.heldBytes, 0);
  return { frames, emptyFrames: framer.emptyFrames, damagedFrames: framer.damagedFrames };
}

interface Case {
  name: string;
  mode: FramingMode;
  input: string;
  want: string[];
  truncated?: boolean[];
  empty?: number;
  damaged?: number;
}

const x80 = "x".repeat(80);
const cases: Case[] = [
  { name: "lines", mode: "newline", input: "a\nb\r\n\nc", want: ["a", "b", "c"], empty: 1 },
  { name: "NUL frames", mode: "nul", input: "a\nb\0c\0\0d", want: ["a\nb", "c", "d"], empty: 1 },
  { name: "octet frames", mode: "octet", input: "5 <1>ab4 <2>c", want: ["<1>ab", "<2>c"] },
  { name: "lines, to be told", mode: "auto", input: "<1>a\n<2>b\n", want: ["<1>a", "<2>b"] },
  { name: "octet frames, to be told", mode: "auto", input: "5 <1>ab4 <2>c", want: ["<1>ab", "<2>c"] },
  {
    name: "lines that begin with digits",
    mode: "auto",
    input: "12 monkeys\n13\n",
    want: ["12 monkeys", "13"],
  },
  { name: "a count with a leading zero", mode: "auto", input: "05 <1>ab\n", want: ["05 <1>ab"] },
  { name: "a count of ten digits", mode: "auto", input: "1234567890 <1>\n", want: ["1234567890 <1>"] },
  { name: "a number and markup", mode: "auto", input: "5 <b>x</b>\n<1>a\n", want: ["5 <b>x</b>", "<1>a"] },
  { name: "digits without an end", mode: "auto", input: "123", want: ["123"] },
  { name: "a count without an end", mode: "octet", input: "5 <1>ab12", want: ["<1>ab", "12"] },
  {
    name: "an octet frame without an end",
    mode: "octet",
    input: "9 <1>ab",
    want: ["<1>ab"],
    truncated: [true],
  },
  { name: "LF behind octet frames", mode: "octet", input: "5 <1>ab\n4 <2>c\n", want: ["<1>ab", "<2>c"] },
  {
    name: "damage between octet frames",
    mode: "octet",
    input: "5 <1>abgarbage 1\r\n4 <2>c",
    want: ["<1>ab", "garbage 1", "<2>c"],
    damaged: 1,
  },
  {
    name: "lines where octets are set",
    mode: "octet",
    input: "<1>a\n<2>b\n<3>c",
    want: ["<1>a", "<2>b", "<3>c"],
    damaged: 3,
  },
  {
    name: "blank lines between octet frames",
    mode: "octet",
    input: "3 <1>\n\n\n\n3 <2>",
    want: ["<1>", "<2>"],
    empty: 3,
  },
  {
    name: "a line at the limit",
    mode: "newline",
    input: `${x80}\na\n`,
    want: [x80, "a"],
    truncated: [false, false],
  },
  {
    name: "a line above the limit",
    mode: "newline",
    input: `${x80}y\na\n`,
    want: [x80, "a"],
    truncated: [true, false],
  },
  {
    name: "a very long line",
    mode: "newline",
    input: `${x80.repeat(9)}\na\n`,
    want: [x80, "a"],
    truncated: [true, false],
  },
  {
    name: "a long line without an end",
    mode: "newline",
    input: x80.repeat(9),
    want: [x80],
    truncated: [true],
  },
  {
    name: "a very long octet frame",
    mode: "octet",
    input: `721 <${x80.repeat(9)}3 <2>`,
    want: [`<${x80.slice(1)}`, "<2>"],
    truncated: [true, false],
  },
  {
    name: "damage above the limit",
    mode: "octet",
    input: `${x80.repeat(3)}\n3 <2>`,
    want: [x80, "<2>"],
    truncated: [true, false],
    damaged: 1,
  },
  {
    name: "damage up to the next count",
    mode: "octet",
    input: "5 <1>abgarbage 4 <2>c4 <3>d",
    want: ["<1>ab", "garbage ", "<2>c", "<3>d"],
    damaged: 1,
  },
  {
    name: "damage before any count",
    mode: "octet",
    input: "17 unstructured text4 <2>c",
    want: ["17 unstructured text", "<2>c"],
    damaged: 1,
  },
  {
    name: "damage with what is no count in it",
    mode: "octet",
    input: "x1 <a>05 <1>1234567890 <1>7 <1234>8 <>9<1> <1> x6 <2>c\n7",
    want: ["x1 <a>05 <1>1234567890 <1>7 <1234>8 <>9<1> <1> x", "<2>c\n7"],
    damaged: 1,
  },
  {
    name: "LF and damage behind an octet frame",
    mode: "octet",
    input: "5 <1>ab\ngarbage\n\n4 <2>c\r\n",
    want: ["<1>ab", "garbage", "<2>c"],
    empty: 1,
    damaged: 2,
  },
  {
    name: "octet frames of which some have no PRI",
    mode: "auto",
    input: "5 <1>ab9 text 404 4 <2>c5 three4 four4 <3>d3 end",
    want: ["<1>ab", "text 404 ", "<2>c", "three", "four", "<3>d", "end"],
  },
  {
    name: "octet frames without a PRI and with LF in and behind the count",
    mode: "auto",
    input: "6 <1>ab\n5 text\n6 text\r\n1 \n2 \r\n4 text\n4 <2>c",
    want: ["<1>ab", "text", "text", "text", "<2>c"],
    empty: 2,
  },
  {
    name: "a frame without a PRI whose count is too large",
    mode: "auto",
    input: "5 <1>ab61 unstructured text5 <2>cd4 <3>e",
    want: ["<1>ab", "61 unstructured text", "<2>cd", "<3>e"],
    damaged: 1,
  },
  {
    name: "a frame without a PRI whose count is too small",
    mode: "auto",
    input: "5 <1>ab4 unstructured text5 <2>cd",
    want: ["<1>ab", "4 unstructured text", "<2>cd"],
    damaged: 1,
  },
  {
    name: "a frame without a PRI and of two lines",
    mode: "auto",
    input: "5 <1>ab9 two\nlines5 <2>cd",
    want: ["<1>ab", "9 two", "lines", "<2>cd"],
    damaged: 2,
  },
  {
    name: "a frame without a PRI and without an end",
    mode: "auto",
    input: "5 <1>ab9 text",
    want: ["<1>ab", "9 text"],
    damaged: 1,
  },
  {
    name: "half a count behind a frame without a PRI",
    mode: "auto",
    input: "5 <1>ab4 text12",
    want: ["<1>ab", "4 text12"],
    damaged: 1,
  },
  {
    name: "a frame without a PRI at the limit",
    mode: "auto",
    input: `5 <1>ab80 ${x80}5 <2>cd`,
    want: ["<1>ab", x80, "<2>cd"],
  },
  {
    name: "a frame without a PRI above the limit",
    mode: "auto",
    input: `5 <1>ab81 ${x80}y5 <2>cd`,
    want: ["<1>ab", `81 ${x80.slice(3)}`, "<2>cd"],
    truncated: [false, true, false],
    damaged: 1,
  },
  {
    name: "damage that ends with digits",
    mode: "octet",
    input: "on port 514015 <1>ab5 <2>cd6 <3>ef ",
    want: ["on port 514015 <1>ab", "<2>cd", "<3>ef "],
    damaged: 1,
  },
  {
    name: "damage before counts above and at the limit",
    mode: "octet",
    input: `x 81 <1>y 80 <1>${x80.slice(3)}`,
    want: ["x 81 <1>y ", `<1>${x80.slice(3)}`],
    damaged: 1,
  },
  {
    name: "damage at the limit before a count",
    mode: "octet",
    input: `${x80}3 <2>`,
    want: [x80, "<2>"],
    damaged: 1,
  },
  {
    name: "damage at the limit before CR LF",
    mode: "octet",
    input: `${x80}\r\n3 <2>`,
    want: [x80, "<2>"],
    damaged: 1,
  },
  {
    name: "damage above the limit before a count",
    mode: "octet",
    input: `${x80}y123 <1${x80}5 <2>cd3 <3>`,
    want: [x80, "<2>cd", "<3>"],
    truncated: [true, false, false],
    damaged: 1,
  },
  {
    name: "damage of digits above the limit",
    mode: "octet",
    input: `${"1".repeat(300)} <1>\n3 <2>`,
    want: ["1".repeat(80), "<2>"],
    truncated: [true, false],
    damaged: 1,
  },
  {
    name: "LF inside counts",
    mode: "octet",
    input: "6 <1>ab\n7 <2>cd\r\n2 <\n",
    want: ["<1>ab", "<2>cd", "<"],
  },
  {
    name: "LF inside counts at the limit",
    mode: "octet",
    input: `81 <${x80.slice(1)}\n82 <${x80.slice(1)}\r\n82 <${x80}\n`,
    want: [`<${x80.slice(1)}`, `<${x80.slice(1)}`, `<${x80.slice(1)}`],
    truncated: [false, false, true],
  },
  // Streams from influxdata/telegraf, plugins/inputs/syslog/testcases (their facts, not their files).
  {
    name: "a count that is too small",
    mode: "auto",
    input: "16 <1>217 <11>1 - - - - - -",
    want: ["<1>217 <11>1 - -", " - - - -"],
    damaged: 1,
  },
  { name: "a count that is too large", mode: "auto", input: "16 <1>2", want: ["<1>2"], truncated: [true] },
  {
    name: "a message of two lines",
    mode: "auto",
    input: "28 <1>3 - - - - - - hello\nworld",
    want: ["<1>3 - - - - - - hello\nworld"],
  },
  {
    name: "two minimal octet frames",
    mode: "auto",
    input: "16 <1>2 - - - - - -17 <4>11 - - - - - -",
    want: ["<1>2 - - - - - -", "<4>11 - - - - - -"],
  },
  {
    name: "two minimal lines",
    mode: "auto",
    input: "<1>2 - - - - - -\n<4>11 - - - - - -\n",
    want: ["<1>2 - - - - - -", "<4>11 - - - - - -"],
  },
];

for (const { name, mode, input, want, truncated, empty, damaged } of cases) {
  test(`next() gives the frames when the stream is ${name}, cut anywhere`, () => {
    const stream = latin1(input);
    const whole: OracleStream = {
      frames: want.map((text, i) => ({ text, truncated: truncated?.[i] ?? false })),
      emptyFrames: empty ?? 0,
      damagedFrames: damaged ?? 0,
    };
    assert.deepEqual(frameOracle(input, mode, frameBytesMax), whole, "the twin");
    assert.deepEqual(frameChunks(mode, [stream]), whole);
    assert.deepEqual(
      frameChunks(mode, Array.from(stream, (byte) => Uint8Array.of(byte))),
      whole,
      "byte by byte",
    );
    for (let cut = 0; cut <= stream.length; cut++) {
      assert.deepEqual(frameChunks(mode, cutAt(stream, [cut])), whole, `cut at ${cut}`);
    }
  });
}

const modes = fc.constantFrom<FramingMode>("auto", "newline", "octet", "nul");

const streams: fc.Arbitrary<string> = fc
  .array(
    fc.oneof(
      { weight: 4, arbitrary: fc.integer({ min: 1, max: 40 }).map((n) => `${n + 3} <1>${"o".repeat(n)}`) },
      { weight: 3, arbitrary: fc.string({ maxLength: 30 }) },
      { weight: 3, arbitrary: fc.integer({ min: 1, max: 12 }).map((n) => `${n} ${"p".repeat(n)}`) },
      {
        weight: 3,
        arbitrary: fc.constantFrom(
          "1 \n",
          "5 text\n",
          "6 <1>ab\n",
          "8 text 404",
          "9 a\nb",
          "3 <1>\n\n3 <2>",
          " <1>",
          "0",
          "<1",
          ">",
        ),
      },
      fc.integer({ min: 76, max: 84 }).map((n) => `${n} <${"o".repeat(n - 3)}\r\n`),
      fc.integer({ min: 76, max: 84 }).map((n) => `${n} ${"p".repeat(n)}`),
      fc.integer({ min: 8, max: 12 }).map((n) => "1".repeat(n)),
      { weight: 3, arbitrary: fc.constantFrom("\n", "\r\n", "\0", "\r", "\n\n", "\xe9\xff", "12", "7 ") },
      fc.integer({ min: 1, max: 400 }).map((n) => `${n} <${"o".repeat(n - 1)}`),
      fc.integer({ min: 70, max: 300 }).map((n) => "l".repeat(n)),
      fc.integer({ min: 70, max: 90 }).map((n) => "l".repeat(n) + "\r\n"),
    ),
    { maxLength: 16 },
  )
  .map((parts) => parts.join(""));

const places = fc.array(fc.nat(), { maxLength: 12 });

test("next() gives the frames of the whole stream when it is cut anywhere", () => {
  fc.assert(
    fc.property(modes, streams, places, (mode, stream, cuts) => {
      assert.deepEqual(
        frameChunks(mode, cutAt(latin1(stream), cuts)),
        frameOracle(stream, mode, frameBytesMax),
      );
    }),
    { numRuns: 5000 },
  );
});

/** Parts of an octet-counted stream: frames, frames without a PRI, and bytes that belong to no frame. */
const brokenStreams = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.stringMatching(/^<1>[a-z]{0,30}$/).map((text) => ({ kind: "frame", text })) },
    fc.stringMatching(/^[a-z ]{0,30}[a-z]$/).map((text) => ({ kind: "bare", text })),
    fc.stringMatching(/^[a-z ]{1,100}[a-z]$/).map((text) => ({ kind: "garbage", text })),
    fc.stringMatching(/^[1-9] [a-z]{10,100}$/).map((text) => ({ kind: "garbage", text })),
  ),
  { maxLength: 20 },
);

test("next() loses no frame with a PRI when anything stands between them", () => {
  fc.assert(
    fc.property(brokenStreams, places, fc.constantFrom("", "\n"), (parts, cuts, end) => {
      const stream = parts.map(({ kind, text }) =>
        kind === "garbage" ? text : `${text.length + end.length} ${text}${end}`
      ).join("");
      const { frames } = frameChunks("octet", cutAt(latin1(stream), cuts));
      const got = frames.filter(({ text }) => text.startsWith("<1>")).map(({ text }) => text);
      assert.deepEqual(got, parts.filter(({ kind }) => kind === "frame").map(({ text }) => text));
    }),
    { numRuns: 3000 },
  );
});

test("next() gives every frame as it was sent when some have no PRI", () => {
  const frame = fc.oneof(
    fc.stringMatching(/^<1>[a-z0-9 ]{0,30}$/),
    fc.stringMatching(/^[a-z][a-z0-9 ]{0,30}$/),
  );
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 20 }), places, (sent, cuts) => {
      const texts = ["<1>first", ...sent];
      const stream = texts.map((text) => `${text.length} ${text}`).join("");
      const want = texts.map((text) => ({ text, truncated: false }));
      assert.deepEqual(frameChunks("auto", cutAt(latin1(stream), cuts)).frames, want);
    }),
    { numRuns: 3000 },
  );
});

test("next() gives all bytes of long frames when they are split, cut and suspended anywhere", () => {
  fc.assert(
    fc.property(
      modes,
      streams,
      places,
      fc.array(fc.nat(5), { maxLength: 40 }),
      (mode, stream, cuts, stops) => {
        const got = frameChunks(mode, cutAt(latin1(stream), cuts), stops, "split");
        assert.deepEqual(got, frameOracle(stream, mode, frameBytesMax, true));
        const whole = frameOracle(stream, mode, stream.length);
        if (mode === "octet" || mode === "auto") return;
        // Put together again, the parts are the frames as they came.
        const texts: string[] = [];
        for (const { text, split } of got.frames) {
          if (split === "continued") texts.push(texts.pop()! + text);
          else texts.push(text);
        }
        assert.deepEqual(texts, whole.frames.map(({ text }) => text));
      },
    ),
    { numRuns: 5000 },
  );
});

test("suspend() changes no frame when it happens at any row, with other connections in between", () => {
  fc.assert(
    fc.property(
      modes,
      streams,
      places,
      fc.array(fc.nat(5), { maxLength: 40 }),
      (mode, stream, cuts, stops) => {
        const result = frameChunks(mode, cutAt(latin1(stream), cuts), stops);
        assert.deepEqual(result, frameOracle(stream, mode, frameBytesMax));
      },
    ),
    { numRuns: 5000 },
  );
});

test("next() ends when the bytes are random", () => {
  fc.assert(
    fc.property(modes, fc.uint8Array({ maxLength: 600 }), places, (mode, bytes, cuts) => {
      const text = Buffer.from(bytes).toString("latin1");
      assert.deepEqual(frameChunks(mode, cutAt(bytes, cuts)), frameOracle(text, mode, frameBytesMax));
    }),
    { numRuns: 2000 },
  );
});

test("heldBytes is exact when half a frame is held, and 0 when none is", () => {
  const framer = new Framer(kernel, "newline");
  const steps: [string, number][] = [["abc\nde", 2], ["\n", 0], ["x".repeat(50), 50], ["\nyy", 2], [
    "y\n\n",
    0,
  ]];
  for (const [text, held] of steps) {
    framer.begin(latin1(text));
    while (framer.next() > 0);
    assert.equal(framer.heldBytes, held, text);
  }
});

test("heldBytes stays bounded when a frame drips in", () => {
  for (
    const [mode, head, drip] of [
      ["newline", "x", "x"],
      ["nul", "x", "x"],
      ["octet", "79 <", "x"],
      ["octet", "999999999 <", "x"],
      ["octet", "x", "x"],
      ["octet", "x", "1"],
      ["octet", "x", ">"],
      ["octet", "3 <1>80 x", "x"],
    ] as const
  ) {
    const framer = new Framer(kernel, mode);
    framer.begin(latin1(head));
    while (framer.next() > 0);
    let rows = 0;
    for (let i = 0; i < 500; i++) {
      framer.begin(latin1(drip));
      for (let found = framer.next(); found > 0; found = framer.next()) rows += found;
      assert.ok(framer.heldBytes <= frameBytesMax + 19);
    }
    assert.ok(rows >= 1, mode);
  }
});

test("a dripping frame costs its length when chunks are single bytes", () => {
  const large = createKernel({ scratchBytes: 64, arenaBytes: 64 });
  for (
    const [mode, head, drip, eachMs] of [
      ["newline", "", "x", 1000],
      ["octet", "65000 <", "x", 1000],
      ["octet", "x", "x", 1000],
      ["octet", "3 <1>65000 x", "x", 1000],
      // Each may end a count and is looked at in the kernel's memory, but only what is new.
      ["octet", "x", ">", 8000],
      ["octet", "3 <1>65000 x", ">", 8000],
    ] as const
  ) {
    const byte = latin1(drip);
    const takes = bestMs(() => {
      const framer = new Framer(large, mode);
      framer.begin(latin1(head));
      while (framer.next() > 0);
      for (let i = 0; i < 64_000; i++) {
        framer.begin(byte);
        assert.equal(framer.next(), 0);
      }
    }, eachMs);
    assert.ok(takes < eachMs, `${mode}: copied again and again it takes seconds, ${takes} ms`);
  }
});

test("finish() gives the same row again when it was suspended", () => {
  for (
    const [mode, input, want] of [["newline", "abc", "abc"], ["octet", "9 <1>ab", "<1>ab"], [
      "octet",
      "ab1",
      "ab1",
    ]] as const
  ) {
    const framer = new Framer(kernel, mode);
    framer.begin(latin1(input));
    assert.equal(framer.next(), 0);
    for (let again = 0; again < 3; again++) {
      assert.equal(framer.finish(), 1);
      assert.equal(readFrame(kernel, 0).text, want);
      framer.suspend(0);
      disturb();
    }
    assert.equal(framer.finish(), 1);
    framer.suspend(1);
    assert.equal(framer.finish(), 0);
  }
});

test("mode tells what the connection speaks when enough bytes came", () => {
  const steps: [FramingMode, string, FramingMode][] = [
    ["auto", "12", "auto"],
    ["auto", "12 <", "auto"],
    ["auto", "12 <1", "octet"],
    ["auto", "12 <b>\n", "newline"],
    ["auto", "12 x", "auto"],
    ["auto", "12 x\n", "newline"],
    ["auto", "<1>a\0", "auto"],
    ["auto", "<1>a\0<2", "nul"],
    ["auto", "<1>a\0b\n", "newline"],
    ["auto", "<".repeat(frameBytesMax), "newline"],
    ["nul", "1", "nul"],
    ["octet", "x", "octet"],
  ];
  for (const [mode, input, want] of steps) {
    const framer = new Framer(kernel, mode);
    framer.begin(latin1(input));
    while (framer.next() > 0);
    assert.equal(framer.mode, want, `${mode} ${input}`);
  }
});

test("begin() is a broken invariant when the chunk before is not used up", () => {
  const framer = new Framer(kernel, "newline");
  framer.begin(latin1("a\nb\n"));
  assert.equal(framer.next(), 2);
  framer.suspend(1);
  assert.equal(framer.pending, true);
  assert.throws(() => framer.begin(latin1("c\n")), /used up/);
  assert.throws(() => framer.finish(), /used up/);
  assert.equal(framer.next(), 1);
  assert.equal(readFrame(kernel, 0).text, "b");
});
