/**
 * What stands between a socket that calls back and a `ConnectionHandler`: it keeps the promises of the interface
 * whatever the socket does. Hot path: one call per received chunk.
 *
 * - Nothing is delivered while paused. What a runtime still hands over then (one read at most, when the peer reset or
 *   a record was being decrypted) is held until `resume`, and `closed` waits behind it.
 * - `closed` is called once, never inside another call of the handler.
 * - A handler that throws loses its connection, and nobody else's.
 * - A chunk goes back to the socket when the handler is done with it: after `received`, and where it paused in it, and
 *   did not say that it is done, with `resume`, also that of a connection that ended meanwhile.
 *
 * @module
 */

import { reportFault } from "./fault.ts";
import type { Connection, ConnectionHandler } from "./runtime.ts";

/** What the gate needs of a socket. Called only while the socket is open. */
export interface GatedSocket {
  pause(): void;
  resume(): void;
  /** Ends it now; `Gate.finish` must follow. */
  destroy(): void;
  /** The handler does not look at a chunk any more that was taken. */
  release?(chunk: Uint8Array): void;
}

/** The gate of one connection. */
export class Gate<State> {
  readonly #handler: ConnectionHandler<State>;
  readonly #socket: GatedSocket;
  #state: State | undefined;
  #paused = false;
  /** Who paused in the delivery of a chunk looks at it until `resume`. */
  #keeps = false;
  /** Nothing is delivered any more. */
  #ended = false;
  /** `closed` was called, or is about to be. */
  #closed = false;
  #held: Uint8Array[] = [];
  /** The chunk in whose delivery the handler paused: it is the handler's until `resume`. */
  #lent: Uint8Array | undefined;
  /** The peer's FIN came while chunks were held, or while paused. */
  #halfClosing = false;
  /** The socket closed while chunks were held. */
  #closing: { readonly error: Error | undefined } | undefined;
  /** Why we ended it, before what the socket says. */
  #fault: Error | undefined;

  constructor(handler: ConnectionHandler<State>, socket: GatedSocket) {
    this.#handler = handler;
    this.#socket = socket;
  }

  /** Whether `resume` is awaited. */
  get paused(): boolean {
    return this.#paused;
  }

  /** Whether the handler has a chunk until `resume`. */
  get lends(): boolean {
    return this.#lent !== undefined;
  }

  /** Whether nothing will be delivered any more. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Asks the handler for its state; false when it refused (or threw) and the socket has to go. */
  open(connection: Connection): boolean {
    try {
      this.#state = this.#handler.opened(connection);
    } catch (error) {
      reportFault("connection.opened", error);
    }
    return this.#state !== undefined;
  }

  /** The handshake is done. */
  ready(): void {
    if (this.#ended || this.#handler.ready === undefined) return;
    this.#call("connection.ready", () => this.#handler.ready!(this.#state!));
  }

  /** A PROXY header said who speaks; false where the handler does not want it. */
  identified(peer: string): boolean {
    if (this.#ended) return false;
    let wanted = true;
    this.#call("connection.identified", () => {
      wanted = this.#handler.identified?.(this.#state!, peer) ?? true;
    });
    return wanted && !this.#ended;
  }

  /** Bytes came. The chunk must stay valid when the gate is paused. */
  take(chunk: Uint8Array): void {
    if (this.#ended) return;
    if (this.#paused) {
      this.#held.push(chunk);
      return;
    }
    this.#keeps = false;
    try {
      this.#handler.received(this.#state!, chunk);
    } catch (error) {
      reportFault("connection.received", error);
      this.fail(error instanceof Error ? error : new Error(String(error)));
    }
    if (this.#paused && this.#keeps) this.#lent = chunk;
    else this.#socket.release?.(chunk);
  }

  /** The peer's FIN came, and the handler has `halfClosed`. */
  halfClose(): void {
    if (this.#ended) return;
    if (this.#paused) {
      this.#halfClosing = true;
      return;
    }
    this.#halfClosing = false;
    this.#call("connection.halfClosed", () => this.#handler.halfClosed!(this.#state!));
  }

  /** The socket has sent what was written. */
  drain(): void {
    if (this.#ended || this.#handler.drained === undefined) return;
    this.#call("connection.drained", () => this.#handler.drained!(this.#state!));
  }

  #call(where: string, run: () => void): void {
    try {
      run();
    } catch (error) {
      reportFault(where, error);
      this.fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** The socket is closed; `error` unless by FIN. */
  finish(error: Error | undefined): void {
    if (this.#closed) return;
    if (this.#held.length > 0 && !this.#ended) {
      this.#closing = { error };
      return;
    }
    this.#ended = true;
    this.#closed = true;
    this.#held = [];
    queueMicrotask(() => {
      try {
        this.#handler.closed(this.#state!, this.#fault ?? error);
      } catch (error) {
        reportFault("connection.closed", error);
      }
    });
  }

  pause(isDone = false): void {
    if (!isDone) this.#keeps = true;
    if (this.#ended || this.#paused) return;
    this.#paused = true;
    if (this.#closing === undefined) this.#socket.pause();
  }

  resume(): void {
    const lent = this.#lent;
    this.#lent = undefined;
    this.#goOn();
    if (lent !== undefined) this.#socket.release?.(lent);
  }

  #goOn(): void {
    if (this.#ended || !this.#paused) return;
    this.#paused = false;
    while (this.#held.length > 0 && !this.#paused && !this.#ended) this.take(this.#held.shift()!);
    if (this.#halfClosing && !this.#paused) this.halfClose();
    if (this.#paused || this.#ended) return;
    if (this.#closing !== undefined) this.finish(this.#closing.error);
    else this.#socket.resume();
  }

  /** Ends it; `closed` gets `error`. The first one counts. */
  fail(error: Error): void {
    if (!this.#ended) this.#fault = error;
    this.destroy();
  }

  destroy(): void {
    if (this.#ended) return;
    this.#ended = true;
    if (this.#closing === undefined) this.#socket.destroy();
    else this.finish(this.#closing.error);
  }
}
