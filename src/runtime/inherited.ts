/**
 * Sockets that this process was started with: descriptors from 3 on. What each is, is asked of the kernel.
 *
 *  - Those of the service manager (systemd socket activation, sd_listen_fds(3)): as many as LISTEN_FDS says, where
 *    LISTEN_PID is this process.
 *  - Those of a corndog whose successor this is: CORNDOG_HANDOVER names that process, the listener of each socket, and
 *    the descriptor behind them, on which it waits to hear that this one serves.
 *
 * @module
 */
import { readdir, readlink } from "node:fs/promises";
import { formatSockaddr } from "./descriptor_datagrams.ts";
import { family, type Libc, openLibc } from "./libc.ts";
import { firstInheritedFd } from "./successor.ts";

/** More than any unit has. */
const socketsMax = 1000;

/** A socket that was inherited. */
export interface InheritedSocket {
  readonly fd: number;
  readonly type: "stream" | "datagram";
  readonly family: "unix" | "inet";
  /** `0.0.0.0:514`, `[::]:514`, `/run/x.sock`. */
  readonly address: string;
  /** Without port; the path of a unix socket. */
  readonly hostname: string;
  readonly port: number;
  /** FileDescriptorName= of the socket unit, or the listener's name at a handover. */
  readonly name: string | undefined;
}

/** What a corndog tells its successor, as JSON in CORNDOG_HANDOVER. */
export interface Handover {
  /** The process that hands over: it is the successor's parent, else this is about somebody else. */
  readonly from: number;
  /** Of each socket the listener it belongs to, as `listenerNames` has it. */
  readonly names: readonly string[];
  /** Not for the process that gets it, but for one that it is to start, and then to end: `passOn` of the pipeline. */
  readonly passOn?: boolean;
}

/** Name of the variable. */
export const handoverVariable = "CORNDOG_HANDOVER";

/** What was inherited, and what of it cannot be used, in words. */
export interface Inherited {
  readonly sockets: readonly InheritedSocket[];
  readonly problems: readonly string[];
}

type Environment = Readonly<Record<string, string | undefined>>;

/** The handover that `env` announces to a child of the process `parent`. */
export function handoverOf(env: Environment, parent: number): Handover | undefined {
  const text = env[handoverVariable];
  if (text === undefined || text === "") return undefined;
  try {
    const { from, names, passOn } = JSON.parse(text) as Handover;
    if (from !== parent || !Array.isArray(names) || names.length > socketsMax) return undefined;
    return { from, names: names.map(String), ...(passOn === true ? { passOn } : {}) };
  } catch {
    return undefined;
  }
}

/** The sockets of a handover. */
export async function handedOverSockets({ names }: Handover): Promise<Inherited> {
  return await describeAll(names.length, names);
}

/** Tells the process that hands over that the process `pid` serves. */
export async function tellServing({ names }: Handover, pid: number): Promise<void> {
  const fd = firstInheritedFd + names.length;
  const libc = await openLibc();
  libc?.write(fd, new TextEncoder().encode(`s${pid}`));
  libc?.close(fd);
}

/** The sockets that `env` announces for the process `pid`. */
export async function inheritedSockets(env: Environment, pid: number): Promise<Inherited> {
  const { LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES = "" } = env;
  if (LISTEN_FDS === undefined || LISTEN_PID !== String(pid) || !/^\d{1,4}$/.test(LISTEN_FDS)) {
    return { sockets: [], problems: [] };
  }
  return await describeAll(Math.min(Number(LISTEN_FDS), socketsMax), LISTEN_FDNAMES.split(":"));
}

async function describeAll(count: number, names: readonly string[]): Promise<Inherited> {
  const libc = await openLibc();
  if (libc === undefined) {
    return { sockets: [], problems: ["inherited sockets need FFI, which is not allowed here"] };
  }
  const sockets: InheritedSocket[] = [];
  const problems: string[] = [];
  for (let index = 0; index < count; index++) {
    const socket = describe(libc, firstInheritedFd + index, names[index]);
    if (typeof socket === "string") problems.push(socket);
    else sockets.push(socket);
  }
  return { sockets, problems };
}

function describe(libc: Libc, fd: number, name: string | undefined): InheritedSocket | string {
  const kind = libc.socketKind(fd);
  if (kind === undefined) return `descriptor ${fd} is no socket`;
  const { type, listening, address: sockaddr } = kind;
  if (type === "other") return `descriptor ${fd} is neither a stream nor a datagram socket`;
  if (type === "stream" && !listening) {
    return `descriptor ${fd} is a connection; the socket unit has Accept=yes, write Accept=no`;
  }
  const address = formatSockaddr(sockaddr);
  const unix = sockaddr[0] === family.unix;
  const port = unix ? 0 : Number(address.slice(address.lastIndexOf(":") + 1));
  const hostname = unix ? address : address.slice(0, address.lastIndexOf(":")).replace(/^\[|\]$/g, "");
  return { fd, type, family: unix ? "unix" : "inet", address, hostname, port, name };
}

/** The sockets of this process that wait for connections or datagrams: each once, however many descriptors it has. */
export async function ownSockets(): Promise<InheritedSocket[]> {
  const libc = await openLibc();
  if (libc === undefined) return [];
  const found = new Map<string, InheritedSocket>();
  for (const name of await readdir("/proc/self/fd").catch(() => [])) {
    const inode = await readlink(`/proc/self/fd/${name}`).catch(() => "");
    if (!inode.startsWith("socket:") || found.has(inode)) continue;
    const socket = describe(libc, Number(name), undefined);
    if (typeof socket !== "string") found.set(inode, socket);
  }
  return [...found.values()];
}
