/**
 * The listeners of one worker, and what becomes of their connections at a drain.
 *
 * Every worker binds every address (SO_REUSEPORT). The exceptions are bound by worker 0 alone: unix sockets, which
 * cannot be shared, UDP where the runtime gives all packets to one socket anyway, and standard input. Of a stream
 * socket that was inherited every worker accepts.
 *
 * @module
 */
import type { Config, HttpListen, Listen, RelpListen, SyslogListen, TlsServer } from "../config/config.ts";
import { ForwarderError } from "../core/errors.ts";
import type { HttpConnection } from "../http/connection.ts";
import { type ForeignProtocol, foreignProtocol } from "../framing/foreign.ts";
import { Admission, type ListenerPolicy, refusalProblems, refusalReasons } from "../io/admission.ts";
import { Connections } from "../io/connections.ts";
import { connectionsMaxFor, openFilesMax } from "../io/descriptors.ts";
import type { ConnectionInfo, Tracked, TrackedHandler } from "../io/tracked.ts";
import { listenTls } from "../io/tls.ts";
import { loadTlsMaterial, tlsFilesVersion } from "../io/tls_material.ts";
import { counter, type CounterRow } from "../observe/row.ts";
import { runtime } from "../runtime/current.ts";
import type { InheritedSocket } from "../runtime/inherited.ts";
import { openLibc } from "../runtime/libc.ts";
import type { ConnectionHandler, DatagramHandler, ListenAddress, Listener } from "../runtime/runtime.ts";
import { readStdin } from "../runtime/stdin.ts";
import { CertificateWatch } from "./certificate_watch.ts";
import { DatagramDoor } from "./datagram_door.ts";
import type { HttpListeners } from "./http_listener.ts";
import type { Intake, Stream } from "./intake.ts";
import { lineOptionsOf, type LineTally } from "./line_options.ts";
import { nameOf, policyOf, transportOf } from "./listener_policy.ts";
import type { ListenerReport, WorkerLog } from "./protocol.ts";
import { Refusals } from "./refusals.ts";
import type { RelpConnection, RelpListeners } from "./relp_listener.ts";

/** At a drain, a connection that sent nothing for this long has no bytes of its own waiting in the kernel. */
const quietMs = 50;
/** At a drain, connections that never fall quiet are read for this long, then closed. */
const readOnMs = 1_000;

/** What is wrong where a sender speaks something else than syslog, and the cure. */
const foreignProblems: Readonly<Record<ForeignProtocol, string>> = {
  tls: "the sender speaks TLS and this listener does not; write syslog: tls:// for it, or send without TLS",
  http: "the sender speaks HTTP and this listener takes syslog; send to an http: listener",
};

/** What listeners need. */
export interface ListenersParts {
  readonly config: Config;
  readonly worker: number;
  /** Real ports by listener index, from worker 0; empty for worker 0 itself. */
  readonly ports: readonly number[];
  /** What the workers know together about senders. */
  readonly peers: SharedArrayBuffer;
  /** Sockets that were inherited, by listener index. */
  readonly inherited: readonly (InheritedSocket | undefined)[];
  /** Standard input, the only listener, has ended. */
  readonly stdinEnded: () => void;
  readonly intake: Intake;
  readonly http: HttpListeners;
  readonly relp: RelpListeners;
  readonly counters: CounterRow;
  readonly log: WorkerLog;
}

/** A listener and what it counts. */
interface Bound {
  readonly index: number;
  readonly listen: Listen;
  readonly name: string;
  readonly policy: ListenerPolicy;
  listener: Listener | undefined;
  /** What the kernel had dropped at the last look. */
  lost: number;
  certificates: CertificateWatch | undefined;
  connections: number;
  readonly tally: LineTally;
}

/** All listeners and connections of one worker. */
export class Listeners {
  readonly #parts: ListenersParts;
  readonly #admission: Admission;
  readonly #connections: Connections;
  readonly #refusals: Refusals;
  readonly #bound: Bound[];

