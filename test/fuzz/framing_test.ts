/**
 * Random and damaged streams through the framer, cut and suspended anywhere: the frames are those of the twin that
 * sees the whole stream, every byte is accounted for by a walk that knows neither, and no piece takes long.
 *
 * @runtimes bun deno
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Framer, type FramingMode } from "../../src/framing/framer.ts";
import { createKernel } from "../../src/kernel/instance.ts";
import { frameFlag } from "../../src/kernel/kernel.ts";
import { frameOracle, type OracleFrame } from "../unit/framing/oracle_framer.ts";
import { joinOracle } from "../unit/framing/oracle_join.ts";
import { fuzz, fuzzTimeout } from "./fuzz.ts";
import { cutAnywhere, joined, latin1, latin1Text, mutate } from "./mutate.ts";
import type { Random } from "./random.ts";

const frameBytesMax = 300;
const kernel = createKernel({
  frameBytesMax,
  pieceBytes: 512,
  rowsMax: 16,
  scratchBytes: 64,
  arenaBytes: 64,
});

interface Input {
  readonly mode: FramingMode;
  readonly oversize: "truncate" | "split";
  readonly frameBytesMax: number;
  readonly join: "pri" | "indent" | undefined;
  readonly stream: Uint8Array;
  readonly chunks: readonly Uint8Array[];
  /** Rows to take before a suspension, call by call; -1 takes all and does not suspend. */
  readonly stops: readonly number[];
}

const tokens = [
  "\n",
  "\r\n",
  "\r",
  "\0",
  "\n\0",
  "\0<1>",
  " ",
  "<",
  "<1>",
  "0",
  "9 <",
  "17 <13>x",
  "999999999 <",
  "\x16\x03\x01",
  "é",
];
const texts = [
  " indented",
  "x",
  "<13>1 - - - - - - a",
  "<34>Oct 11 22:14:15 host su: b",
  "text 12",
  "{\n}",
  "é",
  "1 2 3",
];

function part(random: Random): Uint8Array {
  const text = random.pick(texts).repeat(random.oneIn(6) ? random.between(1, 60) : 1);
  const end = random.pick(["", "\n", "\r\n", "\0"]);
  if (random.oneIn(2)) return latin1(`${text}${end}`);
  const count = text.length + (random.oneIn(6) ? random.between(-3, 300) : 0);
  return latin1(`${count} ${text}${end}`);
}

function make(random: Random): Input {
  const parts = Array.from({ length: random.between(0, 24) }, () => part(random));
  const stream = mutate(random, joined(parts), tokens, 6);
  // The twin of joining knows lines that are cut, and nothing else.
  const join = random.oneIn(3) ? random.pick(["pri", "indent"] as const) : undefined;
  return {
    mode: join === undefined ? random.pick(["auto", "newline", "octet", "nul"]) : "newline",
    oversize: join === undefined ? random.pick(["truncate", "split"]) : "truncate",
    join,
    frameBytesMax: random.pick([frameBytesMax, frameBytesMax, 41]),
    stream,
    chunks: cutAnywhere(random, stream),
    stops: Array.from({ length: random.between(0, 40) }, () => random.between(-1, 6)),
  };
}

function run(input: Input): void {
  const { frameBytesMax, oversize } = input;
  const bytesMax = frameBytesMax - 1;
  const framer = new Framer(kernel, {
    ...input,
    join: input.join === undefined ? undefined : { by: input.join, bytesMax },
  });
  const frames: OracleFrame[] = [];
  let calls = 0;
  const take = (rows: number): void => {
    const stop = input.stops[calls++] ?? -1;
    const taken = stop < 0 ? rows : Math.min(rows, stop);
    for (let row = 0; row < taken; row++) frames.push(frameAt(row));
    if (stop < 0) return;
    framer.suspend(taken);
    kernel.bytes.fill(0x0a, kernel.inputAt, kernel.inputAt + kernel.inputBytes);
  };
  for (const chunk of input.chunks) {
    framer.begin(chunk);
    for (let rows = framer.next(); rows > 0; rows = framer.next()) take(rows);
    assert.ok(framer.heldBytes <= frameBytesMax + 19, `${framer.heldBytes} bytes are held`);
  }
  for (let rows = framer.finish(); rows > 0; rows = framer.finish()) take(rows);
  const { emptyFrames, damagedFrames, joinedLines } = framer;
  const stream = latin1Text(input.stream);
  account(stream, frames);
  if (input.join === undefined) {
    const want = frameOracle(stream, input.mode, frameBytesMax, oversize === "split");
    assert.deepEqual({ frames, emptyFrames, damagedFrames }, want);
  } else {
    const limits = { frameBytesMax, bytesMax, linesMax: kernel.sizes.rowsMax - 1 };
    assert.deepEqual({ frames, emptyFrames, joinedLines }, joinOracle(stream, input.join, limits));
  }
}

function frameAt(row: number): OracleFrame {
  const [start, end, flags] = kernel.words.subarray(kernel.rowsAt / 4 + row * 4);
  const text = latin1Text(kernel.bytes.subarray(start, end));
  const truncated = (flags! & frameFlag.truncated) !== 0;
  if ((flags! & frameFlag.split) === 0) return { text, truncated };
  return { text, truncated, split: (flags! & frameFlag.continued) === 0 ? "part" : "continued" };
}

const countAt = /[1-9]\d{0,8} /y;

/** Walks the stream: between frames stand delimiters and counts alone, or what a truncated frame was cut of. */
function account(stream: string, frames: readonly OracleFrame[]): void {
  let ends = [0];
  let truncated = false;
  for (const [index, frame] of frames.entries()) {
    const starts: number[] = truncated
      ? laterPlaces(stream, Math.min(...ends), frame.text)
      : [...frame.split === "continued" ? ends : gapEnds(stream, ends)].filter((place) =>
        stream.startsWith(frame.text, place)
      );
    assert.ok(starts.length > 0, `frame ${index} stands behind the one before and its delimiter`);
    ends = starts.map((start) => start + frame.text.length);
    truncated = frame.truncated;
  }
  const whole = truncated || gapEnds(stream, ends).has(stream.length);
  assert.ok(whole, "nothing is left behind the last frame");
}

/** All places that can be reached over delimiters and counts. */
function gapEnds(stream: string, from: readonly number[]): Set<number> {
  const reached = new Set(from);
  for (const place of reached) {
    if ("\r\n\0".includes(stream[place] ?? "x")) reached.add(place + 1);
    countAt.lastIndex = place;
    const count = countAt.exec(stream);
    if (count !== null) reached.add(place + count[0].length);
  }
  return reached;
}

function laterPlaces(stream: string, from: number, text: string): number[] {
  const places: number[] = [];
  for (let at = stream.indexOf(text, from); at >= 0; at = stream.indexOf(text, at + 1)) {
    places.push(at);
  }
  return places;
}

test("the framer keeps its promises when the stream is anything", fuzzTimeout, async () => {
  const report = await fuzz<Input>({
    name: "framing",
    make,
    run,
    show: ({ stream, chunks, ...rest }) =>
      JSON.stringify({ ...rest, stream: latin1Text(stream), cuts: chunks.map(({ length }) => length) }),
  });
  assert.ok(report.cases > 100, `${report.cases} cases`);
});
