/**
 * Who waits for what, over all workers: `/admin/inflight`, `/admin/connections`, and what `corndog why` is made of.
 *
 * Waits are read from shared memory, so that they show while a worker is held; who they are only the worker knows, and
 * it is asked with a deadline.
 *
 * @module
 */
import type {
  ConnectionCensus,
  ConnectionFilter,
  ConnectionList,
  ConnectionRow,
  ConnectionView,
  ConnectionWait,
} from "../admin/looks_view.ts";
import type { Config } from "../config/config.ts";
import { type Inflight, inflightOf, type LostWaits, oldestOf } from "../observe/inflight.ts";
import { type SeenWait, StageTableReader } from "../observe/stage_table.ts";
import { isStuck, type Surroundings, verdictOf } from "../observe/verdict.ts";
import {
  readSocketTable,
  socketKey,
  type SocketQueues,
  type SocketTable,
} from "../runtime/kernel_sockets.ts";
import { readTcpInfos, type TcpInfo } from "../runtime/tcp_info.ts";
import { connectionRowsMax, rankOf } from "./connection_rows.ts";
import type { Seen } from "./protocol.ts";
import type { Workers } from "./workers.ts";

/** Peers that the workers are asked for by name. */
const troubledMax = 200;
/** A batch that waits this long for its commit has a slow disk before it. */
const slowDiskMsMin = 1_000;

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

  /**
   * `GET /admin/inflight`. What was lost comes from the last reports: a new loss within a second or two, of how many
   * waits (`lost[].waits`) up to ten seconds late.
   */
  async inflight(): Promise<Inflight> {
    const epochMs = performance.timeOrigin + performance.now();
    const waits = this.#readers.flatMap((reader) => reader.read(epochMs));
    const views = await this.#describe(oldestOf(waits));
    const overflows = this.#readers.reduce((total, reader) => total + reader.overflows, 0);
    const lost = sumLost(this.#parts.workers.reports.flatMap((report) => report.lost));
    return inflightOf(waits, { orphans: this.#parts.orphans(), lost, overflows }, (wait) => views.get(wait));
  }

  /** `GET /admin/connections`. */
  async connections(filter: ConnectionFilter): Promise<ConnectionList> {
    const { workers } = this.#parts;
    const limit = Math.min(filter.limit, connectionRowsMax);
    // `stuck` is judged here, of those that the workers put first.
    const ports = new Map(workers.listeners.map(({ address, port }) => [address, port]));
    const [sockets, infos] = await Promise.all([readSocketTable(), readTcpInfos()]);
    const query = {
      ...filter,
      troubled: troubledPeers(sockets, infos, new Set(ports.values())),
      limit: filter.stuck ? connectionRowsMax : limit,
    };
    const answers = await Promise.all(
      this.#readers.map((_, worker) => workers.look(worker, { connections: query })),
    );
    const diskIsSlow = this.#diskIsSlow();
    const kernelOf = (key: string) => kernelFacts(sockets.get(key), infos.get(key));
    const views = answers.flatMap((answer, worker) =>
      (answer?.connections ?? []).map((row) => this.#view(row, worker, kernelOf, ports, diskIsSlow))
    );
    // Each worker has put its own in order; the first of all workers come first.
    const wanted = views.filter((view) => !filter.stuck || view.stuck).sort(byNeed).slice(0, limit);
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
    kernelOf: (key: string) => KernelFacts,
    ports: ReadonlyMap<string, number>,
    diskIsSlow: boolean,
  ): ConnectionView {
    const { config, held, spoolBlocked } = this.#parts;
    const hold = held(worker);
    const around: Surroundings = {
      sink: config.sink,
      spoolBlocked: spoolBlocked() || diskIsSlow,
      heldMs: hold.ms,
      heldByRule: hold.rule,
    };
    const kernel = kernelOf(socketKey(portOf(row.listener, ports), row.peer));
    const facts = { ...row, ...kernel, lost: kernel.tcp?.lost, paused: row.state === "paused" };
    const verdict = verdictOf(facts, around);
    return { ...row, ...kernel, verdict, stuck: isStuck(facts, verdict) };
  }

  /** True while batches wait for the disk for longer than any waits for Kafka. */
  #diskIsSlow(): boolean {
    const epochMs = performance.timeOrigin + performance.now();
    const waits = this.#readers.flatMap((reader) => reader.read(epochMs));
    const oldest = (name: string) =>
      waits.reduce((most, { stage, ageMs }) => stage === name ? Math.max(most, ageMs) : most, 0);
    const disk = oldest("spool");
    return disk >= slowDiskMsMin && disk > oldest("kafka");
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

/** Those first that somebody should look at. */
export function byNeed(a: ConnectionView, b: ConnectionView): number {
  const rank = ({ waits_ms, partial_ms, idle_ms }: ConnectionView) =>
    rankOf(waits_ms ?? 0, partial_ms ?? 0, idle_ms);
  const calm = ({ verdict }: ConnectionView) => verdict === "flowing" || verdict === "client_silent";
  return Number(b.stuck) - Number(a.stuck) || Number(calm(a)) - Number(calm(b)) || rank(b) - rank(a);
}

/** Peers at the other ends of `ports` to which packets are lost, then those that do not take what was sent. */
export function troubledPeers(
  sockets: SocketTable,
  infos: ReadonlyMap<string, Pick<TcpInfo, "lost" | "timeouts">>,
  ports: ReadonlySet<number>,
): string[] {
  const [lost, slow]: [string[], string[]] = [[], []];
  for (const [key, { retransmits, sendQ }] of sockets) {
    const peerAt = key.indexOf(">") + 1;
    if (!ports.has(Number(key.slice(0, peerAt - 1)))) continue;
    const info = infos.get(key);
    if (retransmits > 0 || (info?.timeouts ?? 0) > 0 || (info?.lost ?? 0) > 0) lost.push(key.slice(peerAt));
    else if (sendQ > 0) slow.push(key.slice(peerAt));
  }
  return [...lost, ...slow].slice(0, troubledMax);
}

/** All workers' losses by stage. */
function sumLost(all: readonly LostWaits[]): LostWaits[] {
  const sums = new Map<LostWaits["stage"], LostWaits>();
  for (const { stage, lost, waits } of all) {
    const sum = sums.get(stage) ?? { stage, lost: 0, waits: 0 };
    sums.set(stage, { stage, lost: sum.lost + lost, waits: sum.waits + waits });
  }
  return [...sums.values()];
}

type KernelFacts = Pick<ConnectionView, "recv_q" | "send_q" | "retransmits" | "tcp">;

/** What the kernel says of one connection, in two places; either may know nothing. */
function kernelFacts(queues: SocketQueues | undefined, info: TcpInfo | undefined): KernelFacts {
  return {
    ...(queues === undefined
      ? {}
      : { recv_q: queues.recvQ, send_q: queues.sendQ, retransmits: queues.retransmits }),
    ...(info === undefined ? {} : {
      // The newer of the two: it was asked of the socket itself.
      retransmits: info.timeouts,
      tcp: {
        rtt_ms: info.rttMs,
        unacked: info.unacked,
        lost: info.lost,
        retransmitted: info.retransmitted,
        ...(info.outOfOrder === undefined ? {} : { out_of_order: info.outOfOrder }),
        ...(info.notSent === undefined ? {} : { not_sent: info.notSent }),
        received_ms_ago: info.receivedMsAgo,
      },
    }),
  };
}

/** Listeners are named `transport:host:port` as configured; port 0 became a real one. */
function portOf(listener: string, ports: ReadonlyMap<string, number>): number {
  const port = Number(listener.slice(listener.lastIndexOf(":") + 1));
  if (port !== 0) return port;
  const [only] = ports.values();
  return only ?? 0;
}

function censusOf(all: readonly ConnectionCensus[]): ConnectionCensus {
  const sum = (pick: (census: ConnectionCensus) => number) =>
    all.reduce((total, census) => total + pick(census), 0);
  const wait = (name: ConnectionWait) => ({
    count: sum(({ waiting }) => waiting[name].count),
    long: sum(({ waiting }) => waiting[name].long),
  });
  return {
    open: sum(({ open }) => open),
    waiting: { room: wait("room"), letters: wait("letters"), turn: wait("turn"), answer: wait("answer") },
    half_lines_long: sum(({ half_lines_long }) => half_lines_long),
  };
}
