/**
 * Reads protocol buffers as they come over the wire, by field numbers, without generated code.
 *
 *     message = *( tag value )        tag = varint( number << 3 | wire type )
 *     wire types: 0 varint, 1 eight bytes, 2 length and bytes, 5 four bytes
 *
 * A reader never looks beyond its message; what is damaged sets `broken` and ends it.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { type TextBuffer, textBufferOf } from "../core/text_buffer.ts";

/** A varint has at most ten bytes, of 64 bits. */
const varintBytesMax = 10;

/** Wire types. */
export const wire = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

/** Reads the fields of one message, in order. */
export class ProtoReader {
  /** Number and wire type of the field that `next` found. */
  field = 0;
  type = 0;
  /** The message is not what it should be; nothing more is read. */
  broken = false;
  readonly #bytes: TextBuffer;
  readonly #view: DataView;
  readonly #end: number;
  #at: number;

  /** Reads all of `bytes`; inside of `parent`, [at, end) of its bytes. */
  constructor(bytes: Uint8Array, parent?: ProtoReader, at = 0, end: number = bytes.length) {
    this.#bytes = parent === undefined ? textBufferOf(bytes) : parent.#bytes;
    this.#view = parent === undefined
      ? new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      : parent.#view;
    this.#at = at;
    this.#end = end;
  }

  /** Bytes of the message that are not read. */
  get length(): number {
    return this.#end - this.#at;
  }

  /** Goes to the next field; false at the end. Its value must be read, or skipped. */
  next(): boolean {
    if (this.broken || this.#at >= this.#end) return false;
    const tag = this.#varintLow();
    this.type = tag & 7;
    this.field = tag >>> 3;
    if (this.field === 0) this.broken = true;
    return !this.broken;
  }

  /** The value of a varint field, 64 bits. */
  varint(): bigint {
    if (!this.#expect(wire.varint)) return 0n;
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#byte();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    this.broken = true;
    return 0n;
  }

  /** The same, signed. */
  int64(): bigint {
    return BigInt.asIntN(64, this.varint());
  }

  /** The lower 32 bits of a varint field. */
  uint32(): number {
    return this.#expect(wire.varint) ? this.#varintLow() : 0;
  }

  fixed64(): bigint {
    return this.#fixed(wire.fixed64, 8) ? this.#view.getBigUint64(this.#at - 8, true) : 0n;
  }

  double(): number {
    return this.#fixed(wire.fixed64, 8) ? this.#view.getFloat64(this.#at - 8, true) : 0;
  }

  fixed32(): number {
    return this.#fixed(wire.fixed32, 4) ? this.#view.getUint32(this.#at - 4, true) : 0;
  }

  /** A reader of the message that the field holds. */
  message(): ProtoReader {
    const length = this.#length();
    const from = this.#at - length;
    return new ProtoReader(this.#bytes, this, from, this.#at);
  }

  /** The bytes of the field, in place. */
  bytes(): Uint8Array {
    const length = this.#length();
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  /** The text of the field; what is not UTF-8 becomes U+FFFD. */
  string(): string {
    const length = this.#length();
    return this.#bytes.utf8Slice(this.#at - length, this.#at);
  }

  /** Goes over the value of the field. */
  skip(): void {
    switch (this.type) {
      case wire.varint:
        this.#varintLow();
        return;
      case wire.fixed64:
        this.#fixed(wire.fixed64, 8);
        return;
      case wire.bytes:
        this.#length();
        return;
      case wire.fixed32:
        this.#fixed(wire.fixed32, 4);
        return;
      default:
        // Groups are of the past, the others never were.
        this.broken = true;
    }
  }

  /** Goes over the bytes of the field; gives their number. */
  #length(): number {
    if (!this.#expect(wire.bytes)) return 0;
    const length = this.#varintLow();
    if (length > this.#end - this.#at) {
      this.broken = true;
      return 0;
    }
    this.#at += length;
    return length;
  }

  #fixed(type: number, length: number): boolean {
    if (!this.#expect(type)) return false;
    if (length > this.#end - this.#at) {
      this.broken = true;
      return false;
    }
    this.#at += length;
    return true;
  }

  #expect(type: number): boolean {
    if (this.type !== type) this.broken = true;
    return !this.broken;
  }

  #byte(): number {
    if (this.#at >= this.#end) {
      this.broken = true;
      return 0;
    }
    return this.#bytes[this.#at++]!;
  }

  #varintLow(): number {
    let value = 0;
    for (let i = 0; i < varintBytesMax; i++) {
      const byte = this.#byte();
      // Bits above the 32nd fall away.
      if (i < 5) value |= (byte & 0x7f) << (7 * i);
      if (byte < 0x80) return value >>> 0;
    }
    this.broken = true;
    return 0;
  }
}

/** One field of a message to send: its number, and what it holds. */
export type ProtoField = readonly [field: number, value: number | string | Uint8Array];

/** Encodes a message of varints (numbers that are not negative), texts and messages. */
export function protoMessage(...fields: readonly ProtoField[]): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const [field, value] of fields) {
    if (typeof value === "number") parts.push(varintOf(field << 3 | wire.varint), varintOf(value));
    else {
      const bytes = typeof value === "string" ? Buffer.from(value) : value;
      parts.push(varintOf(field << 3 | wire.bytes), varintOf(bytes.length), bytes);
    }
  }
  return Buffer.concat(parts);
}

function varintOf(value: number): Uint8Array {
  const bytes: number[] = [];
  while (value >= 0x80) {
    bytes.push(value % 0x80 | 0x80);
    value = Math.floor(value / 0x80);
  }
  bytes.push(value);
  return Uint8Array.from(bytes);
}
