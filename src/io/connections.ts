/**
 * The books of one worker about its connections: who may come in, which are idle, who sends too fast, who they are. It
 * wraps the handler of a listener, and the handler sees a `Tracked` connection with an id instead of the bare one.
 *
 *     opened -> [PROXY header] -> networks, per sender -> [TLS handshake] -> ready: accepted
 *         \____________ refused, with a reason ______________/
 *
 * Idleness is found by a sweep that compares byte counts, so a received chunk costs one addition and no clock. A
 * connection that is paused is not idle: it waits for us, unless its peer does not read our answers. The same sweep lets
 * those go on that were over their rate; the second that a sender may be ahead makes its quarter of a second no loss.
 *
 * @module
 */
import type { Connection, ConnectionHandler } from "../runtime/runtime.ts";
import { formatAddress } from "../runtime/address.ts";
import {
  Admission,
  hostOf,
  type ListenerPolicy,
  openPolicy,
  type RefusalReason,
  refusalReasons,
} from "./admission.ts";
import { isProxyHeader, readProxyHeader } from "./proxy_protocol.ts";
import { Rests } from "./rests.ts";
import { type ConnectionInfo, Tracked, type TrackedHandler } from "./tracked.ts";

/** Counters of a worker's connections; all but `open` only grow. */
export interface ConnectionCounts {
  readonly open: number;
  /** Ready to send: the handshake of TLS and the PROXY header are done. */
  readonly accepted: number;
  /** Refused, by reason. */
  readonly refused: Readonly<Record<RefusalReason, number>>;
  /** Ended before the TLS handshake was. */
  readonly handshakesFailed: number;
  /** Destroyed by the sweep. */
  readonly idled: number;
  /** Times that a sender was over its rate. */
  readonly held: number;
}

/** What is told of a connection when it begins or ends. */
export type BriefConnection = Pick<Tracked<unknown>, "id" | "listener" | "peer" | "openedAtMs" | "bytes">;

/** What the books need. */
export interface ConnectionsOptions {
  readonly admission: Admission;
  /** Without a byte for so long one is ended at the next sweep; 0 never. */
  readonly idleMs: number;
  /** For a PROXY header. */
  readonly handshakeMs: number;
  readonly nowMs: () => number;
  /** A connection was taken, or has ended: once each per connection. */
  readonly opened?: (connection: BriefConnection) => void;
  readonly ended?: (connection: BriefConnection, error: Error | undefined) => void;
  /** A connection was refused. */
  readonly refused?: (listener: string, peer: string, reason: RefusalReason, problem?: string) => void;
}

/** The connections of one worker, over all its listeners. */
export class Connections {
  readonly #options: ConnectionsOptions;
  readonly #open = new Map<number, Tracked<unknown>>();
  readonly #refused = Object.fromEntries(refusalReasons.map((reason) => [reason, 0])) as Record<
    RefusalReason,
    number
  >;
  readonly #rests: Rests;
  #nextId = 1;
  #accepted = 0;
  #handshakesFailed = 0;
  #idled = 0;
  #held = 0;

  constructor(options: ConnectionsOptions) {
    this.#options = options;
    this.#rests = new Rests(options.nowMs);
  }

  /** `handler` behind the books. `listener` names the listener in `list`. `opened` gets a `Tracked`. */
  wrap<State>(
    listener: string,
    handler: TrackedHandler<State>,
    policy: ListenerPolicy = openPolicy,
  ): ConnectionHandler<Tracked<State>> {
    return {
      opened: (connection) => this.#opened(listener, handler, policy, connection),
      identified: (tracked, peer) => this.#identified(tracked, policy, peer),
      ready: (tracked) => this.#ready(tracked),
      received: (tracked, chunk) => {
        if (tracked.bytes === 0 || tracked.phase !== "ready") {
          const rest = this.#first(tracked, policy, chunk);
          if (rest === undefined) return;
          chunk = rest;
        }
        tracked.bytes += chunk.length;
        this.#rests.receives(tracked, chunk.length);
        handler.received(tracked.state!, chunk);
        if (tracked.rateKey !== undefined) this.#pay(tracked, policy, chunk.length);
        this.#rests.received(tracked, chunk.length);
      },
      // Without the method a connection ends with its peer's FIN.
      ...(handler.halfClosed === undefined
        ? {}
        : { halfClosed: (tracked: Tracked<State>) => handler.halfClosed!(tracked.state!) }),
      ...(handler.drained === undefined
        ? {}
        : { drained: (tracked: Tracked<State>) => handler.drained!(tracked.state!) }),
      closed: (tracked, error) => {
        this.#open.delete(tracked.id);
        this.#leave(tracked);
        if (tracked.phase === "handshake") this.#handshakesFailed += 1;
        handler.closed(tracked.state!, error);
        tracked.finish();
        this.#options.ended?.(tracked, error);
      },
    };
  }

