/**
 * Headers of a record as Kafka writes them (record format v2, KIP-82):
 *
 *     count varint, then per header: name length varint, name, value length varint, value
 *
 * Names are encoded at load, and all of it where no value changes from line to line; else the values are written
 * into memory of the caller, line by line. Hot path: nothing is allocated.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { TextBuffer } from "../core/text_buffer.ts";
import { textBufferOf } from "../core/text_buffer.ts";

/** More headers on one record are refused; brokers and consumers carry them for every record. */
export const headersMax = 64;

/** A varint of the record format: zigzag, 32 bits, at most this long. */
const varintBytesMax = 5;

/** The headers of one `forward`. `values` change from line to line: copy what must outlive the line. */
export interface RecordHeaders {
  readonly names: readonly string[];
  /** One text per name. */
  readonly values: readonly string[];
  /** Each name with its length before it. */
  readonly encodedNames: readonly Uint8Array[];
  /** The bytes of all headers, where no value changes from line to line. */
  readonly encoded: Uint8Array | undefined;
}

/** Headers of these names; `values` is kept and written anew for each line unless `isConstant`. */
export function recordHeaders(
  names: readonly string[],
  values: readonly string[],
  isConstant: boolean,
): RecordHeaders {
  const encodedNames = names.map((name) => {
    const bytes = Buffer.from(name);
    const encoded = new Uint8Array(varintBytesMax + bytes.length);
    const at = writeVarint(encoded, 0, bytes.length);
    encoded.set(bytes, at);
    return encoded.subarray(0, at + bytes.length);
  });
  const headers = { names, values, encodedNames, encoded: undefined };
  if (!isConstant) return headers;
  const memory = textBufferOf(new Uint8Array(headerBytesMax(headers)));
  return { ...headers, encoded: memory.subarray(0, writeHeaders(headers, memory, 0, memory.length)) };
}

/** A copy whose values stay as they are now. */
export function copyHeaders(headers: RecordHeaders): RecordHeaders {
  return headers.encoded === undefined ? { ...headers, values: [...headers.values] } : headers;
}

/** Writes the headers to `memory[at..at + room)`. Returns how many bytes they took, or -1 where the room does not do. */
export function writeHeaders(headers: RecordHeaders, memory: TextBuffer, at: number, room: number): number {
  const { values, encodedNames, encoded } = headers;
  if (encoded !== undefined) {
    if (encoded.length > room) return -1;
    memory.set(encoded, at);
    return encoded.length;
  }
  const end = at + room;
  if (room < varintBytesMax) return -1;
  let next = writeVarint(memory, at, values.length);
  for (let index = 0; index < values.length; index++) {
    const name = encodedNames[index];
    const value = values[index];
    const length = byteLength(value);
    if (next + name.length + varintBytesMax + length > end) return -1;
    memory.set(name, next);
    next = writeVarint(memory, next + name.length, length);
    next += memory.utf8Write(value, next, length);
  }
  return next - at;
}

function headerBytesMax({ values, encodedNames }: RecordHeaders): number {
  return varintBytesMax + values.reduce(
    (sum, value, index) => sum + encodedNames[index].length + varintBytesMax + Buffer.byteLength(value),
    0,
  );
}

function byteLength(text: string): number {
  return text === "" ? 0 : Buffer.byteLength(text);
}

function writeVarint(memory: Uint8Array, at: number, value: number): number {
  let left = value * 2;
  while (left > 0x7f) {
    memory[at++] = (left & 0x7f) | 0x80;
    left = Math.floor(left / 128);
  }
  memory[at++] = left;
  return at;
}
