/**
 * Datagram sockets on bare descriptors, through FFI: unix datagrams with the credentials of their senders, UDP that
 * several threads of Deno share, and sockets that were inherited. Up to 64 datagrams come with one recvmmsg(2).
 *
 * Memory, one for all sockets of a thread (it is used within one call, and does not move):
 *
 *     0          64 x struct mmsghdr        64 bytes each
 *     4 KiB      64 x struct iovec          16 bytes each
 *     8 KiB      64 x sockaddr             128 bytes each
 *     16 KiB     64 x control messages      64 bytes each
 *     64 KiB     64 x payload               64 KiB each; untouched pages cost nothing
 *
 * Hot path: one call of the handler per datagram; names of senders are remembered.
 *
 * @module
 */
import { setImmediate } from "node:timers";
import { formatIpv6 } from "../core/ipv6.ts";
import { formatAddress } from "./address.ts";
import { reportFault } from "./fault.ts";
import { type Credentials, family, type Libc } from "./libc.ts";
import { datagramBytesMax } from "./limits.ts";
import type { Readiness, Watch } from "./readiness.ts";
import type { DatagramHandler } from "./runtime.ts";

const batchMax = 64;
const headerBytes = 64;
const vectorsAt = 4 * 1024;
const namesAt = 8 * 1024;
const nameBytes = 128;
const controlsAt = 16 * 1024;
const controlBytes = 64;
const payloadsAt = 64 * 1024;

/** struct cmsghdr { size_t len; int level; int type; }, then struct ucred. */
const SOL_SOCKET = 1;
const SCM_CREDENTIALS = 2;

/** Datagrams between two turns of the event loop. */
const turnDatagramsMax = 256;
/** After an empty look behind datagrams the next one is this much later, so that a stream of them costs few wake-ups. */
const lingerMs = 1;
/** Names of senders that are remembered; a power of two. */
const peersMax = 1024;

/** The memory of this thread. */
let shared: { readonly bytes: Uint8Array; readonly view: DataView } | undefined;

function memoryOf(libc: Libc): { readonly bytes: Uint8Array; readonly view: DataView } {
  if (shared !== undefined) return shared;
  const pages = 1 + batchMax * datagramBytesMax / (64 * 1024);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const bytes = new Uint8Array(memory.buffer);
  const view = new DataView(memory.buffer);
  const base = BigInt(libc.addressOf(bytes));
  for (let index = 0; index < batchMax; index++) {
    const header = index * headerBytes;
    const vector = vectorsAt + index * 16;
    view.setBigUint64(header, base + BigInt(namesAt + index * nameBytes), true);
    view.setBigUint64(header + 16, base + BigInt(vector), true);
    view.setBigUint64(header + 24, 1n, true);
    view.setBigUint64(header + 32, base + BigInt(controlsAt + index * controlBytes), true);
    view.setBigUint64(vector, base + BigInt(payloadsAt + index * datagramBytesMax), true);
    view.setBigUint64(vector + 8, BigInt(datagramBytesMax), true);
  }
  return shared = { bytes, view };
}

/** Reads one socket. */
export class DescriptorDatagrams {
  readonly #libc: Libc;
  readonly #fd: number;
  readonly #handler: DatagramHandler;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #names = new SenderNames();
  #watch: Watch | undefined;
  #closed: Promise<void> | undefined;
  /** Datagrams came at the last look. */
  #busy = false;

  /** Takes over `fd`, which is bound and does not block. */
  constructor(libc: Libc, readiness: Readiness, fd: number, handler: DatagramHandler) {
    this.#libc = libc;
    this.#fd = fd;
    this.#handler = handler;
    ({ bytes: this.#bytes, view: this.#view } = memoryOf(libc));
    this.#watch = readiness.watch(fd, () => this.#look());
  }

  /** Datagrams that the kernel dropped since the socket is there. */
  drops(): number | undefined {
    return this.#closed === undefined ? this.#libc.drops(this.#fd) : undefined;
  }

  /** Reads no more, and closes the descriptor. */
  close(): Promise<void> {
    this.#closed ??= (async () => {
      await this.#watch?.end();
      this.#libc.close(this.#fd);
    })();
    return this.#closed;
  }

