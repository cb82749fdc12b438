/**
 * What Linux knows of TCP connections that neither runtime tells: bytes that wait on either side, and retransmissions.
 * Read from /proc/net/tcp and tcp6 when somebody asks; other systems know nothing.
 *
 * @module
 */
import { readFile } from "node:fs/promises";
import { Buffer } from "node:buffer";

/** The queues of one connection. */
export interface SocketQueues {
  /** Bytes that the peer sent and the process has not read. */
  readonly recvQ: number;
  /** Bytes that were sent and the peer has not acknowledged. */
  readonly sendQ: number;
  /** Timeouts of the retransmission timer that were not recovered from. */
  readonly retransmits: number;
}

/** Established connections by `local port>remote address:port`, IPv4 within IPv6 as IPv4. */
export type SocketTable = ReadonlyMap<string, SocketQueues>;

/** 10,000 connections are 1.5 MB of text; a larger file is not read to its end. */
const bytesMax = 8 * 1024 * 1024;

const established = "01";

/** Reads the table; empty where it cannot be had. */
export async function readSocketTable(): Promise<SocketTable> {
  const table = new Map<string, SocketQueues>();
  for (const path of ["/proc/net/tcp", "/proc/net/tcp6"]) {
    try {
      parseSocketTable((await readFile(path, "latin1")).slice(0, bytesMax), table);
    } catch {
      // No Linux, no IPv6, or /proc is hidden: the columns stay empty.
    }
  }
  return table;
}

/** The key under which a connection of ours stands. `peer` is `127.0.0.1:4711` or `[::1]:4711`. */
export function socketKey(localPort: number, peer: string): string {
  return `${localPort}>${peer}`;
}

/** Adds the connections of one file, proc_pid_net(5). */
export function parseSocketTable(text: string, into: Map<string, SocketQueues>): void {
  for (const line of text.split("\n").slice(1)) {
    const [, local, remote, state, queues, , retransmits] = line.trim().split(/\s+/);
    if (state !== established || queues === undefined) continue;
    const [sendQ, recvQ] = queues.split(":").map((hex) => parseInt(hex, 16));
    const localPort = parseInt(local!.split(":")[1]!, 16);
    into.set(socketKey(localPort, endpoint(remote!)), {
      recvQ: recvQ!,
      sendQ: sendQ!,
      retransmits: parseInt(retransmits!, 16),
    });
  }
}

/** `0100007F:1A2B` as `127.0.0.1:6699`; the kernel prints addresses as words of this machine's byte order. */
function endpoint(text: string): string {
  const [hex, port] = text.split(":");
  const bytes = Buffer.from(hex!, "hex");
  for (let at = 0; at + 4 <= bytes.length; at += 4) bytes.subarray(at, at + 4).reverse();
  return endpointText(bytes, parseInt(port!, 16));
}

/** An address of 4 or 16 bytes with its port; IPv4 within IPv6 as IPv4. */
export function endpointText(bytes: Uint8Array, portNumber: number): string {
  if (bytes.length === 4) return `${bytes.join(".")}:${portNumber}`;
  const isMapped = bytes.subarray(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff &&
    bytes[11] === 0xff;
  if (isMapped) return `${bytes.subarray(12).join(".")}:${portNumber}`;
  return `[${ipv6(bytes)}]:${portNumber}`;
}

/** RFC 5952: lower case, no leading zeros, the longest run of zeros as "::". */
function ipv6(bytes: Uint8Array): string {
  const words = Array.from({ length: 8 }, (_, i) => bytes[2 * i]! << 8 | bytes[2 * i + 1]!);
  let best = { at: -1, length: 1 };
  for (let at = 0; at < 8; at++) {
    let length = 0;
    while (at + length < 8 && words[at + length] === 0) length++;
    if (length > best.length) best = { at, length };
  }
  const hex = (part: readonly number[]) => part.map((word) => word.toString(16)).join(":");
  if (best.at < 0) return hex(words);
  return `${hex(words.slice(0, best.at))}::${hex(words.slice(best.at + best.length))}`;
}
