/** An independent decoder of Kafka record batches, format 2, by the grammar of KIP-98. Throws on anything odd. */
import assert from "node:assert/strict";

export interface DecodedRecord {
  readonly attributes: number;
  readonly timestampDelta: bigint;
  readonly offsetDelta: bigint;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: { readonly key: string; readonly value: Uint8Array | null }[];
}

export interface DecodedBatch {
  readonly baseOffset: bigint;
  readonly batchLength: number;
  readonly partitionLeaderEpoch: number;
  readonly magic: number;
  readonly crc: number;
  readonly attributes: number;
  readonly lastOffsetDelta: number;
  readonly baseTimestamp: bigint;
  readonly maxTimestamp: bigint;
  readonly producerId: bigint;
  readonly producerEpoch: number;
  readonly baseSequence: number;
  readonly count: number;
}

class Reader {
  readonly #bytes: Uint8Array;
  at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get done(): boolean {
    return this.at === this.#bytes.length;
  }

  /** Zigzag, and minimal: no varint ends with a zero group. */
  varint(): bigint {
    let value = 0n;
    for (let shift = 0n;; shift += 7n) {
      assert.ok(this.at < this.#bytes.length, "varint within the bytes");
      assert.ok(shift <= 63n, "varint of at most ten bytes");
      const byte = this.#bytes[this.at++]!;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) {
        assert.ok(byte !== 0 || shift === 0n, "varint is minimal");
        return (value >> 1n) ^ -(value & 1n);
      }
    }
  }

  take(length: number): Uint8Array {
    assert.ok(length >= 0 && this.at + length <= this.#bytes.length, "bytes within the record");
    this.at += length;
    return this.#bytes.slice(this.at - length, this.at);
  }

  nullable(): Uint8Array | null {
    const length = Number(this.varint());
    if (length === -1) return null;
    return this.take(length);
  }
}

export function decodeRecords(bytes: Uint8Array): DecodedRecord[] {
  const outer = new Reader(bytes);
  const records: DecodedRecord[] = [];
  while (!outer.done) {
    const reader = new Reader(outer.take(Number(outer.varint())));
    const attributes = reader.take(1)[0]!;
    const timestampDelta = reader.varint();
    const offsetDelta = reader.varint();
    const key = reader.nullable();
    const value = reader.nullable();
    const headers: DecodedRecord["headers"] = [];
    const headerCount = Number(reader.varint());
    for (let i = 0; i < headerCount; i++) {
      const headerKey = new TextDecoder().decode(reader.take(Number(reader.varint())));
      headers.push({ key: headerKey, value: reader.nullable() });
    }
    assert.ok(reader.done, "record has the length it says");
    records.push({ attributes, timestampDelta, offsetDelta, key, value, headers });
  }
  return records;
}

export function decodeBatchHeader(bytes: Uint8Array): DecodedBatch {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    baseOffset: view.getBigInt64(0),
    batchLength: view.getInt32(8),
    partitionLeaderEpoch: view.getInt32(12),
    magic: view.getInt8(16),
    crc: view.getUint32(17),
    attributes: view.getInt16(21),
    lastOffsetDelta: view.getInt32(23),
    baseTimestamp: view.getBigInt64(27),
    maxTimestamp: view.getBigInt64(35),
    producerId: view.getBigInt64(43),
    producerEpoch: view.getInt16(51),
    baseSequence: view.getInt32(53),
    count: view.getInt32(57),
  };
}
