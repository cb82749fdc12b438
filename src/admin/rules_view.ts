/**
 * What the admin API says of the rules: those in force, what became of a change, the way of a line through them.
 *
 * @module
 */
import type { Fault } from "../core/errors.ts";

/** Result of a rule swap or check. */
export type SwapResult =
  | {
    readonly ok: true;
    readonly version: number;
    readonly rules: number;
    readonly tests: number;
    /** At a reload, where they changed: listeners by name. */
    readonly listeners?: {
      readonly opened: readonly string[];
      readonly closed: readonly string[];
      readonly changed: readonly string[];
    };
    /** At a reload: what has changed in the configuration, and is not in force before an upgrade or a restart. */
    readonly restart_needed?: readonly string[];
  }
  | { readonly ok: false; readonly version: number; readonly faults: readonly Fault[] };

/** What keeps a change from being tried: there is nothing to go back to, or the rules are not those it was made from. */
export interface RulesConflict {
  readonly ok: false;
  readonly conflict: string;
}

/** Result of a rollback: that of a swap, or why there is nothing to go back to. */
export type RollbackResult = SwapResult | RulesConflict;

/** A line to trace. */
export interface TraceRequest {
  /** One frame as it comes from the wire. */
  readonly line: Uint8Array;
  /** Text of a rule file to try instead of the rules in force. */
  readonly rules?: string;
  /** Who sent the line, `192.0.2.7:514`. */
  readonly peer?: string;
}

/** A line's way through the rules, or what is wrong with the rules that were to be tried. */
export type TraceResult =
  | {
    readonly ok: true;
    /** Version in force; missing where other rules were tried. */
    readonly version?: number;
    /** True where the line was cut at the longest frame, as a listener would. */
    readonly truncated: boolean;
    readonly trace: object;
  }
  | { readonly ok: false; readonly version: number; readonly faults: readonly Fault[] };

/** `GET /admin/rules`. */
export interface RulesView {
  readonly version: number;
  /** Of the rules in force, wherever they stand: two corndogs with the same have the same rules. */
  readonly hash: string;
  readonly loaded_at: string;
  readonly source: string;
  readonly names: readonly string[];
  readonly files: readonly { readonly path: string; readonly text: string; readonly etag: string }[];
  /** Where there are no files: the text that is in force, which no file keeps. */
  readonly unsaved?: { readonly text: string; readonly etag: string };
  readonly last_error?: { readonly at: string; readonly faults: readonly Fault[] };
}