  /** Ends what was silent for too long, and lets go on what was over its rate. Call it a few times a second. */
  sweep(): void {
    const { idleMs, handshakeMs } = this.#options;
    const nowMs = this.#options.nowMs();
    for (const tracked of this.#open.values()) {
      const ageMs = nowMs - tracked.openedAtMs;
      // The TLS layer has its own deadline; past twice the time it has missed it.
      if (
        tracked.phase === "header"
          ? ageMs >= handshakeMs
          : tracked.phase === "handshake" && ageMs >= 3 * handshakeMs
      ) {
        this.#refuse(tracked, "handshake");
      }
      if (tracked.heldUntilMs > 0 && nowMs >= tracked.heldUntilMs) tracked.release();
      if (tracked.muchSweeps > 0) tracked.muchSweeps -= 1;
      const { bytes, unsentBytes } = tracked;
      const moves = bytes !== tracked.sweptBytes || unsentBytes !== tracked.sweptUnsentBytes;
      if (moves || tracked.paused && unsentBytes === 0) {
        tracked.sweptBytes = bytes;
        tracked.sweptUnsentBytes = unsentBytes;
        tracked.receivedAtMs = nowMs;
      } else if (idleMs > 0 && nowMs - tracked.receivedAtMs >= idleMs && !tracked.idled) {
        tracked.idled = true;
        this.#idled += 1;
        tracked.destroy();
      }
    }
  }

  /** True where connections that send little were here lately; `nowMs` on the clock of the books. */
  besideThin(nowMs: number): boolean {
    return this.#rests.besideThin(nowMs);
  }

  /** How many are open. */
  get open(): number {
    return this.#open.size;
  }

  /** The counters now. */
  counts(): ConnectionCounts {
    return {
      open: this.#open.size,
      accepted: this.#accepted,
      refused: this.#refused,
      handshakesFailed: this.#handshakesFailed,
      idled: this.#idled,
      held: this.#held,
    };
  }

