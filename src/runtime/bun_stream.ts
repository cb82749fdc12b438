/**
 * TCP and unix-stream listeners on `Bun.listen`. Hot path: one call per received chunk.
 *
 * Bun hands over a fresh copy of each chunk, up to 512 KiB, and leaves it to the garbage collector. Chunks that the
 * handler is done with are given back at once by detaching their buffer: at full speed that keeps 30 MB out of the
 * resident memory and saves a quarter of the CPU, because the same pages are used again (`bench/io.ts`). Half open is
 * allowed, or a FIN right behind the last bytes would end the socket before they are read. A paused socket that is
 * reset still hands over what the operating system held for it, in one go: the gate keeps it.
 *
 * Bun listens with a backlog of 512 and has no option for it; listen(2) called once more on the descriptor sets it.
 *
 * @module
 */

import type { Connection, ConnectionHandler, GiveAway, Listener } from "./runtime.ts";
import {
  backlogMax,
  type BunGlobal,
  type BunListener,
  type BunSocket,
  type BunSocketHandlers,
} from "./globals.ts";
import { formatAddress } from "./address.ts";
import { reportFault } from "./fault.ts";
import { detach } from "./detach.ts";
import { Gate, type GatedSocket } from "./gate.ts";
import { unixPeer } from "./descriptor_datagrams.ts";
import { type Libc, openLibc } from "./libc.ts";
import { openToSenders } from "./unix_path.ts";

/** What the gate needs. No closures: there is one for each of thousands of connections. */
class BunGated implements GatedSocket {
  readonly #socket: BunSocket<unknown>;

  constructor(socket: BunSocket<unknown>) {
    this.#socket = socket;
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  destroy(): void {
    this.#socket.terminate();
  }

  release(chunk: Uint8Array): void {
    detach(chunk);
  }
}

class BunConnection<State> implements Connection {
  readonly peer: string;
  readonly gate: Gate<State>;
  readonly #socket: BunSocket<unknown>;
  /** What the socket did not take of the bytes that were written. */
  readonly #unsent: Uint8Array[] = [];
  unsentBytes = 0;
  #ending = false;

  constructor(socket: BunSocket<unknown>, handler: ConnectionHandler<State>, libc: Libc | undefined) {
    this.#socket = socket;
    this.peer = socket.remoteAddress === undefined || socket.remotePort === undefined
      ? unixPeer(socket.fd === undefined ? undefined : libc?.peerCredentials(socket.fd))
      : formatAddress(socket.remoteAddress, socket.remotePort);
    this.gate = new Gate(handler, new BunGated(socket));
  }

  pause(isDone?: boolean): void {
    this.gate.pause(isDone);
  }

  resume(): void {
    this.gate.resume();
  }

  write(bytes: Uint8Array): void {
    if (this.gate.ended || this.#ending) return;
    const sent = this.unsentBytes === 0 ? this.#socket.write(bytes) : 0;
    if (sent < 0 || sent === bytes.length) return;
    this.#unsent.push(sent === 0 ? bytes : bytes.subarray(sent));
    this.unsentBytes += bytes.length - sent;
  }

  end(): void {
    if (this.gate.ended || this.#ending) return;
    this.#ending = true;
    if (this.unsentBytes === 0) this.#socket.shutdown();
  }

  /** The socket takes bytes again. */
  drain(): void {
    if (this.unsentBytes === 0) return;
    while (this.#unsent.length > 0) {
      const bytes = this.#unsent[0]!;
      const sent = Math.max(0, this.#socket.write(bytes));
      this.unsentBytes -= sent;
      if (sent < bytes.length) {
        this.#unsent[0] = bytes.subarray(sent);
        return;
      }
      this.#unsent.shift();
    }
    if (this.#ending) this.#socket.shutdown();
    else this.gate.drain();
  }

  destroy(): void {
    this.gate.destroy();
  }
}

/** Where `Bun.listen` binds. */
type BunStreamAddress =
  | { readonly hostname: string; readonly port: number; readonly reusePort: boolean }
  | { readonly unix: string }
  /** A descriptor that listens, and its address or path. */
  | {
    readonly fd: number;
    readonly inherited: { readonly hostname: string; readonly port: number } | string;
  };

/** Listens with `handler`. Throws what `Bun.listen` and chmod(2) throw. */
export async function listenBunStream<State>(
  bun: BunGlobal,
  address: BunStreamAddress,
  handler: ConnectionHandler<State>,
  giveAway?: GiveAway,
): Promise<Listener> {
  const libc = await openLibc();
  const opened: BunSocketHandlers<BunConnection<State> | undefined> = {
    open(socket) {
      const connection = new BunConnection(socket, handler, libc);
      if (connection.gate.open(connection)) socket.data = connection;
      else socket.terminate();
    },
    data(socket, chunk) {
      socket.data?.gate.take(chunk);
    },
    end(socket) {
      if (handler.halfClosed === undefined) socket.end();
      else socket.data?.gate.halfClose();
    },
    drain(socket) {
      socket.data?.drain();
    },
    close(socket, error) {
      socket.data?.gate.finish(error);
      socket.data = undefined;
    },
    error(_socket, error) {
      reportFault("connection", error);
    },
  };
  const listener: BunListener = bun.listen<BunConnection<State> | undefined>({
    ...("fd" in address ? { fd: address.fd } : address),
    allowHalfOpen: true,
    socket: {
      ...opened,
      open(socket) {
        if (giveAway === undefined || libc === undefined || !gaveAway(socket, giveAway, libc)) {
          opened.open(socket);
        }
      },
    },
  });
  const path = "unix" in address ? address.unix : undefined;
  try {
    if (path !== undefined) openToSenders(path);
  } catch (error) {
    listener.stop(true);
    throw error;
  }
  libc?.listen(listener.fd, backlogMax);
  return {
    ...boundTo(listener, address),
    adopt(fd): void {
      bun.connect<BunConnection<State> | undefined>({ fd, allowHalfOpen: true, socket: opened }).catch(
        (error: unknown) => {
          libc?.close(fd);
          reportFault("connection", error);
        },
      );
    },
    close(): Promise<void> {
      listener.stop(false);
      return Promise.resolve();
    },
  };
}

/** Gives a connection to whom it belongs; false where it stays. Its first bytes wait in the kernel for its taker. */
function gaveAway(socket: BunSocket<unknown>, giveAway: GiveAway, libc: Libc): boolean {
  const target = giveAway.target();
  if (target === undefined) return false;
  const fd = socket.fd === undefined ? -1 : libc.duplicate(socket.fd);
  giveAway.give(target, fd);
  if (fd < 0) return false;
  socket.close();
  return true;
}

function boundTo(
  listener: BunListener,
  address: BunStreamAddress,
): { readonly address: string; readonly port: number } {
  if ("unix" in address) return { address: address.unix, port: 0 };
  if (!("fd" in address)) {
    return { address: formatAddress(listener.hostname, listener.port), port: listener.port };
  }
  const { inherited } = address;
  if (typeof inherited === "string") return { address: inherited, port: 0 };
  return { address: formatAddress(inherited.hostname, inherited.port), port: inherited.port };
}
