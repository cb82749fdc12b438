/**
 * The listeners of one worker, and what becomes of their connections at a drain.
 *
 * Every worker binds every address (SO_REUSEPORT). The exceptions are bound by worker 0 alone: unix sockets, which
 * cannot be shared, UDP where the runtime gives all packets to one socket anyway, and standard input. Of a stream
 * socket that was inherited every worker accepts.
 *
 * @module
 */
import type { Config, HttpListen, Listen, RelpListen, SyslogListen } from "../config/config.ts";
import { ForwarderError } from "../core/errors.ts";
import type { HttpConnection } from "../http/connection.ts";
import { type ForeignProtocol, foreignProtocol } from "../framing/foreign.ts";
import { Admission, type ListenerPolicy, refusalProblems, refusalReasons } from "../io/admission.ts";
import { Connections } from "../io/connections.ts";
import { connectionsMaxFor, openFilesMax } from "../io/descriptors.ts";
import type { ConnectionInfo, Tracked, TrackedHandler } from "../io/tracked.ts";
import { counter, type CounterRow } from "../observe/row.ts";
import type { HttpServer } from "../http/server.ts";
import type { InheritedSocket } from "../runtime/inherited.ts";
import { openLibc } from "../runtime/libc.ts";
import { runtime } from "../runtime/current.ts";
import { sayEnd } from "../runtime/tcp_info.ts";
import type { ConnectionHandler, DatagramHandler, GiveAway, Listener } from "../runtime/runtime.ts";
import { readStdin } from "../runtime/stdin.ts";
import type { CertificateWatch } from "./certificate_watch.ts";
import { DatagramDoor } from "./datagram_door.ts";
import { Dealer, isDealt } from "./dealer.ts";
import type { HttpListeners } from "./http_listener.ts";
import type { Intake, Stream } from "./intake.ts";
import { lineOptionsOf, type LineTally } from "./line_options.ts";
import { nameOf, policyOf, transportOf } from "./listener_policy.ts";
import { openListener } from "./open_listener.ts";
import type { ListenerReport, ListenPlan, WorkerLog } from "./protocol.ts";
import { datagramQuietMs, quietMs as requestQuietMs, type ReadPacing } from "./read_pacing.ts";
import { Refusals } from "./refusals.ts";
import { samePlace } from "./reload.ts";
import type { IoReport, TcpSource } from "./tcp_source.ts";
import type { RelpConnection, RelpListeners } from "./relp_listener.ts";

/** At a drain, a connection that sent nothing for this long has no bytes of its own waiting in the kernel. */
const quietMs = 50;
/** At a drain, connections that never fall quiet are read for this long, then closed. */
const readOnMs = 1_000;
/** At an upgrade, HTTP connections without a request are ended after this long. */
const httpIdleMs = 2_000;

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
  /** How many connections each worker has, by listener index. */
  readonly deals: readonly SharedArrayBuffer[];
  /** Hands a connection to another worker; descriptor -1: the promise of one is taken back. */
  give(worker: number, scope: number, fd: number): void;
  /** Sockets that were inherited, by listener index. */
  readonly inherited: readonly (readonly InheritedSocket[])[];
  /** Memory for the rates of tokens, by listener index. */
  readonly rates: readonly SharedArrayBuffer[];
  /** Standard input, the only listener, has ended. */
  readonly stdinEnded: () => void;
  readonly intake: Intake;
  readonly http: HttpListeners;
  readonly relp: RelpListeners;
  /** Hears of all that is read. */
  readonly pacing: ReadPacing;
  readonly counters: CounterRow;
  readonly log: WorkerLog;
  /** Opens the source of plain TCP of syslog, before the first listener is bound. */
  readonly openTcp: () => Promise<TcpSource>;
}

/** A listener and what it counts. */
interface Bound {
  /** Tells it apart from others that there are or were. */
  readonly scope: number;
  /** Rates of tokens. */
  readonly rates: SharedArrayBuffer;
  readonly listen: Listen;
  readonly name: string;
  readonly policy: ListenerPolicy;
  listener: Listener | undefined;
  /** What the kernel had dropped at the last look. */
  lost: number;
  certificates: CertificateWatch | undefined;
  server: HttpServer<unknown> | undefined;
  connections: number;
  readonly tally: LineTally;
  /** Deals its connections out over the workers. */
  readonly dealer: Dealer | undefined;
}

