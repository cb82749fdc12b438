/**
 * A datagram socket that sends to one address, as a connection: each write is one datagram. On Bun its own socket, in
 * which a send that the kernel has no room for is told; elsewhere node:dgram, whose sends are copied and counted.
 *
 * @module
 */
import { createSocket } from "node:dgram";
import { isIPv6 } from "node:net";
import { copyOf, type DialAddress, type DialHandler, type Dialled } from "./dial.ts";
import { bunGlobal, type BunUdpSocket } from "./globals.ts";

/** Opens the socket. `opened` follows, or `closed`. An ICMP answer that nobody listens closes it. */
export function dialUdp<State>(
  address: DialAddress,
  _tls: undefined,
  handler: DialHandler<State>,
  state: State,
): Dialled {
  if ("path" in address) throw new TypeError("datagrams go to a host and port");
  const { hostname, port } = address;
  return bunGlobal !== undefined
    ? new BunUdp(hostname, port, handler, state)
    : new NodeUdp(hostname, port, handler, state);
}

class BunUdp<State> implements Dialled {
  readonly #handler: DialHandler<State>;
  readonly #state: State;
  #socket: BunUdpSocket | undefined;
  #rest: Uint8Array | undefined;
  #closed = false;

  constructor(hostname: string, port: number, handler: DialHandler<State>, state: State) {
    this.#handler = handler;
    this.#state = state;
    bunGlobal!.udpSocket({
      connect: { hostname, port },
      socket: {
        data: (_socket, bytes) => {
          if (!this.#closed) handler.received(state, bytes);
        },
        drain: () => this.#drain(),
        // Bun passes the error alone, or behind the socket.
        error: (...given) => this.#finish(given.find((one) => one instanceof Error) as Error),
      },
    }).then((socket) => {
      if (this.#closed) return socket.close();
      this.#socket = socket;
      handler.opened(state);
    }, (error: Error) => this.#finish(error));
  }

  write(bytes: Uint8Array, start: number, end: number): boolean {
    if (this.#closed || this.#socket === undefined) return true;
    try {
      if (this.#socket.send(bytes.subarray(start, end))) return true;
    } catch (error) {
      this.#finish(error as Error);
      return true;
    }
    this.#rest = copyOf(bytes, start, end);
    return false;
  }

  #drain(): void {
    const rest = this.#rest;
    if (rest === undefined || this.#closed) return;
    this.#rest = undefined;
    if (!this.write(rest, 0, rest.length)) return;
    this.#handler.drained(this.#state);
  }

  pause(): void {}
  resume(): void {}

  end(): void {
    this.#finish(undefined);
  }

  destroy(): void {
    this.#finish(undefined);
  }

  #finish(error: Error | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket?.close();
    queueMicrotask(() => this.#handler.closed(this.#state, error));
  }
}

class NodeUdp<State> implements Dialled {
  readonly #handler: DialHandler<State>;
  readonly #state: State;
  readonly #socket;
  #closed = false;

  constructor(hostname: string, port: number, handler: DialHandler<State>, state: State) {
    this.#handler = handler;
    this.#state = state;
    this.#socket = createSocket(isIPv6(hostname) ? "udp6" : "udp4");
    this.#socket.on("error", (error) => this.#finish(error));
    this.#socket.on("message", (bytes) => {
      if (!this.#closed) handler.received(state, bytes);
    });
    this.#socket.connect(port, hostname, () => {
      if (!this.#closed) handler.opened(state);
    });
  }

  write(bytes: Uint8Array, start: number, end: number): boolean {
    if (this.#closed) return true;
    this.#socket.send(copyOf(bytes, start, end), (error) => {
      if (this.#closed) return;
      if (error) this.#finish(error);
      else this.#handler.drained(this.#state);
    });
    return false;
  }

  pause(): void {}
  resume(): void {}

  end(): void {
    this.#finish(undefined);
  }

  destroy(): void {
    this.#finish(undefined);
  }

  #finish(error: Error | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.close();
    queueMicrotask(() => this.#handler.closed(this.#state, error));
  }
}
