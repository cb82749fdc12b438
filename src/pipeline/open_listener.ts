/**
 * Binds what one `listen` entry asks for: a socket of its own, or those that this worker inherits. More than one of
 * them (a predecessor had more workers) are one listener to everybody else.
 *
 * @module
 */
import type { Listen, TlsServer } from "../config/config.ts";
import { listenTls, type TlsListener } from "../io/tls.ts";
import { loadTlsMaterial, tlsFilesVersion } from "../io/tls_material.ts";
import { runtime } from "../runtime/current.ts";
import type { InheritedSocket } from "../runtime/inherited.ts";
import { openLibc } from "../runtime/libc.ts";
import type {
  ConnectionHandler,
  DatagramHandler,
  GiveAway,
  ListenAddress,
  Listener,
  Runtime,
} from "../runtime/runtime.ts";
import { socketsOfWorker } from "./activation.ts";
import { CertificateWatch } from "./certificate_watch.ts";
import type { WorkerLog } from "./protocol.ts";

/** What is bound, and for whom. */
export interface OpenListener<State> {
  readonly listen: Listen;
  readonly name: string;
  /** Where the configuration says 0: the port that the first worker has. */
  readonly port: number;
  readonly inherited: readonly InheritedSocket[];
  readonly worker: number;
  readonly workers: number;
  readonly handshakeMs: number;
  /** Where plain TCP comes from. */
  readonly tcp: Pick<Runtime, "listenTcp">;
  readonly proxied: ((host: string) => boolean) | undefined;
  readonly connections: () => ConnectionHandler<State>;
  /** Hands connections of a TCP listener on. */
  readonly giveAway?: GiveAway | undefined;
  readonly datagrams: () => DatagramHandler;
  readonly stdin: () => Listener;
  readonly log: WorkerLog;
}

/** What came of it. */
export interface Opened {
  /** Undefined where another worker has it for all. */
  readonly listener: Listener | undefined;
  readonly certificates?: CertificateWatch;
}

/** Binds. @throws ForwarderError */
export async function openListener<State>(parts: OpenListener<State>): Promise<Opened> {
  const { listen, inherited, worker, workers, port } = parts;
  const { hostname, transport } = listen;
  // Also for one worker: a reload may bind 0.0.0.0 while 127.0.0.1 is still bound.
  const own = { hostname, port, reusePort: true };
  if (inherited.length === 0) {
    // What cannot be shared is the first worker's.
    const isAlone = transport === "unix" || transport === "unixgram" || transport === "stdin";
    if (worker !== 0 && (isAlone || transport === "udp" && !await runtime.udpBalanced())) {
      return { listener: undefined };
    }
    return await openAll(parts, [own]);
  }
  const libc = (await openLibc())!;
  const addresses = socketsOfWorker(inherited, worker, workers).map((socket) => ({
    hostname: socket.hostname,
    port: socket.port,
    reusePort: false,
    fd: libc.duplicate(socket.fd),
  }));
  return addresses.length === 0 ? { listener: undefined } : await openAll(parts, addresses);
}

async function openAll<State>(
  parts: OpenListener<State>,
  addresses: readonly ListenAddress[],
): Promise<Opened> {
  const { listen } = parts;
  const { path } = listen;
  switch (listen.transport) {
    case "tcp": {
      const handler = parts.connections();
      return {
        listener: await each(addresses, (address) => parts.tcp.listenTcp(address, handler, parts.giveAway)),
      };
    }
    case "tls":
      return await openTls(parts, listen.tls!, addresses);
    case "unix": {
      const handler = parts.connections();
      return { listener: await each(addresses, ({ fd }) => runtime.listenUnix(path, handler, fd)) };
    }
    case "unixgram": {
      const handler = parts.datagrams();
      return { listener: await each(addresses, ({ fd }) => runtime.listenUnixgram(path, handler, fd)) };
    }
    case "udp": {
      const balanced = await runtime.udpBalanced();
      const handler = parts.datagrams();
      const open = (address: ListenAddress) =>
        runtime.listenUdp({ ...address, reusePort: address.reusePort && balanced }, handler);
      return { listener: await each(addresses, open) };
    }
    case "stdin":
      return { listener: parts.stdin() };
  }
}

async function openTls<State>(
  parts: OpenListener<State>,
  tls: TlsServer,
  addresses: readonly ListenAddress[],
): Promise<Opened> {
  const { handshakeMs, proxied, worker, name } = parts;
  const version = await tlsFilesVersion(tls);
  const material = await loadTlsMaterial(tls);
  const handler = parts.connections();
  const options = { ...tls, material, handshakeMs, ...(proxied === undefined ? {} : { proxied }) };
  const all: TlsListener[] = [];
  const joined = await each(addresses, async (address) => {
    const listener = await listenTls(address, options, handler);
    all.push(listener);
    return listener;
  });
  const listener: TlsListener = {
    ...joined,
    reload: (material) => all.forEach((one) => one.reload(material)),
  };
  const log = worker === 0 ? parts.log : undefined;
  return {
    listener,
    certificates: new CertificateWatch({ name, files: tls, listener, material, version, log }),
  };
}

/** Opens one after the other, or none. */
async function each<One extends Listener>(
  addresses: readonly ListenAddress[],
  open: (address: ListenAddress) => Promise<One>,
): Promise<Listener> {
  const all: One[] = [];
  try {
    for (const address of addresses) all.push(await open(address));
  } catch (error) {
    await Promise.all(all.map((listener) => listener.close()));
    throw error;
  }
  const { address, port, adopt } = all[0]!;
  const drops = () => {
    const counts = all.flatMap((listener) => listener.drops?.() ?? []);
    return counts.length === 0 ? undefined : counts.reduce((sum, count) => sum + count);
  };
  return {
    address,
    port,
    drops,
    ...(adopt === undefined ? {} : { adopt }),
    close: async (keepsPath) => void await Promise.all(all.map((listener) => listener.close(keepsPath))),
  };
}
