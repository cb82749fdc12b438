/**
 * One TLS connection: the socket, the stream between it and the TLS layer (Deno), and the gate to the handler.
 *
 * @module
 */
import { setImmediate } from "node:timers";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { ForwarderError, messageOf } from "../core/errors.ts";
import { formatAddress } from "../runtime/address.ts";
import { runtime } from "../runtime/current.ts";
import { detach } from "../runtime/detach.ts";
import { Gate } from "../runtime/gate.ts";
import { socketKey } from "../runtime/kernel_sockets.ts";
import type { Connection, ConnectionHandler } from "../runtime/runtime.ts";
import type { LateOutput } from "./late_output.ts";
import type { PeerCheck } from "./tls_peer.ts";

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

/** One connection of a TLS listener, from its accept on. */
export class TlsConnection<State> implements Connection {
  peer: string;
  tlsPeer: string | undefined;
  readonly underKey: string;
  readonly #gate: Gate<State>;
  readonly #raw: Socket;
  #late: LateOutput | undefined;
  #secure: TLSSocket | undefined;
  #error: Error | undefined;

  constructor(raw: Socket, handler: ConnectionHandler<State>) {
    this.#raw = raw;
    this.peer = formatAddress(raw.remoteAddress ?? "unknown", raw.remotePort ?? 0);
    this.underKey = socketKey(raw.localPort ?? 0, this.peer);
    this.#gate = new Gate(handler, {
      pause: () => this.#stopReading(),
      resume: () => this.#startReading(),
      destroy: () => {
        this.#secure?.destroy();
        raw.destroy();
      },
      release: detach,
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

  /** The stream between the socket and the TLS layer (Deno). */
  through(late: LateOutput): void {
    this.#late = late;
  }

  /** A PROXY header said for whom this connection speaks; false where the handler refuses that sender. */
  identified(source: { readonly hostname: string; readonly port: number } | undefined): boolean {
    if (source !== undefined) this.peer = formatAddress(source.hostname, source.port);
    return this.#gate.identified(this.peer);
  }

  /** The connection's bytes go to the handler, which refuses them: there is no PROXY header. */
  refuse(chunk: Uint8Array): void {
    this.#gate.take(chunk);
  }

  /** The handshake is done. */
  secured(socket: TLSSocket, check: PeerCheck): void {
    this.#secure = socket;
    // Up to TLS 1.2 the server has the last word of the handshake, and tickets come before it.
    if (socket.getProtocol() === "TLSv1.3") this.#late?.hold();
    if (this.#late !== undefined) socket.on("end", () => socket.end());
    socket.on("error", (error: Error) => this.#error ??= error);
    socket.on("close", () => this.#gate.finish(this.#error));
    if (this.#gate.ended) return void socket.destroy();
    const verdict = check(socket);
    if (!verdict.ok) {
      this.fail(handshakeError(this.peer, "permission_denied", verdict.problem));
      return;
    }
    this.tlsPeer = verdict.name;
    this.#gate.ready();
    socket.on("data", (chunk: Uint8Array) => this.#gate.take(chunk));
    socket.on("drain", () => this.#gate.drain());
    if (this.#gate.paused) this.#stopReading();
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

  pause(isDone?: boolean): void {
    this.#gate.pause(isDone);
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

function handshakeError(
  peer: string,
  code: "deadline_exceeded" | "not_supported" | "permission_denied" | "stopped",
  reason: string,
  cause?: unknown,
): ForwarderError {
  return new ForwarderError(code, `Cannot finish TLS handshake with "${peer}": ${reason}`, { cause });
}

/** Names why the handshake on `socket` failed; the runtimes' TLS libraries word it differently. */
export function nameHandshakeError(
  peer: string,
  error: Error & { code?: string },
  socket: TLSSocket,
): ForwarderError {
  const code = error.code ?? "";
  // Deno words it so where the listener has several certificates.
  const corrupt = error.message.includes("InvalidContentType");
  if (code === "ERR_SSL_WRONG_VERSION_NUMBER" || code === "ERR_SSL_HTTP_REQUEST" || corrupt) {
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
