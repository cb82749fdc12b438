/**
 * Who waits for what, over all workers: `/admin/inflight`, `/admin/connections`, and what `corndog why` is made of.
 *
 * Waits are read from shared memory, so that they show while a worker is held; who they are only the worker knows, and
 * it is asked with a deadline.
 *
 * @module
 */
import type { ConnectionFilter, ConnectionList, ConnectionView } from "../admin/control.ts";
import type { Config } from "../config/config.ts";
import { type Inflight, inflightOf, oldestOf } from "../observe/inflight.ts";
import { type SeenWait, StageTableReader } from "../observe/stage_table.ts";
import { isStuck, type Surroundings, verdictOf } from "../observe/verdict.ts";
import { readSocketTable, socketKey } from "../runtime/kernel_sockets.ts";
import { type ConnectionCensus, type ConnectionRow, connectionRowsMax } from "./connection_rows.ts";
import type { Seen } from "./protocol.ts";
import type { Workers } from "./workers.ts";

/** What the desk joins. */
export interface LookDeskParts {
  readonly config: Config;
  readonly workers: Workers;
  readonly stages: SharedArrayBuffer;
  /** How long a worker has not moved, and which rule holds it. */
  held(worker: number): { readonly ms: number; readonly rule?: string | undefined };
  /** True while the spool's disk fails; where the spool is full, Kafka is the reason. */
  spoolBlocked(): boolean;
  /** Waits that nothing would have woken, since the start. */
  orphans(): number;
}

/** The control plane's looks. */
export class LookDesk {
  readonly #parts: LookDeskParts;
  readonly #readers: readonly StageTableReader[];

  constructor(parts: LookDeskParts) {
    this.#parts = parts;
    this.#readers = Array.from(
      { length: parts.config.workers },
      (_, worker) => new StageTableReader(parts.stages, worker),
    );
  }

  /** `GET /admin/inflight`. */
  async inflight(): Promise<Inflight> {
    const epochMs = performance.timeOrigin + performance.now();
    const waits = this.#readers.flatMap((reader) => reader.read(epochMs));
    const views = await this.#describe(oldestOf(waits));
    const overflows = this.#readers.reduce((total, reader) => total + reader.overflows, 0);
    return inflightOf(waits, { orphans: this.#parts.orphans(), overflows }, (wait) => views.get(wait));
  }

  /** `GET /admin/connections`. */
  async connections(filter: ConnectionFilter): Promise<ConnectionList> {
    const { workers } = this.#parts;
    const limit = Math.min(filter.limit, connectionRowsMax);
    // `stuck` is judged here, of those that the workers put first.
    const query = { ...filter, limit: filter.stuck ? connectionRowsMax : limit };
    const [answers, sockets] = await Promise.all([
      Promise.all(this.#readers.map((_, worker) => workers.look(worker, { connections: query }))),
      readSocketTable(),
    ]);
    const ports = new Map(workers.listeners.map(({ address, port }) => [address, port]));
    const views = answers.flatMap((answer, worker) =>
      (answer?.connections ?? []).map((row) => this.#view(row, worker, (key) => sockets.get(key), ports))
    );
    const wanted = views.filter((view) => !filter.stuck || view.stuck).slice(0, limit);
    return {
      ...censusOf(answers.flatMap((answer) => answer === undefined ? [] : [answer.census])),
      workers_held: answers.flatMap((answer, worker) => answer === undefined ? [worker] : []),
      connections: wanted,
    };
  }

  /** `DELETE /admin/connections/:id`. Undefined: the worker does not answer. */
  async endConnection(id: string): Promise<boolean | undefined> {
    const match = /^(\d+)-(\d+)$/.exec(id);
    if (match === null || Number(match[1]) >= this.#readers.length) return false;
    return await this.#parts.workers.endConnection(Number(match[1]), Number(match[2]));
  }

  #view(
    row: ConnectionRow,
    worker: number,
    socket: (key: string) => { recvQ: number; sendQ: number; retransmits: number } | undefined,
    ports: ReadonlyMap<string, number>,
  ): ConnectionView {
    const { config, held, spoolBlocked } = this.#parts;
    const hold = held(worker);
    const around: Surroundings = {
      sink: config.sink,
      spoolBlocked: spoolBlocked(),
      heldMs: hold.ms,
      heldByRule: hold.rule,
    };
    const queues = socket(socketKey(portOf(row.listener, ports), row.peer));
    const kernel = queues === undefined
      ? {}
      : { recv_q: queues.recvQ, send_q: queues.sendQ, retransmits: queues.retransmits };
    const facts = { ...row, ...kernel, paused: row.state === "paused" };
    const verdict = verdictOf(facts, around);
    return { ...row, ...kernel, verdict, stuck: isStuck(facts, verdict) };
  }

  /** Who waits, of waits of any worker. */
  async #describe(waits: readonly SeenWait[]): Promise<Map<SeenWait, Seen["waits"][number]>> {
    const views = new Map<SeenWait, Seen["waits"][number]>();
    await Promise.all(this.#readers.map(async (_, worker) => {
      const own = waits.filter((wait) => wait.worker === worker);
      if (own.length === 0) return;
      const seen = await this.#parts.workers.look(worker, {
        waits: own.map(({ slot, word }) => [slot, word]),
      });
      own.forEach((wait, index) => views.set(wait, seen?.waits[index]));
    }));
    return views;
  }
}

/** Listeners are named `transport:host:port` as configured; port 0 became a real one. */
function portOf(listener: string, ports: ReadonlyMap<string, number>): number {
  const port = Number(listener.slice(listener.lastIndexOf(":") + 1));
  if (port !== 0) return port;
  const [only] = ports.values();
  return only ?? 0;
}

function censusOf(all: readonly ConnectionCensus[]): Omit<ConnectionList, "connections" | "workers_held"> {
  const sum = (pick: (census: ConnectionCensus) => number) =>
    all.reduce((total, census) => total + pick(census), 0);
  const wait = (name: "room" | "letters" | "turn") => ({
    count: sum(({ waiting }) => waiting[name].count),
    long: sum(({ waiting }) => waiting[name].long),
  });
  return {
    open: sum(({ open }) => open),
    waiting: { room: wait("room"), letters: wait("letters"), turn: wait("turn") },
    half_lines_long: sum(({ half_lines_long }) => half_lines_long),
  };
}
