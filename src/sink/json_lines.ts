/**
 * Writes records as NDJSON straight into bytes: `{"time":…,"topic"?,"key"?,"headers"?,"value":…}` and a newline.
 *
 * A part that is valid UTF-8 becomes a JSON string (RFC 8259) of the same text; one that is not becomes base64
 * under its name with `_b64` behind, so that every byte can be had back. Nothing is decoded to a string on the way.
 *
 * Hot path of the file and stdout sinks: one loop over the bytes of a value checks UTF-8 and escapes at once.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { RecordHeader, RecordReader } from "../batch/record_reader.ts";

/** A byte may become six ("\u001f"). */
const escapedBytesMax = 6;

/** What may be in a field around its parts: name, quotes, time, comma. */
const fieldBytesMax = 64;

const hexDigits = encode("0123456789abcdef");
const quote = 0x22;
const backslash = 0x5c;

/** Second byte of the two-character escapes (RFC 8259 section 7), by control character; 0: none. */
const shortEscapes = new Uint8Array(32);
shortEscapes[8] = 0x62;
shortEscapes[9] = 0x74;
shortEscapes[10] = 0x6e;
shortEscapes[12] = 0x66;
shortEscapes[13] = 0x72;

const openTime = encode('{"time":"');
const lineEnd = encode("}\n");

/** A growing buffer of lines. */
export class JsonLines {
  #buffer: Buffer;
  #length = 0;
  #timeMs = Number.NaN;
  #time: Uint8Array = new Uint8Array(0);

  /** Begins with room for `bytes`. */
  constructor(bytes: number) {
    this.#buffer = Buffer.allocUnsafeSlow(bytes);
  }

  /** Bytes of the lines in it. */
  get length(): number {
    return this.#length;
  }

