/**
 * Addresses as text, and failures to bind as `ForwarderError`s that name the address and the cure.
 *
 * @module
 */

import { type ErrorCode, ForwarderError, messageOf } from "../core/errors.ts";

/** Ports below it belong to the administrator (ip(7), `ip_unprivileged_port_start`). */
const unprivilegedPortMin = 1024;

/** `127.0.0.1:514`, `[::1]:514`. An IPv4 peer of a dual-stack socket keeps its IPv4 form. */
export function formatAddress(hostname: string, port: number): string {
  if (!hostname.includes(":")) return `${hostname}:${port}`;
  if (hostname.startsWith("::ffff:") && hostname.includes(".")) return `${hostname.slice(7)}:${port}`;
  return `[${hostname}]:${port}`;
}

/** What bind(2) said, in both runtimes' forms (`code` on system errors, `name` where Deno's permissions said no). */
function bindErrorCode(error: unknown): ErrorCode {
  const code = (error as { code?: string }).code;
  if (code === "EADDRINUSE") return "address_in_use";
  if (code === "EACCES" || code === "EPERM") return "permission_denied";
  if ((error as Error).name === "NotCapable") return "permission_denied";
  return "address_not_available";
}

/**
 * The error to throw when `hostname:port` cannot be bound: `address_in_use`, `permission_denied`, or
 * `address_not_available` for everything else (no such interface, unknown host name).
 */
export function bindError(hostname: string, port: number, error: unknown): ForwarderError {
  const code = bindErrorCode(error);
  let reason: string;
  if (code === "address_in_use") {
    reason = "address in use, stop the process that has it or choose another port";
  } else if (code === "permission_denied") {
    reason = (error as Error).name === "NotCapable"
      ? "permission denied, Deno needs --allow-net"
      : port > 0 && port < unprivilegedPortMin
      ? `permission denied, ports under ${unprivilegedPortMin} need CAP_NET_BIND_SERVICE`
      : `permission denied (${messageOf(error)})`;
  } else if ((error as { code?: string }).code === "EADDRNOTAVAIL") {
    reason = "no interface of this host has this address, use one of its own or 0.0.0.0";
  } else {
    reason = `address not available (${messageOf(error)})`;
  }
  return new ForwarderError(code, `Cannot listen on "${formatAddress(hostname, port)}": ${reason}`, {
    cause: error,
  });
}

/** What the C library said, as the runtimes' own errors say it. */
export function errnoError(errno: number): Error & { code?: string } {
  const codes: Readonly<Record<number, string>> = {
    2: "ENOENT",
    13: "EACCES",
    24: "EMFILE",
    32: "EPIPE",
    1: "EPERM",
    98: "EADDRINUSE",
    99: "EADDRNOTAVAIL",
    104: "ECONNRESET",
    110: "ETIMEDOUT",
    113: "EHOSTUNREACH",
  };
  const code = codes[errno];
  return Object.assign(new Error(code ?? `errno ${errno}`), code === undefined ? {} : { code });
}

/** The same for a unix socket at `path`. */
export function bindPathError(path: string, error: unknown): ForwarderError {
  const code = bindErrorCode(error);
  const reason = (error as { code?: string }).code === "ENOENT"
    ? "its directory does not exist, create it"
    : code === "permission_denied"
    ? "permission denied, the user of this process must be able to write to the directory"
    : code === "address_in_use"
    ? "address in use, another process listens on it"
    : messageOf(error);
  return new ForwarderError(code, `Cannot listen on "${path}": ${reason}`, { cause: error });
}

/** Slots of the table; a power of two. */
const peerNamesMax = 1024;

/**
 * Names of datagram senders. Building `address:port` anew for each packet costs more than the packet; a table
 * indexed by port, bounded by its size, remembers the last sender in each slot.
 */
export class PeerNames {
  readonly #addresses: string[] = new Array(peerNamesMax).fill("");
  readonly #ports: Uint16Array = new Uint16Array(peerNamesMax);
  readonly #names: string[] = new Array(peerNamesMax).fill("");

  /** `address:port`, the same string object while the sender stays in its slot. */
  of(address: string, port: number): string {
    const slot = port & (peerNamesMax - 1);
    if (this.#ports[slot] === port && this.#addresses[slot] === address) return this.#names[slot];
    const name = formatAddress(address, port);
    this.#addresses[slot] = address;
    this.#ports[slot] = port;
    this.#names[slot] = name;
    return name;
  }
}
