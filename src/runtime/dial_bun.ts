/**
 * Outgoing connections on `Bun.connect`. Hot path: one call per write and per received chunk, nothing allocated but
 * what Bun allocates for the chunk itself.
 *
 * A write goes to the operating system at once and says how much it took; the rest is copied, because the caller
 * patches its buffer for the next message.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { copyOf, type Dial, type DialAddress, type DialHandler, type Dialled, type DialTls } from "./dial.ts";
import type { BunClientSocket, BunGlobal } from "./globals.ts";

class BunDial<State> implements Dialled {
  readonly handler: DialHandler<State>;
  readonly state: State;
  readonly tls: DialTls | undefined;
  #socket: BunClientSocket<BunDial<State>> | undefined;
  /** What the socket did not take. */
  #rest: Uint8Array | undefined;
  #restFrom = 0;
  #ending = false;
  #closed = false;
  #opened = false;

  constructor(handler: DialHandler<State>, state: State, tls: DialTls | undefined) {
    this.handler = handler;
    this.state = state;
    this.tls = tls;
  }

  connected(socket: BunClientSocket<BunDial<State>>): void {
    if (this.#closed) {
      socket.terminate();
      return;
    }
    this.#socket = socket;
  }

  ready(): void {
    if (this.#closed || this.#opened) return;
    this.#opened = true;
    this.handler.opened(this.state);
  }

  received(chunk: Uint8Array): void {
    if (!this.#closed) this.handler.received(this.state, chunk);
  }

  write(bytes: Uint8Array, start: number, end: number): boolean {
    if (this.#closed || this.#socket === undefined) return true;
    const length = end - start;
    const taken = Math.max(0, this.#socket.write(bytes, start, length));
    if (taken === length || this.#closed) return true;
    this.#rest = copyOf(bytes, start + taken, end);
    this.#restFrom = 0;
    return false;
  }

  drain(): void {
    const rest = this.#rest;
    if (rest === undefined || this.#closed || this.#socket === undefined) return;
    this.#restFrom += Math.max(0, this.#socket.write(rest, this.#restFrom, rest.length - this.#restFrom));
    if (this.#restFrom < rest.length) return;
    this.#rest = undefined;
    if (this.#ending) this.#socket.end();
    this.handler.drained(this.state);
  }

  pause(): void {
    if (!this.#closed) this.#socket?.pause();
  }

  resume(): void {
    if (!this.#closed) this.#socket?.resume();
  }

  end(): void {
    if (this.#ending) return;
    this.#ending = true;
    if (this.#rest === undefined && !this.#closed) this.#socket?.end();
  }

  destroy(): void {
    if (this.#closed) return;
    this.#socket?.terminate();
    this.finish(undefined);
  }

  finish(error: Error | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#rest = undefined;
    queueMicrotask(() => this.handler.closed(this.state, error));
  }
}

/** `dial` on `bun`. */
export function bunDial(bun: BunGlobal): Dial {
  type Any = BunDial<unknown>;
  const socket = {
    open(opened: BunClientSocket<Any>): void {
      opened.data.connected(opened);
      if (opened.data.tls === undefined) opened.data.ready();
    },
    handshake(opened: BunClientSocket<Any>, success: boolean, error: Error | null): void {
      const { data } = opened;
      if (!success || (error && data.tls?.verify === true)) {
        data.finish(Object.assign(error ?? new Error("TLS handshake failed"), { tls: true }));
        opened.terminate();
        return;
      }
      data.ready();
    },
    data: (opened: BunClientSocket<Any>, chunk: Uint8Array): void => opened.data.received(chunk),
    drain: (opened: BunClientSocket<Any>): void => opened.data.drain(),
    end(opened: BunClientSocket<Any>): void {
      opened.end();
    },
    close: (opened: BunClientSocket<Any>, error?: Error): void => opened.data.finish(error ?? undefined),
    error: (opened: BunClientSocket<Any>, error: Error): void => opened.data.finish(error),
    connectError: (opened: BunClientSocket<Any>, error: Error): void => opened.data.finish(error),
  };
  return <State>(
    address: DialAddress,
    tls: DialTls | undefined,
    handler: DialHandler<State>,
    state: State,
  ): Dialled => {
    const data = new BunDial(handler, state, tls);
    const place = "path" in address
      ? { unix: address.path }
      : { hostname: address.hostname, port: address.port };
    try {
      bun.connect<Any>({ ...place, ...tlsOptions(tls), socket, data: data as Any })
        .catch((error: Error) => data.finish(error));
    } catch (error) {
      data.finish(error as Error);
    }
    return data;
  };
}

function tlsOptions(tls: DialTls | undefined): Record<string, unknown> {
  if (tls === undefined) return {};
  const { ca, cert, key, verify, serverName } = tls;
  return {
    tls: {
      serverName,
      rejectUnauthorized: verify,
      ...(ca === undefined ? {} : { ca: Buffer.from(ca) }),
      ...(cert === undefined ? {} : { cert: Buffer.from(cert) }),
      ...(key === undefined ? {} : { key: Buffer.from(key) }),
    },
  };
}
