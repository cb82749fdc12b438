/**
 * What a changed configuration means for the listeners: which stay, which are bound anew on the sockets that they
 * have, which are opened and which are closed. And which keys cannot be changed while corndog runs.
 *
 * @module
 */
import type { Config, Listen } from "../config/config.ts";
import { nameOf } from "./listener_policy.ts";

/** Keys that a reload puts in force. `frameBytesMax` follows from the listeners. */
const liveKeys: ReadonlySet<keyof Config> = new Set([
  "rules",
  "file",
  "listen",
  "drainTimeoutMs",
  "frameBytesMax",
  "log",
]);

/** Names in the configuration file, where they are others. */
const writtenNames: Readonly<Partial<Record<keyof Config, string>>> = {
  fileSink: "file",
  deadLetter: "dead_letter",
  statsd: "metrics.statsd",
};

/** One listener of the new list. */
export interface ListenChange {
  readonly listen: Listen;
  /** Place in the former list of the one that is the same, or that has the same sockets. */
  readonly former: number | undefined;
  readonly isSame: boolean;
}

/** What changes, by name. */
export interface ListenNames {
  readonly opened: readonly string[];
  readonly closed: readonly string[];
  readonly changed: readonly string[];
}

/** Sections that differ and need a new process. */
export function restartNeeded(before: Config, after: Config): string[] {
  const keys = (Object.keys(after) as (keyof Config)[]).filter((key) =>
    !liveKeys.has(key) && !same(before[key], after[key])
  );
  const sections = keys.map((key) => writtenNames[key] ?? key);
  if (before.log.format !== after.log.format) sections.push("log.format");
  return canListen(before, after) ? sections : [...sections, "listen"];
}

/** Whether the listeners can be changed: standard input has one reader, and memory is laid out for the longest line. */
export function canListen(before: Config, after: Config): boolean {
  const inputs = ({ listen }: Config) => listen.filter(({ transport }) => transport === "stdin");
  return after.frameBytesMax <= before.frameBytesMax && same(inputs(before), inputs(after));
}

/** How `after` comes of `before`; undefined where nothing changes. */
export function listenChanges(
  before: readonly Listen[],
  after: readonly Listen[],
): readonly ListenChange[] | undefined {
  if (same(before, after)) return undefined;
  const free = new Set(before.keys());
  const take = (fits: (former: Listen) => boolean): number | undefined => {
    for (const index of free) {
      if (!fits(before[index]!)) continue;
      free.delete(index);
      return index;
    }
    return undefined;
  };
  // First what stays, so that nothing else takes its sockets.
  const kept = after.map((listen) => take((former) => same(former, listen)));
  return after.map((listen, index) => {
    const keep = kept[index];
    if (keep !== undefined) return { listen, former: keep, isSame: true };
    return { listen, former: take((former) => samePlace(former, listen)), isSame: false };
  });
}

/** The same in names. */
export function namesOf(before: readonly Listen[], changes: readonly ListenChange[]): ListenNames {
  const used = new Set(changes.map(({ former }) => former));
  const names = (list: readonly ListenChange[]) => list.map(({ listen }) => nameOf(listen));
  return {
    opened: names(changes.filter(({ former }) => former === undefined)),
    closed: before.filter((_, index) => !used.has(index)).map(nameOf),
    changed: names(changes.filter(({ former, isSame }) => former !== undefined && !isSame)),
  };
}

/** Whether both take what comes to one place, in the same way. */
export function samePlace(a: Listen, b: Listen): boolean {
  if (a.path !== b.path || isDatagram(a) !== isDatagram(b)) return false;
  return a.path !== "" || a.hostname === b.hostname && a.port === b.port;
}

/** Whether both take what comes to one port, perhaps of different addresses. */
export function samePort(a: Listen, b: Listen): boolean {
  return a.path === "" && b.path === "" && a.port === b.port && isDatagram(a) === isDatagram(b);
}

function isDatagram({ transport }: Listen): boolean {
  return transport === "udp" || transport === "unixgram";
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
