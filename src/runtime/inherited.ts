/**
 * Sockets that the service manager has opened (systemd socket activation, sd_listen_fds(3)): descriptors from 3 on, as
 * many as LISTEN_FDS says, where LISTEN_PID is this process. What each is, is asked of the kernel.
 *
 * @module
 */
import { formatSockaddr } from "./descriptor_datagrams.ts";
import { family, type Libc, openLibc } from "./libc.ts";

/** SD_LISTEN_FDS_START. */
const firstFd = 3;
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
  /** FileDescriptorName= of the socket unit. */
  readonly name: string | undefined;
}

/** What was inherited, and what of it cannot be used, in words. */
export interface Inherited {
  readonly sockets: readonly InheritedSocket[];
  readonly problems: readonly string[];
}

type Environment = Readonly<Record<string, string | undefined>>;

/** The sockets that `env` announces for the process `pid`. */
export async function inheritedSockets(env: Environment, pid: number): Promise<Inherited> {
  const { LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES = "" } = env;
  if (LISTEN_FDS === undefined || LISTEN_PID !== String(pid) || !/^\d{1,4}$/.test(LISTEN_FDS)) {
    return { sockets: [], problems: [] };
  }
  const libc = await openLibc();
  if (libc === undefined) {
    return { sockets: [], problems: ["inherited sockets need FFI, which is not allowed here"] };
  }
  const names = LISTEN_FDNAMES.split(":");
  const sockets: InheritedSocket[] = [];
  const problems: string[] = [];
  for (let index = 0; index < Math.min(Number(LISTEN_FDS), socketsMax); index++) {
    const socket = describe(libc, firstFd + index, names[index]);
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
