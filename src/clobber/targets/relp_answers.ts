/**
 * Frames of RELP, as far as a sender reads them (https://github.com/rsyslog/librelp, doc/relp.html):
 *
 *     HEADER DATA? TRAILER:  TXNR SP COMMAND SP DATALEN [SP DATA] LF
 *
 * A response is `TXNR rsp LEN STATUS TEXT`; a `serverclose` ends the connection.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { AnswerReader, AnswerTaker } from "./answer.ts";

/** Data of a response beyond this is no response. */
const frameBytesMax = 128 * 1024;

/** Reads responses. */
export class RelpAnswers implements AnswerReader {
  #held: Buffer = Buffer.alloc(0);

  ended(): boolean {
    return false;
  }

  read(chunk: Uint8Array, taker: AnswerTaker): void {
    const bytes = this.#held.length === 0
      ? Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length)
      : Buffer.concat([this.#held, chunk]);
    let at = 0;
    while (at < bytes.length) {
      const end = this.#frame(bytes, at, taker);
      if (end === -2) {
        taker.bad();
        return;
      }
      if (end === -1) break;
      at = end;
    }
    if (bytes.length - at > frameBytesMax) {
      taker.bad();
      return;
    }
    this.#held = at === bytes.length ? empty : Buffer.from(bytes.subarray(at));
  }

  /** Reads one frame. Returns where it ends, -1 if it is not whole, -2 if it is none. */
  #frame(bytes: Buffer, from: number, taker: AnswerTaker): number {
    const afterId = bytes.indexOf(32, from);
    const afterCommand = afterId < 0 ? -1 : bytes.indexOf(32, afterId + 1);
    if (afterCommand < 0) return bytes.length - from > 64 ? -2 : -1;
    const id = Number(bytes.toString("latin1", from, afterId));
    let at = afterCommand + 1;
    let length = 0;
    let digits = 0;
    for (; at < bytes.length && bytes[at]! >= 48 && bytes[at]! <= 57; at++, digits++) {
      length = length * 10 + bytes[at]! - 48;
    }
    if (at >= bytes.length) return -1;
    if (!Number.isInteger(id) || digits === 0 || digits > 9 || length > frameBytesMax) return -2;
    const data = length === 0 ? at : at + 1;
    if (length > 0 && bytes[at] !== 32) return -2;
    const trailer = data + length;
    if (trailer >= bytes.length) return -1;
    if (bytes[trailer] !== 10) return -2;
    const command = bytes.toString("latin1", afterId + 1, afterCommand);
    if (command === "rsp") {
      taker.answered(Number(bytes.toString("latin1", data, Math.min(data + 3, trailer))) || 0, id);
    } else if (command === "serverclose") taker.last();
    else return -2;
    return trailer + 1;
  }
}

const empty = Buffer.alloc(0);
