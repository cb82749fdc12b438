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
import type { Socket } from "node:net";
import { createServer, type TLSSocket } from "node:tls";
import { ForwarderError, messageOf } from "../core/errors.ts";
import { bindError, formatAddress } from "../runtime/address.ts";
import { reportFault } from "../runtime/fault.ts";
import { backlogMax } from "../runtime/globals.ts";
import { openLibc } from "../runtime/libc.ts";
import type { Connection, ConnectionHandler, ListenAddress, Listener } from "../runtime/runtime.ts";
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

class TlsConnection<State> implements Connection {
  readonly peer: string;
  readonly #handler: ConnectionHandler<State>;
  readonly #raw: Socket;
  #secure: TLSSocket | undefined;
  #state: State | undefined;
  #paused = false;
  #destroyed = false;
  #closed = false;
  #error: Error | undefined;
  tlsPeer: string | undefined;

  constructor(raw: Socket, handler: ConnectionHandler<State>) {
    this.#raw = raw;
    this.#handler = handler;
    this.peer = formatAddress(raw.remoteAddress ?? "unknown", raw.remotePort ?? 0);
  }

  /** Asks the handler for its state; false when it refused. */
  open(): boolean {
    try {
      this.#state = this.#handler.opened(this);
    } catch (error) {
      reportFault("connection.opened", error);
    }
    if (this.#state === undefined) return false;
    this.#raw.on("error", (error: Error) => this.fail(error));
    this.#raw.on("close", () => {
      if (this.#secure === undefined) this.#finish();
    });
    return true;
  }

  /** The handshake is done; bytes flow unless it paused meanwhile. */
  secured(socket: TLSSocket, client: TlsListenOptions["client"]): void {
    this.#secure = socket;
    socket.on("error", (error: Error) => this.fail(error));
    socket.on("close", () => this.#finish());
    if (this.#destroyed) return void socket.destroy();
    if (client !== "none" && !this.#trusted(socket, client)) return;
    socket.on("data", (chunk: Uint8Array) => this.#take(chunk));
    if (this.#paused) socket.pause();
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

  #take(chunk: Uint8Array): void {
    if (this.#destroyed) return;
    try {
      this.#handler.received(this.#state!, chunk);
    } catch (error) {
      reportFault("connection.received", error);
      this.fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  pause(): void {
    this.#paused = true;
    this.#secure?.pause();
  }

  resume(): void {
    this.#paused = false;
    if (!this.#destroyed) this.#secure?.resume();
  }

  /** Ends it with `error`, which `closed` will get; the first error counts. */
  fail(error: Error): void {
    if (!this.#destroyed) this.#error ??= error;
    this.destroy();
  }

  destroy(): void {
    this.#destroyed = true;
    this.#secure?.destroy();
    this.#raw.destroy();
  }

  #finish(): void {
    if (this.#closed) return;
    this.#closed = true;
    // A turn later: the reason of a failed handshake may come after the socket is closed.
    setImmediate(() => {
      const error = this.#error ??
        (this.#secure === undefined && !this.#destroyed
          ? handshakeError(this.peer, "stopped", "peer went away")
          : undefined);
      this.#destroyed = true;
      try {
        this.#handler.closed(this.#state!, error);
      } catch (error) {
        reportFault("connection.closed", error);
      }
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

/** Names why a handshake failed; the runtimes' TLS libraries word it differently. */
function nameHandshakeError(peer: string, error: Error & { code?: string }): ForwarderError {
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
  if (code === "ECONNRESET") return handshakeError(peer, "stopped", "peer went away", error);
  if (/UNABLE_TO|CERT|SELF_SIGNED/.test(code) || /certificate/i.test(error.message)) {
    return handshakeError(
      peer,
      "permission_denied",
      `its certificate is not trusted (${messageOf(error)})`,
      error,
    );
  }
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

  const connections = new WeakMap<object, TlsConnection<State>>();
  // Bun gives one socket for both layers, Deno (as Node) wraps the raw one.
  const connectionOf = (socket: TLSSocket): TlsConnection<State> | undefined =>
    connections.get(socket) ?? connections.get((socket as unknown as { _parent?: Socket })._parent ?? socket);

  server.on("connection", (raw: Socket) => {
    raw.on("error", () => {}); // Deno ends the process for an error that nobody listens to.
    const connection = new TlsConnection(raw, handler);
    if (connection.open()) connections.set(raw, connection);
    else raw.destroy();
  });
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
    else connection.fail(nameHandshakeError(connection.peer, error));
  });

  await new Promise<void>((resolve, reject) => {
    const refuse = (error: Error): void => reject(bindError(hostname, port, error));
    server.once("error", refuse);
    // `reusePort` is younger than most type packages.
    const listen: { host: string; port: number; backlog: number; reusePort: boolean; exclusive: boolean } = {
      host: hostname,
      port,
      backlog: backlogMax,
      reusePort,
      exclusive: true,
    };
    server.listen(listen, () => {
      server.off("error", refuse);
      resolve();
    });
  });
  server.on("error", (error: Error) => reportFault("tls.accept", error));
  const libc = await openLibc();
  // Bun ignores the backlog; its handle shows the descriptor.
  const fd = (server as unknown as { _handle?: { fd?: number } })._handle?.fd;
  if (typeof fd === "number" && fd >= 0) libc?.listen(fd, backlogMax);

  const bound = server.address() as { address: string; port: number };
  return {
    address: formatAddress(bound.address, bound.port),
    port: bound.port,
    reload(material) {
      orUnusable(() => server.setSecureContext(material));
    },
    close(): Promise<void> {
      server.close();
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
