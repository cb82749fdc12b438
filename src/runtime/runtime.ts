/**
 * What differs between Bun and Deno, behind one interface. `bun.ts` and `deno.ts` are the only files that name a
 * runtime's global; everything else uses `node:*` modules, which both have.
 *
 * @module
 */

/** A TCP or unix-stream connection. All methods are safe after it closed. */
export interface Connection {
  /** `127.0.0.1:53211`, `[::1]:53211`, or `unix`. */
  readonly peer: string;
  /**
   * Stops reading. No `received` comes after it returns, until `resume`. In `received` it keeps the chunk; with `isDone`
   * nobody looks at it any more, and its memory may go.
   */
  pause(isDone?: boolean): void;
  resume(): void;
  /**
   * Sends bytes, which must not change any more. What the peer does not take yet waits in memory: whoever answers
   * looks at `unsentBytes` and stops reading while it is too much.
   */
  write(bytes: Uint8Array): void;
  /** Bytes of `write` that the operating system did not take yet. */
  readonly unsentBytes: number;
  /** Sends FIN behind what was written. Reading goes on until the peer's own FIN, or `destroy`. */
  end(): void;
  /** Ends it at once, dropping unread and unsent bytes. */
  destroy(): void;
  /** Names the TLS peer where there is one (certificate CN), else undefined. */
  readonly tlsPeer?: string;
  /** TLS, whose `end` ends its reading too: the `socketKey` of the TCP connection under it, for `sayEnd`. */
  readonly underKey?: string;
}

/**
 * Receives what happens on the connections of one listener. Never throws.
 *
 * `State` is the handler's own object per connection, returned by `opened`.
 */
export interface ConnectionHandler<State> {
  /** `undefined` refuses the connection: it is destroyed. */
  opened(connection: Connection): State | undefined;
  /**
   * TLS behind a load balancer: its PROXY header said for whom it speaks. False refuses that sender; the handler has
   * destroyed the connection.
   */
  identified?(state: State, peer: string): boolean;
  /** TLS: the handshake is done. Before the first `received`. */
  ready?(state: State): void;
  /**
   * Bytes in order. `chunk` is valid until this returns; if the handler paused the connection in this call,
   * it stays valid (and unchanged) until `resume`, also if the connection is closed meanwhile.
   */
  received(state: State, chunk: Uint8Array): void;
  /**
   * The peer sent FIN and may still read: the handler answers what is left and calls `end`. Without this method the
   * connection is closed at once. Not called on TLS, where both directions end together.
   */
  halfClosed?(state: State): void;
  /** Everything that was written was taken by the operating system, after `unsentBytes` had been above 0. */
  drained?(state: State): void;
  /** Called once; after it no `received`. `error` when it did not end with a FIN. */
  closed(state: State, error?: Error): void;
}

/** Takes datagrams. `packet` is valid until it returns. Never throws. */
export interface DatagramHandler {
  received(packet: Uint8Array, peer: string): void;
}

/** A bound socket. */
export interface Listener {
  /** The address in force, with the real port: `127.0.0.1:1514`. */
  readonly address: string;
  readonly port: number;
  /** Datagrams that the kernel dropped because the receive buffer was full; undefined where nobody can say. */
  drops?(): number | undefined;
  /** Opens a connection that another listener gave away; its descriptor belongs to this one from here on. Undefined where that cannot be. */
  adopt?(fd: number): void;
  /**
   * Takes no new connections (or datagrams); resolves when the socket is closed. Open connections stay. With `keepsPath`
   * the path of a unix socket stays too: others have the socket.
   */
  close(keepsPath?: boolean): Promise<void>;
}

/** Where to listen. `reusePort` lets every worker bind the same port (SO_REUSEPORT). */
export interface ListenAddress {
  readonly hostname: string;
  readonly port: number;
  readonly reusePort: boolean;
  /** A descriptor that is bound already, and listens where it is a stream; it belongs to the listener from here on. */
  readonly fd?: number;
}

/** Gives connections away before anything of them is read. */
export interface GiveAway {
  /** Asked for each new connection: to whom it goes, or undefined where it stays. */
  target(): number | undefined;
  /** The descriptor of a connection for `target`, -1 where it cannot be given: it stays then. */
  give(target: number, fd: number): void;
}

/** Where an HTTP server listens. `reusePort`: the successor of this process binds it while this one still has it. */
export interface HttpAddress {
  readonly hostname: string;
  readonly port: number;
  readonly reusePort?: boolean;
}

/** A running HTTP server (admin). */
export interface HttpServer {
  readonly address: string;
  readonly port: number;
  /** Takes no new connections; those that are there go on. */
  retire(): void;
  stop(): Promise<void>;
}

/** The seam. Failures to bind throw `ForwarderError` (`address_in_use`, `address_not_available`, `permission_denied`). */
export interface Runtime {
  /** `bun 1.4.5`. */
  readonly version: string;
  readonly name: "bun" | "deno";
  /** Whether the asynchronous functions of node:zlib work beside this thread; else they hold it. */
  readonly zlibThreads: boolean;
  /**
   * Whether datagram sockets that share a port share its load. Where false, one of them gets all packets: bind the
   * port in one worker only.
   */
  udpBalanced(): Promise<boolean>;
  /** Where `Listener.adopt` is not there, `giveAway` is not asked. */
  listenTcp<State>(
    address: ListenAddress,
    handler: ConnectionHandler<State>,
    giveAway?: GiveAway,
  ): Promise<Listener>;
  listenUnix<State>(path: string, handler: ConnectionHandler<State>, fd?: number): Promise<Listener>;
  /** Unix datagrams. Also throws `not_supported` where there is no FFI. */
  listenUnixgram(path: string, handler: DatagramHandler, fd?: number): Promise<Listener>;
  listenUdp(address: ListenAddress, handler: DatagramHandler): Promise<Listener>;
  serveHttp(
    address: HttpAddress,
    fetch: (request: Request) => Response | Promise<Response>,
  ): Promise<HttpServer>;
}
