/**
 * TLS listeners on node:tls, the layer on which both runtimes enforce client certificates and swap certificates
 * (Deno's own TLS listener ignores `requestCert`).
 *
 * A connection is `opened` when TCP has accepted it, before the handshake: unfinished handshakes count against the
 * connection limit and show in the list. `tlsPeer` is known by the first `received`. A handshake that fails, or is
 * not done in time, ends with `closed` and an error that names why.
 *
 * @module
 */

import { setImmediate } from "node:timers";
import { createServer as createTcpServer, type Socket } from "node:net";
import { createServer, type TLSSocket } from "node:tls";
import { ForwarderError, messageOf } from "../core/errors.ts";
import { bindError, formatAddress } from "../runtime/address.ts";
import { runtime } from "../runtime/current.ts";
import { reportFault } from "../runtime/fault.ts";
import { Gate } from "../runtime/gate.ts";
import { backlogMax } from "../runtime/globals.ts";
import { openLibc } from "../runtime/libc.ts";
import type { Connection, ConnectionHandler, ListenAddress, Listener } from "../runtime/runtime.ts";
import { LateOutput } from "./late_output.ts";
import type { TlsMaterial } from "./tls_material.ts";

/** A handshake over the slowest link is done by then; what is not holds a place for nothing. */
export const handshakeMs = 10_000;

/** How a TLS listener behaves. */
export interface TlsListenOptions {
  readonly material: TlsMaterial;
  /**
   * Client certificates: `none` asks for none, `request` takes none or a trusted one, `require` takes a trusted one
   * only. The last two need `material.ca`.
   */
  readonly client: "none" | "request" | "require";
  /** Time for the handshake. */
  readonly handshakeMs?: number;
}

/** A TLS listener, whose certificate can be swapped. */
export interface TlsListener extends Listener {
  /** New connections get `material`; open ones stay as they are. Throws `certificate_unusable`. */
  reload(material: TlsMaterial): void;
}

/** The part of a socket's handle that stops and starts its reading. */
interface ReadHandle {
  readStop(): void;
  readStart(): void;
}

/**
 * The handle to stop reading with on Deno. A paused TLS stream there reads on from the network into memory without a
 * bound, and may never tell of the end of the stream after that; the handle of the socket under it really stops.
 */
function readHandle(raw: Socket): ReadHandle | undefined {
  if (runtime.name !== "deno") return undefined;
  const handle = (raw as unknown as { _handle?: Partial<ReadHandle> | null })._handle;
  return handle?.readStop === undefined || handle.readStart === undefined ? undefined : handle as ReadHandle;
}

class TlsConnection<State> implements Connection {
  readonly peer: string;
  tlsPeer: string | undefined;
  readonly #gate: Gate<State>;
  readonly #raw: Socket;
  readonly #late: LateOutput | undefined;
  #secure: TLSSocket | undefined;
  #error: Error | undefined;

