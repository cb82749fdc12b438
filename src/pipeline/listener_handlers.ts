/**
 * What becomes of the bytes of each kind of listener: syslog and datagrams go to the intake, HTTP and RELP to their
 * servers. Here all of them meet the pacing of reads, the counts of their listener, and the log.
 *
 * Hot path: `received`, once per chunk or packet.
 *
 * @module
 */
import type { HttpListen, RelpListen, SyslogListen } from "../config/config.ts";
import { ForwarderError } from "../core/errors.ts";
import { type ForeignProtocol, foreignProtocol } from "../framing/foreign.ts";
import type { HttpConnection } from "../http/connection.ts";
import type { Admission } from "../io/admission.ts";
import type { Connections } from "../io/connections.ts";
import type { Tracked, TrackedHandler } from "../io/tracked.ts";
import { counter, type CounterRow } from "../observe/row.ts";
import type { ConnectionHandler, DatagramHandler, Listener } from "../runtime/runtime.ts";
import { readStdin } from "../runtime/stdin.ts";
import type { Bound } from "./bound_listener.ts";
import { DatagramDoor } from "./datagram_door.ts";
import type { HttpListeners } from "./http_listener.ts";
import type { Intake } from "./intake.ts";
import { lineOptionsOf } from "./line_options.ts";
import type { WorkerLog } from "./protocol.ts";
import { datagramQuietMs, quietMs, type ReadPacing } from "./read_pacing.ts";
import type { Refusals } from "./refusals.ts";
import type { RelpConnection, RelpListeners } from "./relp_listener.ts";
import type { Stream } from "./stream.ts";

/** What is wrong where a sender speaks something else than syslog, and the cure. */
const foreignProblems: Readonly<Record<ForeignProtocol, string>> = {
  tls: "the sender speaks TLS and this listener does not; write syslog: tls:// for it, or send without TLS",
  http: "the sender speaks HTTP and this listener takes syslog; send to an http: listener",
};

/** What the handlers join; all of one worker. */
export interface ListenerHandlersParts {
  readonly admission: Admission;
  readonly connections: Connections;
  readonly refusals: Refusals;
  readonly intake: Intake;
  readonly http: HttpListeners;
  readonly relp: RelpListeners;
  /** Hears of all that is read. */
  readonly pacing: ReadPacing;
  readonly counters: CounterRow;
  readonly log: WorkerLog;
  /** A connection was opened or has ended. */
  count(): void;
  /** Whether there is one listener and no other. */
  isAlone(): boolean;
  /** Standard input, the only listener, has ended. */
  readonly stdinEnded: () => void;
}

/** The handlers of one worker's listeners. */
export class ListenerHandlers {
  readonly #parts: ListenerHandlersParts;

  constructor(parts: ListenerHandlersParts) {
    this.#parts = parts;
  }

  /** Takes the connections of a listener. */
  connections(bound: Bound): ConnectionHandler<Tracked<unknown>> {
    const { listen } = bound;
    const handler = listen.kind === "http"
      ? this.#http(bound, listen)
      : listen.kind === "relp"
      ? this.#relp(bound, listen)
      : this.#syslog(bound, listen);
    return this.#parts.connections.wrap(bound.name, handler as TrackedHandler<unknown>, bound.policy);
  }

  /** Takes the datagrams of a listener. */
  datagrams(bound: Bound): DatagramHandler {
    const { admission, intake, counters, refusals, pacing } = this.#parts;
    const door = new DatagramDoor(bound.policy, admission.table, () => performance.now());
    const handler = door.handler(bound, intake, counters, refusals);
    return {
      received: (packet, peer) => {
        pacing.hold(datagramQuietMs);
        handler.received(packet, peer);
      },
    };
  }

  /** Standard input is one connection; where it is all there is, its end is the end of corndog. */
  stdin(bound: Bound): Listener {
    const { log, isAlone, stdinEnded } = this.#parts;
    let stopped = false;
    void readStdin(this.connections(bound)).then(() => {
      if (stopped) return;
      const last = isAlone();
      log("stdin_ended", last ? { consequence: "draining, then exit" } : {});
      if (last) stdinEnded();
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

  #http(bound: Bound, listen: HttpListen): TrackedHandler<HttpConnection<unknown>> {
    const { http, refusals, pacing } = this.#parts;
    const server = http.server(bound.rates, listen, bound.name, refusals, bound.tally);
    bound.server = server;
    return {
      opened: (connection) => {
        // Its request is on its way; of a handshake of TLS each step would wait for a pause.
        pacing.hold(quietMs);
        bound.connections++;
        const state = server.opened(connection);
        this.#parts.count();
        return state;
      },
      received: (state, chunk) => {
        pacing.hold(quietMs);
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
    const { relp, refusals, pacing } = this.#parts;
    const handler = relp.handler(listen, bound.name, refusals, bound.tally);
    return {
      ...handler,
      opened: (connection) => {
        pacing.hold(quietMs);
        bound.connections++;
        this.#parts.count();
        return handler.opened(connection);
      },
      received: (state, chunk) => {
        pacing.hold(quietMs);
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
        has(bound, 1);
        const stream = intake.open(connection, lines);
        this.#parts.count();
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
        has(bound, -1);
        intake.closed(stream);
        this.#ended(bound, stream.connection.peer, error);
      },
    };
  }

  /** A sender that speaks something else: nothing of it is a line, and it should see that at once. */
  #foreign(bound: Bound, stream: Stream, chunk: Uint8Array, protocol: ForeignProtocol): void {
    const { counters, refusals } = this.#parts;
    const { connection } = stream;
    counters.add(counter.connections_foreign, 1);
    counters.add(counter.bytes_received, chunk.byteLength);
    refusals.tell(
      "connection_failed",
      bound.name,
      connection.peer,
      `${protocol}_on_syslog_port`,
      foreignProblems[protocol],
      { transport: bound.listen.transport, code: `${protocol}_on_syslog_port` },
    );
    connection.destroy();
  }

  /** A connection is closed. */
  #ended(bound: Bound, peer: string, error: Error | undefined): void {
    // A reset is how many clients hang up; what we refused (TLS, deadlines) somebody has to mend.
    if (error instanceof ForwarderError) {
      const { transport } = bound.listen;
      this.#parts.refusals.tell("connection_failed", bound.name, peer, error.code, error.message, {
        transport,
        code: error.code,
      });
    }
    this.#parts.count();
  }
}

/** A connection more, or less. */
function has(bound: Bound, more: 1 | -1): void {
  bound.connections += more;
  bound.dealer?.has(bound.connections);
}
