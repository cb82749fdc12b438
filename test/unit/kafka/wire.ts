/**
 * Reads Produce requests and record batches the way a broker does, and writes answers. Written from the protocol
 * guide, without a line of what it checks.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import assert from "node:assert/strict";
import { gunzipSync, zstdDecompressSync } from "node:zlib";

/** A record batch as it came over the wire. */
export interface WireBatch {
  readonly producerId: bigint;
  readonly epoch: number;
  readonly sequence: number;
  readonly count: number;
  readonly values: readonly string[];
  readonly keys: readonly (string | null)[];
  /** Create times of the records. */
  readonly timesMs: readonly number[];
  /** Size on the wire. */
  readonly bytes: number;
  /** 0 none, 1 gzip, 4 zstd. */
  readonly codec: number;
}

/** One partition of a request. */
export interface WirePart {
  readonly topic: string;
  readonly partition: number;
  readonly batch: WireBatch;
}

/** A Produce request. */
export interface WireRequest {
  readonly apiKey: number;
  readonly version: number;
  readonly correlationId: number;
  readonly clientId: string;
  readonly acks: number;
  readonly timeoutMs: number;
  readonly parts: readonly WirePart[];
}

class Reader {
  at = 0;
  readonly bytes: Buffer;
  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }
  int8(): number {
    return this.bytes.readInt8(this.at++);
  }
  int16(): number {
    this.at += 2;
    return this.bytes.readInt16BE(this.at - 2);
  }
  int32(): number {
    this.at += 4;
    return this.bytes.readInt32BE(this.at - 4);
  }
  int64(): bigint {
    this.at += 8;
    return this.bytes.readBigInt64BE(this.at - 8);
  }
  text(length: number): string {
    assert.ok(length >= 0 && this.at + length <= this.bytes.length, "text lies in the bytes");
    this.at += length;
    return this.bytes.toString("utf8", this.at - length, this.at);
  }
  varint(): number {
    let value = 0;
    for (let shift = 0;; shift += 7) {
      const byte = this.bytes[this.at++];
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return (value >>> 1) ^ -(value & 1);
    }
  }
}

/** CRC-32C, bit by bit. */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return ~crc >>> 0;
}

/** Reads a whole request; throws where it is not exactly one. */
export function readRequest(bytes: Buffer): WireRequest {
  const reader = new Reader(bytes);
  assert.equal(reader.int32(), bytes.length - 4, "size field");
  const apiKey = reader.int16();
  const version = reader.int16();
  const correlationId = reader.int32();
  const clientId = reader.text(reader.int16());
  assert.equal(reader.int16(), -1, "no transactional id");
  const acks = reader.int16();
  const timeoutMs = reader.int32();
  const parts: WirePart[] = [];
  const topics = new Set<string>();
  for (let left = reader.int32(); left > 0; left--) {
    const topic = reader.text(reader.int16());
    assert.ok(!topics.has(topic), "a topic stands in a request once");
    topics.add(topic);
    const partitions = new Set<number>();
    for (let count = reader.int32(); count > 0; count--) {
      const partition = reader.int32();
      assert.ok(!partitions.has(partition), "a partition stands in a request once");
      partitions.add(partition);
      const size = reader.int32();
      const batch = readBatch(bytes.subarray(reader.at, reader.at + size));
      reader.at += size;
      parts.push({ topic, partition, batch });
    }
  }
  assert.equal(reader.at, bytes.length, "nothing behind the request");
  return { apiKey, version, correlationId, clientId, acks, timeoutMs, parts };
}

/** Reads one record batch v2, CRC checked. */
export function readBatch(bytes: Buffer): WireBatch {
  const reader = new Reader(bytes);
  reader.int64();
  assert.equal(reader.int32(), bytes.length - 12, "batch length");
  reader.int32();
  assert.equal(reader.int8(), 2, "magic");
  assert.equal(reader.int32() >>> 0, crc32c(bytes.subarray(21)), "CRC-32C of the batch");
  const codec = reader.int16() & 7;
  const lastDelta = reader.int32();
  const baseMs = Number(reader.int64());
  const maxMs = Number(reader.int64());
  const producerId = reader.int64();
  const epoch = reader.int16();
  const sequence = reader.int32();
  const count = reader.int32();
  assert.equal(lastDelta, count - 1, "last offset delta");
  const packed = bytes.subarray(reader.at);
  const raw = codec === 0 ? packed : codec === 1 ? gunzipSync(packed) : zstdDecompressSync(packed);
  const { values, keys, timesMs } = readRecords(new Reader(raw), count, baseMs);
  assert.equal(Math.max(...timesMs), maxMs, "latest time");
  return { producerId, epoch, sequence, count, values, keys, timesMs, bytes: bytes.length, codec };
}

function readRecords(reader: Reader, count: number, baseMs: number) {
  const values: string[] = [];
  const keys: (string | null)[] = [];
  const timesMs: number[] = [];
  for (let index = 0; index < count; index++) {
    const end = reader.varint() + reader.at;
    reader.int8();
    timesMs.push(baseMs + reader.varint());
    assert.equal(reader.varint(), index, "offset delta");
    const keyLength = reader.varint();
    keys.push(keyLength < 0 ? null : reader.text(keyLength));
    values.push(reader.text(reader.varint()));
    assert.equal(reader.varint(), 0, "headers");
    assert.equal(reader.at, end, "record length");
  }
  assert.equal(reader.at, reader.bytes.length, "nothing behind the records");
  return { values, keys, timesMs };
}

/** Writes an answer (behind the correlation id). */
export function writeAnswer(
  parts: readonly { topic: string; partition: number; errorCode: number; badRecords?: readonly number[] }[],
  throttleMs = 0,
  version = 8,
): Buffer {
  const topics = [...new Set(parts.map(({ topic }) => topic))];
  const pieces: Buffer[] = [int32(topics.length)];
  for (const topic of topics) {
    const name = Buffer.from(topic);
    const mine = parts.filter((part) => part.topic === topic);
    const length = Buffer.alloc(2);
    length.writeInt16BE(name.length);
    pieces.push(length, name, int32(mine.length));
    for (const { partition, errorCode, badRecords = [] } of mine) {
      const piece = Buffer.alloc(30, 0xff);
      piece.writeInt32BE(partition, 0);
      piece.writeInt16BE(errorCode, 4);
      pieces.push(piece);
      if (version < 8) continue;
      pieces.push(int32(badRecords.length));
      for (const record of badRecords) pieces.push(int32(record), Buffer.from([0, 3]), Buffer.from("bad"));
      pieces.push(Buffer.from([255, 255]));
    }
  }
  pieces.push(int32(throttleMs));
  return Buffer.concat(pieces);
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}
