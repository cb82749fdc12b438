/**
 * TLS listeners on node:tls, the layer on which both runtimes enforce client certificates and swap certificates
 * (Deno's own TLS listener ignores `requestCert`).
 *
 *     accept -> [PROXY header] -> handshake (SNI chooses the certificate) -> version, suite, client certificate -> ready
 *
 * A connection is `opened` when TCP has accepted it, before the handshake: unfinished handshakes count against the
 * connection limit and show in the list. `ready` tells that it is done; `tlsPeer` is known then. A handshake that
 * fails, or is not done in time, ends with `closed` and an error that names why.
 *
 * @module
 */

import { setImmediate } from "node:timers";
import { createServer as createTcpServer, type Socket } from "node:net";
import { createSecureContext, createServer, type SecureContext, type TLSSocket } from "node:tls";
import { ForwarderError, messageOf } from "../core/errors.ts";
import { bindError, formatAddress } from "../runtime/address.ts";
import { runtime } from "../runtime/current.ts";
import { reportFault } from "../runtime/fault.ts";
import { backlogMax } from "../runtime/globals.ts";
import { openLibc } from "../runtime/libc.ts";
import type { ConnectionHandler, ListenAddress, Listener } from "../runtime/runtime.ts";
import { LateOutput } from "./late_output.ts";
import { PermittedPeers } from "./permitted_peers.ts";
import { readProxyHeader } from "./proxy_protocol.ts";
import { nameHandshakeError, TlsConnection } from "./tls_connection.ts";
import type { TlsMaterial, TlsPair } from "./tls_material.ts";
import { peerCheck } from "./tls_peer.ts";

/** A handshake over the slowest link is done by then; what is not holds a place for nothing. */
export const handshakeMs = 10_000;

/** How a TLS listener behaves. */
export interface TlsListenOptions {
  readonly material: TlsMaterial;
  /**
   * Client certificates: `none` asks for none, `request` takes none or a trusted one, `require` takes a trusted one
   * only. The last two need `material.ca`, or fingerprints in `permittedPeers`.
   */
  readonly client: "none" | "request" | "require";
  /** Time for the handshake. */
  readonly handshakeMs?: number;
  /** Names and fingerprints of clients; all trusted ones where it is missing. */
  readonly permittedPeers?: readonly string[];
  readonly minVersion?: "TLSv1.2" | "TLSv1.3";
  /** OpenSSL names of the suites that may be spoken. */
  readonly ciphers?: readonly string[];
  /** Application protocols that are offered. */
  readonly alpn?: readonly string[];
  /** Whether connections of this host begin with a PROXY header. */
  readonly proxied?: (host: string) => boolean;
}

/** A TLS listener, whose certificate can be swapped. */
export interface TlsListener extends Listener {
  /** New connections get `material`; open ones stay as they are. Throws `certificate_unusable`. */
  reload(material: TlsMaterial): void;
}

/** What of the material is in force. */
interface InForce {
  readonly material: TlsMaterial;
  /** Certificates by the names in them. */
  readonly contexts: ReadonlyMap<string, SecureContext>;
}

