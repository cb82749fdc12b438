/**
 * The parts of the two runtimes' globals that are used, as structural types: neither type package is needed, and one
 * bundle may carry the code for both.
 *
 * @module
 */

/** Connections that may wait to be accepted; 500 senders that reconnect at once overflow the runtimes' default. */
export const backlogMax = 2048;

/** A socket of `Bun.listen`. */
export interface BunSocket<Data> {
  data: Data;
  readonly remoteAddress?: string;
  readonly remotePort?: number;
  readonly fd?: number;
  pause(): void;
  resume(): void;
  /** Bytes that were taken, -1 where the socket is closed. What was not taken goes again after `drain`. */
  write(bytes: Uint8Array): number;
  end(): void;
  /** Sends FIN and reads on. */
  shutdown(): void;
  /** Closes the descriptor; says nothing to the peer where another one is left. */
  close(): void;
  terminate(): void;
}

/** What `Bun.listen` returns. */
export interface BunListener {
  readonly hostname: string;
  readonly port: number;
  readonly fd: number;
  stop(closeConnections: boolean): void;
}

/** Callbacks of `Bun.listen`. */
export interface BunSocketHandlers<Data> {
  open(socket: BunSocket<Data>): void;
  data(socket: BunSocket<Data>, chunk: Uint8Array): void;
  end(socket: BunSocket<Data>): void;
  drain(socket: BunSocket<Data>): void;
  close(socket: BunSocket<Data>, error?: Error): void;
  error(socket: BunSocket<Data>, error: Error): void;
}

/** A socket of `Bun.connect`. */
export interface BunClientSocket<Data> extends BunSocket<Data> {
  /** Bytes that the operating system took; -1 when it is closed. */
  write(bytes: Uint8Array, start?: number, length?: number): number;
}

/** Callbacks of `Bun.connect`. */
export interface BunClientHandlers<Data> {
  open(socket: BunClientSocket<Data>): void;
  handshake(socket: BunClientSocket<Data>, success: boolean, error: Error | null): void;
  data(socket: BunClientSocket<Data>, chunk: Uint8Array): void;
  drain(socket: BunClientSocket<Data>): void;
  end(socket: BunClientSocket<Data>): void;
  close(socket: BunClientSocket<Data>, error?: Error): void;
  error(socket: BunClientSocket<Data>, error: Error): void;
  connectError(socket: BunClientSocket<Data>, error: Error): void;
}

/** A connected socket of `Bun.udpSocket`. */
export interface BunUdpSocket {
  /** False: the kernel has no room now, `drain` follows. */
  send(bytes: Uint8Array): boolean;
  close(): void;
}

/** What `Bun.serve` returns. */
export interface BunServer {
  readonly hostname: string;
  readonly port: number;
  /** Sets how long the request's connection may be silent; 0 is for ever. It holds for later requests too. */
  timeout(request: Request, seconds: number): void;
  stop(closeConnections: boolean): Promise<void>;
}

/** The global `Bun`. */
export interface BunGlobal {
  readonly version: string;
  /** Collects garbage; with `true` at once. */
  gc(force: boolean): void;
  readonly stdin: { stream(): AsyncIterable<Uint8Array> };
  listen<Data>(options: {
    hostname?: string;
    port?: number;
    reusePort?: boolean;
    unix?: string;
    fd?: number;
    allowHalfOpen: boolean;
    socket: BunSocketHandlers<Data>;
  }): BunListener;
  udpSocket(options: {
    connect: { hostname: string; port: number };
    socket: {
      data(socket: BunUdpSocket, bytes: Uint8Array): void;
      drain(socket: BunUdpSocket): void;
      error(...given: unknown[]): void;
    };
  }): Promise<BunUdpSocket>;
  /** Opens a connection by its descriptor. */
  connect<Data>(options: {
    fd: number;
    allowHalfOpen: boolean;
    socket: BunSocketHandlers<Data>;
  }): Promise<unknown>;
  connect<Data>(options: {
    hostname?: string;
    port?: number;
    unix?: string;
    tls?: Record<string, unknown>;
    data: Data;
    socket: BunClientHandlers<Data>;
  }): Promise<unknown>;
  serve(options: {
    hostname: string;
    port: number;
    reusePort: boolean;
    idleTimeout: number;
    development: boolean;
    fetch(request: Request, server: BunServer): Response | Promise<Response>;
    error(error: Error): Response;
  }): BunServer;
}

