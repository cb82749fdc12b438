/**
 * System calls that the runtimes' own interfaces lack, through FFI: a larger backlog for a listening socket (Bun has no
 * option), real receive buffers, what the kernel dropped, datagram sockets with SO_REUSEPORT (Deno) and of the unix
 * family, who is at the other end of a unix socket, and sockets that were inherited.
 *
 * Everything here is an improvement, not a need: without FFI (`--allow-ffi` missing, JIT forbidden, another operating
 * system) `openLibc` gives undefined and the defaults stay.
 *
 * @module
 */
import { type CLibrary, openCLibrary } from "./c_library.ts";

// <asm-generic/socket.h>, Linux on x86-64 and ARM64.
const SOL_SOCKET = 1;
const IPPROTO_TCP = 6;
const TCP_INFO = 11;
const SO_REUSEADDR = 2;
const SO_TYPE = 3;
const SO_RCVBUF = 8;
const SO_REUSEPORT = 15;
const SO_PASSCRED = 16;
const SO_PEERCRED = 17;
const SO_ACCEPTCONN = 30;
const SO_RCVBUFFORCE = 33;
const SO_MEMINFO = 55;
/** Place of the drops in what SO_MEMINFO gives (linux/sock_diag.h, SK_MEMINFO_DROPS). */
const memInfoDrops = 8;
const SHUT_WR = 1;
const ECONNREFUSED = 111;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const F_DUPFD_CLOEXEC = 1030;
const F_SETFL = 4;
const O_RDWR = 2;
const EFD_NONBLOCK = 0o4000;
const EFD_CLOEXEC = 0o2000000;

/** Descriptors that are given to `duplicate` go above it: the low ones are inherited. */
const duplicateMin = 16;
/** The largest address, of a unix socket (unix(7)), with room. */
const addressBytesMax = 128;

/** Longer than any kernel's struct tcp_info so far. */
const tcpInfoBytesMax = 320;

/** Families of addresses. */
export const family = { unix: 1, inet: 2, inet6: 10 } as const;

