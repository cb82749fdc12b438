/**
 * What is counted over all workers beside the ledger, as families of metrics.
 *
 * @module
 */
import type { Stats } from "../admin/stats_view.ts";
import { type Family, family, single } from "./metric_text.ts";

type Totals = Stats["totals"];
type CountKey = { [Key in keyof Totals]: Totals[Key] extends number ? Key : never }[keyof Totals];

/** Counters without labels: name, place in the totals, help. */
const counters: readonly (readonly [name: string, key: CountKey, help: string])[] = [
  ["corndog_received_bytes_total", "bytes_received", "Bytes read from all listeners."],
  ["corndog_connections_accepted_total", "connections_accepted", "Connections taken."],
  [
    "corndog_tls_handshakes_failed_total",
    "handshakes_failed",
    "Connections that ended before their TLS handshake was done.",
  ],
  [
    "corndog_connections_held_total",
    "connections_held",
    "Times that a connection was not read because its sender was over its rate.",
  ],
  ["corndog_datagrams_refused_total", "datagrams_refused", "Datagrams of senders that may not send."],
  [
    "corndog_datagrams_lost_total",
    "datagrams_lost",
    "Datagrams that the kernel dropped because the receive buffer was full.",
  ],
  ["corndog_frames_empty_total", "frames_empty", "Frames without a byte."],
  ["corndog_frames_truncated_total", "frames_truncated", "Frames cut at the size limit."],
  ["corndog_frames_damaged_total", "frames_damaged", "Places in octet-counted streams where no count was."],
  [
    "corndog_connections_foreign_total",
    "connections_foreign",
    "Connections to syslog ports that spoke TLS or HTTP.",
  ],
  ["corndog_lines_unparsed_total", "unparsed", "Lines without a syslog header."],
  ["corndog_datagrams_total", "datagrams", "Datagrams read."],
  ["corndog_pauses_total", "pauses", "Times that reading stopped because memory was full."],
  ["corndog_http_requests_total", "http_requests", "HTTP requests to listeners."],
  [
    "corndog_http_failures_total",
    "http_failures",
    "HTTP requests that were answered with a status of 400 or more.",
  ],
  ["corndog_http_timeouts_total", "http_timeouts", "HTTP requests whose head or body came too slowly."],
];

/** Bytes, connections, datagrams, frames and requests. */
export function totalFamilies({ totals }: Stats): Family[] {
  return [
    ...counters.map(([name, key, help]) => single(name, "counter", help, totals[key])),
    single("corndog_connections", "gauge", "Open connections.", totals.connections_open),
    family(
      "corndog_connections_refused_total",
      "counter",
      "Connections refused, by reason.",
      Object.entries(totals.connections_refused_by).map(([reason, count]) => [{ reason }, count] as const),
    ),
    family(
      "corndog_connections_ended_total",
      "counter",
      "Connections ended by a limit, by reason.",
      Object.entries({ idle: totals.connections_idled, partial: totals.connections_partial }).map(
        ([reason, count]) => [{ reason }, count] as const,
      ),
    ),
  ];
}