  /** The lines; a view, valid until the next change. */
  get bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }

  /** Forgets everything behind `length`. */
  cut(length: number): void {
    this.#length = length;
  }

  /** Forgets the first `bytes`; what follows moves to the beginning. */
  shift(bytes: number): void {
    this.#buffer.copyWithin(0, bytes, this.#length);
    this.#length -= bytes;
  }

  /** Adds the current record of `reader` as a line; with its topic, if that is not told otherwise. */
  addRecord(reader: RecordReader, topic: string | undefined): void {
    this.openLine(reader.timestampMs);
    if (topic !== undefined) this.addText("topic", topic);
    this.addRecordParts(reader);
    this.closeLine();
  }

  /** Adds key, headers and value of the current record of `reader` to the open line; other `headers` if they are given. */
  addRecordParts(reader: RecordReader, headers?: readonly RecordHeader[]): void {
    if (reader.keyLength >= 0) this.addBytes("key", reader.bytes, reader.keyAt, reader.keyLength);
    if ((headers?.length ?? reader.headerCount) > 0) this.#addHeaders(headers ?? reader.headers());
    if (reader.valueLength >= 0) this.addBytes("value", reader.bytes, reader.valueAt, reader.valueLength);
    else this.addJson("value", null);
  }

  /** Begins a line with its time. */
  openLine(timeMs: number): void {
    this.#reserve(fieldBytesMax);
    this.#put(openTime);
    if (timeMs !== this.#timeMs) {
      this.#timeMs = timeMs;
      this.#time = encode(new Date(timeMs).toISOString());
    }
    this.#put(this.#time);
    this.#buffer[this.#length++] = quote;
  }

  /** Ends the line. */
  closeLine(): void {
    this.#reserve(lineEnd.length);
    this.#put(lineEnd);
  }

  /** Adds a field with a value that JSON knows. */
  addJson(name: string, value: unknown): void {
    const field = encode(`,${JSON.stringify(name)}:${JSON.stringify(value)}`);
    this.#reserve(field.length);
    this.#put(field);
  }

  /** Adds a text field. */
  addText(name: string, text: string): void {
    this.addJson(name, text);
  }

  /** Adds `bytes[at, at + length)` as text under `name`, or as base64 under `name_b64` where it is not UTF-8. */
  addBytes(name: string, bytes: Uint8Array, at: number, length: number): void {
    this.#reserve(fieldBytesMax + name.length * escapedBytesMax + length * escapedBytesMax);
    const before = this.#length;
    this.#put(nameOf(name));
    this.#buffer[this.#length++] = quote;
    const end = this.#escape(bytes, at, at + length);
    if (end >= 0) {
      this.#length = end;
      this.#buffer[this.#length++] = quote;
      return;
    }
    this.#length = before;
    this.addJson(`${name}_b64`, Buffer.from(bytes.buffer, bytes.byteOffset + at, length).toString("base64"));
  }

  /** Headers may repeat and may be bytes: those that are not UTF-8 have `_b64` behind their name. */
  #addHeaders(headers: readonly RecordHeader[]): void {
    const object: Record<string, string | null> = Object.create(null);
    for (const { name, value } of headers) {
      if (value === null) object[name] = null;
      else {
        const text = textOf(value);
        if (text === undefined) object[`${name}_b64`] = Buffer.from(value).toString("base64");
        else object[name] = text;
      }
    }
    this.addJson("headers", object);
  }

  /**
   * Copies text with JSON's escapes. Returns the new length, or -1 if the bytes are not UTF-8 (RFC 3629 section 4:
   * no overlong forms, no surrogates, nothing past U+10FFFF). A byte state machine, and as long as one.
   */
  #escape(bytes: Uint8Array, from: number, to: number): number {
    const out = this.#buffer;
    let o = this.#length;
    for (let i = from; i < to; i++) {
      const byte = bytes[i]!;
      if (byte < 0x80) {
        if (byte >= 0x20) {
          if (byte === quote || byte === backslash) out[o++] = backslash;
          out[o++] = byte;
          continue;
        }
        out[o++] = backslash;
        const short = shortEscapes[byte]!;
        if (short !== 0) {
          out[o++] = short;
          continue;
        }
        out[o++] = 0x75;
        out[o++] = 0x30;
        out[o++] = 0x30;
        out[o++] = hexDigits[byte >> 4]!;
        out[o++] = hexDigits[byte & 15]!;
        continue;
      }
      let more: number;
      let secondMin = 0x80;
      let secondMax = 0xbf;
      if (byte >= 0xc2 && byte <= 0xdf) more = 1;
      else if (byte >= 0xe0 && byte <= 0xef) {
        more = 2;
        if (byte === 0xe0) secondMin = 0xa0;
        else if (byte === 0xed) secondMax = 0x9f;
      } else if (byte >= 0xf0 && byte <= 0xf4) {
        more = 3;
        if (byte === 0xf0) secondMin = 0x90;
        else if (byte === 0xf4) secondMax = 0x8f;
      } else return -1;
      if (i + more >= to) return -1;
      const second = bytes[i + 1]!;
      if (second < secondMin || second > secondMax) return -1;
      out[o++] = byte;
      out[o++] = second;
      for (let k = 2; k <= more; k++) {
        const next = bytes[i + k]!;
        if (next < 0x80 || next > 0xbf) return -1;
        out[o++] = next;
      }
      i += more;
    }
    return o;
  }

  #put(bytes: Uint8Array): void {
    const out = this.#buffer;
    let o = this.#length;
    for (let i = 0; i < bytes.length; i++) out[o++] = bytes[i]!;
    this.#length = o;
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#buffer.length * 2));
    larger.set(this.bytes);
    this.#buffer = larger;
  }
}

const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The text, or undefined where the bytes are not UTF-8. */
function textOf(bytes: Uint8Array): string | undefined {
  try {
    return strictUtf8.decode(bytes);
  } catch {
    return undefined;
  }
}

const names = new Map<string, Uint8Array>();

/** `,"name":`; a handful of constant names. */
function nameOf(name: string): Uint8Array {
  let bytes = names.get(name);
  if (bytes === undefined) names.set(name, bytes = encode(`,${JSON.stringify(name)}:`));
  return bytes;
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
