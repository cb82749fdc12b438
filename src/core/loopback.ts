/**
 * Which addresses only this machine can reach.
 *
 * @module
 */
import { isIPv4 } from "node:net";

/** True for localhost, 127.0.0.0/8 and ::1, also as IPv4 in IPv6 and in brackets. */
export function isLoopback(hostname: string): boolean {
  const name = hostname.replace(/^\[(.*)\]$/, "$1").toLowerCase().replace(/^::ffff:(?=\d+\.)/, "");
  return name === "localhost" || name === "::1" || (isIPv4(name) && name.startsWith("127."));
}