  constructor(parts: ListenersParts) {
    const { limits, listen } = parts.config;
    const nowMs = () => performance.now();
    this.#parts = parts;
    const { connections, lowered } = connectionsMaxFor(limits.connections, openFilesMax());
    this.#admission = new Admission(
      { connections, lowered, connectionsPerPeer: limits.connectionsPerPeer },
      parts.peers,
    );
    this.#refusals = new Refusals(parts.log, nowMs);
    this.#connections = new Connections({
      admission: this.#admission,
      idleMs: limits.idleMs,
      handshakeMs: limits.handshakeMs,
      nowMs,
      refused: (listener, peer, reason, problem) => {
        this.#refusals.tell("connection_refused", listener, peer, reason, problem ?? refusalProblems[reason]);
        this.count();
      },
    });
    this.#bound = listen.map((entry, index) => ({
      index,
      listen: entry,
      name: nameOf(entry),
      policy: policyOf(entry, index),
      listener: undefined,
      lost: 0,
      certificates: undefined,
      connections: 0,
      tally: { lines: 0 },
    }));
  }

  /** Binds everything. @throws ForwarderError */
  async start(): Promise<void> {
    for (const [index, bound] of this.#bound.entries()) {
      bound.listener = await this.#bind(bound, this.#parts.ports[index] ?? bound.listen.port);
    }
  }

  /** Takes no new connections and datagrams. */
  async stopAccepting(): Promise<void> {
    await Promise.all(this.#bound.map(({ listener }) => listener?.close()));
  }

  /**
   * Reads what open connections have already sent, then closes them: each when it was quiet for a moment, all when
   * `readOnMs` is over. A sender that never pauses loses what it sends after that; it sees the connection end. Those
   * that get answers end with the answer to what they have sent, or with `close`.
   */
  async readToTheEnd(): Promise<void> {
    this.#parts.http.stop();
    this.#parts.relp.stop();
    const answered = new Set(
      this.#bound.filter(({ listen }) => listen.kind !== "syslog").map(({ name }) => name),
    );
    const started = performance.now();
    let bytes = -1;
    let changedAt = started;
    for (;;) {
      const list = this.#connections.list().filter(({ listener }) => !answered.has(listener));
      const now = performance.now();
      const total = list.reduce((sum, connection) => sum + connection.bytes, 0);
      if (total !== bytes || list.some((connection) => connection.paused)) {
        bytes = total;
        changedAt = now;
      }
      if (list.length === 0 || now - changedAt >= quietMs || now - started >= readOnMs) break;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    this.#connections.destroyAll(({ listener }) => !answered.has(listener));
  }

  /** Ends what is still open, when everything is answered. */
  close(): void {
    this.#connections.destroyAll(() => true);
  }

  /** Ends connections that are idle, or never finish a line, and refreshes the counters. A few times a second. */
  tick(): void {
    const { config, intake, relp, counters } = this.#parts;
    this.#connections.sweep();
    for (const bound of this.#bound) {
      bound.certificates?.tick(performance.now(), Date.now());
      this.#countLost(bound);
    }
    if (config.limits.partialMs > 0) {
      const { partialMs } = config.limits;
      const peers = [...intake.endOldHalves(partialMs), ...relp.endOldFrames(partialMs, performance.now())];
      for (const peer of peers) {
        counters.add(counter.connections_partial, 1);
        const problem = "its line had no end within limits.partial; what came of it is forwarded";
        this.#refusals.tell("connection_ended", "", peer, "partial", problem);
      }
    }
    this.count();
  }

  /** All open connections. */
  list(): readonly ConnectionInfo[] {
    return this.#connections.list();
  }

  /** Ends one connection; false when there is none with this number. */
  endConnection(id: number): boolean {
    return this.#connections.destroy(id);
  }

  report(): ListenerReport[] {
    return this.#bound.map(({ listen, listener, connections, certificates, tally }) => ({
      transport: transportOf(listen),
      address: listener?.address ?? listen.path,
      port: listener?.port ?? 0,
      connections,
      lines: tally.lines,
      ...(certificates === undefined ? {} : { certificateEndsAtMs: certificates.endsAtMs }),
    }));
  }

  async #bind(bound: Bound, port: number): Promise<Listener | undefined> {
    const { config, worker } = this.#parts;
    const { listen } = bound;
    const inherited = this.#parts.inherited[bound.index];
    // One accept queue serves all workers, each by a descriptor of its own. Datagrams are read by one.
    const fd = inherited === undefined
      ? undefined
      : worker === 0 || inherited.type === "stream"
      ? (await openLibc())!.duplicate(inherited.fd)
      : -1;
    if (fd === -1) return undefined;
    const address = {
      hostname: inherited?.hostname ?? listen.hostname,
      port: inherited?.port ?? port,
      reusePort: config.workers > 1,
      ...(fd === undefined ? {} : { fd }),
    };
    switch (listen.transport) {
      case "tcp":
        return await runtime.listenTcp(address, this.#handler(bound));
      case "tls":
        return await this.#bindTls(bound, listen.tls!, address);
      case "unix":
        if (worker !== 0 && fd === undefined) return undefined;
        return await runtime.listenUnix(listen.path, this.#handler(bound), fd);
      case "unixgram":
        return worker === 0
          ? await runtime.listenUnixgram(listen.path, this.#datagrams(bound), fd)
          : undefined;
      case "udp": {
        const balanced = await runtime.udpBalanced();
        if (worker !== 0 && !balanced) return undefined;
        const shared = { ...address, reusePort: address.reusePort && balanced };
        return await runtime.listenUdp(shared, this.#datagrams(bound));
      }
      case "stdin":
        return worker === 0 ? this.#readStdin(bound) : undefined;
    }
  }

  async #bindTls(bound: Bound, tls: TlsServer, address: ListenAddress): Promise<Listener> {
    const { config, worker } = this.#parts;
    const version = await tlsFilesVersion(tls);
    const material = await loadTlsMaterial(tls);
    const { proxyFrom } = bound.policy;
    const listener = await listenTls(address, {
      ...tls,
      material,
      handshakeMs: config.limits.handshakeMs,
      ...(proxyFrom === undefined ? {} : { proxied: (host: string) => proxyFrom.has(host) }),
    }, this.#handler(bound));
    const log = worker === 0 ? this.#parts.log : undefined;
    bound.certificates = new CertificateWatch({
      name: bound.name,
      files: tls,
      listener,
      material,
      version,
      log,
    });
    return listener;
  }

  /** Standard input is one connection; where it is all there is, its end is the end of corndog. */
  #readStdin(bound: Bound): Listener {
    const { config, log } = this.#parts;
    let stopped = false;
    void readStdin(this.#handler(bound)).then(() => {
      if (stopped) return;
      const last = config.listen.length === 1;
      log("stdin_ended", last ? { consequence: "draining, then exit" } : {});
      if (last) this.#parts.stdinEnded();
    });
    return {
      address: "stdin:",
      port: 0,
      close() {
        stopped = true;
        return Promise.resolve();
      },
    };
  }

  #handler(bound: Bound): ConnectionHandler<Tracked<unknown>> {
    const { listen } = bound;
    const handler = listen.kind === "http"
      ? this.#http(bound, listen)
      : listen.kind === "relp"
      ? this.#relp(bound, listen)
      : this.#syslog(bound, listen);
    return this.#connections.wrap(bound.name, handler as TrackedHandler<unknown>, bound.policy);
  }

  #http(bound: Bound, listen: HttpListen): TrackedHandler<HttpConnection<unknown>> {
    const server = this.#parts.http.server(bound.index, listen, bound.name, this.#refusals, bound.tally);
    return {
      opened: (connection) => {
        bound.connections++;
        const state = server.opened(connection);
        this.count();
        return state;
      },
      received: (state, chunk) => server.received(state, chunk),
      halfClosed: (state) => server.halfClosed(state),
      drained: (state) => server.drained(state),
      closed: (state, error) => {
        bound.connections--;
        server.closed(state);
        this.#ended(bound, state.peer, error);
      },
    };
  }

  #relp(bound: Bound, listen: RelpListen): TrackedHandler<RelpConnection> {
    const handler = this.#parts.relp.handler(listen, bound.name, this.#refusals, bound.tally);
    return {
      ...handler,
      opened: (connection) => {
        bound.connections++;
        this.count();
        return handler.opened(connection);
      },
      closed: (state, error) => {
        bound.connections--;
        handler.closed(state, error);
        this.#ended(bound, state.peer, error);
      },
    };
  }

  #syslog(bound: Bound, listen: SyslogListen): TrackedHandler<Stream> {
    const { intake } = this.#parts;
    const lines = lineOptionsOf(listen, bound.tally);
    return {
      opened: (connection) => {
        bound.connections++;
        const stream = intake.open(connection, lines);
        this.count();
        return stream;
      },
      received: (stream, chunk) => {
        if (stream.isNew) {
          stream.isNew = false;
          const protocol = foreignProtocol(chunk);
          if (protocol !== undefined) return this.#foreign(bound, stream, chunk, protocol);
        }
        intake.received(stream, chunk);
      },
      closed: (stream, error) => {
        bound.connections--;
        intake.closed(stream);
        this.#ended(bound, stream.connection.peer, error);
      },
    };
  }

  /** A sender that speaks something else: nothing of it is a line, and it should see that at once. */
  #foreign(bound: Bound, stream: Stream, chunk: Uint8Array, protocol: ForeignProtocol): void {
    const { counters } = this.#parts;
    const { connection } = stream;
    counters.add(counter.connections_foreign, 1);
    counters.add(counter.bytes_received, chunk.byteLength);
    this.#refusals.tell(
      "connection_failed",
      bound.name,
      connection.peer,
      `${protocol}_on_syslog_port`,
      foreignProblems[protocol],
      { transport: bound.listen.transport, code: `${protocol}_on_syslog_port` },
    );
    connection.destroy();
  }

  #datagrams(bound: Bound): DatagramHandler {
    const door = new DatagramDoor(bound.policy, this.#admission.table, () => performance.now());
    return door.handler(bound, this.#parts.intake, this.#parts.counters, this.#refusals);
  }

  /** Asks the kernel for the datagrams that it dropped. */
  #countLost(bound: Bound): void {
    const lost = bound.listener?.drops?.() ?? 0;
    if (lost <= bound.lost) return;
    const more = lost - bound.lost;
    bound.lost = lost;
    this.#parts.counters.add(counter.datagrams_lost, more);
    const problem =
      `the kernel dropped ${more} datagrams, its receive buffer was full; raise net.core.rmem_max, or ` +
      "send over TCP";
    this.#refusals.tell("datagrams_lost", bound.name, "", "kernel", problem);
  }

  /** A connection is closed. */
  #ended(bound: Bound, peer: string, error: Error | undefined): void {
    // A reset is how many clients hang up; what we refused (TLS, deadlines) somebody has to mend.
    if (error instanceof ForwarderError) {
      const { transport } = bound.listen;
      this.#refusals.tell("connection_failed", bound.name, peer, error.code, error.message, {
        transport,
        code: error.code,
      });
    }
    this.count();
  }

  /** Brings the counters of connections up to date. */
  count(): void {
    const { counters } = this.#parts;
    const { open, accepted, refused, handshakesFailed, idled, held } = this.#connections.counts();
    let refusals = 0;
    for (const reason of refusalReasons) {
      refusals += refused[reason];
      counters.set(counter[`refused_${reason}`], refused[reason]);
    }
    counters.set(counter.connections_open, open);
    counters.set(counter.connections_accepted, accepted);
    counters.set(counter.connections_refused, refusals);
    counters.set(counter.handshakes_failed, handshakesFailed);
    counters.set(counter.connections_idled, idled);
    counters.set(counter.connections_held, held);
    counters.publish();
  }
}