  /** All open connections. */
  list(): ConnectionInfo[] {
    return Array.from(this.#open.values(), (tracked) => tracked.info());
  }

  /** Ends one; false when there is none with this id. */
  destroy(id: number): boolean {
    const tracked = this.#open.get(id);
    tracked?.destroy();
    return tracked !== undefined;
  }

  /** Says the end to all that are meant, and reads on until they end. */
  endAll(isMeant: (connection: Tracked<unknown>) => boolean): void {
    for (const tracked of [...this.#open.values()]) if (isMeant(tracked)) tracked.end();
  }

  /** The TCP connections under those of TLS that are meant, to say the end there. */
  underKeys(isMeant: (connection: Tracked<unknown>) => boolean): Set<string> {
    const keys = new Set<string>();
    for (const tracked of this.#open.values()) {
      if (tracked.underKey !== undefined && isMeant(tracked)) keys.add(tracked.underKey);
    }
    return keys;
  }

  /** Ends all that are meant, at the end of a drain. */
  destroyAll(isMeant: (connection: Tracked<unknown>) => boolean): void {
    for (const tracked of [...this.#open.values()]) if (isMeant(tracked)) tracked.destroy();
  }

  #opened<State>(
    listener: string,
    handler: TrackedHandler<State>,
    policy: ListenerPolicy,
    connection: Connection,
  ): Tracked<State> | undefined {
    const { admission, nowMs } = this.#options;
    const full = admission.entered();
    if (full !== undefined) {
      this.#count(listener, connection.peer, full);
      return undefined;
    }
    const tracked = new Tracked<State>(this.#nextId++, listener, connection, nowMs());
    const proxied = policy.proxyFrom?.has(hostOf(connection.peer)) === true;
    tracked.phase = proxied ? "header" : policy.handshakes ? "handshake" : "ready";
    const reason = proxied ? undefined : this.#identify(tracked, policy);
    if (reason !== undefined) {
      admission.left();
      this.#count(listener, connection.peer, reason);
      return undefined;
    }
    try {
      tracked.state = handler.opened(tracked);
    } finally {
      // Refused, or thrown: no `closed` will come for it.
      if (tracked.state === undefined) this.#leave(tracked);
    }
    if (tracked.state === undefined) return undefined;
    if (tracked.phase === "ready") this.#accepted += 1;
    this.#open.set(tracked.id, tracked);
    this.#options.opened?.(tracked);
    return tracked;
  }

  /** Who sends is known; gives why it may not. */
  #identify(tracked: Tracked<unknown>, policy: ListenerPolicy): RefusalReason | undefined {
    const { admission } = this.#options;
    const host = hostOf(tracked.peer);
    const key = admission.identify(policy, host);
    if (typeof key === "string") return key;
    tracked.peerKey = key;
    if (policy.bytesPerSecond > 0) tracked.rateKey = admission.table.key(host, policy.scope);
    return undefined;
  }

  /** The PROXY header is read; false where the sender behind it is refused. */
  #identified(tracked: Tracked<unknown>, policy: ListenerPolicy, peer: string): boolean {
    tracked.peer = peer;
    const reason = this.#identify(tracked, policy);
    if (reason !== undefined) {
      this.#refuse(tracked, reason);
      return false;
    }
    tracked.header = undefined;
    tracked.phase = policy.handshakes ? "handshake" : "ready";
    if (tracked.phase === "ready") this.#accepted += 1;
    return true;
  }

  #ready(tracked: Tracked<unknown>): void {
    if (tracked.phase !== "handshake") return;
    tracked.phase = "ready";
    this.#accepted += 1;
  }

  /** The first bytes of a connection: what of them is behind a PROXY header; undefined where nothing is. */
  #first(tracked: Tracked<unknown>, policy: ListenerPolicy, chunk: Uint8Array): Uint8Array | undefined {
    if (tracked.phase === "ready") {
      if (policy.handshakes || !isProxyHeader(chunk)) return chunk;
      this.#refuse(tracked, "proxy_network");
      return undefined;
    }
    if (tracked.phase !== "header") return undefined;
    const bytes = tracked.header === undefined ? chunk : joined(tracked.header, chunk);
    const header = readProxyHeader(bytes);
    switch (header.kind) {
      case "part":
        // The chunk is the runtime's again when this returns; slice() of a Buffer would be a view of it.
        tracked.header = new Uint8Array(bytes);
        return undefined;
      case "invalid":
        this.#refuse(tracked, "proxy_header", header.problem);
        return undefined;
      case "whole": {
        const { source, length } = header;
        const peer = source === undefined ? tracked.peer : formatAddress(source.hostname, source.port);
        if (!this.#identified(tracked, policy, peer)) return undefined;
        return bytes.length > length ? bytes.subarray(length) : undefined;
      }
    }
  }

  #pay(tracked: Tracked<unknown>, policy: ListenerPolicy, bytes: number): void {
    const nowMs = this.#options.nowMs();
    const waitMs = this.#options.admission.table.spend(tracked.rateKey!, bytes, policy.bytesPerSecond, nowMs);
    if (waitMs === 0 || tracked.heldUntilMs > 0) return;
    this.#held += 1;
    tracked.hold(nowMs + waitMs);
  }

  /** Ends a connection that is open already. */
  #refuse(tracked: Tracked<unknown>, reason: RefusalReason, problem?: string): void {
    tracked.phase = "refused";
    this.#count(tracked.listener, tracked.peer, reason, problem);
    tracked.destroy();
  }

  #count(listener: string, peer: string, reason: RefusalReason, problem?: string): void {
    this.#refused[reason] += 1;
    this.#options.refused?.(listener, peer, reason, problem);
  }

  #leave(tracked: Tracked<unknown>): void {
    const { admission } = this.#options;
    admission.left();
    if (tracked.peerKey !== undefined) admission.forget(tracked.peerKey);
    tracked.peerKey = undefined;
  }
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(first.length + second.length);
  bytes.set(first);
  bytes.set(second, first.length);
  return bytes;
}
