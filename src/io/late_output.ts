/**
 * Holds back what a TLS server says after the handshake, on Deno. Its library sends session tickets there, unasked
 * and not to be switched off, into a connection on which a log sender never reads. A sender that closes with unread
 * bytes resets the connection, and its operating system throws away what was not sent yet. Nobody waits for tickets,
 * so they wait for the end of the connection, as they do on Bun, whose library holds them itself.
 *
 * @module
 */

import type { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { setImmediate } from "node:timers";

/** The most that is held: two tickets and an answer to each key update. A peer that makes us say more is let hear it. */
const heldBytesMax = 16 * 1024;

/** The stream between a TCP socket and the TLS layer. It has no flow control: who stops reading stops the socket. */
export class LateOutput extends Duplex {
  readonly #raw: Socket;
  #secured = false;
  #holding = false;
  #held: Buffer[] = [];
  #heldBytes = 0;

  constructor(raw: Socket) {
    super();
    this.#raw = raw;
    raw.on("data", (chunk: Buffer) => this.push(chunk));
    raw.on("end", () => {
      this.push(null);
      // The TLS layer says nothing of a peer that went away in the handshake; what it has read may still end it well.
      setImmediate(() => this.#secured || raw.destroy());
    });
    raw.on("error", (error: Error) => this.destroy(error));
    raw.on("close", () => this.destroy());
  }

  /** The handshake is done: from here on output waits for the end. */
  hold(): void {
    this.#secured = true;
    this.#holding = true;
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    if (this.#holding && this.#heldBytes + chunk.length <= heldBytesMax) {
      this.#held.push(chunk);
      this.#heldBytes += chunk.length;
      return done();
    }
    this.release();
    this.#raw.write(chunk, done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.release();
    this.#raw.end();
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#raw.destroy();
    done(error);
  }

  /** Sends what is held, and everything from here on at once. */
  release(): void {
    this.#holding = false;
    for (const chunk of this.#held) this.#raw.write(chunk);
    this.#held = [];
  }
}
