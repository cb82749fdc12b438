/**
 * TCP and unix-stream listeners on `Bun.listen`. Hot path: one call per received chunk.
 *
 * Bun hands over a fresh copy of each chunk, so it stays valid for good. Half open is allowed, or a FIN right behind
 * the last bytes would end the socket before they are read. A paused socket that is reset still gets what the operating
 * system held for it, in one go: it is kept here until `resume`, and `closed` waits behind it.
 *
 * Bun listens with a backlog of 512 and has no option for it; listen(2) called once more on the descriptor sets it.
 *
 * @module
 */

import type { Connection, ConnectionHandler, Listener } from "./runtime.ts";
import { backlogMax, type BunGlobal, type BunListener, type BunSocket } from "./globals.ts";
import { formatAddress } from "./address.ts";
import { reportFault } from "./fault.ts";
import { openLibc } from "./libc.ts";

class BunConnection<State> implements Connection {
  readonly peer: string;
  readonly #socket: BunSocket<BunConnection<State>>;
  readonly #handler: ConnectionHandler<State>;
  #state: State | undefined;
  #paused = false;
  /** No `received` any more; `closed` was called or is due. */
  #ended = false;
  /** What arrived while paused, at most what one reset flushes. */
  #held: Uint8Array[] = [];
  /** Set when the socket closed while chunks were held. */
  #closedWhileHeld: { error: Error | undefined } | undefined;
  #fault: Error | undefined;

  constructor(socket: BunSocket<BunConnection<State>>, handler: ConnectionHandler<State>) {
    this.#socket = socket;
    this.#handler = handler;
    this.peer = socket.remoteAddress === undefined || socket.remotePort === undefined
      ? "unix"
      : formatAddress(socket.remoteAddress, socket.remotePort);
  }

  /** Asks the handler for its state; false when it refused. */
  open(): boolean {
    try {
      this.#state = this.#handler.opened(this);
    } catch (error) {
      reportFault("connection.opened", error);
    }
    return this.#state !== undefined;
  }

  take(chunk: Uint8Array): void {
    if (this.#ended) return;
    if (this.#paused) {
      this.#held.push(chunk);
      return;
    }
    try {
      this.#handler.received(this.#state!, chunk);
    } catch (error) {
      reportFault("connection.received", error);
      this.#fault = error instanceof Error ? error : new Error(String(error));
      this.destroy();
    }
  }

  finish(error: Error | undefined): void {
    if (this.#held.length > 0 && !this.#ended) {
      this.#closedWhileHeld = { error };
      return;
    }
    this.#ended = true;
    this.#held = [];
    // Not now: `destroy` inside `received` must not call `closed` before `received` returned.
    queueMicrotask(() => {
      try {
        this.#handler.closed(this.#state!, this.#fault ?? error);
      } catch (error) {
        reportFault("connection.closed", error);
      }
    });
  }

  pause(): void {
    if (this.#ended || this.#paused) return;
    this.#paused = true;
    this.#socket.pause();
  }

  resume(): void {
    if (this.#ended || !this.#paused) return;
    this.#paused = false;
    while (this.#held.length > 0 && !this.#paused && !this.#ended) this.take(this.#held.shift()!);
    if (this.#paused || this.#ended) return;
    if (this.#closedWhileHeld !== undefined) this.finish(this.#closedWhileHeld.error);
    else this.#socket.resume();
  }

  destroy(): void {
    if (this.#ended) return;
    if (this.#closedWhileHeld === undefined) {
      this.#ended = true;
      this.#socket.terminate();
      return;
    }
    this.#held = [];
    this.finish(this.#closedWhileHeld.error);
  }
}

/** Where `Bun.listen` binds. */
type BunStreamAddress =
  | { readonly hostname: string; readonly port: number; readonly reusePort: boolean }
  | { readonly unix: string };

/** Listens with `handler`. Throws what `Bun.listen` throws. */
export async function listenBunStream<State>(
  bun: BunGlobal,
  address: BunStreamAddress,
  handler: ConnectionHandler<State>,
): Promise<Listener> {
  const libc = await openLibc();
  const listener: BunListener = bun.listen<BunConnection<State> | undefined>({
    ...address,
    allowHalfOpen: true,
    socket: {
      open(socket) {
        const connection = new BunConnection(socket as BunSocket<BunConnection<State>>, handler);
        if (connection.open()) socket.data = connection;
        else socket.terminate();
      },
      data(socket, chunk) {
        socket.data?.take(chunk);
      },
      end(socket) {
        socket.end();
      },
      close(socket, error) {
        socket.data?.finish(error);
        socket.data = undefined;
      },
      error(_socket, error) {
        reportFault("connection", error);
      },
    },
  });
  libc?.listen(listener.fd, backlogMax);
  const path = "unix" in address ? address.unix : undefined;
  return {
    address: path ?? formatAddress(listener.hostname, listener.port),
    port: path === undefined ? listener.port : 0,
    close(): Promise<void> {
      listener.stop(false);
      return Promise.resolve();
    },
  };
}
