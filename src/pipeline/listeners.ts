/**
 * The listeners of one worker: what is bound at the start, what a reload binds beside it and puts in its place, and
 * which connections come from other workers. Who may come in is in the books (connection_books.ts); what becomes of
 * what they send in listener_handlers.ts; how they are ended in connection_ends.ts.
 *
 * Every worker binds every address (SO_REUSEPORT). The exceptions are bound by worker 0 alone: unix sockets, which
 * cannot be shared, UDP where the runtime gives all packets to one socket anyway, and standard input. Of a stream
 * socket that was inherited every worker accepts.
 *
 * @module
 */
import type { Config, Listen } from "../config/config.ts";
import { Admission } from "../io/admission.ts";
import type { Connections } from "../io/connections.ts";
import { connectionsMaxFor, openFilesMax } from "../io/descriptors.ts";
import type { ConnectionInfo } from "../io/tracked.ts";
import { counter, type CounterRow } from "../observe/row.ts";
import { runtime } from "../runtime/current.ts";
import type { InheritedSocket } from "../runtime/inherited.ts";
import { openLibc } from "../runtime/libc.ts";
import type { GiveAway } from "../runtime/runtime.ts";
import { type Bound, boundOf, countLost, reportOf } from "./bound_listener.ts";
import { openBooks, publishConnections } from "./connection_books.ts";
import { ConnectionEnds } from "./connection_ends.ts";
import { Dealer, isDealt } from "./dealer.ts";
import type { HttpListeners } from "./http_listener.ts";
import type { Intake } from "./intake.ts";
import { ListenerHandlers } from "./listener_handlers.ts";
import { openListener } from "./open_listener.ts";
import type { ListenerReport, ListenPlan, WorkerLog } from "./protocol.ts";
import type { ReadPacing } from "./read_pacing.ts";
import { Refusals } from "./refusals.ts";
import { samePlace } from "./reload.ts";
import type { RelpListeners } from "./relp_listener.ts";
import type { IoReport, TcpSource } from "./tcp_source.ts";

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

/** All listeners and connections of one worker. */
export class Listeners {
  readonly #parts: ListenersParts;
  readonly #connections: Connections;
  readonly #refusals: Refusals;
  readonly #handlers: ListenerHandlers;
  readonly #ends: ConnectionEnds;
  #bound: Bound[];
  /** Bound beside what is in force, until it takes its place. */
  #prepared: Bound[] | undefined;
  /** Listeners whose connections are dealt out, by scope. */
  readonly #dealt = new Map<number, Bound>();
  #isClosed = false;
  #tcp: TcpSource | undefined;

  constructor(parts: ListenersParts) {
    const { limits, listen } = parts.config;
    this.#parts = parts;
    const { connections, lowered } = connectionsMaxFor(limits.connections, openFilesMax());
    const admission = new Admission(
      { connections, lowered, connectionsPerPeer: limits.connectionsPerPeer },
      parts.peers,
    );
    const { worker, log } = parts;
    const count = () => this.count();
    this.#refusals = new Refusals(log, () => performance.now());
    this.#connections = openBooks({ limits, worker, admission, refusals: this.#refusals, log, count });
    this.#handlers = new ListenerHandlers({
      admission,
      connections: this.#connections,
      refusals: this.#refusals,
      intake: parts.intake,
      http: parts.http,
      relp: parts.relp,
      pacing: parts.pacing,
      counters: parts.counters,
      log,
      count,
      isAlone: () => this.#bound.length === 1,
      stdinEnded: parts.stdinEnded,
    });
    this.#ends = new ConnectionEnds({ connections: this.#connections, http: parts.http, relp: parts.relp });
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
    if (names.size > 0) {
      this.#ends.endGone(names, goMs, (gone) => this.#bound.every(({ name }) => name !== gone));
    }
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

  /** @see ConnectionEnds.readUntilGone */
  readUntilGone(deadlineMs: number): Promise<void> {
    return this.#ends.readUntilGone(deadlineMs);
  }

  /** @see ConnectionEnds.readToTheEnd */
  readToTheEnd(): Promise<void> {
    return this.#ends.readToTheEnd();
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
      countLost(bound, counters, this.#refusals);
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

  /** @see Connections.besideThin */
  besideThin(nowMs: number): boolean {
    return this.#connections.besideThin(nowMs);
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

  /** Brings the counters of connections up to date. */
  count(): void {
    publishConnections(this.#connections.counts(), this.#parts.counters);
  }

  async #open(bound: Bound, port: number, inherited: readonly InheritedSocket[]): Promise<void> {
    const { config, worker, log } = this.#parts;
    const { listen, name } = bound;
    if (listen.kind !== "syslog") this.#ends.answers(name);
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
      connections: () => this.#handlers.connections(bound),
      giveAway: bound.dealer === undefined ? undefined : this.#giveAway(bound.scope, bound.dealer),
      datagrams: () => this.#handlers.datagrams(bound),
      stdin: () => this.#handlers.stdin(bound),
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
}
