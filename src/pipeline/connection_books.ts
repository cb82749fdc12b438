/**
 * The books of one worker about its connections, joined with its log and its row of counters.
 *
 * @module
 */
import type { Config } from "../config/config.ts";
import { type Admission, refusalProblems, refusalReasons } from "../io/admission.ts";
import { type ConnectionCounts, Connections } from "../io/connections.ts";
import { counter, type CounterRow } from "../observe/row.ts";
import type { WorkerLog } from "./protocol.ts";
import type { Refusals } from "./refusals.ts";

/** What the books are joined with; all of one worker. */
export interface ConnectionBooksParts {
  readonly limits: Config["limits"];
  readonly worker: number;
  readonly admission: Admission;
  readonly refusals: Refusals;
  readonly log: WorkerLog;
  /** A connection was refused. */
  count(): void;
}

/** Books that tell of each connection, and of those that are refused. */
export function openBooks(parts: ConnectionBooksParts): Connections {
  const { limits, worker, admission, refusals, log, count } = parts;
  const nowMs = () => performance.now();
  return new Connections({
    admission,
    idleMs: limits.idleMs,
    handshakeMs: limits.handshakeMs,
    nowMs,
    opened: ({ id, listener, peer }) =>
      log("connection_opened", { connection: `${worker}-${id}`, listener, peer }, "debug"),
    ended: ({ id, listener, peer, openedAtMs, bytes }, error) => {
      const connection = `${worker}-${id}`;
      const ageMs = Math.round(nowMs() - openedAtMs);
      const problem = error === undefined ? {} : { problem: error.message };
      log("connection_closed", { connection, listener, peer, age_ms: ageMs, bytes, ...problem }, "debug");
    },
    refused: (listener, peer, reason, problem) => {
      refusals.tell("connection_refused", listener, peer, reason, problem ?? refusalProblems[reason]);
      count();
    },
  });
}

/** Brings the counters of connections up to date, and publishes the row. */
export function publishConnections(counts: ConnectionCounts, counters: CounterRow): void {
  const { open, accepted, refused, handshakesFailed, idled, held } = counts;
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
