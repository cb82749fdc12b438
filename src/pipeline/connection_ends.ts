/**
 * How connections of a worker are ended without losing what their senders have sent: at a drain, when another process has
 * taken the sockets over, and when a listener goes.
 *
 * Senders that are never answered (syslog) cannot know what was read. They see an end (FIN) where there is time for them
 * to finish, and are read until they are quiet where there is none. Those that get answers end with an answer.
 *
 * @module
 */
import type { Connections } from "../io/connections.ts";
import { sayEnd } from "../runtime/tcp_info.ts";
import type { HttpListeners } from "./http_listener.ts";
import type { RelpListeners } from "./relp_listener.ts";

/** At a drain, a connection that sent nothing for this long has no bytes of its own waiting in the kernel. */
const quietMs = 50;
/** At a drain, connections that never fall quiet are read for this long, then closed. */
const readOnMs = 1_000;
/** At an upgrade, connections of HTTP without a request and of RELP without an `open` are ended after this long. */
const idleMs = 2_000;
/** Connections that were in their handshake when all others were asked to end are asked this much later, and again. */
const askAgainMs = 1_000;
/** While it waits it looks so often. */
const lookMs = 10;

/** Whose connections are ended. */
export interface ConnectionEndsParts {
  readonly connections: Connections;
  readonly http: HttpListeners;
  readonly relp: RelpListeners;
}

/** The ends of one worker's connections. */
export class ConnectionEnds {
  readonly #parts: ConnectionEndsParts;
  /** Names of listeners whose senders get answers. */
  readonly #answered = new Set<string>();

  constructor(parts: ConnectionEndsParts) {
    this.#parts = parts;
  }

  /** Senders of this listener get answers. */
  answers(name: string): void {
    this.#answered.add(name);
  }

  /**
   * Others have the sockets: reads on until every sender has gone over to them, `deadlineMs` at most. Senders of plain
   * TCP see the end of what they never read and come again; HTTP answers with `Connection: close`; RELP is told so.
   */
  async readUntilGone(deadlineMs: number): Promise<void> {
    const { connections, http, relp } = this.#parts;
    const started = performance.now();
    http.finish();
    relp.stop(false);
    this.#askToEnd(() => true);
    let idleEnded = false;
    let askedMs = 0;
    while (connections.counts().open > 0) {
      const waited = performance.now() - started;
      if (waited >= deadlineMs) return;
      if (!idleEnded && waited >= Math.min(idleMs, deadlineMs / 2)) {
        idleEnded = true;
        http.stop();
        relp.stop(true);
      }
      if (waited >= askedMs + askAgainMs) {
        askedMs = waited;
        this.#askToEnd(() => true);
      }
      await new Promise((resolve) => setTimeout(resolve, lookMs));
    }
  }

  /**
   * Reads what open connections have already sent, then closes them: each when it was quiet for a moment, all when
   * `readOnMs` is over. A sender that never pauses loses what it sends after that; it sees the connection end. Those
   * that get answers end with the answer to what they have sent, or at `Listeners.close`.
   */
  async readToTheEnd(): Promise<void> {
    const { connections, http, relp } = this.#parts;
    http.stop();
    relp.stop(true);
    const answered = this.#answered;
    const started = performance.now();
    let bytes = -1;
    let changedAt = started;
    for (;;) {
      const list = connections.list().filter(({ listener }) => !answered.has(listener));
      const now = performance.now();
      const total = list.reduce((sum, connection) => sum + connection.bytes, 0);
      if (total !== bytes || list.some((connection) => connection.paused)) {
        bytes = total;
        changedAt = now;
      }
      if (list.length === 0 || now - changedAt >= quietMs || now - started >= readOnMs) break;
      await new Promise((resolve) => setTimeout(resolve, lookMs));
    }
    connections.destroyAll(({ listener }) => !answered.has(listener));
  }

  /**
   * Ends the connections of listeners that are no more: asks first, where one can, and ends after `goMs` those of names
   * that are still `gone` then.
   */
  endGone(names: ReadonlySet<string>, goMs: number, gone: (name: string) => boolean): void {
    this.#askToEnd((name) => names.has(name));
    const end = () =>
      this.#parts.connections.destroyAll(({ listener }) => names.has(listener) && gone(listener));
    setTimeout(end, goMs);
  }

  /**
   * FIN to senders that are never answered. The runtimes end TLS in both directions at once, and what was on its way
   * then is lost: there the TCP connection under it says the end, without TLS's own.
   */
  #askToEnd(isMeant: (name: string) => boolean): void {
    const { connections } = this.#parts;
    const asked = ({ listener }: { readonly listener: string }) =>
      isMeant(listener) && !this.#answered.has(listener);
    connections.endAll((connection) => asked(connection) && !connection.listener.startsWith("tls:"));
    void sayEnd(connections.underKeys(asked));
  }
}
