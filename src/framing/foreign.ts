/**
 * Other protocols on a syslog port, told by the first bytes of a connection, so that the operator reads what is wrong
 * instead of seeing garbage arrive:
 *
 *     TLS    a handshake record with a ClientHello (RFC 8446 5.1, 4): 16 03 00..04 xx xx 01
 *     HTTP   a request line (RFC 9112 3), or the preface of HTTP/2 (RFC 9113 3.4)
 *
 * @module
 */
import { Buffer } from "node:buffer";

/** What a sender speaks instead of syslog. */
export type ForeignProtocol = "tls" | "http";

/** A request line is looked for in so many bytes; clients send it in one piece. */
const requestLineBytesMax = 2048;

const requestLine = /^(?:GET|HEAD|POST|PUT|DELETE|CONNECT|OPTIONS|TRACE|PATCH|PRI) \S+ HTTP\/\d\.\d\r?\n/;

/** The protocol of a connection's first chunk, or undefined where it may be syslog. */
export function foreignProtocol(chunk: Uint8Array): ForeignProtocol | undefined {
  if (chunk[0] === 0x16 && chunk[1] === 0x03 && chunk[2]! <= 4 && chunk[5] === 0x01) return "tls";
  // A method begins with a capital letter, a syslog line hardly does.
  if (!(chunk[0]! >= 0x41 && chunk[0]! <= 0x5a)) return undefined;
  const { buffer, byteOffset, byteLength } = chunk;
  const text = Buffer.from(buffer, byteOffset, Math.min(byteLength, requestLineBytesMax)).toString("latin1");
  return requestLine.test(text) ? "http" : undefined;
}
