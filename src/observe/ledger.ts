/**
 * Sums the workers' counter rows into what `/admin/stats` shows. Pure: rows in, plain objects out.
 *
 * The ledger is a check, not a definition: no side of it is derived from the other, so that `balanced: false`
 * means that a stage has lost or doubled a line.
 *
 * @module
 */
import type { Ledger, Stats } from "../admin/stats_view.ts";
import { counter, counterNames, dropReasons, firstDropped } from "./row.ts";

/** Adds up rows, counter by counter. */
export function sumRows(rows: readonly Float64Array[]): Float64Array {
  const sum = new Float64Array(counterNames.length);
  for (const row of rows) {
    for (let index = 0; index < sum.length; index++) sum[index] += row[index];
  }
  return sum;
}

/** The ledger of a (summed) row. `received + fan_out + split + replayed = delivered + spooled + in_flight + dead_lettered + joined + sum(dropped)`. */
export function ledgerOf(sum: Float64Array): Ledger {
  const dropped: Record<string, number> = {};
  let droppedTotal = 0;
  dropReasons.forEach((reason, index) => {
    dropped[reason] = sum[firstDropped + index];
    droppedTotal += dropped[reason];
  });
  const ledger = {
    received: sum[counter.received],
    fan_out: sum[counter.fan_out],
    split: sum[counter.split],
    replayed: sum[counter.replayed],
    delivered: sum[counter.delivered],
    spooled: sum[counter.spooled],
    in_flight: sum[counter.in_flight],
    dead_lettered: sum[counter.dead_lettered],
    joined: sum[counter.joined],
    dropped,
  };
  const came = ledger.received + ledger.fan_out + ledger.split + ledger.replayed;
  const went = ledger.delivered + ledger.spooled + ledger.in_flight + ledger.dead_lettered + ledger.joined +
    droppedTotal;
  return { ...ledger, balanced: came === went };
}

/** `Stats.totals` of a (summed) row. */
export function totalsOf(sum: Float64Array): Stats["totals"] {
  return {
    bytes_received: sum[counter.bytes_received],
    connections_open: sum[counter.connections_open],
    connections_accepted: sum[counter.connections_accepted],
    connections_refused: sum[counter.connections_refused],
    connections_refused_by: {
      connections: sum[counter.refused_connections],
      descriptors: sum[counter.refused_descriptors],
      connections_per_peer: sum[counter.refused_connections_per_peer],
      network: sum[counter.refused_network],
      proxy_header: sum[counter.refused_proxy_header],
      proxy_network: sum[counter.refused_proxy_network],
      handshake: sum[counter.refused_handshake],
    },
    handshakes_failed: sum[counter.handshakes_failed],
    connections_idled: sum[counter.connections_idled],
    connections_partial: sum[counter.connections_partial],
    connections_held: sum[counter.connections_held],
    datagrams_refused: sum[counter.datagrams_refused],
    datagrams_lost: sum[counter.datagrams_lost],
    frames_empty: sum[counter.frames_empty],
    frames_truncated: sum[counter.frames_truncated],
    frames_damaged: sum[counter.frames_damaged],
    connections_foreign: sum[counter.connections_foreign],
    unparsed: sum[counter.unparsed],
    datagrams: sum[counter.datagrams],
    pauses: sum[counter.pauses],
    http_requests: sum[counter.http_requests],
    http_failures: sum[counter.http_failures],
    http_timeouts: sum[counter.http_timeouts],
  };
}

/** One entry of `Stats.workers`; the dashboard and the exposition know these names. */
export interface WorkerStats extends Record<string, unknown> {
  readonly worker: number;
  readonly received: number;
  readonly delivered: number;
  readonly in_flight: number;
  readonly connections_open: number;
  readonly pauses: number;
  readonly rules_version: number;
  /** How long the heartbeat has not moved. */
  readonly heartbeat_age_ms: number;
}

/** What one worker did. `heartbeatAgeMs` comes from a `HeartbeatWatch`. */
export function workerStatsOf(worker: number, row: Float64Array, heartbeatAgeMs: number): WorkerStats {
  return {
    worker,
    received: row[counter.received],
    delivered: row[counter.delivered],
    in_flight: row[counter.in_flight],
    connections_open: row[counter.connections_open],
    pauses: row[counter.pauses],
    rules_version: row[counter.rules_version],
    heartbeat_age_ms: Math.round(heartbeatAgeMs),
  };
}
