/**
 * TCP and unix-stream listeners on `Bun.listen`. Hot path: one call per received chunk.
 *
 * Bun hands over a fresh copy of each chunk, so it stays valid for good. Half open is allowed, or a FIN right behind
 * the last bytes would end the socket before they are read. A paused socket that is reset still hands over what the
 * operating system held for it, in one go: the gate keeps it.
 *
 * Bun listens with a backlog of 512 and has no option for it; listen(2) called once more on the descriptor sets it.
 *
 * @module
 */

import type { Connection, ConnectionHandler, Listener } from "./runtime.ts";
import { backlogMax, type BunGlobal, type BunListener, type BunSocket } from "./globals.ts";
import { formatAddress } from "./address.ts";
import { reportFault } from "./fault.ts";
import { Gate } from "./gate.ts";
import { openLibc } from "./libc.ts";

class BunConnection<State> implements Connection {
  readonly peer: string;
  readonly gate: Gate<State>;

  constructor(socket: BunSocket<unknown>, handler: ConnectionHandler<State>) {
    this.peer = socket.remoteAddress === undefined || socket.remotePort === undefined
      ? "unix"
      : formatAddress(socket.remoteAddress, socket.remotePort);
    this.gate = new Gate(handler, {
      pause: () => socket.pause(),
      resume: () => socket.resume(),
      destroy: () => socket.terminate(),
    });
  }

  pause(): void {
    this.gate.pause();
  }

  resume(): void {
    this.gate.resume();
  }

  destroy(): void {
    this.gate.destroy();
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
        const connection = new BunConnection(socket, handler);
        if (connection.gate.open(connection)) socket.data = connection;
        else socket.terminate();
      },
      data(socket, chunk) {
        socket.data?.gate.take(chunk);
      },
      end(socket) {
        socket.end();
      },
      close(socket, error) {
        socket.data?.gate.finish(error);
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
