/**
 * TCP and unix-stream listeners on `Deno.listen`. Hot path: one turn of a loop per received chunk.
 *
 * Each connection is a loop of reads into a buffer of its own, so pausing is simply not reading on: the loop waits and
 * the buffer stays as it is. Deno resolves a read that has bytes ready without going through its event loop, so the
 * loop gives way by itself after `turnBytesMax`, or one full stream would hold up every timer of the thread.
 *
 * @module
 */

import { setImmediate } from "node:timers";
import type { Connection, ConnectionHandler, Listener } from "./runtime.ts";
import type { DenoConn, DenoListener } from "./globals.ts";
import { formatAddress } from "./address.ts";
import { reportFault } from "./fault.ts";
import { ReadBuffers } from "./read_buffers.ts";
import { WriteLoop } from "./write_loop.ts";

/** Bytes of one connection between two turns of the event loop; about 1 ms of work in the pipeline. */
const turnBytesMax = 512 * 1024;

/** Wait after a failed accept: out of descriptors or memory is not cured by asking again at once. */
const acceptBackoffMs = 100;

/**
 * What accept says about the connection it was to hand over, not about the listener: its peer reset it while it
 * waited (accept(2), "Error handling"; Deno asks for the peer's address too, and fails with ENOTCONN). To wait for
 * each would let anybody hold up the listener with a few connects.
 */
const peerGoneCodes: ReadonlySet<unknown> = new Set([
  "ENOTCONN",
  "ECONNABORTED",
  "ECONNRESET",
  "EPROTO",
  "ENETDOWN",
  "ENETUNREACH",
  "EHOSTDOWN",
  "EHOSTUNREACH",
  "ENONET",
  "ETIMEDOUT",
]);

/** Gives the event loop a turn. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

class DenoConnection<State> implements Connection {
  readonly peer: string;
  readonly #conn: DenoConn;
  readonly #handler: ConnectionHandler<State>;
  readonly #buffers: ReadBuffers;
  readonly #output: WriteLoop;
  #state: State | undefined;
  #paused = false;
  #destroyed = false;
  /** Set while the loop waits for `resume`. */
  #wake: (() => void) | undefined;

  constructor(conn: DenoConn, handler: ConnectionHandler<State>, buffers: ReadBuffers) {
    this.#conn = conn;
    this.#handler = handler;
    this.#buffers = buffers;
    this.#output = new WriteLoop(conn, () => this.#drained());
    const { transport, hostname, port } = conn.remoteAddr;
    if (transport === "unix") this.peer = "unix";
    else this.peer = hostname === undefined || port === undefined ? "unknown" : formatAddress(hostname, port);
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#wakeUp();
  }

  write(bytes: Uint8Array): void {
    if (!this.#destroyed) this.#output.write(bytes);
  }

  get unsentBytes(): number {
    return this.#output.unsentBytes;
  }

  end(): void {
    if (this.#destroyed) return;
    this.#output.end();
    this.#wakeUp();
  }

  destroy(): void {
    if (this.#destroyed) return;
    this.#destroyed = true;
    closeQuietly(this.#conn);
    this.#wakeUp();
  }

  #drained(): void {
    // Who waits at the end of the stream looks whether all is sent.
    this.#wakeUp();
    if (this.#destroyed || this.#state === undefined || this.#handler.drained === undefined) return;
    try {
      this.#handler.drained(this.#state);
    } catch (error) {
      reportFault("connection.drained", error);
      this.destroy();
    }
  }

  #wakeUp(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }

  /** Resolves when the connection may be read, or is destroyed. */
  async #readable(): Promise<void> {
    while (this.#paused && !this.#destroyed) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** The peer's FIN came: resolves when the handler has sent its last answer, or destroyed the connection. */
  async #answered(state: State): Promise<void> {
    if (this.#handler.halfClosed === undefined) return;
    this.#handler.halfClosed(state);
    while (!this.#destroyed && !this.#output.ended) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** The life of the connection; never rejects. */
  async run(): Promise<void> {
    let state: State | undefined;
    try {
      state = this.#state = this.#handler.opened(this);
    } catch (error) {
      reportFault("connection.opened", error);
    }
    if (state === undefined) {
      this.destroy();
      return;
    }
    const error = await this.#readAll(state);
    this.destroy();
    try {
      this.#handler.closed(state, error);
    } catch (error) {
      reportFault("connection.closed", error);
    }
  }

  /** Reads to the end; gives the error that ended it, if it was not a FIN or `destroy`. */
  async #readAll(state: State): Promise<Error | undefined> {
    let buffer = this.#buffers.small();
    let turnBytes = 0;
    try {
      for (;;) {
        const bytes = await this.#conn.read(buffer);
        if (this.#paused) await this.#readable();
        if (this.#destroyed) return undefined;
        if (bytes === null) {
          await this.#answered(state);
          return undefined;
        }
        try {
          this.#handler.received(state, bytes === buffer.length ? buffer : buffer.subarray(0, bytes));
        } catch (error) {
          reportFault("connection.received", error);
          throw error;
        }
        if (this.#paused) await this.#readable();
        if (this.#destroyed) return undefined;
        turnBytes += bytes;
        if (turnBytes >= turnBytesMax) {
          turnBytes = 0;
          await nextTurn();
        } else if (bytes < buffer.length) {
          turnBytes = 0; // The socket is empty: the next read waits, and that is a turn.
        }
        buffer = this.#buffers.next(buffer, bytes);
      }
    } catch (error) {
      return this.#destroyed ? undefined : error instanceof Error ? error : new Error(String(error));
    } finally {
      this.#buffers.release(buffer, !this.#paused);
    }
  }
}

function closeQuietly(conn: { close(): void }): void {
  try {
    conn.close();
  } catch {
    // It was closed already.
  }
}

/**
 * A connection that was gone before it was accepted. The handler sees it open and close, as it does on Bun, so that
 * the books count it; what its peer sent is lost, since Deno has closed the socket.
 */
function goneConn(error: unknown): DenoConn {
  const fail = () => Promise.reject(error);
  return { remoteAddr: { transport: "tcp" }, read: fail, write: fail, closeWrite: fail, close() {} };
}

/** Accepts from `listener` until it is closed. All connections of it share one set of read buffers. */
export function serveDenoStream<State>(
  listener: DenoListener,
  handler: ConnectionHandler<State>,
): Listener {
  const buffers = new ReadBuffers();
  let closing = false;

  async function acceptAll(): Promise<void> {
    while (!closing) {
      let conn: DenoConn;
      try {
        conn = await listener.accept();
      } catch (error) {
        if (closing) return;
        if (peerGoneCodes.has((error as { code?: unknown }).code)) {
          void new DenoConnection(goneConn(error), handler, buffers).run();
          await nextTurn();
          continue;
        }
        reportFault("listener.accept", error);
        await new Promise((resolve) => setTimeout(resolve, acceptBackoffMs));
        continue;
      }
      void new DenoConnection(conn, handler, buffers).run();
    }
  }

  const accepting = acceptAll();
  const { hostname, port, path } = listener.addr;
  return {
    address: path ?? formatAddress(hostname!, port!),
    port: port ?? 0,
    close(): Promise<void> {
      if (!closing) {
        closing = true;
        closeQuietly(listener);
      }
      return accepting;
    },
  };
}
