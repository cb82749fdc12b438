/**
 * Walks the records of a Kafka record batch v2, uncompressed, and believes no length in them.
 *
 *     record  = length(varint) attributes(int8) timestampDelta(varlong) offsetDelta(varint)
 *               keyLength(varint, -1 null) key  valueLength(varint, -1 null) value
 *               headerCount(varint) *( nameLength(varint) name  valueLength(varint, -1 null) value )
 *
 * A cursor, not an iterator: one object per batch, none per record. What is wrong with the bytes is `fault`, never
 * an exception (protocol: kafka.apache.org/documentation/#recordbatch).
 *
 * @module
 */

/** What may be wrong with the bytes of a record section. */
export type RecordFault =
  /** A length or number is cut off, or longer than its type. */
  | "record_malformed"
  /** A record is longer than the section. */
  | "record_overruns"
  /** A key, value or header is longer than its record, or the record longer than its parts. */
  | "record_parts_disagree"
  /** A time outside of what a date can hold. */
  | "timestamp_out_of_range"
  /** Fewer or more records than the batch says. */
  | "record_count_wrong";

/** A header of a record. */
export interface RecordHeader {
  readonly name: string;
  /** A view, valid as long as the batch; null where the header has no value. */
  readonly value: Uint8Array | null;
}

/** Largest time of a JavaScript date (ECMA-262 21.4.1.1). */
const dateMsMax = 8.64e15;

const utf8 = new TextDecoder();

/** A cursor over the records in `bytes[start, end)`. */
export class RecordReader {
  /** Where the offsets below point into: the batch's own bytes, or what they were decompressed to. */
  readonly bytes: Uint8Array;
  /** Where the records begin and end in `bytes`. */
  readonly start: number;
  /** @see start */
  readonly end: number;
  readonly #count: number;
  readonly #baseTimestampMs: number;
  #at: number;
  #read = 0;
  #markAt: number;
  #markRead = 0;
  #recordAt = 0;
  #headersAt = 0;
  /** Where the key begins; length -1 is null. */
  keyAt = 0;
  keyLength = -1;
  /** Where the value begins; length -1 is null. */
  valueAt = 0;
  valueLength = -1;
  headerCount = 0;
  /** Create time of the record, epoch milliseconds. */
  timestampMs = 0;
  offsetDelta = 0;
  /** Why `next` returned false, if not because all records were read. */
  fault: RecordFault | undefined = undefined;

  constructor(bytes: Uint8Array, start: number, end: number, count: number, baseTimestampMs: number) {
    this.bytes = bytes;
    this.#at = this.#markAt = this.start = start;
    this.end = Math.min(end, bytes.length);
    this.#count = count;
    this.#baseTimestampMs = baseTimestampMs;
  }

  /** True when all records were read. */
  get done(): boolean {
    return this.#read === this.#count;
  }

  /** Moves to the next record. False at the end, or at a fault. */
  next(): boolean {
    if (this.fault !== undefined) return false;
    if (this.#read === this.#count) {
      return this.#at === this.end ? false : this.#fail("record_count_wrong");
    }
    if (this.#at >= this.end) return this.#fail("record_count_wrong");
    this.#recordAt = this.#at;
    const length = this.#varint(this.end);
    if (this.fault !== undefined) return false;
    const end = this.#at + length;
    if (length < 0 || end > this.end) return this.#fail("record_overruns");
    this.#at++;
    const timestampDelta = this.#varlong(end);
    this.offsetDelta = this.#varint(end);
    this.keyLength = this.#varint(end);
    this.keyAt = this.#skip(this.keyLength, end);
    this.valueLength = this.#varint(end);
    this.valueAt = this.#skip(this.valueLength, end);
    this.headerCount = this.#varint(end);
    this.#headersAt = this.#at;
    this.#skipHeaders(end);
    if (this.fault !== undefined) return false;
    if (this.#at !== end) return this.#fail("record_parts_disagree");
    this.timestampMs = this.#baseTimestampMs + timestampDelta;
    if (!(Math.abs(this.timestampMs) <= dateMsMax)) return this.#fail("timestamp_out_of_range");
    this.#read++;
    return true;
  }

  /** The key of the current record, a view; null where it has none. */
  key(): Uint8Array | null {
    return this.keyLength < 0 ? null : this.bytes.subarray(this.keyAt, this.keyAt + this.keyLength);
  }

  /** The value of the current record, a view; null where it has none. */
  value(): Uint8Array | null {
    return this.valueLength < 0 ? null : this.bytes.subarray(this.valueAt, this.valueAt + this.valueLength);
  }

  /** The headers of the current record; an own array. */
  headers(): RecordHeader[] {
    const headers: RecordHeader[] = [];
    const at = this.#at;
    this.#at = this.#headersAt;
    for (let i = 0; i < this.headerCount; i++) {
      const nameLength = this.#varint(this.end);
      const name = utf8.decode(this.bytes.subarray(this.#at, this.#at + nameLength));
      this.#at += nameLength;
      const valueLength = this.#varint(this.end);
      const value = valueLength < 0 ? null : this.bytes.subarray(this.#at, this.#at + valueLength);
      if (valueLength > 0) this.#at += valueLength;
      headers.push({ name, value });
    }
    this.#at = at;
    return headers;
  }

  /** Remembers that the records before the next one are done with. */
  mark(): void {
    this.#markAt = this.#at;
    this.#markRead = this.#read;
  }

  /** Goes back to the mark (at first the beginning). */
  reset(): void {
    this.#at = this.#markAt;
    this.#read = this.#markRead;
    this.fault = undefined;
  }

  /** Goes back to before the record that `next` moved to; it comes again. */
  unread(): void {
    this.#at = this.#recordAt;
    this.#read--;
  }

  #fail(fault: RecordFault): false {
    this.fault ??= fault;
    return false;
  }

  /** Begin of a part of `length` bytes (negative: null, nothing), which is skipped. */
  #skip(length: number, end: number): number {
    const at = this.#at;
    if (length < -1 || length > end - at) this.#fail("record_parts_disagree");
    else if (length > 0) this.#at = at + length;
    return at;
  }

  #skipHeaders(end: number): void {
    // A header has two bytes at least.
    if (this.headerCount < 0 || this.headerCount * 2 > end - this.#at) this.#fail("record_parts_disagree");
    for (let i = 0; i < this.headerCount && this.fault === undefined; i++) {
      const nameLength = this.#varint(end);
      if (nameLength < 0) this.#fail("record_parts_disagree");
      this.#skip(nameLength, end);
      this.#skip(this.#varint(end), end);
    }
  }

  /** Zigzag varint of at most 5 bytes. */
  #varint(end: number): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      if (this.#at >= end) break;
      const byte = this.bytes[this.#at++]!;
      value |= (byte & 127) << shift;
      if (byte < 128) return value >>> 1 ^ -(value & 1);
    }
    this.#fail("record_malformed");
    return 0;
  }

  /** Zigzag varint of at most 10 bytes. Past 2^53 it is not exact, which only a time out of range can be. */
  #varlong(end: number): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 10; i++) {
      if (this.#at >= end) break;
      const byte = this.bytes[this.#at++]!;
      value += (byte & 127) * scale;
      scale *= 128;
      if (byte < 128) return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
    }
    this.#fail("record_malformed");
    return 0;
  }
}
