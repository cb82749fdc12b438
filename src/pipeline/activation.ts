/**
 * Which listener gets which inherited socket: of systemd (socket activation), or of its predecessor at an upgrade. The configuration says where to listen, as
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
import { nameOf } from "./listener_policy.ts";

/** The sockets of each listener, in their order, and those that are left. */
export interface Activation {
  readonly sockets: readonly (readonly InheritedSocket[])[];
  readonly unused: readonly InheritedSocket[];
}

/** A name for each listener that tells it apart: as it is written, with a number where two are written alike. */
export function listenerNames(listen: readonly Listen[]): string[] {
  const seen = new Map<string, number>();
  return listen.map((entry) => {
    const name = nameOf(entry);
    const count = (seen.get(name) ?? 0) + 1;
    seen.set(name, count);
    return count === 1 ? name : `${name} ${count}`;
  });
}

/**
 * Gives each listener the sockets that its predecessor had: one of each worker, where workers share a port. Those
 * whose listener is not in the configuration any more go to one with the same address.
 */
export function assignHandedOver(
  listen: readonly Listen[],
  inherited: readonly InheritedSocket[],
): Activation {
  const unused = new Set(inherited);
  const names = listenerNames(listen);
  const sockets = names.map((name, index) => {
    const own = inherited.filter((socket) => socket.name === name && typeOf(listen[index]!) === socket.type);
    for (const socket of own) unused.delete(socket);
    return own;
  });
  sockets.forEach((own, index) => {
    if (own.length > 0) return;
    for (const socket of unused) {
      if (!fits(listen[index]!, socket)) continue;
      own.push(socket);
      unused.delete(socket);
    }
  });
  return { sockets, unused: [...unused] };
}

/** Which of a listener's sockets are a worker's. */
export function socketsOfWorker(
  sockets: readonly InheritedSocket[],
  worker: number,
  workers: number,
): readonly InheritedSocket[] {
  const own = sockets.filter((_, index) => index % workers === worker);
  // A queue of connections serves several workers; datagrams are read by one.
  if (own.length > 0 || sockets[0]?.type !== "stream") return own;
  return [sockets[worker % sockets.length]!];
}

/** Of the sockets of this process those of a listener, which is bound at `address`. */
export function belongs(entry: Listen, address: string, socket: InheritedSocket): boolean {
  if (typeOf(entry) !== socket.type) return false;
  if (socket.address === address) return true;
  // The listener may know its address by a name.
  const port = address.slice(address.lastIndexOf(":") + 1);
  return entry.path === "" && socket.family === "inet" && readAddress(entry.hostname) === undefined &&
    socket.port === Number(port);
}

/** Gives each listener its socket. */
export function assignSockets(listen: readonly Listen[], inherited: readonly InheritedSocket[]): Activation {
  const unused = [...inherited];
  const sockets = listen.map((entry) => {
    const index = unused.findIndex((socket) => fits(entry, socket));
    return index === -1 ? [] : unused.splice(index, 1);
  });
  return { sockets, unused };
}

function fits(entry: Listen, socket: InheritedSocket): boolean {
  const { hostname, port, path } = entry;
  if (socket.type !== typeOf(entry)) return false;
  if (path !== "") return socket.family === "unix" && socket.address === path;
  if (socket.family === "unix" || socket.port !== port) return false;
  return isAny(socket.hostname) || sameAddress(socket.hostname, hostname);
}

function typeOf({ transport }: Listen): InheritedSocket["type"] | undefined {
  if (transport === "stdin") return undefined;
  return transport === "udp" || transport === "unixgram" ? "datagram" : "stream";
}

function isAny(hostname: string): boolean {
  return hostname === "0.0.0.0" || hostname === "::";
}

function sameAddress(a: string, b: string): boolean {
  const [first, second] = [readAddress(a), readAddress(b)];
  return first !== undefined && second !== undefined && first.join(".") === second.join(".");
}
