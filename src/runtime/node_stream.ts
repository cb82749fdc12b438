/**
 * Stream listeners on node:net, for sockets that were inherited: the one interface of Deno that takes a descriptor.
 *
 * @module
 */
import { createServer, type Socket } from "node:net";
import { formatAddress } from "./address.ts";
import { reportFault } from "./fault.ts";
import { Gate } from "./gate.ts";
import type { Connection, ConnectionHandler, Listener } from "./runtime.ts";

class NodeConnection<State> implements Connection {
  readonly peer: string;
  readonly gate: Gate<State>;
  readonly #socket: Socket;

  constructor(socket: Socket, handler: ConnectionHandler<State>) {
    this.#socket = socket;
    const { remoteAddress, remotePort } = socket;
    this.peer = remoteAddress === undefined || remotePort === undefined
      ? "unix"
      : formatAddress(remoteAddress, remotePort);
    this.gate = new Gate(handler, {
      pause: () => socket.pause(),
      resume: () => socket.resume(),
      destroy: () => socket.destroy(),
    });
  }

  pause(): void {
    this.gate.pause();
  }

  resume(): void {
    this.gate.resume();
  }

  write(bytes: Uint8Array): void {
    if (!this.gate.ended) this.#socket.write(bytes);
  }

  get unsentBytes(): number {
    return this.#socket.writableLength;
  }

  end(): void {
    if (!this.gate.ended) this.#socket.end();
  }

  destroy(): void {
    this.gate.destroy();
  }
}

/** Accepts on the listening descriptor `fd`, which is known as `address`. */
export async function listenDescriptor<State>(
  fd: number,
  address: { readonly address: string; readonly port: number },
  handler: ConnectionHandler<State>,
): Promise<Listener> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    let failure: Error | undefined;
    socket.on("error", (error: Error) => failure ??= error);
    const connection = new NodeConnection(socket, handler);
    if (!connection.gate.open(connection)) return void socket.destroy();
    socket.on("data", (chunk: Uint8Array) => connection.gate.take(chunk));
    socket.on("drain", () => connection.gate.drain());
    socket.on("end", () => {
      if (handler.halfClosed === undefined) socket.end();
      else connection.gate.halfClose();
    });
    socket.on("close", () => connection.gate.finish(failure));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ fd }, () => {
      server.off("error", reject);
      resolve();
    });
  });
  server.on("error", (error: Error) => reportFault("listener.accept", error));
  return {
    ...address,
    close(): Promise<void> {
      server.close();
      return Promise.resolve();
    },
  };
}
