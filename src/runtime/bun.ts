/**
 * The runtime interface on Bun: streams on `Bun.listen`, datagrams on node:dgram (which is Bun's own UDP socket with
 * a documented way to share a port and to set the receive buffer), HTTP on `Bun.serve`.
 *
 * @module
 */

import { createSocket } from "node:dgram";
import type { Buffer } from "node:buffer";
import type {
  DatagramHandler,
  HttpAddress,
  HttpServer,
  ListenAddress,
  Listener,
  Runtime,
} from "./runtime.ts";
import type { BunGlobal } from "./globals.ts";
import { bindError, bindPathError, formatAddress, PeerNames } from "./address.ts";
import { listenBunStream } from "./bun_stream.ts";
import { reportFault } from "./fault.ts";
import { handleRequest } from "./http_request.ts";
import { openLibc } from "./libc.ts";
import { failedResponse, receiveBufferBytes } from "./limits.ts";
import { listenUnixgram } from "./unixgram.ts";
import { listenOwnPath, removeStaleSocket } from "./unix_path.ts";

/** The interface on `bun`. */
export function bunRuntime(bun: BunGlobal): Runtime {
  return {
    name: "bun",
    zlibThreads: true,
    version: `bun ${bun.version}`,
    udpBalanced: () => Promise.resolve(true),
    async listenTcp(address, handler, giveAway) {
      const { hostname, port, reusePort, fd } = address;
      try {
        const bound = { hostname, port, reusePort };
        return await listenBunStream(
          bun,
          fd === undefined ? bound : { fd, inherited: bound },
          handler,
          giveAway,
        );
      } catch (error) {
        throw bindError(hostname, port, error);
      }
    },
    async listenUnix(path, handler, fd) {
      if (fd !== undefined) return await listenBunStream(bun, { fd, inherited: path }, handler);
      await removeStaleSocket(path);
      try {
        return await listenOwnPath(path, (fd) => listenBunStream(bun, { fd, inherited: path }, handler)) ??
          await listenBunStream(bun, { unix: path }, handler);
      } catch (error) {
        throw bindPathError(path, error);
      }
    },
    listenUnixgram,
    listenUdp,
    serveHttp(address, fetch) {
      return Promise.resolve().then(() => serveHttp(bun, address, fetch));
    },
  };
}

/** What node:dgram of Bun takes; `reusePort` is younger than most type packages. */
interface DatagramOptions {
  type: "udp4" | "udp6";
  reusePort: boolean;
  recvBufferSize: number;
}

async function listenUdp(address: ListenAddress, handler: DatagramHandler): Promise<Listener> {
  const { hostname, port, reusePort, fd } = address;
  const libc = await openLibc();
  const options: DatagramOptions = {
    type: hostname.includes(":") ? "udp6" : "udp4",
    reusePort,
    recvBufferSize: receiveBufferBytes,
  };
  const socket = createSocket(options);
  const peers = new PeerNames();
  socket.on("message", (packet: Buffer, from: { address: string; port: number }) => {
    try {
      handler.received(packet, peers.of(from.address, from.port));
    } catch (error) {
      reportFault("udp.received", error);
    }
  });
  return await new Promise((resolve, reject) => {
    const refuse = (error: Error): void => reject(bindError(hostname, port, error));
    socket.once("error", refuse);
    const where = fd === undefined ? { port, address: hostname, exclusive: true } : { fd, exclusive: true };
    socket.bind(where as { port: number }, () => {
      socket.off("error", refuse);
      socket.on("error", (error: Error) => reportFault("udp", error));
      // The runtime stays below net.core.rmem_max also where CAP_NET_ADMIN allows more.
      libc?.setReceiveBuffer(descriptorOf(socket), receiveBufferBytes);
      const bound = socket.address();
      let closed: Promise<void> | undefined;
      resolve({
        address: formatAddress(bound.address, bound.port),
        port: bound.port,
        drops: () => closed === undefined ? libc?.drops(descriptorOf(socket)) : undefined,
        close: () => closed ??= new Promise((done) => socket.close(() => done())),
      });
    });
  });
}

/** The descriptor of a socket of node:dgram, which Bun's handle shows; -1 where it does not. */
function descriptorOf(socket: object): number {
  const states = Object.getOwnPropertySymbols(socket).map((key) => (socket as Record<symbol, unknown>)[key]);
  for (const state of states) {
    const fd = (state as { handle?: { fd?: unknown } } | undefined)?.handle?.fd;
    if (typeof fd === "number") return fd;
  }
  return -1;
}

/** How long a connection may be silent in the head of a request, in a body that nobody reads, and after an answer. */
const idleSeconds = 30;

function isEventStream(response: Response): boolean {
  return response.headers.get("content-type")?.startsWith("text/event-stream") ?? false;
}

function serveHttp(
  bun: BunGlobal,
  address: HttpAddress,
  fetch: (request: Request) => Response | Promise<Response>,
): HttpServer {
  const { hostname, port } = address;
  let server;
  try {
    server = bun.serve({
      hostname,
      port,
      reusePort: address.reusePort === true,
      idleTimeout: idleSeconds,
      development: false,
      async fetch(request, server) {
        server.timeout(request, 0); // An answer takes the time that its handler gives it.
        const response = await handleRequest(request, fetch);
        // A stream of events may be silent for long; everything else, and what follows it, may not.
        if (!isEventStream(response)) server.timeout(request, idleSeconds);
        return response;
      },
      error: (error) => failedResponse(error),
    });
  } catch (error) {
    throw bindError(hostname, port, error);
  }
  return {
    address: formatAddress(hostname, server.port),
    port: server.port,
    retire: () => void server.stop(false),
    stop: () => server.stop(true),
  };
}
