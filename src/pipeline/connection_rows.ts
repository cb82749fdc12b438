/**
 * The connections of one worker as rows, those first that somebody should look at. Made when asked for: one pass over
 * the open connections, and no more rows than wanted.
 *
 * @module
 */
import type {
  ConnectionCensus,
  ConnectionFilter,
  ConnectionRow,
  ConnectionWait,
} from "../admin/looks_view.ts";
import type { ConnectionInfo } from "../io/tracked.ts";
import type { Stream } from "./stream.ts";

/** Which connections are wanted; who is `stuck` the control plane judges. */
export interface ConnectionQuery extends Omit<ConnectionFilter, "stuck"> {
  /** Peers that the kernel has trouble with; of that a worker knows nothing, and theirs come first. */
  readonly troubled?: readonly string[];
}

/** Rows that one answer holds; a worker must not be held by a question. */
export const connectionRowsMax = 1000;

/** Waits that the census calls long. */
export const longMs = 5_000;

/** What a connection waits for, and since when. */
interface Wait {
  readonly what: ConnectionWait;
  readonly sinceMs: number;
}

/** Streams know what they wait for; those of requests wait for the oldest answer that is owed. */
function waitOf(
  { peer }: ConnectionInfo,
  stream: Stream | undefined,
  owed: ReadonlyMap<string, number>,
): Wait | undefined {
  if (stream?.wait !== undefined) return { what: stream.wait, sinceMs: stream.waitSinceMs };
  const sinceMs = stream === undefined ? owed.get(peer) : undefined;
  return sinceMs === undefined ? undefined : { what: "answer", sinceMs };
}

/** Rows and census. `owed` says since when the oldest answer to a peer is owed. */
export function connectionRows(
  worker: number,
  connections: readonly ConnectionInfo[],
  streams: Iterable<Stream>,
  query: ConnectionQuery,
  nowMs: number,
  owed: ReadonlyMap<string, number> = new Map(),
): { readonly rows: ConnectionRow[]; readonly census: ConnectionCensus } {
  const byId = new Map<number, Stream>();
  for (const stream of streams) {
    const { id } = stream.connection;
    if (id !== undefined) byId.set(id, stream);
  }
  const waiting = {
    room: { count: 0, long: 0 },
    letters: { count: 0, long: 0 },
    turn: { count: 0, long: 0 },
    answer: { count: 0, long: 0 },
  };
  let halfLinesLong = 0;
  const troubled = new Set(query.troubled);
  const found: {
    readonly connection: ConnectionInfo;
    readonly stream: Stream | undefined;
    readonly wait: Wait | undefined;
    readonly rank: number;
  }[] = [];
  for (const connection of connections) {
    const stream = byId.get(connection.id);
    const wait = waitOf(connection, stream, owed);
    const waitMs = wait === undefined ? 0 : Math.round(nowMs - wait.sinceMs);
    const halfMs = halfMsOf(stream, nowMs);
    if (wait !== undefined) {
      waiting[wait.what].count++;
      if (waitMs > longMs) waiting[wait.what].long++;
      // One that waits for us may hold a part of its line too; the rest has come, or would, if it were read.
    } else if (halfMs > longMs) halfLinesLong++;
    if (!isWanted(connection, wait, query, nowMs)) continue;
    const rank = rankOf(waitMs, halfMs, nowMs - connection.receivedAtMs);
    found.push({
      connection,
      stream,
      wait,
      rank: troubled.has(connection.peer) ? rank + troubledRank : rank,
    });
  }
  const limit = Math.min(query.limit, connectionRowsMax);
  const rows = found.sort((a, b) => b.rank - a.rank).slice(0, limit)
    .map(({ connection, stream, wait }) => rowOf(worker, connection, stream, wait, nowMs));
  return { rows, census: { open: connections.length, waiting, half_lines_long: halfLinesLong } };
}

/** Above all others. */
const troubledRank = 4e12;

/** Who waits for us comes first, then half lines, then the silent; each by how long. */
export function rankOf(waitMs: number, halfMs: number, idleMs: number): number {
  return waitMs > 0 ? 2e12 + waitMs : halfMs > 0 ? 1e12 + halfMs : idleMs;
}

function isWanted(
  { peer, openedAtMs }: ConnectionInfo,
  wait: Wait | undefined,
  query: ConnectionQuery,
  nowMs: number,
): boolean {
  return (query.peer === undefined || peer.includes(query.peer)) &&
    (query.olderMs === undefined || nowMs - openedAtMs >= query.olderMs) &&
    (query.state === undefined || (wait === undefined ? "reading" : "waiting") === query.state);
}

/** Whole milliseconds, as all ages here: who counts and who is shown a row judge by the same number. */
function halfMsOf(stream: Stream | undefined, nowMs: number): number {
  // A half line of which the connection is being ended has no age any more.
  if (stream === undefined || stream.halfBytes === 0 || stream.halfSinceMs === Infinity) return 0;
  return Math.round(nowMs - stream.halfSinceMs);
}

function rowOf(
  worker: number,
  connection: ConnectionInfo,
  stream: Stream | undefined,
  wait: Wait | undefined,
  nowMs: number,
): ConnectionRow {
  const halfMs = halfMsOf(stream, nowMs);
  return {
    id: `${worker}-${connection.id}`,
    listener: connection.listener,
    peer: connection.peer,
    ...(connection.tlsPeer === undefined ? {} : { tls_peer: connection.tlsPeer }),
    age_ms: Math.round(nowMs - connection.openedAtMs),
    idle_ms: Math.round(nowMs - connection.receivedAtMs),
    bytes: connection.bytes,
    lines: stream?.lines ?? 0,
    partial_bytes: stream?.halfBytes ?? 0,
    ...(halfMs > 0 ? { partial_ms: halfMs } : {}),
    state: wait !== undefined ? "waiting" : connection.paused ? "paused" : "reading",
    ...(wait === undefined ? {} : { waits_for: wait.what, waits_ms: Math.round(nowMs - wait.sinceMs) }),
  };
}
