/**
 * The HTTP side of one listener: a handler of its connections, and the clock that ends slow requests.
 *
 * Why not the runtimes' own servers: the body is a promise there, which doubles the cost of a small POST on Bun (14 µs of
 * CPU against 7 µs for a bare answer on a socket), Deno's knows no client certificates, and neither lets anybody look
 * at a head before its body is read.
 *
 * @module
 */
import type { Connection, ConnectionHandler } from "../runtime/runtime.ts";
import { Budget } from "./budget.ts";
import { HttpConnection } from "./connection.ts";
import type { EndedConnection, HttpCounts, HttpShared, RefusedRequest } from "./connection_shared.ts";
import { Heads } from "./heads.ts";
import { Pieces } from "./pieces.ts";
import type { HttpService } from "./service.ts";

/**
 * After so many requests garbage is collected at the next tick. Bun waits until there is as much of it as the thread
 * has in use, memory shared with other threads included: 176 to 189 MB instead of 230 to 247 in the first row of
 * `bench/http.sh`, for no more CPU per request.
 */
const requestsPerCollection = 4096;

/** What a server is made of. */
export interface HttpServerOptions<Plan> {
  readonly service: HttpService<Plan>;
  /** Bytes that unfinished requests may hold together. */
  readonly heldBytesMax: number;
  /** The monotonic clock. */
  nowMs(): number;
  /** The calendar, for `Date`. */
  dateMs(): number;
  /** A client spoke no HTTP, or bad HTTP. */
  refused(peer: string, detail: string): void;
  /** A request was answered with a status of 400 or more. */
  requestRefused?(request: RefusedRequest): void;
  /** A connection is no more. */
  ended?(connection: EndedConnection): void;
  /** Requests have left garbage behind that is worth to be collected. */
  collect(): void;
}

/** All connections of one HTTP listener in one worker. */
export class HttpServer<Plan> implements ConnectionHandler<HttpConnection<Plan>> {
  readonly #shared: HttpShared<Plan>;
  readonly #connections = new Set<HttpConnection<Plan>>();
  readonly #collect: () => void;
  /** Requests at the last collection. */
  #collectedAt = 0;

  constructor(options: HttpServerOptions<Plan>) {
    const { service, heldBytesMax, nowMs, dateMs, refused, requestRefused = nothing, ended = nothing } =
      options;
    this.#collect = options.collect;
    this.#shared = {
      service,
      heads: new Heads((head) => service.plan(head)),
      budget: new Budget(heldBytesMax),
      pieces: new Pieces(),
      timed: new Set(),
      counts: { requests: 0, failures: 0, timeouts: 0 },
      stopping: false,
      nowMs,
      dateMs,
      refused,
      requestRefused,
      ended,
    };
  }

  /** What happened since the start. */
  get counts(): Readonly<HttpCounts> {
    return this.#shared.counts;
  }

  /** Bytes of unfinished requests. */
  get heldBytes(): number {
    return this.#shared.budget.bytes;
  }

  opened(connection: Connection): HttpConnection<Plan> {
    const opened = new HttpConnection(connection, this.#shared);
    this.#connections.add(opened);
    return opened;
  }

  received(connection: HttpConnection<Plan>, chunk: Uint8Array): void {
    connection.received(chunk);
  }

  halfClosed(connection: HttpConnection<Plan>): void {
    connection.halfClosed();
  }

  drained(connection: HttpConnection<Plan>): void {
    connection.drained();
  }

  closed(connection: HttpConnection<Plan>): void {
    this.#connections.delete(connection);
    connection.closed();
  }

  /** Ends requests that take too long, and has garbage collected. Called several times a second. */
  tick(): void {
    const nowMs = this.#shared.nowMs();
    for (const connection of [...this.#shared.timed]) connection.tick(nowMs);
    const { requests } = this.#shared.counts;
    if (requests - this.#collectedAt < requestsPerCollection) return;
    this.#collectedAt = requests;
    this.#collect();
  }

  /** Whether there is no connection. */
  get idle(): boolean {
    return this.#connections.size === 0;
  }

  /** Connections end with their next answer. */
  finish(): void {
    this.#shared.stopping = true;
  }

  /** Connections end with the answer to the request that they are at, those without one at once. */
  stop(): void {
    this.finish();
    for (const connection of [...this.#connections]) connection.stop();
  }
}

function nothing(): void {}
