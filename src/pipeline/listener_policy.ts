/**
 * What one `listen` entry means for its connections: its names, and how it treats senders.
 *
 * @module
 */
import type { Listen } from "../config/config.ts";
import { NetworkSet } from "../core/networks.ts";
import type { ListenerPolicy } from "../io/admission.ts";
import { formatAddress } from "../runtime/address.ts";

/** What is spoken there. */
export function transportOf({ kind, transport }: Listen): string {
  if (kind === "http") return transport === "tls" ? "https" : "http";
  if (kind === "relp") return transport === "tls" ? "relp+tls" : "relp";
  return transport;
}

/** How a listener is called in events and in the list of connections: as it is written. */
export function nameOf(listen: Listen): string {
  const { transport, hostname, port, path } = listen;
  if (transport === "stdin") return "stdin:";
  return `${path === "" ? transportOf(listen) : transport}://${
    path === "" ? formatAddress(hostname, port) : path
  }`;
}

/** How the listener at index `scope` treats its senders. */
export function policyOf(listen: Listen, scope: number): ListenerPolicy {
  const { allowFrom, proxyFrom, bytesPerSecond, transport } = listen;
  return {
    ...(allowFrom === undefined ? {} : { allowFrom: new NetworkSet(allowFrom) }),
    ...(proxyFrom === undefined ? {} : { proxyFrom: new NetworkSet(proxyFrom) }),
    bytesPerSecond: bytesPerSecond ?? 0,
    scope,
    handshakes: transport === "tls",
  };
}
