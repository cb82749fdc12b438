import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import fc from "fast-check";
import { Framer, type FramingOptions } from "../../../src/framing/framer.ts";
import type { JoinOptions } from "../../../src/framing/join_scanner.ts";
import { createKernel } from "../../../src/kernel/instance.ts";
import { frameFlag } from "../../../src/kernel/kernel.ts";
import type { OracleFrame } from "./oracle_framer.ts";
import { type JoinedStream, joinOracle } from "./oracle_join.ts";

const limits = { frameBytesMax: 80, bytesMax: 60, linesMax: 4 };
const kernel = createKernel({
  frameBytesMax: 80,
  pieceBytes: 64,
  rowsMax: 5,
  scratchBytes: 64,
  arenaBytes: 64,
});

function latin1(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "latin1"));
}

function optionsOf(by: JoinOptions["by"]): FramingOptions {
  const { frameBytesMax, bytesMax } = limits;
  return { mode: "newline", frameBytesMax, oversize: "truncate", join: { by, bytesMax } };
}

function frameAt(row: number): OracleFrame {
  const [start, end, flags] = kernel.words.subarray(kernel.rowsAt / 4 + row * 4);
  const text = Buffer.from(kernel.bytes.slice(start, end)).toString("latin1");
  // deno-lint-ignore no-control-regex
  assert.equal((flags! & frameFlag.ascii) !== 0, /^[\x00-\x7f]*$/.test(text), "ASCII flag");
  return { text, truncated: (flags! & frameFlag.truncated) !== 0 };
}

/** Frames of the chunks; `stops` are rows to take before a suspension, call by call. */
function joinChunks(
  by: JoinOptions["by"],
  chunks: readonly Uint8Array[],
  stops: readonly number[] = [],
): JoinedStream {
  const framer = new Framer(kernel, optionsOf(by));
  const frames: OracleFrame[] = [];
  let call = 0;
  const take = (rows: number): void => {
    const stop = stops[call++];
    const taken = stop === undefined ? rows : Math.min(rows, stop);
    for (let row = 0; row < taken; row++) frames.push(frameAt(row));
    if (stop === undefined) return;
    framer.suspend(taken);
    kernel.bytes.fill(0x0a, kernel.inputAt, kernel.inputAt + kernel.inputBytes);
  };
  for (const chunk of chunks) {
    framer.begin(chunk);
    for (let rows = framer.next(); rows > 0; rows = framer.next()) take(rows);
    assert.ok(framer.heldBytes <= limits.frameBytesMax + 19, `${framer.heldBytes} bytes are held`);
  }
  for (let rows = framer.finish(); rows > 0; rows = framer.finish()) take(rows);
  return { frames, emptyFrames: framer.emptyFrames, joinedLines: framer.joinedLines };
}

const cases: {
  name: string;
  by: JoinOptions["by"];
  input: string;
  want: string[];
  joined?: number;
  empty?: number;
}[] = [
  {
    name: "a stack trace",
    by: "pri",
    input: "<1>a\n at b\nCaused: c\n<2>d\n",
    want: ["<1>a\n at b\nCaused: c", "<2>d"],
    joined: 2,
  },
  { name: "lines with a PRI", by: "pri", input: "<1>a\n<2>b\n<3>c", want: ["<1>a", "<2>b", "<3>c"] },
  {
    name: "an angle bracket that is no PRI",
    by: "pri",
    input: "<1>a\n<xml>\n<2>b",
    want: ["<1>a\n<xml>", "<2>b"],
    joined: 1,
  },
  {
    name: "empty lines inside and behind",
    by: "pri",
    input: "<1>a\n\nb\n\n<2>c\n\n",
    want: ["<1>a\n\nb", "<2>c"],
    joined: 2,
    empty: 2,
  },
  { name: "CR LF", by: "pri", input: "<1>a\r\nb\r\n<2>c\r\n", want: ["<1>a\r\nb", "<2>c"], joined: 1 },
  { name: "a continuation without an end", by: "pri", input: "<1>a\nb", want: ["<1>a\nb"], joined: 1 },
  { name: "a continuation first", by: "pri", input: "b\nc\n<1>a\n", want: ["b\nc", "<1>a"], joined: 1 },
  { name: "indented lines", by: "indent", input: "a\n b\n\tc\nd\n", want: ["a\n b\n\tc", "d"], joined: 2 },
  {
    name: "more lines than may be joined",
    by: "indent",
    input: "a\n b\n c\n d\n e\nf",
    want: ["a\n b\n c\n d", " e", "f"],
    joined: 3,
  },
  {
    name: "more bytes than may be joined",
    by: "indent",
    input: `a\n ${"b".repeat(56)}\n c\nd\n ${"e".repeat(57)}\n f\n`,
    want: [`a\n ${"b".repeat(56)}`, " c", `d\n ${"e".repeat(57)}`, " f"],
    joined: 2,
  },
];

