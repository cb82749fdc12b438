/**
 * The listeners of one worker, and what becomes of their connections at a drain.
 *
 * Every worker binds every address (SO_REUSEPORT). The exceptions are bound by worker 0 alone: unix sockets, which
 * cannot be shared, and UDP where the runtime gives all packets to one socket anyway.
 *
 * @module
 */
import type { Config, SyslogListen } from "../config/config.ts";
import { ForwarderError } from "../core/errors.ts";
import { Connections, connectionsMaxFor, openFilesMax, type Tracked } from "../io/connections.ts";
import { listenTls } from "../io/tls.ts";
import { loadTlsMaterial } from "../io/tls_material.ts";
import { counter, type CounterRow } from "../observe/row.ts";
import { runtime } from "../runtime/current.ts";
import type { ConnectionHandler, Listener } from "../runtime/runtime.ts";
import type { Intake, Stream } from "./intake.ts";
import type { ListenerReport, WorkerLog } from "./protocol.ts";

/** At a drain, a connection that sent nothing for this long has no bytes of its own waiting in the kernel. */
const quietMs = 50;
/** At a drain, connections that never fall quiet are read for this long, then closed. */
const readOnMs = 1_000;

/** What listeners need. */
export interface ListenersParts {
  readonly config: Config;
  readonly worker: number;
  /** Real ports by listener index, from worker 0; empty for worker 0 itself. */
  readonly ports: readonly number[];
  readonly intake: Intake;
  readonly counters: CounterRow;
  readonly log: WorkerLog;
}

/** All listeners and connections of one worker. */
export class Listeners {
  readonly #parts: ListenersParts;
  readonly #connections: Connections;
  readonly #bound: {
    readonly listen: SyslogListen;
    readonly listener: Listener | undefined;
    connections: number;
  }[] = [];

  constructor(parts: ListenersParts) {
    const { limits, workers } = parts.config;
    this.#parts = parts;
    this.#connections = new Connections({
      max: connectionsMaxFor(limits.connections, workers, openFilesMax()),
      idleMs: limits.idleMs,
      nowMs: () => performance.now(),
    });
  }

  /** Binds everything. @throws ForwarderError */
  async start(): Promise<void> {
    const { config, ports } = this.#parts;
    for (const [index, listen] of config.listen.entries()) {
      const entry = { listen, listener: undefined as Listener | undefined, connections: 0 };
      this.#bound.push(entry);
      entry.listener = await this.#bind(listen, ports[index] ?? listen.port, entry);
    }
  }

  /** Takes no new connections and datagrams. */
  async stopAccepting(): Promise<void> {
    await Promise.all(this.#bound.map(({ listener }) => listener?.close()));
  }

  /**
   * Reads what open connections have already sent, then closes them: each when it was quiet for a moment, all when
   * `readOnMs` is over. A sender that never pauses loses what it sends after that; it sees the connection end.
   */
  async readToTheEnd(): Promise<void> {
    const started = performance.now();
    let bytes = -1;
    let changedAt = started;
    for (;;) {
      const list = this.#connections.list();
      const now = performance.now();
      const total = list.reduce((sum, connection) => sum + connection.bytes, 0);
      if (total !== bytes || list.some((connection) => connection.paused)) {
        bytes = total;
        changedAt = now;
      }
      if (list.length === 0 || now - changedAt >= quietMs || now - started >= readOnMs) break;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    this.#connections.destroyAll();
  }

  /** Ends idle connections and refreshes the counters. Called about once a second. */
  tick(): void {
    this.#connections.sweep();
    this.#count();
  }

  report(): ListenerReport[] {
    return this.#bound.map(({ listen, listener, connections }) => ({
      transport: listen.transport,
      address: listener?.address ?? (listen.transport === "unix" ? listen.path : ""),
      port: listener?.port ?? 0,
      connections,
    }));
  }

  async #bind(
    listen: SyslogListen,
    port: number,
    entry: { connections: number },
  ): Promise<Listener | undefined> {
    const { config, worker, intake } = this.#parts;
    const address = { hostname: listen.hostname, port, reusePort: config.workers > 1 };
    const handler = this.#handler(listen, entry);
    switch (listen.transport) {
      case "tcp":
        return await runtime.listenTcp(address, handler);
      case "tls": {
        const { tls } = listen;
        const material = await loadTlsMaterial(tls!);
        return await listenTls(address, { material, client: tls!.client }, handler);
      }
      case "unix":
        return worker === 0 ? await runtime.listenUnix(listen.path, handler) : undefined;
      case "udp":
        if (worker !== 0 && !runtime.udpBalanced) return undefined;
        return await runtime.listenUdp({ ...address, reusePort: address.reusePort && runtime.udpBalanced }, {
          received: (packet, peer) => intake.datagram(packet, peer),
        });
    }
  }

  #handler(listen: SyslogListen, entry: { connections: number }): ConnectionHandler<Tracked<Stream>> {
    const { intake, log } = this.#parts;
    return this.#connections.wrap<Stream>(
      `${listen.transport}:${listen.hostname}${listen.path}:${listen.port}`,
      {
        opened: (connection) => {
          entry.connections++;
          const stream = intake.open(connection, listen.framing);
          this.#count();
          return stream;
        },
        received: (stream, chunk) => intake.received(stream, chunk),
        closed: (stream, error) => {
          entry.connections--;
          intake.closed(stream);
          // A reset is how many clients hang up; what we refused (TLS, deadlines) somebody has to mend.
          if (error instanceof ForwarderError) {
            const { peer } = stream.connection;
            log("connection_failed", {
              transport: listen.transport,
              peer,
              code: error.code,
              problem: error.message,
            });
          }
          this.#count();
        },
      },
    );
  }

  #count(): void {
    const { counters } = this.#parts;
    const { open, accepted, refused } = this.#connections.counts();
    counters.set(counter.connections_open, open);
    counters.set(counter.connections_accepted, accepted);
    counters.set(counter.connections_refused, refused);
    counters.publish();
  }
}