/** Listens. Throws as `Runtime.listenTcp` does, and `certificate_unusable`. */
export async function listenTls<State>(
  address: ListenAddress,
  options: TlsListenOptions,
  handler: ConnectionHandler<State>,
): Promise<TlsListener> {
  const { hostname, port, reusePort, fd: inherited } = address;
  const { client, ciphers, alpn, minVersion = "TLSv1.2" } = options;
  const permitted = options.permittedPeers === undefined
    ? undefined
    : new PermittedPeers(options.permittedPeers);
  if (client !== "none" && options.material.ca === undefined && permitted?.byFingerprint !== true) {
    throw new ForwarderError(
      "certificate_unusable",
      `Cannot check client certificates on "${
        formatAddress(hostname, port)
      }": client is "${client}", but there is no ca`,
    );
  }
  // Those of TLS 1.3 cannot be chosen in Bun's library; what came of a handshake is looked at behind it.
  const older = ciphers?.filter((name) => !name.startsWith("TLS_")).join(":");
  const settings = { minVersion, ...(older === undefined || older === "" ? {} : { ciphers: older }) };
  const contextOf = ({ cert, key }: TlsPair, ca: string | undefined) => ({ cert, key, ca, ...settings });
  const prepare = (material: TlsMaterial): InForce => ({
    material,
    contexts: orUnusable(() => contextsOf(material, (pair) => contextOf(pair, material.ca))),
  });
  let inForce = prepare(options.material);
  const check = peerCheck({ client, permitted, minVersion, ciphers }, () => inForce.material.revocations);
  const server = orUnusable(() =>
    createServer({
      ...contextOf(options.material, options.material.ca),
      requestCert: client !== "none",
      // A certificate that is trusted by its fingerprint has no authority to show.
      rejectUnauthorized: client === "require" && permitted?.byFingerprint !== true,
      handshakeTimeout: options.handshakeMs ?? handshakeMs,
      ...(alpn === undefined ? {} : { ALPNProtocols: [...alpn] }),
      // Deno takes another way to the handshake with it.
      ...(options.material.more.length === 0 ? {} : {
        SNICallback: (name: string, done: (error: Error | null, context?: SecureContext) => void) =>
          done(null, contextFor(inForce.contexts, name)),
      }),
    })
  );

  // Bun: by socket, which is one for both layers where the server accepts itself. Behind a PROXY header by the socket
  // under it; on Deno by the `server` that a TLS socket names, one per connection.
  const connections = new WeakMap<object, TlsConnection<State>>();
  const connectionOf = (socket: TLSSocket): TlsConnection<State> | undefined => {
    const { server: view, _parent: under } = socket as unknown as { server?: object; _parent?: object };
    return connections.get(socket) ?? connections.get(view ?? socket) ?? connections.get(under ?? socket);
  };

  const own = runtime.name === "deno" || options.proxied !== undefined || inherited !== undefined;
  const startTls = (raw: Socket, connection: TlsConnection<State>, rest: Uint8Array | undefined): void => {
    if (runtime.name !== "deno") {
      connections.set(raw, connection);
      if (!own) return; // The server has it already.
      if (rest !== undefined) raw.unshift(rest);
      server.emit("connection", raw);
      return;
    }
    const late = new LateOutput(raw);
    late.on("error", () => {});
    connection.through(late);
    const view: typeof server = Object.create(server);
    connections.set(view, connection);
    if (rest !== undefined) late.push(rest);
    view.emit("connection", late);
    raw.resume(); // Reading the header stopped it.
  };

  const accepted = (raw: Socket): void => {
    raw.on("error", () => {}); // Deno ends the process for an error that nobody listens to.
    const connection = new TlsConnection(raw, handler);
    if (!connection.open()) return void raw.destroy();
    if (options.proxied?.(raw.remoteAddress ?? "") === true) {
      readHeader(raw, connection, (rest) => startTls(raw, connection, rest));
    } else startTls(raw, connection, undefined);
  };
  const acceptor = own ? createTcpServer({ allowHalfOpen: runtime.name === "deno" }) : server;
  acceptor.on("connection", accepted);
  server.on("secureConnection", (socket: TLSSocket) => {
    socket.on("error", () => {});
    const connection = connectionOf(socket);
    if (connection === undefined) socket.destroy();
    else connection.secured(socket, check);
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
    acceptor.listen(inherited === undefined ? listen : { fd: inherited }, () => {
      acceptor.off("error", refuse);
      resolve();
    });
  });
  acceptor.on("error", (error: Error) => reportFault("tls.accept", error));
  const libc = await openLibc();
  // Bun ignores the backlog; its handle shows the descriptor.
  const fd = (acceptor as unknown as { _handle?: { fd?: number } })._handle?.fd;
  if (typeof fd === "number" && fd >= 0) libc?.listen(fd, backlogMax);

  const bound = inherited === undefined
    ? acceptor.address() as { address: string; port: number }
    : { address: hostname, port };
  return {
    address: formatAddress(bound.address, bound.port),
    port: bound.port,
    reload(material) {
      const next = prepare(material);
      orUnusable(() => server.setSecureContext(contextOf(material, material.ca)));
      inForce = next;
    },
    close(): Promise<void> {
      acceptor.close();
      return new Promise((resolve) => setImmediate(resolve));
    },
  };
}

/** Reads the PROXY header of a connection; `done` gets what came behind it. */
function readHeader<State>(
  raw: Socket,
  connection: TlsConnection<State>,
  done: (rest: Uint8Array | undefined) => void,
): void {
  let bytes: Uint8Array = new Uint8Array(0);
  const take = (chunk: Uint8Array): void => {
    const both = new Uint8Array(bytes.length + chunk.length);
    both.set(bytes);
    both.set(chunk, bytes.length);
    bytes = both;
    const header = readProxyHeader(bytes);
    if (header.kind === "part") return;
    raw.off("data", take);
    raw.pause();
    if (header.kind === "invalid") return connection.refuse(bytes);
    if (!connection.identified(header.source)) return;
    done(bytes.length > header.length ? bytes.subarray(header.length) : undefined);
  };
  raw.on("data", take);
}

/** The certificates of `material` by their names; the first that has a name gets it. */
function contextsOf(
  material: TlsMaterial,
  optionsOf: (pair: TlsPair) => Parameters<typeof createSecureContext>[0],
): Map<string, SecureContext> {
  const contexts = new Map<string, SecureContext>();
  if (material.more.length === 0) return contexts;
  for (const pair of [material, ...material.more]) {
    const context = createSecureContext(optionsOf(pair));
    for (const name of pair.names) if (!contexts.has(name)) contexts.set(name, context);
  }
  return contexts;
}

/** The certificate for the name that a client asks for; undefined is the listener's first one. */
function contextFor(contexts: ReadonlyMap<string, SecureContext>, name: string): SecureContext | undefined {
  const asked = name.toLowerCase();
  const dot = asked.indexOf(".");
  return contexts.get(asked) ?? (dot === -1 ? undefined : contexts.get(`*${asked.slice(dot)}`));
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