/** Who is at the other end of a unix socket. */
export interface Credentials {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

/** What a descriptor is. */
export interface SocketKind {
  readonly type: "stream" | "datagram" | "other";
  readonly listening: boolean;
  /** As bind(2) was given it: sockaddr, cut to its length. */
  readonly address: Uint8Array;
}

/** Calls into the C library. Arguments are descriptors of this process. */
export interface Libc {
  /** listen(2) again on a listening socket sets its backlog. False when refused. */
  listen(fd: number, backlog: number): boolean;
  /** Sets SO_RCVBUF, past `net.core.rmem_max` where CAP_NET_ADMIN allows. False when refused. */
  setReceiveBuffer(fd: number, bytes: number): boolean;
  /** Datagrams that the kernel dropped because the socket's buffer was full; undefined where it does not say. */
  drops(fd: number): number | undefined;
  peerCredentials(fd: number): Credentials | undefined;
  /** What `fd` is; undefined where it is no socket. */
  socketKind(fd: number): SocketKind | undefined;
  /** getsockname(2) and getpeername(2): sockaddr, cut to its length; undefined where there is none. */
  localAddress(fd: number): Uint8Array | undefined;
  peerAddress(fd: number): Uint8Array | undefined;
  /** struct tcp_info, as long as the kernel has it; undefined where `fd` is no TCP socket. */
  tcpInfo(fd: number): Uint8Array | undefined;
  /** shutdown(2) of the sending half: FIN, and reading goes on. */
  shutdownSending(fd: number): void;
  /** A second descriptor of the same socket; -1 when refused. */
  duplicate(fd: number): number;
  close(fd: number): void;
  /** write(2), all of it or nothing that matters. */
  write(fd: number, bytes: Uint8Array): void;
  setNonBlocking(fd: number): void;
  /** A bound datagram socket; where that was refused, -errno. Of the unix family it receives credentials. */
  bindDatagram(address: Uint8Array, reusePort: boolean): number;
  /** A stream socket that is bound and listens; where that was refused, -errno. */
  listenStream(address: Uint8Array, backlog: number): number;
  /** Whether somebody receives datagrams at this unix address; only a refused connect(2) says no. */
  answersDatagrams(address: Uint8Array): boolean;
  /** SO_PASSCRED: each datagram comes with the credentials of its sender. */
  receiveCredentials(fd: number): void;
  /** recvmmsg(2): messages received, -1 where there is none. `headers` are `count` mmsghdr. */
  receiveMany(fd: number, headers: Uint8Array, count: number): number;
  /** Where `bytes` lies; it must be memory that does not move. */
  addressOf(bytes: Uint8Array): number;
  /** eventfd(2), -1 when refused. */
  eventFd(): number;
  /** Makes an eventfd readable. */
  signal(fd: number): void;
  /** Makes it unreadable again. */
  drain(fd: number): void;
  /** poll(2) off the loop (Deno); undefined where the runtime has no such call (Bun). */
  readonly poll: ((entries: Uint8Array, count: number) => Promise<number>) | undefined;
  /** The name under which the library was opened. */
  readonly name: string;
}

let opened: Promise<Libc | undefined> | undefined;

/** The C library, opened once per thread; undefined where it cannot be had. */
export function openLibc(): Promise<Libc | undefined> {
  opened ??= open();
  return opened;
}

/** All results but one are i32. */
const shapes = {
  listen: "ii",
  setsockopt: "iiipi",
  getsockopt: "iiipp",
  getsockname: "ipp",
  getpeername: "ipp",
  shutdown: "ii",
  fcntl: "iii",
  close: "i",
  write: "ipu",
  socket: "iii",
  bind: "ipi",
  connect: "ipi",
  recvmmsg: "ipiip",
  eventfd: "ii",
  eventfd_write: "iu",
  eventfd_read: "ip",
  poll: "pui:w",
};

async function open(): Promise<Libc | undefined> {
  try {
    return wrap(await openCLibrary(shapes));
  } catch {
    return undefined;
  }
}

function wrap({ calls: c, addressOf, errno, name }: CLibrary): Libc {
  const setOption = (fd: number, option: number, value: number): boolean =>
    c.setsockopt!(fd, SOL_SOCKET, option, new Int32Array([value]), 4) === 0;
  const getOption = (fd: number, option: number, words: number): Int32Array | undefined => {
    const value = new Int32Array(words);
    const length = new Int32Array([words * 4]);
    return c.getsockopt!(fd, SOL_SOCKET, option, value, length) === 0 ? value : undefined;
  };
  const addressFrom = (ask: CLibrary["calls"][string], fd: number): Uint8Array | undefined => {
    const address = new Uint8Array(addressBytesMax);
    const length = new Int32Array([addressBytesMax]);
    if (ask!(fd, address, length) !== 0) return undefined;
    return address.subarray(0, Math.min(length[0]!, addressBytesMax));
  };
  return {
    name,
    addressOf,
    poll: c.poll === undefined ? undefined : (entries, count) => Promise.resolve(c.poll!(entries, count, -1)),
    listen: (fd, backlog) => c.listen!(fd, backlog) === 0,
    setReceiveBuffer: (fd, bytes) => setOption(fd, SO_RCVBUFFORCE, bytes) || setOption(fd, SO_RCVBUF, bytes),
    drops: (fd) => {
      const dropped = getOption(fd, SO_MEMINFO, memInfoDrops + 1)?.[memInfoDrops];
      return dropped === undefined ? undefined : dropped >>> 0;
    },
    peerCredentials(fd) {
      const value = getOption(fd, SO_PEERCRED, 3);
      return value === undefined ? undefined : { pid: value[0]!, uid: value[1]! >>> 0, gid: value[2]! >>> 0 };
    },
    socketKind(fd) {
      const type = getOption(fd, SO_TYPE, 1)?.[0];
      const address = new Uint8Array(addressBytesMax);
      const length = new Int32Array([addressBytesMax]);
      if (type === undefined || c.getsockname!(fd, address, length) !== 0) return undefined;
      return {
        type: type === 1 ? "stream" : type === SOCK_DGRAM ? "datagram" : "other",
        listening: getOption(fd, SO_ACCEPTCONN, 1)?.[0] === 1,
        address: address.slice(0, Math.min(length[0]!, addressBytesMax)),
      };
    },
    localAddress: (fd) => addressFrom(c.getsockname!, fd),
    peerAddress: (fd) => addressFrom(c.getpeername!, fd),
    tcpInfo(fd) {
      const value = new Uint8Array(tcpInfoBytesMax);
      const length = new Int32Array([tcpInfoBytesMax]);
      if (c.getsockopt!(fd, IPPROTO_TCP, TCP_INFO, value, length) !== 0) return undefined;
      return value.subarray(0, Math.min(length[0]!, tcpInfoBytesMax));
    },
    shutdownSending: (fd) => void c.shutdown!(fd, SHUT_WR),
    duplicate: (fd) => c.fcntl!(fd, F_DUPFD_CLOEXEC, duplicateMin),
    close: (fd) => void c.close!(fd),
    write: (fd, bytes) => void c.write!(fd, bytes, bytes.length),
    setNonBlocking: (fd) => void c.fcntl!(fd, F_SETFL, O_RDWR | SOCK_NONBLOCK),
    bindDatagram(address, reusePort) {
      const fd = c.socket!(address[0]!, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
      if (fd < 0) return -errno();
      if (reusePort && !setOption(fd, SO_REUSEPORT, 1)) setOption(fd, SO_REUSEADDR, 1);
      if (c.bind!(fd, address, address.length) === 0) return fd;
      const code = errno();
      c.close!(fd);
      return -code;
    },
    listenStream(address, backlog) {
      const fd = c.socket!(address[0]!, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
      if (fd < 0) return -errno();
      if (c.bind!(fd, address, address.length) === 0 && c.listen!(fd, backlog) === 0) return fd;
      const code = errno();
      c.close!(fd);
      return -code;
    },
    answersDatagrams(address) {
      const fd = c.socket!(address[0]!, SOCK_DGRAM | SOCK_CLOEXEC, 0);
      if (fd < 0) return true;
      const refused = c.connect!(fd, address, address.length) !== 0 && errno() === ECONNREFUSED;
      c.close!(fd);
      return !refused;
    },
    receiveCredentials: (fd) => void setOption(fd, SO_PASSCRED, 1),
    receiveMany: (fd, headers, count) => c.recvmmsg!(fd, headers, count, 0, null),
    eventFd: () => c.eventfd!(0, EFD_NONBLOCK | EFD_CLOEXEC),
    signal: (fd) => void c.eventfd_write!(fd, 1),
    drain: (fd) => void c.eventfd_read!(fd, new BigUint64Array(1)),
  };
}
