/**
 * Whose lines are not as they should be: counts per sender, so that the one that is configured badly can be named.
 * Bounded: senders beyond the first `peersMax` share one entry.
 *
 * Written only where a chunk had such lines.
 *
 * @module
 */
import type { LabelCap } from "../observe/label_cap.ts";

/** What is counted of one sender. */
export interface PeerTrouble {
  /** Lines above `frame_max`, whatever became of them. */
  oversize: number;
  /** Lines without a syslog header. */
  unparsed: number;
  /** Places in an octet-counted stream where a count was expected and something else came. */
  damaged: number;
}

/** Kinds of trouble. */
export type TroubleKind = keyof PeerTrouble;

/** Senders with an entry of their own; one that has no trouble has none. */
export const peersMax = 1000;

/** The entry that all others share. */
export const otherPeers = "other";

/** The troubles of one worker's senders. */
export class PeerTroubles {
  readonly #peers = new Map<string, PeerTrouble>();

  /** `peer` with or without its port. */
  add(peer: string, kind: TroubleKind, count: number): void {
    const host = hostOf(peer);
    let trouble = this.#peers.get(host);
    if (trouble === undefined) {
      const name = this.#peers.size < peersMax ? host : otherPeers;
      trouble = this.#peers.get(name) ?? { oversize: 0, unparsed: 0, damaged: 0 };
      this.#peers.set(name, trouble);
    }
    trouble[kind] += count;
  }

  /** A copy, by address. */
  report(): Record<string, PeerTrouble> {
    return Object.fromEntries([...this.#peers].map(([peer, trouble]) => [peer, { ...trouble }]));
  }
}

/** All workers' reports as one. `named` bounds the senders, and remembers which have an entry of their own. */
export function sumTroubles(
  reports: readonly Readonly<Record<string, PeerTrouble>>[],
  named: LabelCap,
): Record<string, PeerTrouble> {
  const sum = new Map<string, PeerTrouble>();
  for (const [peer, trouble] of reports.flatMap((report) => Object.entries(report))) {
    const name = named.labelOf(peer);
    const total = sum.get(name) ?? { oversize: 0, unparsed: 0, damaged: 0 };
    for (const kind of ["oversize", "unparsed", "damaged"] as const) total[kind] += trouble[kind];
    sum.set(name, total);
  }
  return Object.fromEntries(sum);
}

/** `10.0.0.1:514` and `[::1]:514` without the port. */
function hostOf(peer: string): string {
  const [, host] = /^(\[.*\]|[^:]*):\d+$/.exec(peer) ?? [];
  return host === undefined ? peer : host.startsWith("[") ? host.slice(1, -1) : host;
}
