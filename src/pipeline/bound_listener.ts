/**
 * One listener of a worker: what is configured, what is bound for it, and what it counts.
 *
 * @module
 */
import type { Listen } from "../config/config.ts";
import type { HttpServer } from "../http/server.ts";
import type { ListenerPolicy } from "../io/admission.ts";
import { counter, type CounterRow } from "../observe/row.ts";
import type { Listener } from "../runtime/runtime.ts";
import type { CertificateWatch } from "./certificate_watch.ts";
import type { Dealer } from "./dealer.ts";
import type { LineTally } from "./line_options.ts";
import { nameOf, policyOf, transportOf } from "./listener_policy.ts";
import type { ListenerReport } from "./protocol.ts";
import type { Refusals } from "./refusals.ts";

/** A listener and what it counts. */
export interface Bound {
  /** Tells it apart from others that there are or were. */
  readonly scope: number;
  /** Rates of tokens. */
  readonly rates: SharedArrayBuffer;
  readonly listen: Listen;
  readonly name: string;
  readonly policy: ListenerPolicy;
  listener: Listener | undefined;
  /** What the kernel had dropped at the last look. */
  lost: number;
  certificates: CertificateWatch | undefined;
  server: HttpServer<unknown> | undefined;
  connections: number;
  readonly tally: LineTally;
  /** Deals its connections out over the workers. */
  readonly dealer: Dealer | undefined;
}

/** A listener that nothing is bound for yet. */
export function boundOf(
  listen: Listen,
  scope: number,
  rates: SharedArrayBuffer,
  dealer: Dealer | undefined,
): Bound {
  return {
    scope,
    dealer,
    rates,
    listen,
    name: nameOf(listen),
    policy: policyOf(listen, scope),
    listener: undefined,
    lost: 0,
    certificates: undefined,
    server: undefined,
    connections: 0,
    tally: { lines: 0 },
  };
}

/** What the control plane is told of it. */
export function reportOf({ listen, listener, connections, certificates, tally }: Bound): ListenerReport {
  return {
    transport: transportOf(listen),
    address: listener?.address ?? listen.path,
    port: listener?.port ?? 0,
    connections,
    lines: tally.lines,
    ...(certificates === undefined ? {} : { certificateEndsAtMs: certificates.endsAtMs }),
  };
}

/** Asks the kernel for the datagrams that it dropped since the last look, and counts and tells of them. */
export function countLost(bound: Bound, counters: CounterRow, refusals: Refusals): void {
  const lost = bound.listener?.drops?.() ?? 0;
  if (lost <= bound.lost) return;
  const more = lost - bound.lost;
  bound.lost = lost;
  counters.add(counter.datagrams_lost, more);
  const problem =
    `the kernel dropped ${more} datagrams, its receive buffer was full; raise net.core.rmem_max, or ` +
    "send over TCP";
  refusals.tell("datagrams_lost", bound.name, "", "kernel", problem);
}
