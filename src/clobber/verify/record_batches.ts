/**
 * Record batches (KIP-98) as a fetch gives them: one behind the other, the last perhaps cut.
 *
 *     base offset int64 | length int32 | epoch int32 | magic int8 | crc uint32 | attributes int16 |
 *     last offset delta int32 | times int64 x2 | producer int64, int16, int32 | count int32 | records
 *
 * The records are not parsed: marks are looked for in their bytes.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import zlib from "node:zlib";

const headerBytes = 61;
const codecs = ["none", "gzip", "snappy", "lz4", "zstd"] as const;

/** One batch. */
export interface BatchBytes {
  /** Uncompressed records. */
  readonly records: Buffer;
  /** Offset behind its last record. */
  readonly next: number;
}

/** A batch that this reader cannot open. */
export class BatchError extends Error {
  override readonly name = "BatchError";
}

/** The batches of one fetch that are whole. @throws BatchError */
export function* batchesOf(bytes: Buffer): Generator<BatchBytes> {
  let at = 0;
  while (at + headerBytes <= bytes.length) {
    const end = at + 12 + bytes.readInt32BE(at + 8);
    if (end > bytes.length) return;
    const magic = bytes[at + 16]!;
    if (magic !== 2) {
      throw new BatchError(`a batch has format ${magic}, and only 2 (Kafka 0.11 and later) is read`);
    }
    const attributes = bytes.readInt16BE(at + 21);
    const next = Number(bytes.readBigInt64BE(at)) + bytes.readInt32BE(at + 23) + 1;
    const isControl = (attributes & 0x20) !== 0;
    const records = isControl ? empty : decompress(attributes & 7, bytes.subarray(at + headerBytes, end));
    yield { records, next };
    at = end;
  }
}

const empty = Buffer.alloc(0);

function decompress(codec: number, bytes: Buffer): Buffer {
  switch (codecs[codec]) {
    case "none":
      return bytes;
    case "gzip":
      return zlib.gunzipSync(bytes);
    case "zstd":
      return zlib.zstdDecompressSync(bytes);
    case "snappy":
      return snappy(bytes);
    case "lz4":
      return lz4(bytes);
    default:
      throw new BatchError(`a batch is compressed with codec ${codec}, which is none of ${codecs.join(" ")}`);
  }
}

/** Records of one batch are no larger than this, uncompressed. */
const recordsBytesMax = 256 * 1024 * 1024;

/** Snappy's block format; the Java client puts blocks behind a header of 16 bytes, each with its length. */
export function snappy(bytes: Buffer): Buffer {
  if (bytes.length < 16 || bytes.toString("latin1", 1, 7) !== "SNAPPY") return snappyBlock(bytes);
  const blocks: Buffer[] = [];
  for (let at = 16; at + 4 <= bytes.length;) {
    const length = bytes.readInt32BE(at);
    blocks.push(snappyBlock(bytes.subarray(at + 4, at + 4 + length)));
    at += 4 + length;
  }
  return Buffer.concat(blocks);
}

function snappyBlock(bytes: Buffer): Buffer {
  let at = 0;
  let size = 0;
  for (let shift = 0;; shift += 7) {
    const byte = bytes[at++];
    if (byte === undefined || shift > 28) throw new BatchError("a snappy block has no length");
    size += (byte & 127) * 2 ** shift;
    if (byte < 128) break;
  }
  const out = outputOf(size);
  let to = 0;
  while (at < bytes.length) {
    const tag = bytes[at++]!;
    const kind = tag & 3;
    if (kind === 0) {
      let length = tag >> 2;
      if (length >= 60) {
        const count = length - 59;
        length = bytes.readUIntLE(at, count);
        at += count;
      }
      length++;
      bytes.copy(out, to, at, at + length);
      at += length;
      to += length;
      continue;
    }
    const length = kind === 1 ? (tag >> 2 & 7) + 4 : (tag >> 2) + 1;
    const back = kind === 1
      ? (tag >> 5) * 256 + bytes[at]!
      : kind === 2
      ? bytes.readUInt16LE(at)
      : bytes.readUInt32LE(at);
    at += kind === 1 ? 1 : kind === 2 ? 2 : 4;
    to = copyBack(out, to, back, length);
  }
  return out;
}

/** LZ4's frame format (blocks of sequences; checksums are not looked at). */
export function lz4(bytes: Buffer): Buffer {
  if (bytes.length < 7 || bytes.readUInt32LE(0) !== 0x184d2204) {
    throw new BatchError("an lz4 frame has no magic");
  }
  const flags = bytes[4]!;
  let at = 6 + ((flags & 8) !== 0 ? 8 : 0) + ((flags & 1) !== 0 ? 4 : 0) + 1;
  let out = Buffer.alloc(Math.max(64 * 1024, bytes.length * 4));
  let to = 0;
  for (;;) {
    const word = bytes.readUInt32LE(at);
    at += 4;
    if (word === 0) return out.subarray(0, to);
    const length = word & 0x7fffffff;
    const block = bytes.subarray(at, at + length);
    at += length + ((flags & 16) !== 0 ? 4 : 0);
    // A block is at most 4 MiB uncompressed.
    while (out.length - to < 4 * 1024 * 1024) {
      out = Buffer.concat([out, outputOf(Math.max(out.length, 4 << 20))]);
    }
    if (word >>> 31 === 1) {
      block.copy(out, to);
      to += length;
    } else {
      to = lz4Block(block, out, to);
    }
  }
}

function lz4Block(bytes: Buffer, out: Buffer, to: number): number {
  let at = 0;
  const more = (length: number): number => {
    for (let byte = 255; byte === 255;) {
      byte = bytes[at++]!;
      length += byte;
    }
    return length;
  };
  while (at < bytes.length) {
    const token = bytes[at++]!;
    let literals = token >> 4;
    if (literals === 15) literals = more(literals);
    bytes.copy(out, to, at, at + literals);
    at += literals;
    to += literals;
    if (at >= bytes.length) return to;
    const back = bytes.readUInt16LE(at);
    at += 2;
    let length = token & 15;
    if (length === 15) length = more(length);
    to = copyBack(out, to, back, length + 4);
  }
  return to;
}

/** Copies byte by byte: a copy may overlap what it writes. */
function copyBack(out: Buffer, to: number, back: number, length: number): number {
  if (back === 0 || back > to || to + length > out.length) {
    throw new BatchError("a compressed batch is damaged");
  }
  for (let index = 0; index < length; index++) out[to + index] = out[to + index - back]!;
  return to + length;
}

function outputOf(bytes: number): Buffer {
  if (bytes > recordsBytesMax) throw new BatchError(`a batch is larger than ${recordsBytesMax} bytes`);
  return Buffer.alloc(bytes);
}
