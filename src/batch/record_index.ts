/**
 * Takes a closed batch apart: a copy of its records on the heap, where each begins and ends, and any selection of
 * them written as the records of a new batch.
 *
 * A record is `length attributes timestampDelta offsetDelta key value headers`; in another batch only its offset
 * delta and so its length change. Everything else is copied as it is. A selection of a batch's records in their order
 * never needs more bytes than they had before.
 *
 * Not for the hot path: batches are divided when a broker refuses them as they are, or when their partitions were not
 * known at the time.
 *
 * @module
 */
import { openBatch } from "./decode.ts";
import type { ClosedBatch } from "./record_batch.ts";

/** Words per record: timestamp delta, its end, what follows the offset delta, end. */
const words = 4;

/** The records of one batch. */
export class RecordIndex {
  readonly count: number;
  readonly #bytes: Uint8Array;
  readonly #at: Int32Array;
  readonly #timestampDeltas: Float64Array;

  /** Copies (and unpacks) the records of a batch that lies in `memory`. undefined where they cannot be read. */
  static of(memory: Uint8Array, batch: ClosedBatch): RecordIndex | undefined {
    const opened = openBatch(memory, batch);
    if (!opened.ok) return undefined;
    const { records } = opened;
    const raw = records.bytes === memory ? memory.slice(records.start, records.end) : records.bytes;
    const index = new RecordIndex(raw, batch.count);
    return index.#read() ? index : undefined;
  }

  private constructor(bytes: Uint8Array, count: number) {
    this.count = count;
    this.#bytes = bytes;
    this.#at = new Int32Array(count * words);
    this.#timestampDeltas = new Float64Array(count);
  }

  /** Bytes that are held on the heap. */
  get bytes(): number {
    return this.#bytes.length + this.#at.byteLength + this.#timestampDeltas.byteLength;
  }

  /** The key of a record, a view; null where it has none. */
  keyOf(record: number): Uint8Array | null {
    const reader = new Varints(this.#bytes, this.#at[record * words + 2]!, this.#bytes.length);
    const length = reader.next();
    return length < 0 ? null : this.#bytes.subarray(reader.at, reader.at + length);
  }

  /** Bytes of one record alone in a batch, its length included. */
  bytesOf(record: number): number {
    const body = this.#bodyBytes(record, 0);
    return varintBytes(body * 2) + body;
  }

  /** Latest time of these records against the batch's base, ms. */
  latestDelta(records: readonly number[]): number {
    return records.reduce((latest, record) => Math.max(latest, this.#timestampDeltas[record]!), -Infinity);
  }

  /** Writes `records` in this order as those of a batch, from `at` up to `limit`; returns their end, or 0 where they have no room. */
  write(records: readonly number[], target: Uint8Array, at: number, limit: number): number {
    for (let offset = 0; offset < records.length; offset++) {
      const record = records[offset]!;
      const body = this.#bodyBytes(record, offset);
      if (at + varintBytes(body * 2) + body > limit) return 0;
      const word = record * words;
      at = storeVarint(target, at, body * 2);
      target[at++] = 0;
      target.set(this.#bytes.subarray(this.#at[word]!, this.#at[word + 1]!), at);
      at += this.#at[word + 1]! - this.#at[word]!;
      at = storeVarint(target, at, offset * 2);
      target.set(this.#bytes.subarray(this.#at[word + 2]!, this.#at[word + 3]!), at);
      at += this.#at[word + 3]! - this.#at[word + 2]!;
    }
    return at;
  }

  #bodyBytes(record: number, offset: number): number {
    const word = record * words;
    const at = this.#at;
    return 1 + at[word + 1]! - at[word]! + varintBytes(offset * 2) + at[word + 3]! - at[word + 2]!;
  }

  /** Finds the records. False where the bytes are not `count` whole ones. */
  #read(): boolean {
    const reader = new Varints(this.#bytes, 0, this.#bytes.length);
    for (let record = 0; record < this.count; record++) {
      const length = reader.next();
      const end = reader.at + length;
      if (!reader.ok || length < 1 || end > this.#bytes.length) return false;
      const word = record * words;
      reader.at++;
      this.#at[word] = reader.at;
      this.#timestampDeltas[record] = reader.next();
      this.#at[word + 1] = reader.at;
      reader.next();
      this.#at[word + 2] = reader.at;
      this.#at[word + 3] = end;
      const keyLength = reader.next();
      if (!reader.ok || reader.at + Math.max(keyLength, 0) > end) return false;
      reader.at = end;
    }
    return reader.at === this.#bytes.length;
  }
}

/** Zigzag varints one after the other; those of a record are at most 10 bytes. */
class Varints {
  ok = true;
  at: number;
  readonly #bytes: Uint8Array;
  readonly #end: number;

  constructor(bytes: Uint8Array, at: number, end: number) {
    this.#bytes = bytes;
    this.at = at;
    this.#end = end;
  }

  next(): number {
    let value = 0;
    let scale = 1;
    for (let count = 0; count < 10 && this.at < this.#end; count++) {
      const byte = this.#bytes[this.at++]!;
      value += (byte & 127) * scale;
      if (byte < 128) return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
      scale *= 128;
    }
    this.ok = false;
    return 0;
  }
}

/** Bytes of a number below 2^32 as varint. */
function varintBytes(value: number): number {
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x200000 ? 3 : value < 0x10000000 ? 4 : 5;
}

function storeVarint(target: Uint8Array, at: number, value: number): number {
  for (; value >= 0x80; value >>>= 7) target[at++] = value & 127 | 128;
  target[at++] = value;
  return at;
}
