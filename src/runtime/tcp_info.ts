/**
 * What the kernel knows of each TCP connection of this process: round trips, retransmissions, what is lost; and what the
 * runtimes cannot tell it, the end of the sending half under TLS. Neither
 * runtime shows a connection's descriptor, so that all descriptors of the process are asked who is at their other end.
 * Linux with FFI; elsewhere nothing is known.
 *
 *     struct tcp_info, linux/tcp.h: u8 state ca_state retransmits ... | u32 from byte 8 on | u64 from byte 104 on
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { readdir } from "node:fs/promises";
import { endpointText, socketKey } from "./kernel_sockets.ts";
import { family, type Libc, openLibc } from "./libc.ts";

/** Descriptors that one look asks, so that it never takes long: 1 or 2 µs each. */
const descriptorsMax = 50_000;
/** Between two of these the loop goes on. */
const descriptorsPerTurn = 1000;

/** One connection. Times in milliseconds, counts since its beginning unless said otherwise. */
export interface TcpInfo {
  readonly rttMs: number;
  /** Timeouts in a row that nothing has answered. */
  readonly timeouts: number;
  /** Segments that are out now: not acknowledged, and of these, held for lost. */
  readonly unacked: number;
  readonly lost: number;
  /** Segments that were sent again. */
  readonly retransmitted: number;
  /** Segments that came before one that was sent earlier: lost or overtaken on their way to us. */
  readonly outOfOrder: number | undefined;
  /** Bytes that the socket holds and has not sent at all. */
  readonly notSent: number | undefined;
  readonly receivedMsAgo: number;
}

/** Places in the struct; a kernel that is older gives less of it. */
const at = {
  retransmits: 2,
  unacked: 24,
  lost: 32,
  lastDataReceived: 52,
  rtt: 68,
  totalRetransmits: 100,
  notSent: 144,
  outOfOrder: 224,
} as const;

/** The struct in whatever length the kernel gave it. */
export function parseTcpInfo(bytes: Uint8Array): TcpInfo | undefined {
  if (bytes.length < at.totalRetransmits + 4) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  // Linux on x86-64 and ARM64: little-endian.
  const word = (place: number) => view.getUint32(place, true);
  const later = (place: number) => bytes.length >= place + 4 ? word(place) : undefined;
  return {
    rttMs: word(at.rtt) / 1000,
    timeouts: bytes[at.retransmits]!,
    unacked: word(at.unacked),
    lost: word(at.lost),
    retransmitted: word(at.totalRetransmits),
    outOfOrder: later(at.outOfOrder),
    notSent: later(at.notSent),
    receivedMsAgo: word(at.lastDataReceived),
  };
}

/** `192.0.2.1:514` of a sockaddr_in or sockaddr_in6, with its port; undefined for another family. */
export function parseAddress(
  bytes: Uint8Array,
): { readonly text: string; readonly port: number } | undefined {
  const of = bytes[0]! | bytes[1]! << 8;
  const port = bytes[2]! << 8 | bytes[3]!;
  if (of === family.inet && bytes.length >= 8) {
    return { text: endpointText(bytes.subarray(4, 8), port), port };
  }
  if (of === family.inet6 && bytes.length >= 24) {
    return { text: endpointText(bytes.subarray(8, 24), port), port };
  }
  return undefined;
}

/** All TCP connections of this process, by `socketKey`. Empty where it cannot be had. */
export async function readTcpInfos(): Promise<Map<string, TcpInfo>> {
  const infos = new Map<string, TcpInfo>();
  await eachConnection((libc, descriptor, key) => {
    const bytes = libc.tcpInfo(descriptor);
    const info = bytes === undefined ? undefined : parseTcpInfo(bytes);
    if (info !== undefined) infos.set(key, info);
  });
  return infos;
}

/**
 * Says the end (FIN) on the TCP connections of `keys` (`socketKey`), whatever speaks over them; their reading goes on.
 * Without FFI nothing happens.
 */
export async function sayEnd(keys: ReadonlySet<string>): Promise<void> {
  if (keys.size === 0) return;
  await eachConnection((libc, descriptor, key) => {
    if (keys.has(key)) libc.shutdownSending(descriptor);
  });
}

async function eachConnection(look: (libc: Libc, descriptor: number, key: string) => void): Promise<void> {
  const libc = await openLibc();
  if (libc === undefined) return;
  const names = await readdir("/proc/self/fd").catch(() => []);
  for (const [index, name] of names.slice(0, descriptorsMax).entries()) {
    if (index % descriptorsPerTurn === descriptorsPerTurn - 1) {
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
    const descriptor = Number(name);
    const remote = libc.peerAddress(descriptor);
    if (remote === undefined) continue;
    const peer = parseAddress(remote);
    const local = parseAddress(libc.localAddress(descriptor) ?? Buffer.alloc(2));
    if (peer !== undefined && local !== undefined) look(libc, descriptor, socketKey(local.port, peer.text));
  }
}
