/**
 * Who may connect, and how much a sender may send: allowed networks, connections of all and of each sender, bytes per
 * second. The counts are shared by all workers (`PeerTable`), the networks belong to a listener.
 *
 * @module
 */
import { NetworkSet } from "../core/networks.ts";
import { createPeerTable, type PeerKey, PeerTable } from "./peer_table.ts";

/** Why a connection was not taken, or ended before it sent a line. */
export const refusalReasons = [
  "connections",
  "descriptors",
  "connections_per_peer",
  "network",
  "proxy_header",
  "proxy_network",
  "handshake",
] as const;

/** A member of `refusalReasons`. */
export type RefusalReason = (typeof refusalReasons)[number];

/** What a person has to know about a refusal to cure it. */
export const refusalProblems: Readonly<Record<RefusalReason, string>> = {
  connections: "as many connections as limits.connections allows are open",
  descriptors:
    "as many connections as the open-files limit allows are open; raise it (LimitNOFILE, ulimit -n)",
  connections_per_peer: "this sender has as many connections as limits.connections_per_peer allows",
  network: "its address is in no network of the listener's allow_from",
  proxy_header:
    "it is in a network of proxy_from, whose connections begin with a PROXY header, and sent none",
  proxy_network: "it sent a PROXY header and is in no network of the listener's proxy_from",
  handshake: "it did not finish its PROXY header within limits.handshake",
};

/** How one listener treats its senders. */
export interface ListenerPolicy {
  /** Who may send; everybody where it is missing. */
  readonly allowFrom?: NetworkSet;
  /** Load balancers, whose connections begin with a PROXY header. */
  readonly proxyFrom?: NetworkSet;
  /** Bytes per second of each sender over all workers; 0 is no limit. */
  readonly bytesPerSecond: number;
  /** Tells the rates of different listeners apart. */
  readonly scope: number;
  /** The transport reads the PROXY header and tells of its handshake's end (TLS). */
  readonly handshakes: boolean;
}

/** A listener that takes everything. */
export const openPolicy: ListenerPolicy = { bytesPerSecond: 0, scope: 0, handshakes: false };

/** The limits of a process. */
export interface AdmissionLimits {
  readonly connections: number;
  /** The open-files limit made them fewer than were wanted. */
  readonly lowered: boolean;
  readonly connectionsPerPeer: number;
}

/** The host of `192.0.2.7:514` or `[2001:db8::1]:514`; the text itself where there is no port. */
export function hostOf(peer: string): string {
  if (peer.startsWith("[")) return peer.slice(1, peer.indexOf("]"));
  const colon = peer.lastIndexOf(":");
  return colon === -1 ? peer : peer.slice(0, colon);
}

/** The doorkeeper of one worker. */
export class Admission {
  readonly table: PeerTable;
  readonly #limits: AdmissionLimits;

  /** `shared` is the table of all workers; without it this worker is alone. */
  constructor(limits: AdmissionLimits, shared?: SharedArrayBuffer) {
    this.#limits = limits;
    this.table = new PeerTable(shared ?? createPeerTable(limits.connections));
  }

  /** A socket was accepted; `undefined` where there is room for it. `left` must follow. */
  entered(): RefusalReason | undefined {
    const { connections, lowered } = this.#limits;
    if (this.table.enterAll(connections)) return undefined;
    return lowered ? "descriptors" : "connections";
  }

  left(): void {
    this.table.leaveAll();
  }

  /** Who the sender is has become known: its key, which `forget` takes back, or why it may not send. */
  identify(policy: ListenerPolicy, host: string): PeerKey | RefusalReason | undefined {
    if (policy.allowFrom !== undefined && !policy.allowFrom.has(host)) return "network";
    const key = this.table.key(host);
    if (key === undefined) return undefined; // a unix socket
    return this.table.enter(key, this.#limits.connectionsPerPeer) ? key : "connections_per_peer";
  }

  forget(key: PeerKey): void {
    this.table.leave(key);
  }
}