/** All listeners and connections of one worker. */
export class Listeners {
  readonly #parts: ListenersParts;
  readonly #admission: Admission;
  readonly #connections: Connections;
  readonly #refusals: Refusals;
  #bound: Bound[];
  /** Bound beside what is in force, until it takes its place. */
  #prepared: Bound[] | undefined;
  /** Listeners whose connections are dealt out, by scope. */
  readonly #dealt = new Map<number, Bound>();
  #isClosed = false;
  /** Names of listeners whose senders get answers. */
  readonly #answered = new Set<string>();
  #tcp: TcpSource | undefined;

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
      opened: ({ id, listener, peer }) =>
        parts.log("connection_opened", { connection: `${parts.worker}-${id}`, listener, peer }, "debug"),
      ended: ({ id, listener, peer, openedAtMs, bytes }, error) => {
        const connection = `${parts.worker}-${id}`;
        const ageMs = Math.round(nowMs() - openedAtMs);
        const problem = error === undefined ? {} : { problem: error.message };
        parts.log(
          "connection_closed",
          { connection, listener, peer, age_ms: ageMs, bytes, ...problem },
          "debug",
        );
      },
      refused: (listener, peer, reason, problem) => {
        this.#refusals.tell("connection_refused", listener, peer, reason, problem ?? refusalProblems[reason]);
        this.count();
      },
    });
    this.#bound = listen.map((entry, index) =>
      this.#boundOf(entry, index, parts.rates[index]!, parts.deals[index]!)
    );
  }

  /** Binds everything. @throws ForwarderError */
  async start(): Promise<void> {
    const { ports, inherited } = this.#parts;
    this.#tcp = await this.#parts.openTcp();
    for (const [index, bound] of this.#bound.entries()) {
      await this.#open(bound, ports[index] ?? bound.listen.port, inherited[index] ?? []);
    }
  }

  /** Binds what `plans` want beside what is in force; nothing else changes before `commit`. @throws ForwarderError */
  async prepare(plans: readonly ListenPlan[]): Promise<readonly ListenerReport[]> {
    const prepared: Bound[] = [];
    this.#prepared = prepared;
    try {
      for (const { listen, keep, scope, sockets, port, rates, deals } of plans) {
        const bound = keep === undefined ? this.#boundOf(listen, scope, rates, deals) : this.#bound[keep]!;
        prepared.push(bound);
        if (keep === undefined) await this.#open(bound, port ?? listen.port, sockets);
      }
    } catch (error) {
      await this.discard();
      throw error;
    }
    return prepared.map(reportOf);
  }

  /**
   * Puts what was prepared in force. Connections of a listener that goes are asked to end, and are ended after `goMs`;
   * those of one that only changed stay as they are.
   */
  async commit(goMs: number): Promise<void> {
    const next = this.#prepared;
    if (next === undefined) return;
    this.#prepared = undefined;
    const gone = this.#bound.filter((bound) => !next.includes(bound));
    this.#bound = next;
    for (const { dealer } of gone) dealer?.close();
    // What was given away a moment ago is still taken.
    if (gone.length > 0) setTimeout(() => this.#forgetDealt(gone), goMs);
    const stays = (bound: Bound) => next.some(({ listen }) => samePlace(listen, bound.listen));
    // Bound anew at the same place: the path of a unix socket is the new one's.
    await Promise.all(gone.map((bound) => bound.listener?.close(stays(bound))));
    for (const bound of gone) {
      if (bound.server !== undefined) this.#parts.http.retire(bound.server, !stays(bound));
    }
    const names = new Set(gone.filter((bound) => !stays(bound)).map(({ name }) => name));
    for (const { name } of next) names.delete(name);
    if (names.size > 0) this.#endConnections(names, goMs);
  }

  /** Looks at certificates at once. */
  async lookAtCertificates(): Promise<void> {
    for (const { certificates } of this.#bound) {
      // The first look sees a change, the second that it stands still.
      await certificates?.look();
      await certificates?.look();
    }
  }

  /** Closes what was prepared and is not in force. */
  async discard(): Promise<void> {
    const prepared = this.#prepared ?? [];
    this.#prepared = undefined;
    const unused = prepared.filter((bound) => !this.#bound.includes(bound));
    this.#forgetDealt(unused);
    // The former listener has the path.
    await Promise.all(
      unused.map((bound) =>
        bound.listener?.close(this.#bound.some(({ listen }) => samePlace(listen, bound.listen)))
      ),
    );
  }

  /** Takes no new connections and datagrams. With `handedOver` others have the sockets. */
  async stopAccepting(handedOver = false): Promise<void> {
    for (const { dealer } of this.#bound) dealer?.close();
    await Promise.all(this.#bound.map(({ listener }) => listener?.close(handedOver)));
  }

  /**
   * Others have the sockets: reads on until every sender has gone over to them, `deadlineMs` at most. Senders of plain
   * TCP see the end of what they never read and come again; HTTP answers with `Connection: close`; RELP is told so.
   */
  async readUntilGone(deadlineMs: number): Promise<void> {
    const { http, relp } = this.#parts;
    const started = performance.now();
    http.finish();
    relp.stop();
    this.#askToEnd(() => true);
    let idleEnded = false;
    while (this.#connections.counts().open > 0) {
      const waited = performance.now() - started;
      if (waited >= deadlineMs) return;
      if (!idleEnded && waited >= Math.min(httpIdleMs, deadlineMs / 2)) {
        idleEnded = true;
        http.stop();
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  /**
   * Reads what open connections have already sent, then closes them: each when it was quiet for a moment, all when
   * `readOnMs` is over. A sender that never pauses loses what it sends after that; it sees the connection end. Those
   * that get answers end with the answer to what they have sent, or with `close`.
   */
  async readToTheEnd(): Promise<void> {
    this.#parts.http.stop();
    this.#parts.relp.stop();
    const answered = this.#answered;
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
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#connections.destroyAll(() => true);
    await this.#tcp?.close();
  }

  /** How plain TCP of syslog is read; undefined before `start`. */
  get io(): IoReport | undefined {
    return this.#tcp?.report;
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

  /** Opens a connection that another worker gave away; what comes when all is closed is closed too. */
  take(scope: number, fd: number): void {
    const bound = this.#dealt.get(scope);
    bound?.dealer?.arrived();
    if (fd < 0) return;
    if (bound?.listener?.adopt === undefined || this.#isClosed) {
      void openLibc().then((libc) => libc?.close(fd));
    } else bound.listener.adopt(fd);
  }

  /** How many connections are open. */
  get open(): number {
    return this.#connections.open;
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
    return this.#bound.map(reportOf);
  }

  /** Ends the connections of listeners that are no more: asks first, where one can. */
  #endConnections(names: ReadonlySet<string>, goMs: number): void {
    this.#askToEnd((name) => names.has(name));
    const end = () =>
      this.#connections.destroyAll(({ listener }) =>
        names.has(listener) && this.#bound.every(({ name }) => name !== listener)
      );
    setTimeout(end, goMs);
  }

  /**
   * FIN to senders that are never answered. The runtimes end TLS in both directions at once, and what was on its way
   * then is lost: there the TCP connection under it says the end, without TLS's own.
   */
  #askToEnd(isMeant: (name: string) => boolean): void {
    const asked = ({ listener }: { readonly listener: string }) =>
      isMeant(listener) && !this.#answered.has(listener);
    this.#connections.endAll((connection) => asked(connection) && !connection.listener.startsWith("tls:"));
    void sayEnd(this.#connections.underKeys(asked));
  }

  async #open(bound: Bound, port: number, inherited: readonly InheritedSocket[]): Promise<void> {
    const { config, worker, log } = this.#parts;
    const { listen, name } = bound;
    if (listen.kind !== "syslog") this.#answered.add(name);
    const { proxyFrom } = bound.policy;
    const { listener, certificates } = await openListener({
      listen,
      name,
      port,
      inherited,
      worker,
      workers: config.workers,
      handshakeMs: config.limits.handshakeMs,
      tcp: listen.kind === "syslog" ? this.#tcp! : runtime,
      proxied: proxyFrom === undefined ? undefined : (host) => proxyFrom.has(host),
      connections: () => this.#handler(bound),
      giveAway: bound.dealer === undefined ? undefined : this.#giveAway(bound.scope, bound.dealer),
      datagrams: () => this.#datagrams(bound),
      stdin: () => this.#readStdin(bound),
      log,
    });
    bound.listener = listener;
    // A socket that was inherited has dropped what others have told.
    if (inherited.length > 0) bound.lost = listener?.drops?.() ?? 0;
    bound.certificates = certificates;
    if (listener?.adopt !== undefined) bound.dealer?.open(bound.connections);
  }

  #giveAway(scope: number, dealer: Dealer): GiveAway {
    return { target: () => dealer.target(), give: (target, fd) => this.#parts.give(target, scope, fd) };
  }

  /** A connection more, or less. */
  #has(bound: Bound, more: 1 | -1): void {
    bound.connections += more;
    bound.dealer?.has(bound.connections);
  }

  #boundOf(listen: Listen, scope: number, rates: SharedArrayBuffer, deals: SharedArrayBuffer): Bound {
    const { config, worker } = this.#parts;
    const dealer = isDealt(listen) && config.workers > 1 ? new Dealer(deals, worker) : undefined;
    const bound = boundOf(listen, scope, rates, dealer);
    if (dealer !== undefined) this.#dealt.set(scope, bound);
    return bound;
  }

  /** Nobody gives their connections away any more. */
  #forgetDealt(bounds: readonly Bound[]): void {
    for (const { scope, dealer } of bounds) {
      dealer?.close();
      this.#dealt.delete(scope);
    }
  }

  /** Standard input is one connection; where it is all there is, its end is the end of corndog. */
  #readStdin(bound: Bound): Listener {
    const { log } = this.#parts;
    let stopped = false;
    void readStdin(this.#handler(bound)).then(() => {
      if (stopped) return;
      const last = this.#bound.length === 1;
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
    const server = this.#parts.http.server(bound.rates, listen, bound.name, this.#refusals, bound.tally);
    bound.server = server;
    return {
      opened: (connection) => {
        // Its request is on its way; of a handshake of TLS each step would wait for a pause.
        this.#parts.pacing.hold(requestQuietMs);
        bound.connections++;
        const state = server.opened(connection);
        this.count();
        return state;
      },
      received: (state, chunk) => {
        this.#parts.pacing.hold(requestQuietMs);
        server.received(state, chunk);
      },
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
        this.#parts.pacing.hold(requestQuietMs);
        bound.connections++;
        this.count();
        return handler.opened(connection);
      },
      received: (state, chunk) => {
        this.#parts.pacing.hold(requestQuietMs);
        handler.received(state, chunk);
      },
      closed: (state, error) => {
        bound.connections--;
        handler.closed(state, error);
        this.#ended(bound, state.peer, error);
      },
    };
  }

  #syslog(bound: Bound, listen: SyslogListen): TrackedHandler<Stream> {
    const { intake, pacing } = this.#parts;
    const lines = lineOptionsOf(listen, bound.tally);
    return {
      opened: (connection) => {
        this.#has(bound, 1);
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
        pacing.read(chunk.byteLength);
      },
      closed: (stream, error) => {
        this.#has(bound, -1);
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
    const handler = door.handler(bound, this.#parts.intake, this.#parts.counters, this.#refusals);
    return {
      received: (packet, peer) => {
        this.#parts.pacing.hold(datagramQuietMs);
        handler.received(packet, peer);
      },
    };
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

function boundOf(listen: Listen, scope: number, rates: SharedArrayBuffer, dealer: Dealer | undefined): Bound {
  return {
    scope,
    dealer,
    rates,
    listen,
    name: nameOf(listen),
    policy: policyOf(listen, scope),
    listener: undefined,
    lost: 0,
    certificates: undefined,
    server: undefined,
    connections: 0,
    tally: { lines: 0 },
  };
}

function reportOf({ listen, listener, connections, certificates, tally }: Bound): ListenerReport {
  return {
    transport: transportOf(listen),
    address: listener?.address ?? listen.path,
    port: listener?.port ?? 0,
    connections,
    lines: tally.lines,
    ...(certificates === undefined ? {} : { certificateEndsAtMs: certificates.endsAtMs }),
  };
}
