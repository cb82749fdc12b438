/**
 * The system calls of io_uring and of bare TCP sockets, through FFI.
 *
 * All results are what the kernel says: a number, or -errno. Memory that the kernel keeps a pointer to (rings, receive
 * buffers) is mapped memory or that of a WebAssembly module, never an object of the JavaScript heap: those move. Memory
 * that a call only looks at while it runs may be any typed array.
 *
 * @module
 */
import { type CLibrary, type Mapped, openCLibrary } from "../c_library.ts";

export type { Mapped } from "../c_library.ts";

// <asm-generic/unistd.h>; x86-64 has the same numbers for these three.
const ioUringSetup = 425;
const ioUringEnter = 426;
const ioUringRegister = 427;

// Linux on x86-64 and ARM64.
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_REUSEPORT = 15;
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
const SOCK_STREAM = 1;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const AF_INET6 = 10;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const SHUT_WR = 1;
const PROT_READ_WRITE = 3;
const MAP_SHARED = 1;
const MAP_PRIVATE = 2;
const MAP_ANONYMOUS = 0x20;
const MAP_POPULATE = 0x8000;

/** The largest address of a TCP socket is a sockaddr_in6, 28 bytes. */
const addressBytesMax = 28;

/** The calls; descriptors are this process's. */
export interface UringCalls {
  /** io_uring_setup(2): a descriptor, and `parameters` (struct io_uring_params, 30 words) is filled. */
  setup(entries: number, parameters: Uint32Array): number;
  /** io_uring_enter(2) without waiting: how many requests were taken. */
  enter(ring: number, submit: number, flags: number): number;
  /** io_uring_register(2). */
  register(ring: number, operation: number, argument: Uint8Array, count: number): number;
  /** A part of a ring. @throws Error */
  mapRing(ring: number, offset: number, bytes: number): Mapped;
  /** Memory of its own, zeroed and page-aligned. @throws Error */
  mapPages(bytes: number): Mapped;
  unmap(mapped: Mapped): void;
  /** Where `bytes` lies. */
  addressOf(bytes: Uint8Array): number;
  /**
   * A TCP socket that listens at `address` (a sockaddr). IPv6 takes IPv4 as well. It does not block: who inherits it may
   * accept from it in other ways.
   */
  listen(address: Uint8Array, reusePort: boolean, backlog: number): number;
  /** The address of a bound socket, of the peer of a connected one; empty where it is gone. */
  ownAddress(fd: number): Uint8Array;
  peerAddress(fd: number): Uint8Array;
  /** Sends what the socket takes at once. */
  send(fd: number, bytes: Uint8Array): number;
  noDelay(fd: number): void;
  /** Sends FIN. */
  shutdownWrite(fd: number): number;
  close(fd: number): number;
  /** Two connected sockets of the unix family, in `pair`. */
  socketPair(pair: Int32Array): number;
}

const shapes = {
  setup: ["syscall", "uip"],
  enter: ["syscall", "uiiiiuu"],
  register: ["syscall", "uiipi"],
  mmap: "uuiiiu:m",
  munmap: "uu",
  socket: "iii",
  socketpair: "iiip",
  setsockopt: "iiipi",
  bind: "ipi",
  listen: "ii",
  getsockname: "ipp",
  getpeername: "ipp",
  send: "ipui",
  shutdown: "ii",
  close: "i",
} as const;

let opened: Promise<UringCalls | undefined> | undefined;

/** The calls, opened once per thread; undefined where there is no FFI or this is no Linux. */
export function openUringCalls(): Promise<UringCalls | undefined> {
  opened ??= open();
  return opened;
}

async function open(): Promise<UringCalls | undefined> {
  try {
    return wrap(await openCLibrary(shapes));
  } catch {
    return undefined;
  }
}

function wrap({ calls: c, errno, addressOf, view }: CLibrary): UringCalls {
  const orError = (result: number): number => result >= 0 ? result : -errno();
  const setOption = (fd: number, level: number, option: number, value: number): void =>
    void c.setsockopt!(fd, level, option, new Int32Array([value]), 4);
  const map = (bytes: number, flags: number, fd: number, offset: number): Mapped => {
    const pointer: unknown = c.mmap!(0, bytes, PROT_READ_WRITE, flags, fd, offset);
    const address = pointer === null ? 0 : addressOfPointer(pointer, view);
    // MAP_FAILED is -1, as an unsigned or a signed number.
    if (address <= 0 || address >= 2 ** 48) throw new Error(`mmap failed with errno ${errno()}`);
    return view(pointer, bytes);
  };
  const address = (name: "getsockname" | "getpeername", fd: number): Uint8Array => {
    const bytes = new Uint8Array(addressBytesMax);
    const length = new Int32Array([addressBytesMax]);
    if (c[name]!(fd, bytes, length) !== 0) return bytes.subarray(0, 0);
    return bytes.subarray(0, Math.min(length[0]!, addressBytesMax));
  };
  return {
    addressOf,
    setup: (entries, parameters) => orError(c.setup!(ioUringSetup, entries, parameters)),
    enter: (ring, submit, flags) => orError(c.enter!(ioUringEnter, ring, submit, 0, flags, 0, 0)),
    register: (ring, operation, argument, count) =>
      orError(c.register!(ioUringRegister, ring, operation, argument, count)),
    mapRing: (ring, offset, bytes) => map(bytes, MAP_SHARED | MAP_POPULATE, ring, offset),
    mapPages: (bytes) => map(bytes, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
    unmap: (mapped) => void c.munmap!(mapped.address, mapped.buffer.byteLength),
    listen(sockaddr, reusePort, backlog) {
      const fd = c.socket!(sockaddr[0]!, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
      if (fd < 0) return -errno();
      setOption(fd, SOL_SOCKET, SO_REUSEADDR, 1);
      if (reusePort) setOption(fd, SOL_SOCKET, SO_REUSEPORT, 1);
      if (sockaddr[0] === AF_INET6) setOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
      const bound = c.bind!(fd, sockaddr, sockaddr.length) === 0 && c.listen!(fd, backlog) === 0;
      if (bound) return fd;
      const code = errno();
      c.close!(fd);
      return -code;
    },
    ownAddress: (fd) => address("getsockname", fd),
    peerAddress: (fd) => address("getpeername", fd),
    send: (fd, bytes) => orError(c.send!(fd, bytes, bytes.length, MSG_DONTWAIT | MSG_NOSIGNAL)),
    noDelay: (fd) => setOption(fd, IPPROTO_TCP, TCP_NODELAY, 1),
    shutdownWrite: (fd) => orError(c.shutdown!(fd, SHUT_WR)),
    close: (fd) => orError(c.close!(fd)),
    socketPair: (pair) => orError(c.socketpair!(1, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)),
  };
}

function addressOfPointer(pointer: unknown, view: CLibrary["view"]): number {
  if (typeof pointer === "number" || typeof pointer === "bigint") return Number(pointer);
  return view(pointer, 0).address;
}