/** A stream connection of Deno. */
export interface DenoConn {
  readonly remoteAddr: DenoAddress;
  /** Bytes read, null at the end of the stream. */
  read(into: Uint8Array): Promise<number | null>;
  /** Bytes that were taken, at least one. */
  write(bytes: Uint8Array): Promise<number>;
  /** Sends FIN. */
  closeWrite(): Promise<void>;
  close(): void;
}

/** A stream connection of `Deno.connect`. */
export interface DenoClientConn extends DenoConn {
  /** Bytes written, at least one. */
  write(bytes: Uint8Array): Promise<number>;
  closeWrite(): Promise<void>;
}

/** What `Deno.listen` returns. */
export interface DenoListener {
  readonly addr: DenoAddress;
  accept(): Promise<DenoConn>;
  close(): void;
}

/** An address of Deno, flat: only TCP and UDP have host and port, only unix has a path. */
export interface DenoAddress {
  readonly transport: string;
  readonly hostname?: string;
  readonly port?: number;
  readonly path?: string;
}

/** What `Deno.listenDatagram` returns. */
export interface DenoDatagramConn {
  readonly addr: DenoAddress;
  receive(into: Uint8Array): Promise<[Uint8Array, DenoAddress]>;
  close(): void;
}

/** What `Deno.serve` returns. */
export interface DenoServer {
  readonly addr: DenoAddress;
  /** Takes no new connections; resolves when the last has its answer. */
  shutdown(): Promise<void>;
  readonly finished: Promise<void>;
}

/** The global `Deno`. */
export interface DenoGlobal {
  readonly version: { readonly deno: string };
  readonly stdout: { write(bytes: Uint8Array): Promise<number> };
  connect(
    options:
      | { transport: "tcp"; hostname: string; port: number }
      | { transport: "unix"; path: string },
  ): Promise<DenoClientConn>;
  listen(
    options:
      | { hostname: string; port: number; reusePort: boolean; tcpBacklog: number }
      | { transport: "unix"; path: string },
  ): DenoListener;
  listenDatagram(options: {
    transport: "udp";
    hostname: string;
    port: number;
    reuseAddress: boolean;
  }): DenoDatagramConn;
  serve(
    options: {
      hostname: string;
      port: number;
      reusePort: boolean;
      signal: AbortSignal;
      onListen(): void;
      onError(error: unknown): Response;
    },
    handler: (request: Request) => Response | Promise<Response>,
  ): DenoServer;
  dlopen(
    filename: string,
    symbols: Record<string, { parameters: string[]; result: string; nonblocking?: boolean }>,
  ): { readonly symbols: Record<string, (...args: unknown[]) => number> };
  readonly stdin: { read(into: Uint8Array): Promise<number | null> };
  readonly UnsafePointer: { of(bytes: Uint8Array): unknown; value(pointer: unknown): bigint | number };
  readonly UnsafePointerView: {
    new (pointer: unknown): { getInt32(offset?: number): number };
    getArrayBuffer(pointer: unknown, bytes: number): ArrayBuffer;
  };
}

/** `Bun`, or undefined on another runtime. */
export const bunGlobal: BunGlobal | undefined = (globalThis as { Bun?: BunGlobal }).Bun;

/** `Deno`, or undefined on another runtime. */
export const denoGlobal: DenoGlobal | undefined = (globalThis as { Deno?: DenoGlobal }).Deno;
