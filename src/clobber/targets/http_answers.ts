/**
 * Responses of HTTP/1.1 (RFC 9112), as far as a client needs to know where each ends.
 *
 *     status-line *( field CRLF ) CRLF [ body ]
 *     body: Content-Length bytes | chunks | until the end of the connection | none (HEAD, 1xx, 204, 304)
 *
 * Hot path: one pass over the head, nothing allocated unless a head is cut by the end of a chunk.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { AnswerReader, AnswerTaker } from "./answer.ts";

/** Longer heads are refused, as servers do with ours. */
export const headBytesMax = 64 * 1024;

/** Where in a response the reader stands. */
const Part = {
  Head: 0,
  /** Body of a known length. */
  Counted: 1,
  /** The line with a chunk's length. */
  ChunkLine: 2,
  /** A chunk's bytes. */
  ChunkBytes: 3,
  /** Lines behind the last chunk, until an empty one. */
  Trailer: 4,
  /** Body until the end of the connection. */
  UntilEnd: 5,
} as const;
type Part = typeof Part[keyof typeof Part];

/** Reads responses. */
export class HttpAnswers implements AnswerReader {
  readonly #headOnly: boolean;
  #part: Part = Part.Head;
  #held: Buffer | undefined;
  #left = 0;
  #status = 0;
  #closes = false;
  #length = -1;
  #chunked = false;
  /** Digits of a chunk's length, or bytes of a trailer's line. */
  #line = 0;
  #digits = 0;
  #inExtension = false;

  constructor(headOnly: boolean) {
    this.#headOnly = headOnly;
  }

  ended(): boolean {
    return this.#part === Part.UntilEnd;
  }

