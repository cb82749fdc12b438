/**
 * What one listener does with its lines: how they are told apart, and which of them go to the dead letter at once.
 *
 * @module
 */
import { defaultFrameBytesMax, type Listen } from "../config/config.ts";
import type { FramingMode, FramingOptions } from "../framing/framer.ts";
import { type TimeZone, zoneOf } from "../syslog/time_zone.ts";

/** Lines of one listener in one worker, since the start. */
export interface LineTally {
  lines: number;
}

/** The options of a listener. */
export interface LineOptions {
  readonly framing: FramingOptions;
  /** How long a line waits for its continuation; 0 where lines are not joined. */
  readonly joinWaitMs: number;
  /** Lines longer than the limit go to the dead letter, all parts of them. */
  readonly refusesOversize: boolean;
  /** Lines without a header go there. */
  readonly refusesUnparsed: boolean;
  /** Zone of times that name none. */
  readonly zone: TimeZone;
  /** Where its lines are counted. */
  readonly tally: LineTally;
}

/** The options of a `listen` entry. */
export function lineOptionsOf(listen: Listen, tally: LineTally = { lines: 0 }): LineOptions {
  const { oversize = "truncate", join } = listen;
  return {
    framing: {
      mode: listen.kind === "syslog" ? listen.framing : "auto",
      frameBytesMax: listen.frameBytesMax ?? defaultFrameBytesMax,
      // Nothing of a line that goes to the dead letter is lost.
      oversize: oversize === "truncate" ? "truncate" : "split",
      join: join === undefined ? undefined : { by: join.by, bytesMax: join.bytesMax },
    },
    joinWaitMs: join?.waitMs ?? 0,
    refusesOversize: oversize === "dead_letter",
    refusesUnparsed: listen.unparsed === "dead_letter",
    zone: zoneOf(listen.timezone ?? "local"),
    tally,
  };
}

/** The options of the requests of a `listen` entry: their frames are whole, nothing is joined. */
export function requestLinesOf(listen: Listen, tally?: LineTally): LineOptions {
  return { ...lineOptionsOf(listen, tally), joinWaitMs: 0 };
}

/** What holds where nothing else is said: frames as long as the kernel takes, all of them forwarded. */
export function plainLines(mode: FramingMode, frameBytesMax: number): LineOptions {
  return {
    framing: { mode, frameBytesMax, oversize: "truncate" },
    joinWaitMs: 0,
    refusesOversize: false,
    refusesUnparsed: false,
    zone: zoneOf("local"),
    tally: { lines: 0 },
  };
}
