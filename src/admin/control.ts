/**
 * What the admin API may ask of the control plane. The pipeline implements it; the API only speaks HTTP.
 *
 * @module
 */
import type { Inflight } from "../observe/inflight.ts";
import type { EventList } from "../observe/recent_events.ts";
import type { ConnectionFilter, ConnectionList, StallList } from "./looks_view.ts";
import type {
  RollbackResult,
  RulesConflict,
  RulesView,
  SwapResult,
  TraceRequest,
  TraceResult,
} from "./rules_view.ts";
import type { Stats } from "./stats_view.ts";
import type { TapFilter, TapSink } from "./tap_view.ts";

/** Result of an upgrade. */
export type UpgradeResult =
  | { readonly ok: true; readonly pid: number }
  | { readonly ok: false; readonly problem: string };

/** The control plane, as seen from HTTP. */
export interface Control {
  /** True while the process lives and its workers' heartbeats move. */
  healthy(): { readonly ok: boolean; readonly problems: readonly string[] };
  /** True while lines that are accepted now can be delivered or kept. */
  ready(): {
    readonly ok: boolean;
    readonly problems: readonly string[];
    /** What does not keep lines from being taken: Kafka is away, and the spool keeps them; a topic is refused. */
    readonly warnings?: readonly string[];
  };
  /** The object of `GET /admin/stats` (DESIGN names: ledger, latency_ms, rules, workers, listeners, kafka, uptime_s, version, runtime). */
  stats(): Promise<Stats>;
  /** Rules in force: version, when and from where, files with their text, the fault of the last refused swap. */
  rules(): RulesView;
  /**
   * Compiles `text` in place of the rule file `file` (default: the only one), runs its tests, swaps all workers or
   * none, then writes the file. `base` is the `etag` of the text that `text` was made from: where the file, or what
   * is in force, is another by now, nothing happens.
   */
  putRules(text: string, file?: string, base?: string): Promise<SwapResult | RulesConflict>;
  /** The same without swapping. */
  checkRules(text: string, file?: string): Promise<SwapResult>;
  /** Puts the text that the last `putRules` replaced back in force, with the same checks; the text in force is kept in turn. */
  rollbackRules(file?: string): Promise<RollbackResult>;
  /** What the rules do with a line, step by step. No line is sent, no counter moves. */
  traceRules(request: TraceRequest): Promise<TraceResult>;
  /** Shows lines as they pass until the returned function is called; undefined: too many look already. */
  tap(filter: TapFilter, sink: TapSink): (() => void) | undefined;
  /** What all threads did in the last seconds, as Chrome trace JSON. */
  flight(seconds: number): object;
  /** Workers that were held, or are. */
  stalls(): StallList;
  /** The last warnings and errors of the log. */
  events(): EventList;
  /** What waits, by stage, with the oldest. */
  inflight(): Promise<Inflight>;
  connections(filter: ConnectionFilter): Promise<ConnectionList>;
  /** Ends a connection; false: there is none; undefined: its worker does not answer. */
  endConnection(id: string): Promise<boolean | undefined>;
  /** Configuration in force without secrets. */
  config(): unknown;
  /** Starts the program anew, which takes over the listening sockets; resolves when it serves, or why it does not. */
  upgrade(): Promise<UpgradeResult>;
  /** Reads configuration and rule files again; a fault changes nothing. */
  reload(): Promise<SwapResult>;
  /** Stops accepting, delivers what was accepted, then ends the process. Returns at once. */
  drain(): void;
}
