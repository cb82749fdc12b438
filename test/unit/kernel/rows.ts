/** Reading the kernel's tables in tests. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { frameFlag, headerWord, type Kernel, noPriority, scanStop } from "../../../src/kernel/kernel.ts";
import type { OracleRow, OracleScan } from "./oracle_frames.ts";
import type { OracleHeader, Span } from "./oracle_headers.ts";

export function latin1(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "latin1"));
}

/** Row `row` with offsets that count from the input region. `from` is known for octet counting alone. */
export function readRow(kernel: Kernel, row: number, octets = false): OracleRow {
  const { words, rowsAt, headersAt, inputAt } = kernel;
  const word = rowsAt / 4 + row * 4;
  const flags = words[word + 2]!;
  const start = words[word]! - inputAt;
  return {
    from: octets ? words[headersAt / 4 + row * 16 + headerWord.frameStart]! - inputAt : start,
    start,
    end: words[word + 1]! - inputAt,
    ascii: (flags & frameFlag.ascii) !== 0,
    truncated: (flags & frameFlag.truncated) !== 0,
    ...((flags & frameFlag.split) === 0
      ? {}
      : { split: (flags & frameFlag.continued) === 0 ? "part" as const : "continued" as const }),
  };
}

export function readScan(kernel: Kernel, rows: number, octets = false): OracleScan {
  const stops = Object.keys(scanStop) as OracleScan["stop"][];
  return {
    rows: Array.from({ length: rows }, (_, row) => readRow(kernel, row, octets)),
    consumed: kernel.consumed - kernel.inputAt,
    stop: stops.find((name) => scanStop[name] === kernel.stop)!,
    skip: kernel.skip,
    emptyFrames: kernel.emptyFrames,
  };
}

/** Puts the bytes into the input region with bytes behind them that must never count. */
export function putInput(kernel: Kernel, bytes: Uint8Array, behind = 0x0a): void {
  kernel.bytes.fill(behind, kernel.inputAt, kernel.inputAt + bytes.length + 64);
  kernel.bytes.set(bytes, kernel.inputAt);
}

/** Parses the bytes as the only row and reads its header with offsets from the frame's start. */
export function parseOne(kernel: Kernel, frame: Uint8Array, behind = 0x20): OracleHeader {
  putInput(kernel, frame, behind);
  kernel.rowOf(kernel.inputAt, kernel.inputAt + frame.length);
  kernel.parseHeaders(0, 1);
  return readHeader(kernel, 0);
}

export function readHeader(kernel: Kernel, row: number): OracleHeader {
  const { words, rowsAt, headersAt } = kernel;
  const frameWord = rowsAt / 4 + row * 4;
  const frame = words[frameWord]!;
  const flags = words[frameWord + 2]!;
  const at = headersAt / 4 + row * 16;
  const span = (word: number): Span => {
    const start = words[at + word]!;
    return start === 0 ? undefined : [start - frame, words[at + word + 1]! - frame];
  };
  const priority = words[at + headerWord.priority]!;
  assert.ok((flags & frameFlag.parsed) !== 0, "row is not parsed");
  assert.equal(
    (flags & frameFlag.priority) !== 0,
    priority !== noPriority,
    "the flag tells of the priority word",
  );
  return {
    priority: priority === noPriority ? undefined : priority,
    format: flags & frameFlag.rfc5424 ? "rfc5424" : flags & frameFlag.rfc3164 ? "rfc3164" : undefined,
    timestamp: span(headerWord.timestamp),
    hostname: span(headerWord.hostname),
    appname: span(headerWord.appname),
    procid: span(headerWord.procid),
    msgid: span(headerWord.msgid),
    structuredData: span(headerWord.structuredData),
    message: words[frameWord + 3]! - frame,
  };
}
