/**
 * The header that a load balancer sends before a connection's bytes to say who is behind it: the PROXY protocol of
 * HAProxy, versions 1 and 2 (haproxy.org, proxy-protocol.txt). Pure; a header is read whole or not at all.
 *
 *     v1   "PROXY TCP4 192.0.2.7 198.51.100.1 56324 6514\r\n"     at most 107 bytes
 *          "PROXY UNKNOWN ...\r\n"                                 no address: the connection's own is kept
 *     v2   0d 0a 0d 0a 00 0d 0a 51 55 49 54 0a                     signature
 *          2v ff llll addresses TLVs                               version and command, family, length
 *
 * @module
 */
import { formatIpv6 } from "../core/ipv6.ts";
import { readAddress } from "../core/networks.ts";

/** Of version 1, with CR LF (section 2.1). */
const v1BytesMax = 107;
/** Of version 2 behind the first 16: addresses take 216 at most, the rest is TLVs, of which a certificate is the largest. */
const v2BodyBytesMax = 16 * 1024;
const v2Signature = [0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a];
const v2HeadBytes = 16;
const v1Signature = [0x50, 0x52, 0x4f, 0x58, 0x59, 0x20]; // "PROXY "

/** No header is longer than this. */
export const proxyHeaderBytesMax = v2HeadBytes + v2BodyBytesMax;

/** What the first bytes of a connection are. */
export type ProxyHeader =
  /** A part of a header. */
  | { readonly kind: "part" }
  /** `length` bytes of header. `source` is who the load balancer speaks for; undefined where it speaks for itself. */
  | {
    readonly kind: "whole";
    readonly length: number;
    readonly source: { readonly hostname: string; readonly port: number } | undefined;
  }
  | { readonly kind: "invalid"; readonly problem: string };

const part: ProxyHeader = { kind: "part" };

/** Reads the header at the beginning of `bytes`. */
export function readProxyHeader(bytes: Uint8Array): ProxyHeader {
  if (bytes.length === 0) return part;
  if (beginsLike(bytes, v2Signature)) return bytes.length < v2HeadBytes ? part : readV2(bytes);
  if (beginsLike(bytes, v1Signature)) return readV1(bytes);
  return { kind: "invalid", problem: "there is no PROXY header before its bytes" };
}

/** Whether `bytes`, the first of a connection, are surely a PROXY header and nothing that a sender of logs says. */
export function isProxyHeader(bytes: Uint8Array): boolean {
  if (bytes.length >= v2Signature.length && beginsLike(bytes, v2Signature)) return true;
  if (bytes.length < v1Signature.length || !beginsLike(bytes, v1Signature)) return false;
  return /^PROXY (?:TCP4 |TCP6 |UNKNOWN[ \r])/.test(ascii(bytes, 0, Math.min(bytes.length, 14)));
}

function beginsLike(bytes: Uint8Array, signature: readonly number[]): boolean {
  const length = Math.min(bytes.length, signature.length);
  for (let at = 0; at < length; at++) if (bytes[at] !== signature[at]) return false;
  return true;
}

function readV1(bytes: Uint8Array): ProxyHeader {
  const end = bytes.subarray(0, v1BytesMax).indexOf(0x0a);
  if (end === -1) {
    return bytes.length < v1BytesMax
      ? part
      : invalid(`its PROXY header has no end within ${v1BytesMax} bytes`);
  }
  if (bytes[end - 1] !== 0x0d) return invalid("its PROXY header does not end with CR LF");
  const words = ascii(bytes, 0, end - 1).split(" ");
  const length = end + 1;
  if (words[1] === "UNKNOWN") return { kind: "whole", length, source: undefined };
  const [, family, source, target, sourcePort, targetPort] = words;
  if (words.length !== 6 || (family !== "TCP4" && family !== "TCP6")) {
    return invalid("its PROXY header is none of TCP4, TCP6, UNKNOWN");
  }
  const colons = family === "TCP6";
  for (const address of [source!, target!]) {
    if (address.includes(":") !== colons || address.includes("%") || readAddress(address) === undefined) {
      return invalid(`its PROXY header has no ${colons ? "IPv6" : "IPv4"} address`);
    }
  }
  const ports = [sourcePort!, targetPort!].map((text) =>
    /^(?:0|[1-9]\d{0,4})$/.test(text) ? Number(text) : NaN
  );
  if (!ports.every((port) => port <= 65535)) return invalid("its PROXY header has no port");
  return { kind: "whole", length, source: { hostname: source!, port: ports[0]! } };
}

function readV2(bytes: Uint8Array): ProxyHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [versionAndCommand, familyAndProtocol, bodyBytes] = [bytes[12]!, bytes[13]!, view.getUint16(14)];
  const command = versionAndCommand & 0x0f;
  if (versionAndCommand >> 4 !== 2) return invalid("its PROXY header has an unknown version");
  if (command > 1) return invalid("its PROXY header has an unknown command");
  if (bodyBytes > v2BodyBytesMax) return invalid(`its PROXY header has more than ${v2BodyBytesMax} bytes`);
  const length = v2HeadBytes + bodyBytes;
  if (bytes.length < length) return part;
  const family = familyAndProtocol >> 4;
  // LOCAL: the load balancer itself, a health check. Addresses of other families are not ours to read.
  if (command === 0 || family === 0 || family > 2) return { kind: "whole", length, source: undefined };
  const addressBytes = family === 1 ? 4 : 16;
  if (bodyBytes < 2 * addressBytes + 4) return invalid("its PROXY header is too short for its addresses");
  const port = view.getUint16(v2HeadBytes + 2 * addressBytes);
  const hostname = family === 1
    ? bytes.subarray(v2HeadBytes, v2HeadBytes + 4).join(".")
    : formatIpv6(view, v2HeadBytes);
  return { kind: "whole", length, source: { hostname, port } };
}

function invalid(problem: string): ProxyHeader {
  return { kind: "invalid", problem };
}

function ascii(bytes: Uint8Array, from: number, to: number): string {
  let text = "";
  for (let at = from; at < to; at++) text += String.fromCharCode(bytes[at]!);
  return text;
}