  constructor(raw: Socket, late: LateOutput | undefined, handler: ConnectionHandler<State>) {
    this.#raw = raw;
    this.#late = late;
    this.peer = formatAddress(raw.remoteAddress ?? "unknown", raw.remotePort ?? 0);
    this.#gate = new Gate(handler, {
      pause: () => this.#stopReading(),
      resume: () => this.#startReading(),
      destroy: () => {
        this.#secure?.destroy();
        raw.destroy();
      },
    });
  }

  /** Asks the handler for its state; false when it refused. */
  open(): boolean {
    if (!this.#gate.open(this)) return false;
    this.#raw.on("error", (error: Error) => this.#error ??= error);
    this.#raw.on("close", () => {
      if (this.#secure === undefined) this.#finishUnsecured();
    });
    return true;
  }

  /** The handshake is done. */
  secured(socket: TLSSocket, client: TlsListenOptions["client"]): void {
    this.#secure = socket;
    this.#late?.hold();
    if (this.#late !== undefined) socket.on("end", () => socket.end());
    socket.on("error", (error: Error) => this.#error ??= error);
    socket.on("close", () => this.#gate.finish(this.#error));
    if (this.#gate.ended) return void socket.destroy();
    if (client !== "none" && !this.#trusted(socket, client)) return;
    this.#gate.ready();
    socket.on("data", (chunk: Uint8Array) => this.#gate.take(chunk));
    socket.on("drain", () => this.#gate.drain());
    if (this.#gate.paused) this.#stopReading();
  }

  /** Whether the client's certificate is as wanted. The runtime has checked it already; this does not rely on it. */
  #trusted(socket: TLSSocket, client: "request" | "require"): boolean {
    const certificate = socket.getPeerCertificate();
    const presented = certificate !== undefined && certificate !== null &&
      Object.keys(certificate).length > 0;
    if (socket.authorized && presented) {
      this.tlsPeer = commonName(certificate.subject?.CN) ?? certificate.subjectaltname;
      return true;
    }
    if (client === "request" && !presented) return true;
    this.fail(handshakeError(this.peer, "permission_denied", "its certificate is not trusted"));
    return false;
  }

  #startReading(): void {
    const socket = this.#secure;
    if (socket === undefined) return; // It starts when it is secured.
    const handle = readHandle(this.#raw);
    if (handle === undefined) socket.resume();
    else handle.readStart();
  }

  #stopReading(): void {
    const socket = this.#secure;
    if (socket === undefined) return; // The handshake needs to read; `secured` stops it.
    const handle = readHandle(this.#raw);
    if (handle === undefined) socket.pause();
    else handle.readStop();
  }

  pause(): void {
    this.#gate.pause();
  }

  resume(): void {
    this.#gate.resume();
  }

  write(bytes: Uint8Array): void {
    if (this.#gate.ended || this.#secure === undefined) return;
    // Who reads answers reads what is before them too.
    this.#late?.release();
    this.#secure.write(bytes);
  }

  get unsentBytes(): number {
    return this.#secure?.writableLength ?? 0;
  }

  end(): void {
    if (this.#gate.ended) return;
    this.#late?.release();
    this.#secure?.end();
  }

  destroy(): void {
    this.#gate.destroy();
  }

  /** Ends it with `error`, which `closed` will get; the first error counts. */
  fail(error: Error): void {
    this.#gate.fail(error);
  }

  /** The socket closed before the handshake was done. */
  #finishUnsecured(): void {
    // A turn later: on Deno the reason of a failed handshake comes after the socket is closed.
    setImmediate(() => {
      const ours = this.#gate.ended; // Destroyed by us: no error, or the one of `fail`.
      this.#gate.finish(
        ours ? undefined : handshakeError(this.peer, "stopped", "peer went away", this.#error),
      );
    });
  }
}

/** node:tls gives an array where a name has several common names. */
function commonName(name: string | string[] | undefined): string | undefined {
  return Array.isArray(name) ? name[0] : name;
}

function handshakeError(
  peer: string,
  code: "deadline_exceeded" | "not_supported" | "permission_denied" | "stopped",
  reason: string,
  cause?: unknown,
): ForwarderError {
  return new ForwarderError(code, `Cannot finish TLS handshake with "${peer}": ${reason}`, { cause });
}

/** Names why the handshake on `socket` failed; the runtimes' TLS libraries word it differently. */
function nameHandshakeError(
  peer: string,
  error: Error & { code?: string },
  socket: TLSSocket,
): ForwarderError {
  const code = error.code ?? "";
  if (code === "ERR_SSL_WRONG_VERSION_NUMBER" || code === "ERR_SSL_HTTP_REQUEST") {
    return handshakeError(peer, "not_supported", "peer spoke plain text", error);
  }
  if (code === "ERR_TLS_HANDSHAKE_TIMEOUT" || error.message === "TLS handshake timeout") {
    return handshakeError(peer, "deadline_exceeded", "not done in time", error);
  }
  if (code === "ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE") {
    return handshakeError(peer, "permission_denied", "peer sent no certificate", error);
  }
  // Deno reports a refused certificate as a reset; the reason is only here.
  const refused: unknown = socket.authorizationError;
  if (refused !== null && refused !== undefined) {
    return handshakeError(peer, "permission_denied", `its certificate is not trusted (${refused})`, error);
  }
  if (code === "ECONNRESET") return handshakeError(peer, "stopped", "peer went away", error);
  return handshakeError(peer, "not_supported", messageOf(error), error);
}

/** Listens. Throws as `Runtime.listenTcp` does, and `certificate_unusable`. */
export async function listenTls<State>(
  address: ListenAddress,
  options: TlsListenOptions,
  handler: ConnectionHandler<State>,
): Promise<TlsListener> {
  const { hostname, port, reusePort } = address;
  const { client } = options;
  if (client !== "none" && options.material.ca === undefined) {
    throw new ForwarderError(
      "certificate_unusable",
      `Cannot check client certificates on "${
        formatAddress(hostname, port)
      }": client is "${client}", but there is no ca`,
    );
  }
  const server = orUnusable(() =>
    createServer({
      ...options.material,
      requestCert: client !== "none",
      rejectUnauthorized: client === "require",
      handshakeTimeout: options.handshakeMs ?? handshakeMs,
      minVersion: "TLSv1.2",
    })
  );

  // Bun: by socket, which is one for both layers. Deno: by the `server` that a TLS socket names, one per connection.
  const connections = new WeakMap<object, TlsConnection<State>>();
  const connectionOf = (socket: TLSSocket): TlsConnection<State> | undefined =>
    connections.get(socket) ?? connections.get((socket as unknown as { server?: object }).server ?? socket);

  const accepted = (raw: Socket): void => {
    raw.on("error", () => {}); // Deno ends the process for an error that nobody listens to.
    const late = runtime.name === "deno" ? new LateOutput(raw) : undefined;
    const connection = new TlsConnection(raw, late, handler);
    if (!connection.open()) return void raw.destroy();
    if (late === undefined) return void connections.set(raw, connection);
    late.on("error", () => {});
    const view: typeof server = Object.create(server);
    connections.set(view, connection);
    view.emit("connection", late);
  };
  const acceptor = runtime.name === "deno" ? createTcpServer({ allowHalfOpen: true }) : server;
  acceptor.on("connection", accepted);
  server.on("secureConnection", (socket: TLSSocket) => {
    socket.on("error", () => {});
    const connection = connectionOf(socket);
    if (connection === undefined) socket.destroy();
    else connection.secured(socket, client);
  });
  server.on("tlsClientError", (error: Error, socket: TLSSocket) => {
    socket.on("error", () => {});
    const connection = connectionOf(socket);
    // A timed-out handshake leaves the socket open.
    if (connection === undefined) socket.destroy();
    else connection.fail(nameHandshakeError(connection.peer, error, socket));
  });

  await new Promise<void>((resolve, reject) => {
    const refuse = (error: Error): void => reject(bindError(hostname, port, error));
    acceptor.once("error", refuse);
    // `reusePort` is younger than most type packages.
    const listen: { host: string; port: number; backlog: number; reusePort: boolean; exclusive: boolean } = {
      host: hostname,
      port,
      backlog: backlogMax,
      reusePort,
      exclusive: true,
    };
    acceptor.listen(listen, () => {
      acceptor.off("error", refuse);
      resolve();
    });
  });
  acceptor.on("error", (error: Error) => reportFault("tls.accept", error));
  const libc = await openLibc();
  // Bun ignores the backlog; its handle shows the descriptor.
  const fd = (acceptor as unknown as { _handle?: { fd?: number } })._handle?.fd;
  if (typeof fd === "number" && fd >= 0) libc?.listen(fd, backlogMax);

  const bound = acceptor.address() as { address: string; port: number };
  return {
    address: formatAddress(bound.address, bound.port),
    port: bound.port,
    reload(material) {
      orUnusable(() => server.setSecureContext(material));
    },
    close(): Promise<void> {
      acceptor.close();
      return new Promise((resolve) => setImmediate(resolve));
    },
  };
}

function orUnusable<T>(run: () => T): T {
  try {
    return run();
  } catch (cause) {
    throw new ForwarderError("certificate_unusable", `Cannot use certificate: ${messageOf(cause)}`, {
      cause,
    });
  }
}