  /** Reads what is there, up to a turn's worth. */
  #look(): void {
    let taken = 0;
    while (taken < turnDatagramsMax) {
      if (this.#closed !== undefined) return;
      const count = this.#receive();
      if (count <= 0) break;
      taken += count;
    }
    if (this.#closed !== undefined) return;
    // The queue of a unix socket is short and its senders wait for room: the next look is at once.
    if (taken > 0) {
      this.#busy = true;
      setImmediate(() => this.#look());
    } else if (this.#busy) {
      this.#busy = false;
      setTimeout(() => this.#look(), lingerMs);
    } else this.#watch?.arm();
  }

  #receive(): number {
    const view = this.#view;
    for (let index = 0; index < batchMax; index++) {
      const header = index * headerBytes;
      view.setUint32(header + 8, nameBytes, true);
      view.setBigUint64(header + 40, BigInt(controlBytes), true);
    }
    const count = this.#libc.receiveMany(this.#fd, this.#bytes, batchMax);
    for (let index = 0; index < count; index++) this.#deliver(index);
    return count;
  }

  #deliver(index: number): void {
    const length = this.#view.getUint32(index * headerBytes + 56, true);
    const at = payloadsAt + index * datagramBytesMax;
    try {
      this.#handler.received(this.#bytes.subarray(at, at + length), this.#nameOf(index));
    } catch (error) {
      reportFault("udp.received", error);
    }
  }

  #nameOf(index: number): string {
    const at = namesAt + index * nameBytes;
    const view = this.#view;
    switch (view.getUint16(at, true)) {
      case family.inet:
        return this.#names.of(view, at, 8);
      case family.inet6:
        return this.#names.of(view, at, 24);
      default:
        return this.#names.ofUnix(this.#credentials(index));
    }
  }

  #credentials(index: number): Credentials | undefined {
    const view = this.#view;
    const control = controlsAt + index * controlBytes;
    const length = Number(view.getBigUint64(index * headerBytes + 40, true));
    if (length < 28 || view.getInt32(control + 8, true) !== SOL_SOCKET) return undefined;
    if (view.getInt32(control + 12, true) !== SCM_CREDENTIALS) return undefined;
    const [pid, uid, gid] = [16, 20, 24].map((place) => view.getInt32(control + place, true));
    return { pid: pid!, uid: uid! >>> 0, gid: gid! >>> 0 };
  }
}

/** The name of a unix peer; `unix` where nothing is known of it. */
export function unixPeer(credentials: Credentials | undefined): string {
  // A peer in another PID namespace has pid 0.
  if (credentials === undefined) return "unix";
  return `unix:pid=${credentials.pid},uid=${credentials.uid},gid=${credentials.gid}`;
}

/** Names of senders by their addresses, bounded: a slot holds the last sender of its port. */
class SenderNames {
  readonly #addresses: Uint8Array[] = [];
  readonly #names: string[] = new Array(peersMax).fill("");
  #unix: Credentials | undefined;
  #unixName = "unix";

  /** Of a sockaddr_in (8 bytes count) or sockaddr_in6 (24; the flow label is not compared). */
  of(view: DataView, at: number, bytes: number): string {
    const slot = view.getUint16(at + 2) & (peersMax - 1);
    const known = this.#addresses[slot];
    if (known !== undefined && known.length === bytes && same(view, at, known)) return this.#names[slot]!;
    const address = new Uint8Array(bytes);
    for (let index = 0; index < bytes; index++) address[index] = view.getUint8(at + index);
    this.#addresses[slot] = address;
    return this.#names[slot] = formatSockaddr(address);
  }

  ofUnix(credentials: Credentials | undefined): string {
    const last = this.#unix;
    if (credentials?.pid !== last?.pid || credentials?.uid !== last?.uid || credentials?.gid !== last?.gid) {
      this.#unix = credentials;
      this.#unixName = unixPeer(credentials);
    }
    return this.#unixName;
  }
}

function same(view: DataView, at: number, address: Uint8Array): boolean {
  for (let index = 2; index < address.length; index++) {
    if ((index < 4 || index >= 8 || address.length === 8) && view.getUint8(at + index) !== address[index]) {
      return false;
    }
  }
  return true;
}

/** `192.0.2.7:514`, `[2001:db8::1]:514`, the path of a unix socket, empty where it has none. */
export function formatSockaddr(address: Uint8Array): string {
  const view = new DataView(address.buffer, address.byteOffset, address.byteLength);
  switch (view.getUint16(0, true)) {
    case family.inet:
      return formatAddress(address.subarray(4, 8).join("."), view.getUint16(2));
    case family.inet6:
      return formatAddress(formatIpv6(view, 8), view.getUint16(2));
    default: {
      const end = address.indexOf(0, 2);
      return new TextDecoder().decode(address.subarray(2, end === -1 ? address.length : end));
    }
  }
}

/** The sockaddr of an address in numbers, or of a unix path. */
export function sockaddrOf(
  address: { readonly bytes: Uint8Array; readonly port: number } | string,
): Uint8Array {
  if (typeof address === "string") {
    const path = new TextEncoder().encode(address);
    const sockaddr = new Uint8Array(2 + path.length + 1);
    sockaddr[0] = family.unix;
    sockaddr.set(path, 2);
    return sockaddr;
  }
  const { bytes, port } = address;
  const ipv4 = bytes.length === 4;
  const sockaddr = new Uint8Array(ipv4 ? 16 : 28);
  sockaddr[0] = ipv4 ? family.inet : family.inet6;
  sockaddr[2] = port >> 8;
  sockaddr[3] = port & 0xff;
  sockaddr.set(bytes, ipv4 ? 4 : 8);
  return sockaddr;
}
