/**
 * The runtime interface on Deno: streams on `Deno.listen`, datagrams on `Deno.listenDatagram`, HTTP on `Deno.serve`.
 *
 * Sharing a port (`reusePort`, and datagrams at all) needs `"unstable": ["net"]`, which deno.json sets. Deno's own
 * datagram sockets cannot share a port evenly: they have no SO_REUSEPORT, and with SO_REUSEADDR the kernel gives
 * everything to the one that was bound last. Through FFI they can; `udpBalanced` says which holds.
 *
 * @module
 */

import { readdir, readFile, readlink } from "node:fs/promises";
import { setImmediate } from "node:timers";
import type {
  DatagramHandler,
  HttpAddress,
  HttpServer,
  ListenAddress,
  Listener,
  Runtime,
} from "./runtime.ts";
import type { DenoDatagramConn, DenoGlobal } from "./globals.ts";
import { bindError, bindPathError, errnoError, formatAddress, PeerNames } from "./address.ts";
import { DescriptorDatagrams, formatSockaddr, sockaddrOf } from "./descriptor_datagrams.ts";
import { listenDescriptor } from "./node_stream.ts";
import { Readiness } from "./readiness.ts";
import { listenUnixgram } from "./unixgram.ts";
import { serveDenoStream } from "./deno_stream.ts";
import { reportFault } from "./fault.ts";
import { backlogMax } from "./globals.ts";
import { handleRequest } from "./http_request.ts";
import { openLibc } from "./libc.ts";
import { datagramBytesMax, failedResponse, receiveBufferBytes } from "./limits.ts";
import { resolveHost } from "./resolve_host.ts";
import { listenOwnPath, openToSenders, removeStaleSocket } from "./unix_path.ts";

/** Datagrams between two turns of the event loop. */
const turnDatagramsMax = 256;

/** Wait after a failed receive, so that a lasting failure does not spin. */
const receiveBackoffMs = 10;

/** The interface on `deno`. */
export function denoRuntime(deno: DenoGlobal): Runtime {
  return {
    name: "deno",
    zlibThreads: false,
    version: `deno ${deno.version.deno}`,
    udpBalanced: async () => await Readiness.ofThread() !== undefined,
    async listenTcp(address, handler) {
      const { hostname, port, reusePort, fd } = address;
      if (fd !== undefined) {
        const bound = { address: formatAddress(hostname, port), port };
        return await listenDescriptor(fd, bound, handler);
      }
      let listener;
      try {
        listener = deno.listen({ hostname, port, reusePort, tcpBacklog: backlogMax });
      } catch (error) {
        throw bindError(hostname, port, error);
      }
      return serveDenoStream(listener, handler);
    },
    listenUnixgram,
    async listenUnix(path, handler, fd) {
      if (fd !== undefined) return await listenDescriptor(fd, { address: path, port: 0 }, handler);
      await removeStaleSocket(path);
      let listener;
      try {
        const own = await listenOwnPath(
          path,
          (fd) => listenDescriptor(fd, { address: path, port: 0 }, handler),
        );
        if (own !== undefined) return own;
        listener = deno.listen({ transport: "unix", path });
        openToSenders(path);
      } catch (error) {
        listener?.close();
        throw bindPathError(path, error);
      }
      return serveDenoStream(listener, handler);
    },
    listenUdp: (address, handler) => listenUdp(deno, address, handler),
    serveHttp(address, fetch) {
      return Promise.resolve().then(() => serveHttp(deno, address, fetch));
    },
  };
}

/**
 * Datagrams through FFI, with SO_REUSEPORT, batches and a count of what the kernel dropped; where there is no FFI
 * through Deno's own socket.
 */
async function listenUdp(
  deno: DenoGlobal,
  address: ListenAddress,
  handler: DatagramHandler,
): Promise<Listener> {
  const [libc, readiness] = await Promise.all([openLibc(), Readiness.ofThread()]);
  if (libc === undefined || readiness === undefined) return await listenOwnUdp(deno, address, handler);
  const { hostname, port, reusePort } = address;
  let { fd } = address;
  if (fd === undefined) {
    fd = libc.bindDatagram(sockaddrOf({ bytes: await resolveHost(hostname, port), port }), reusePort);
    if (fd < 0) throw bindError(hostname, port, errnoError(-fd));
  } else libc.setNonBlocking(fd);
  libc.setReceiveBuffer(fd, receiveBufferBytes);
  const bound = formatSockaddr(libc.socketKind(fd)!.address);
  const datagrams = new DescriptorDatagrams(libc, readiness, fd, handler);
  return {
    address: bound,
    port: Number(bound.slice(bound.lastIndexOf(":") + 1)),
    drops: () => datagrams.drops(),
    close: () => datagrams.close(),
  };
}

