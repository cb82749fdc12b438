/**
 * Which part of corndog an event is about: what `log.levels` goes by, and the `component` of a line of the log.
 *
 * Most names say it themselves (`kafka_broker_lost`); the others are listed. A name that is neither is of the process.
 *
 * @module
 */
import type { LogComponent } from "../core/log_names.ts";

/** Names that begin with one of these belong there. */
const prefixes: readonly (readonly [string, LogComponent])[] = [
  ["kafka_", "kafka"],
  ["spool_", "spool"],
  ["rules_", "rules"],
  ["http_", "http"],
  ["relp_", "relp"],
  ["admin_", "admin"],
  ["dead_letter_", "dead_letter"],
  ["statsd_", "metrics"],
  ["connection_", "listeners"],
  ["certificate_", "listeners"],
  ["datagram", "listeners"],
  ["socket_", "listeners"],
  ["flight_", "watch"],
];

/** Names that do not say it. */
const names: ReadonlyMap<string, LogComponent> = new Map([
  ["compression_lost", "kafka"],
  ["half_lines_full", "listeners"],
  ["io_fault", "listeners"],
  ["io_uring_unavailable", "listeners"],
  ["listeners_changed", "listeners"],
  ["listening", "listeners"],
  ["revocations_old", "listeners"],
  ["stdin_ended", "listeners"],
  ["tokens_unusable", "http"],
  ["orphan", "watch"],
  ["stall_profile", "watch"],
  ["worker_held", "watch"],
  ["worker_released", "watch"],
]);

/** The component of an event. */
export function componentOf(event: string): LogComponent {
  const named = names.get(event);
  if (named !== undefined) return named;
  for (const [prefix, component] of prefixes) if (event.startsWith(prefix)) return component;
  return "process";
}
