/**
 * What each stage of the kernel costs per line, on the runtime it is started with:
 *
 *     bun bench/stages.ts [--record]
 *     deno run -A bench/stages.ts [--record]
 *
 * Lines are 200 bytes, RFC 5424, a 64 KiB piece at a time, as a connection under load delivers them. Best of
 * several rounds: the figure is what the code costs, not what the machine was doing besides.
 *
 * Each figure is held against the best that this runtime ever had on this kind of machine
 * (bench/history/stages.jsonl): what takes a quarter more is marked, and the exit code is 1 then. `--record` adds the
 * run to the history; do that on a quiet machine, after a change that is meant to change figures.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import process from "node:process";
import { invariant } from "../src/core/invariant.ts";
import { createKernel } from "../src/kernel/instance.ts";
import { framePart, frameRowBytes, type Kernel } from "../src/kernel/kernel.ts";
import { Framer } from "../src/framing/framer.ts";
import { HeaderReader } from "../src/syslog/header.ts";
import { machineName, readHistory, recordResults, runtimeName } from "./history.ts";

const lineBytes = 200;
/** Many short rounds: the best of them fell between the interruptions. */
const rounds = 120;
const roundMs = 5;
const warmMs = 300;
/** Times the best figure: noise of a quiet machine stays below. */
const slowerMin = 1.25;

/** Nanoseconds a line by stage, and a KiB by block of CRC-32C. */
type StagesResult = Readonly<Record<string, number>>;

interface Stage {
  readonly name: string;
  /** Work on one piece. */
  run(): void;
  /** Lines of one piece; for throughput of bytes alone, bytes per piece. */
  readonly lines: number;
}

function syslogLine(i: number): string {
  const time = new Date(1_780_000_000_000 + i * 7).toISOString();
  const head = `<${(i * 8 + 6) % 192}>1 ${time} web-${i % 40}.edge.example app${i % 9} ${1000 + i} ID${
    i % 50
  } - `;
  return (head + `GET /v1/items/${i} HTTP/1.1 200 ${i * 13} `.repeat(6)).slice(0, lineBytes);
}

function nextPiece(frame: (line: string) => string, bytes: number): Uint8Array {
  let text = "";
  for (let i = 0; text.length + lineBytes + 5 <= bytes; i++) text += frame(syslogLine(i));
  return Buffer.from(text, "latin1");
}

function measure(stage: Stage): number {
  const warmUntil = performance.now() + warmMs;
  while (performance.now() < warmUntil) stage.run();
  let best = Infinity;
  for (let round = 0; round < rounds; round++) {
    const start = performance.now();
    let runs = 0;
    let elapsed = 0;
    while (elapsed < roundMs) {
      for (let i = 0; i < 16; i++) stage.run();
      runs += 16;
      elapsed = performance.now() - start;
    }
    best = Math.min(best, (elapsed * 1e6) / (runs * stage.lines));
  }
  return best;
}

function encodeEach(kernel: Kernel, rows: number): void {
  let at = kernel.arenaAt;
  const first = kernel.rowsAt / 4;
  for (let row = 0; row < rows; row++) {
    const word = first + row * (frameRowBytes / 4);
    const start = kernel.words[word]!;
    at = kernel.encodeRecord(at, row, 0, 0, -1, start, kernel.words[word + 1]! - start, 0, 0);
  }
}

const kernel = createKernel();
const piece = nextPiece((line) => line + "\n", kernel.sizes.pieceBytes);
const counted = nextPiece((line) => `${line.length} ${line}`, kernel.sizes.pieceBytes);
const { inputAt, arenaAt } = kernel;
const limit = arenaAt + kernel.sizes.arenaBytes;

kernel.bytes.set(counted, inputAt);
const countedRows = kernel.scanOctets(inputAt, inputAt + counted.length);
const octets: Stage = {
  name: "scan octet counts",
  lines: countedRows,
  run: () => kernel.scanOctets(inputAt, inputAt + counted.length),
};
const octetCost = measure(octets);

kernel.bytes.set(piece, inputAt);
const rows = kernel.scanNewline(inputAt, inputAt + piece.length);
const framer = new Framer(kernel, "auto");
const reader = new HeaderReader(kernel);
let decoded = 0;
const sealedBytes = 512 * 1024;

const stages: Stage[] = [
  { name: "copy in", lines: rows, run: () => kernel.bytes.set(piece, inputAt) },
  { name: "scan newlines", lines: rows, run: () => kernel.scanNewline(inputAt, inputAt + piece.length) },
  { name: "headers", lines: rows, run: () => kernel.parseHeaders(0, rows) },
  {
    name: "encode raw",
    lines: rows,
    run: () => kernel.encodeRows(0, rows, framePart.raw, arenaAt, limit, 0, 0),
  },
  {
    name: "encode msg",
    lines: rows,
    run: () => kernel.encodeRows(0, rows, framePart.message, arenaAt, limit, 0, 0),
  },
  {
    name: "encode JSON form",
    lines: rows,
    run: () => kernel.encodeJsonRows(0, rows, arenaAt, limit, 0, 0, kernel.jsonTail.length),
  },
  { name: "encode one by one", lines: rows, run: () => encodeEach(kernel, rows) },
  {
    name: "decode message",
    lines: rows,
    run: () => {
      for (let row = 0; row < rows; row++) decoded += reader.message(row).length;
    },
  },
  {
    name: "decode hostname",
    lines: rows,
    run: () => {
      for (let row = 0; row < rows; row++) decoded += reader.field(row, "hostname")!.length;
    },
  },
  {
    name: "framer (copy, scan)",
    lines: rows,
    run: () => {
      framer.begin(piece);
      while (framer.next() > 0);
    },
  },
];

const history = readHistory<StagesResult>("stages").filter(({ runtime, machine }) =>
  runtime === runtimeName && machine === machineName
);

/** The best figure that this runtime had here, undefined where there is none. */
function best(name: string): number | undefined {
  const figures = history.flatMap(({ results }) => results[name] ?? []);
  return figures.length === 0 ? undefined : Math.min(...figures);
}

const results: Record<string, number> = {};
let slower = 0;

function tell(name: string, ns: number): void {
  results[name] = Number(ns.toPrecision(4));
  const before = best(name);
  const isSlower = before !== undefined && ns > before * slowerMin;
  if (isSlower) slower++;
  const compared = before === undefined ? "" : `  best ${before.toFixed(1)}${isSlower ? "  SLOWER" : ""}`;
  console.log(name.padEnd(24) + ns.toFixed(1).padStart(7) + compared);
}

console.log(`${runtimeName}, ${lineBytes}-byte lines, ${rows} per piece\n`);
console.log("stage                   ns/line");
kernel.jsonTail.set("192.0.2.1:5140");
for (const stage of stages) tell(stage.name, measure(stage));
tell(octets.name, octetCost);
invariant(decoded > 0, "the decoded text is used");

console.log("\nCRC-32C                  ns/KiB");
for (const bytes of [1024, 8 * 1024, 16 * 1024, 64 * 1024, sealedBytes]) {
  const cost = measure({ name: "crc", lines: bytes / 1024, run: () => kernel.crc32c(arenaAt, bytes) });
  tell(`crc32c of ${bytes} bytes`, cost);
}

if (process.argv.includes("--record")) recordResults<StagesResult>("stages", results);
if (slower > 0) {
  console.log(`\n${slower} stage(s) take more than ${slowerMin} times the best figure of this machine`);
  process.exitCode = 1;
}
