/**
 * Which listener gets which inherited socket (systemd socket activation). The configuration says where to listen, as
 * ever; a socket that is bound there already is taken instead of binding one.
 *
 * A socket fits a listener of its kind with the same port and the same address. One that is bound to all addresses
 * (`ListenStream=514` is `[::]:514`) fits every address of its port, since it takes what comes there.
 *
 * @module
 */
import type { Listen } from "../config/config.ts";
import { readAddress } from "../core/networks.ts";
import type { InheritedSocket } from "../runtime/inherited.ts";

/** The socket of each listener, in their order, and the sockets that are left. */
export interface Activation {
  readonly sockets: readonly (InheritedSocket | undefined)[];
  readonly unused: readonly InheritedSocket[];
}

/** Gives each listener its socket. */
export function assignSockets(listen: readonly Listen[], inherited: readonly InheritedSocket[]): Activation {
  const unused = [...inherited];
  const sockets = listen.map((entry) => {
    const index = unused.findIndex((socket) => fits(entry, socket));
    return index === -1 ? undefined : unused.splice(index, 1)[0];
  });
  return { sockets, unused };
}

function fits(entry: Listen, socket: InheritedSocket): boolean {
  const { transport, hostname, port, path } = entry;
  const type = transport === "udp" || transport === "unixgram" ? "datagram" : "stream";
  if (transport === "stdin" || socket.type !== type) return false;
  if (path !== "") return socket.family === "unix" && socket.address === path;
  if (socket.family === "unix" || socket.port !== port) return false;
  return isAny(socket.hostname) || sameAddress(socket.hostname, hostname);
}

function isAny(hostname: string): boolean {
  return hostname === "0.0.0.0" || hostname === "::";
}

function sameAddress(a: string, b: string): boolean {
  const [first, second] = [readAddress(a), readAddress(b)];
  return first !== undefined && second !== undefined && first.join(".") === second.join(".");
}
