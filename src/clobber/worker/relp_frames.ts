/**
 * RELP frames around messages: `TXNR syslog LEN DATA LF`. The number grows with each frame of a connection and has no
 * leading zeros, so the frame is put together in a buffer of the thread.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { Link } from "./link.ts";

/** `999999999 syslog 999999999 ` and the line feed. */
const aroundBytesMax = 40;

/** Frames of one thread. */
export class RelpFrames {
  bytes: Buffer = Buffer.alloc(4096);

  /** Puts `message[start..end)` into a frame in `bytes`; returns where the frame ends. */
  frame(message: Buffer, start: number, end: number, transaction: number): number {
    const length = end - start;
    if (this.bytes.length < length + aroundBytesMax) this.bytes = Buffer.alloc(2 * (length + aroundBytesMax));
    const { bytes } = this;
    let at = writeDecimal(bytes, 0, transaction);
    at += bytes.write(" syslog ", at, "latin1");
    at = writeDecimal(bytes, at, length);
    if (length > 0) {
      bytes[at++] = 32;
      message.copy(bytes, at, start, end);
      at += length;
    }
    bytes[at++] = 10;
    return at;
  }

  /** Whether a response with this number is one that the connection waits for, in order. */
  isAwaited(link: Link, id: number): boolean {
    return id === link.transaction - link.inFlight;
  }
}

function writeDecimal(bytes: Uint8Array, at: number, value: number): number {
  let digits = 1;
  for (let rest = value; rest >= 10; rest = Math.floor(rest / 10)) digits++;
  let rest = value;
  for (let place = at + digits - 1; place >= at; place--) {
    bytes[place] = 48 + rest % 10;
    rest = Math.floor(rest / 10);
  }
  return at + digits;
}