  read(chunk: Uint8Array, taker: AnswerTaker): void {
    let bytes = chunk;
    if (this.#held !== undefined) {
      bytes = Buffer.concat([this.#held, chunk]);
      this.#held = undefined;
    }
    let at = 0;
    while (at < bytes.length) {
      switch (this.#part) {
        case Part.Head: {
          const end = this.#readHead(bytes, at);
          if (end === -2 || (end === -1 && bytes.length - at > headBytesMax)) {
            taker.bad();
            return;
          }
          if (end === -1) {
            this.#held = Buffer.from(bytes.subarray(at));
            return;
          }
          at = end;
          this.#enterBody(taker);
          break;
        }
        case Part.Counted: {
          const taken = Math.min(this.#left, bytes.length - at);
          at += taken;
          this.#left -= taken;
          if (this.#left === 0) this.#done(taker);
          break;
        }
        case Part.ChunkLine:
          at = this.#readChunkLine(bytes, at, taker);
          if (at < 0) return;
          break;
        case Part.ChunkBytes: {
          const taken = Math.min(this.#left, bytes.length - at);
          at += taken;
          this.#left -= taken;
          if (this.#left === 0) this.#part = Part.ChunkLine;
          break;
        }
        case Part.Trailer:
          for (; at < bytes.length && this.#part === Part.Trailer; at++) {
            if (bytes[at] === 10) {
              if (this.#line === 0) this.#done(taker);
              this.#line = 0;
            } else if (bytes[at] !== 13) {
              this.#line++;
            }
          }
          break;
        case Part.UntilEnd:
          return;
      }
    }
  }

  #enterBody(taker: AnswerTaker): void {
    if (this.#status < 200) return; // 1xx: the answer itself is still to come
    if (this.#headOnly || this.#status === 204 || this.#status === 304) {
      this.#done(taker);
    } else if (this.#chunked) {
      this.#part = Part.ChunkLine;
      this.#digits = 0;
      this.#left = 0;
      this.#inExtension = false;
    } else if (this.#length > 0) {
      this.#part = Part.Counted;
      this.#left = this.#length;
    } else if (this.#length === 0) {
      this.#done(taker);
    } else {
      this.#part = Part.UntilEnd;
      taker.answered(this.#status, -1);
      taker.last();
    }
  }

  #done(taker: AnswerTaker): void {
    this.#part = Part.Head;
    taker.answered(this.#status, -1);
    if (this.#closes) taker.last();
  }

  #readChunkLine(bytes: Uint8Array, from: number, taker: AnswerTaker): number {
    for (let at = from; at < bytes.length; at++) {
      const byte = bytes[at]!;
      if (byte === 10) {
        if (this.#digits === 0) continue; // the line end behind a chunk
        this.#part = this.#left === 0 ? Part.Trailer : Part.ChunkBytes;
        this.#line = 0;
        this.#digits = 0;
        this.#inExtension = false;
        return at + 1;
      }
      if (byte === 13 || this.#inExtension) continue;
      const digit = hexDigit(byte);
      if (digit < 0) {
        if (this.#digits === 0) {
          taker.bad();
          return -1;
        }
        this.#inExtension = true;
        continue;
      }
      if (this.#digits === 0) this.#left = 0;
      this.#left = this.#left * 16 + digit;
      if (++this.#digits > 8) {
        taker.bad();
        return -1;
      }
    }
    return bytes.length;
  }

  /** Reads a head that begins at `from`. Returns where it ends; -1: it is not whole yet; -2: it is none. */
  #readHead(bytes: Uint8Array, from: number): number {
    const size = bytes.length;
    if (size - from < 12) return -1;
    // "HTTP/1.x NNN"
    if (bytes[from] !== 0x48 || bytes[from + 1] !== 0x54 || bytes[from + 5] !== 0x31) return -2;
    const status = (bytes[from + 9]! - 48) * 100 + (bytes[from + 10]! - 48) * 10 + bytes[from + 11]! - 48;
    if (!(status >= 100 && status < 600)) return -2;
    this.#status = status;
    this.#length = -1;
    this.#chunked = false;
    this.#closes = bytes[from + 7] === 0x30; // HTTP/1.0
    let at = from + 12;
    while (at < size && bytes[at] !== 10) at++;
    at++;
    while (at < size) {
      const byte = bytes[at]!;
      if (byte === 10) return at + 1;
      if (byte === 13) return at + 1 < size ? at + 2 : -1;
      const first = byte | 0x20;
      // c: Content-Length, Connection. t: Transfer-Encoding.
      if ((first === 0x63 || first === 0x74) && !this.#readField(bytes, at)) return -2;
      while (at < size && bytes[at] !== 10) at++;
      at++;
    }
    return -1;
  }

  /** Takes a field that says something about the body. False: it makes no sense. */
  #readField(bytes: Uint8Array, from: number): boolean {
    if (isName(bytes, from, contentLength)) {
      let at = from + contentLength.length;
      while (bytes[at] === 32) at++;
      let value = 0;
      let digits = 0;
      for (; bytes[at]! >= 48 && bytes[at]! <= 57 && digits < 16; at++, digits++) {
        value = value * 10 + bytes[at]! - 48;
      }
      this.#length = value;
      return digits > 0 || at >= bytes.length;
    }
    if (isName(bytes, from, transferEncoding)) {
      this.#chunked = true;
    } else if (isName(bytes, from, connection)) {
      let at = from + connection.length;
      while (bytes[at] === 32) at++;
      const first = (bytes[at] ?? 0) | 0x20;
      if (first === 0x63) this.#closes = true; // close
      if (first === 0x6b) this.#closes = false; // keep-alive, of HTTP/1.0
    }
    return true;
  }
}

const contentLength = Buffer.from("content-length:");
const transferEncoding = Buffer.from("transfer-encoding:");
const connection = Buffer.from("connection:");

function isName(bytes: Uint8Array, from: number, name: Uint8Array): boolean {
  if (from + name.length > bytes.length) return false;
  for (let index = 0; index < name.length; index++) {
    const byte = bytes[from + index]!;
    const lower = byte >= 65 && byte <= 90 ? byte | 0x20 : byte;
    if (lower !== name[index]) return false;
  }
  return true;
}

function hexDigit(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const lower = byte | 0x20;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
}