for (const { name, by, input, want, joined, empty } of cases) {
  test(`next() joins lines when the stream is ${name}, cut anywhere`, () => {
    const whole: JoinedStream = {
      frames: want.map((text) => ({ text, truncated: false })),
      emptyFrames: empty ?? 0,
      joinedLines: joined ?? 0,
    };
    assert.deepEqual(joinOracle(input, by, limits), whole, "the twin");
    const stream = latin1(input);
    for (let cut = 0; cut <= stream.length; cut++) {
      assert.deepEqual(joinChunks(by, [stream.slice(0, cut), stream.slice(cut)]), whole, `cut at ${cut}`);
    }
    assert.deepEqual(
      joinChunks(by, Array.from(stream, (byte) => Uint8Array.of(byte))),
      whole,
      "byte by byte",
    );
  });
}

const streams = fc.array(
  fc.oneof(
    fc.constantFrom(
      "<1>a",
      "<2>b\n",
      "\n",
      "\r\n",
      " c\n",
      "\td",
      "<",
      "<x>",
      "\0",
      "\r",
      "é\n",
      "\n\n\n",
      "text\n",
      "<9",
    ),
    fc.integer({ min: 1, max: 90 }).map((length) => `${"l".repeat(length)}\n`),
    fc.integer({ min: 50, max: 70 }).map((length) => ` ${"i".repeat(length)}\r\n`),
  ),
  { maxLength: 24 },
).map((parts) => parts.join(""));

test("next() joins what the whole stream says when it is cut and suspended anywhere", () => {
  fc.assert(
    fc.property(
      fc.constantFrom("pri" as const, "indent" as const),
      streams,
      fc.array(fc.nat(), { maxLength: 12 }),
      fc.array(fc.nat(5), { maxLength: 30 }),
      (by, text, cuts, stops) => {
        const stream = latin1(text);
        const sorted = [...new Set(cuts.map((cut) => cut % (stream.length + 1)))].sort((a, b) => a - b);
        const chunks = [0, ...sorted].map((start, i) => stream.slice(start, sorted[i] ?? stream.length));
        assert.deepEqual(joinChunks(by, chunks, stops), joinOracle(text, by, limits));
      },
    ),
    { numRuns: 10_000 },
  );
});

test("flush() gives the whole lines that wait when nothing comes behind them, and keeps the rest", () => {
  const framer = new Framer(kernel, optionsOf("pri"));
  const rows = (): string[] => {
    const texts: string[] = [];
    for (let count = framer.next(); count > 0; count = framer.next()) {
      for (let row = 0; row < count; row++) texts.push(frameAt(row).text);
    }
    return texts;
  };
  framer.begin(latin1("<1>a\n b\n"));
  assert.deepEqual(rows(), []);
  assert.equal(framer.holds, true);
  framer.flush();
  assert.equal(framer.pending, true);
  assert.equal(framer.next(), 1);
  framer.suspend(0);
  assert.equal(framer.pending, true, "it is still to be given");
  assert.deepEqual(rows(), ["<1>a\n b"]);
  assert.deepEqual([framer.holds, framer.heldBytes, framer.joinedLines], [false, 0, 1]);
  framer.begin(latin1("c\n<2>d\nhalf"));
  assert.deepEqual(rows(), ["c"]);
  framer.flush();
  assert.deepEqual(rows(), ["<2>d"]);
  assert.equal(framer.heldBytes, 4);
  framer.flush();
  assert.deepEqual([framer.pending, rows()], [false, []]);
  framer.begin(latin1(" e\n<3>f\n"));
  assert.deepEqual(rows(), ["half e"]);
  assert.equal(framer.finish(), 1);
  assert.equal(frameAt(0).text, "<3>f");
});

test("joining costs little when many small lines drip into one frame", () => {
  const large = createKernel({ scratchBytes: 64, arenaBytes: 64 });
  const framer = new Framer(large, {
    mode: "auto",
    frameBytesMax: 64 * 1024,
    oversize: "truncate",
    join: { by: "pri", bytesMax: 64 * 1024 },
  });
  const start = performance.now();
  let rows = 0;
  for (let i = 0; i < 20_000; i++) {
    framer.begin(latin1(i === 0 ? "<1>first\n" : "continued\n"));
    for (let count = framer.next(); count > 0; count = framer.next()) rows += count;
  }
  // 500 lines make a frame.
  assert.equal(rows, 40);
  assert.ok(performance.now() - start < 5_000);
});
