/**
 * A connection with its books, as `Connections` gives it to the handler behind it.
 *
 * Three may hold its reading up: the handler, which waits for room, the books, where the sender is over its rate, and
 * others that send little beside one that sends much. It is read while none does. The handler alone needs the chunk in
 * which it paused: hundreds of connections that are over their rate would keep half a megabyte each.
 *
 * @module
 */
import type { Connection } from "../runtime/runtime.ts";
import type { PeerKey } from "./peer_table.ts";

/** One connection as the admin API shows it. */
export interface ConnectionInfo {
  /** Unique within the worker. */
  readonly id: number;
  readonly listener: string;
  readonly peer: string;
  readonly tlsPeer: string | undefined;
  readonly openedAtMs: number;
  /** To the precision of the sweep. */
  readonly receivedAtMs: number;
  readonly bytes: number;
  readonly paused: boolean;
  /** Why it is not read: memory, or its rate. */
  readonly pausedBy: "handler" | "rate" | undefined;
}

/** How far a connection has come. */
export type Phase = "header" | "handshake" | "ready" | "refused";

/** A connection with its books. */
export class Tracked<State> implements Connection {
  readonly id: number;
  readonly listener: string;
  /** Who sends; behind a load balancer the sender, as soon as its PROXY header was read. */
  peer: string;
  readonly openedAtMs: number;
  receivedAtMs: number;
  bytes = 0;
  /** Byte counts at the last sweep: of what came, and of answers that its peer does not read. */
  sweptBytes = 0;
  sweptUnsentBytes = 0;
  /** The sweep has destroyed it. */
  idled = false;
  phase: Phase = "ready";
  /** What came of a PROXY header. */
  header: Uint8Array | undefined;
  /** Under which it is counted. */
  peerKey: PeerKey | undefined;
  /** Under which it pays for its bytes; undefined without a rate. */
  rateKey: PeerKey | undefined;
  /** Until when its rate holds it up; 0 while it does not. */
  heldUntilMs = 0;
  /** Sweeps for which it counts as one that sends much at a time. */
  muchSweeps = 0;
  /** The wrapped handler's own object. */
  state: State | undefined;
  #handlerPaused = false;
  #rests = false;
  readonly #connection: Connection;

  constructor(id: number, listener: string, connection: Connection, nowMs: number) {
    this.id = id;
    this.listener = listener;
    this.peer = connection.peer;
    this.openedAtMs = nowMs;
    this.receivedAtMs = nowMs;
    this.#connection = connection;
  }

  get tlsPeer(): string | undefined {
    return this.#connection.tlsPeer;
  }

  /** TLS: the TCP connection under it, once its handshake is done. */
  get underKey(): string | undefined {
    return this.phase === "ready" ? this.#connection.underKey : undefined;
  }

  get paused(): boolean {
    return this.#handlerPaused || this.heldUntilMs > 0;
  }

  pause(): void {
    this.#handlerPaused = true;
    this.#connection.pause();
  }

  resume(): void {
    this.#handlerPaused = false;
    // With this the chunk in which the handler paused is given back, whoever else holds the reading up.
    this.#connection.resume();
    if (this.heldUntilMs > 0 || this.#rests) this.#connection.pause(true);
  }

  /** Stops reading until `release`, whatever the handler wants. */
  hold(untilMs: number): void {
    this.heldUntilMs = untilMs;
    this.#connection.pause(true);
  }

  release(): void {
    this.heldUntilMs = 0;
    this.#resume();
  }

  /** Stops reading until `goOn`, for a moment. */
  rest(): void {
    this.#rests = true;
    this.#connection.pause(true);
  }

  goOn(): void {
    this.#rests = false;
    this.#resume();
  }

  #resume(): void {
    if (!this.#handlerPaused && this.heldUntilMs === 0 && !this.#rests) this.#connection.resume();
  }

  /** It is closed: its rate holds nothing up any more. A handler that paused still says when it is done. */
  finish(): void {
    if (this.heldUntilMs > 0) this.release();
  }

  write(bytes: Uint8Array): void {
    this.#connection.write(bytes);
  }

  get unsentBytes(): number {
    return this.#connection.unsentBytes;
  }

  end(): void {
    this.#connection.end();
  }

  destroy(): void {
    this.#connection.destroy();
  }

  info(): ConnectionInfo {
    return {
      id: this.id,
      listener: this.listener,
      peer: this.peer,
      tlsPeer: this.tlsPeer,
      openedAtMs: this.openedAtMs,
      receivedAtMs: this.receivedAtMs,
      bytes: this.bytes,
      paused: this.paused,
      pausedBy: this.#handlerPaused ? "handler" : this.heldUntilMs > 0 ? "rate" : undefined,
    };
  }
}

/** A `ConnectionHandler` that may use the books of its connections. Any `ConnectionHandler` is one. */
export interface TrackedHandler<State> {
  /** `undefined` refuses the connection. */
  opened(connection: Tracked<State>): State | undefined;
  received(state: State, chunk: Uint8Array): void;
  halfClosed?(state: State): void;
  drained?(state: State): void;
  closed(state: State, error?: Error): void;
}
