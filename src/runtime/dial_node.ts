/**
 * Outgoing connections on node:net and node:tls, for what a runtime's own cannot do.
 *
 * @module
 */
import { isIP } from "node:net";
import { connect as connectPlain, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { copyOf, type DialAddress, type DialHandler, type Dialled, type DialTls } from "./dial.ts";

class NodeDial<State> implements Dialled {
  readonly #socket: Socket;
  readonly #handler: DialHandler<State>;
  readonly #state: State;
  #closed = false;

  constructor(socket: Socket, ready: string, handler: DialHandler<State>, state: State) {
    this.#socket = socket;
    this.#handler = handler;
    this.#state = state;
    let fault: Error | undefined;
    socket.setNoDelay(true);
    socket.on(ready, () => {
      if (!this.#closed) handler.opened(state);
    });
    socket.on("data", (chunk: Uint8Array) => {
      if (!this.#closed) handler.received(state, chunk);
    });
    socket.on("error", (error: Error) => fault ??= error);
    socket.on("close", () => {
      this.#closed = true;
      queueMicrotask(() => handler.closed(state, fault));
    });
  }

  write(bytes: Uint8Array, start: number, end: number): boolean {
    if (this.#closed) return true;
    // The socket keeps what it is given, and the caller patches it: a copy.
    this.#socket.write(copyOf(bytes, start, end), (error) => {
      if (!error && !this.#closed) this.#handler.drained(this.#state);
    });
    return false;
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }
}

/** `dial` on node:net and node:tls. */
export function dialNode<State>(
  address: DialAddress,
  tls: DialTls | undefined,
  handler: DialHandler<State>,
  state: State,
): Dialled {
  const place = "path" in address ? { path: address.path } : { host: address.hostname, port: address.port };
  if (tls === undefined) return new NodeDial(connectPlain(place), "connect", handler, state);
  const { serverName, verify, ca, cert, key } = tls;
  const socket = connectTls({
    ...place,
    ...(isIP(serverName) === 0 ? { servername: serverName } : {}),
    rejectUnauthorized: verify,
    ca,
    cert,
    key,
  });
  return new NodeDial(socket, "secureConnect", handler, state);
}