async function listenOwnUdp(
  deno: DenoGlobal,
  address: ListenAddress,
  handler: DatagramHandler,
): Promise<Listener> {
  const { hostname, port, reusePort } = address;
  let conn: DenoDatagramConn;
  try {
    conn = deno.listenDatagram({ transport: "udp", hostname, port, reuseAddress: reusePort });
  } catch (error) {
    throw bindError(hostname, port, error);
  }
  const bound = conn.addr;
  await enlargeReceiveBuffer(bound.port!);
  let closing = false;

  async function receiveAll(): Promise<void> {
    const buffer = new Uint8Array(datagramBytesMax);
    const peers = new PeerNames();
    let turnDatagrams = 0;
    while (!closing) {
      try {
        const [packet, from] = await conn.receive(buffer);
        deliver(handler, packet, peers.of(from.hostname!, from.port!));
      } catch (error) {
        if (closing) return;
        reportFault("udp", error);
        await new Promise((resolve) => setTimeout(resolve, receiveBackoffMs));
      }
      turnDatagrams += 1;
      if (turnDatagrams >= turnDatagramsMax) {
        turnDatagrams = 0;
        await new Promise<void>((resolve) => setImmediate(resolve));
      }
    }
  }

  const receiving = receiveAll();
  return {
    address: formatAddress(bound.hostname!, bound.port!),
    port: bound.port!,
    close(): Promise<void> {
      if (!closing) {
        closing = true;
        conn.close();
      }
      return receiving;
    },
  };
}

function deliver(handler: DatagramHandler, packet: Uint8Array, peer: string): void {
  try {
    handler.received(packet, peer);
  } catch (error) {
    reportFault("udp.received", error);
  }
}

/**
 * Sets the receive buffer of the datagram sockets of this process on `port`. Deno shows no descriptor, so it is found
 * by its inode: /proc/net/udp has the port's, /proc/self/fd has ours. Without /proc or FFI the kernel's default stays.
 */
async function enlargeReceiveBuffer(port: number): Promise<void> {
  const libc = await openLibc();
  if (libc === undefined) return;
  const inodes = new Set<string>();
  const portHex = port.toString(16).toUpperCase().padStart(4, "0");
  for (const table of ["/proc/net/udp", "/proc/net/udp6"]) {
    const text = await readFile(table, "utf8").catch(() => "");
    for (const line of text.split("\n")) {
      // proc(5): sl local_address rem_address st tx:rx tr:tm retrnsmt uid timeout inode
      const columns = line.trim().split(/\s+/);
      if (columns[1]?.endsWith(`:${portHex}`)) inodes.add(`socket:[${columns[9]}]`);
    }
  }
  for (const fd of await readdir("/proc/self/fd").catch(() => [])) {
    const target = await readlink(`/proc/self/fd/${fd}`).catch(() => "");
    if (inodes.has(target)) libc.setReceiveBuffer(Number(fd), receiveBufferBytes);
  }
}

function serveHttp(
  deno: DenoGlobal,
  address: HttpAddress,
  fetch: (request: Request) => Response | Promise<Response>,
): HttpServer {
  const { hostname, port } = address;
  const stopping = new AbortController();
  let isRetired = false;
  let server;
  try {
    server = deno.serve({
      hostname,
      port,
      reusePort: address.reusePort === true,
      signal: stopping.signal,
      onListen() {}, // The default prints a banner.
      onError: (error) => failedResponse(error),
    }, (request) => handleRequest(request, fetch));
  } catch (error) {
    throw bindError(hostname, port, error);
  }
  return {
    address: formatAddress(hostname, server.addr.port!),
    port: server.addr.port!,
    retire() {
      isRetired = true;
      void server.shutdown().catch(() => {});
    },
    stop() {
      // Once it is shut down it ends by itself, and cannot be told to.
      if (isRetired) return Promise.resolve();
      stopping.abort();
      return server.finished;
    },
  };
}
