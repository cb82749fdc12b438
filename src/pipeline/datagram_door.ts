/**
 * Who may send datagrams, and how many bytes: the part of a listener's policy that connections have at their accept.
 *
 * Hot path: one call per datagram. The sender's name is the same string object while it stays in its slot of the
 * runtime's table, so what is known of it is found by one look into a map.
 *
 * @module
 */
import type { Listen } from "../config/config.ts";
import { hostOf, type ListenerPolicy, refusalProblems } from "../io/admission.ts";
import type { PeerKey, PeerTable } from "../io/peer_table.ts";
import { counter, type CounterRow } from "../observe/row.ts";
import type { DatagramHandler } from "../runtime/runtime.ts";
import type { Intake } from "./intake.ts";
import { lineOptionsOf, type LineTally } from "./line_options.ts";
import type { Refusals } from "./refusals.ts";

/** Senders that are remembered; then all are forgotten, and found again. */
const sendersMax = 4096;

interface Sender {
  readonly allowed: boolean;
  readonly key: PeerKey | undefined;
}

/** What becomes of a datagram. */
export type Verdict = "taken" | "network" | "rate";

/** The door of one datagram listener. */
export class DatagramDoor {
  readonly #policy: ListenerPolicy;
  readonly #table: PeerTable;
  readonly #nowMs: () => number;
  readonly #senders = new Map<string, Sender>();

  constructor(policy: ListenerPolicy, table: PeerTable, nowMs: () => number) {
    this.#policy = policy;
    this.#table = table;
    this.#nowMs = nowMs;
  }

  /** Whether anybody may be refused here at all. */
  get open(): boolean {
    return this.#policy.allowFrom === undefined && this.#policy.bytesPerSecond === 0;
  }

  /** Takes the datagrams of a listener into the intake, and counts and tells of those that are not taken. */
  handler(
    { listen, name, tally }: { readonly listen: Listen; readonly name: string; readonly tally: LineTally },
    intake: Intake,
    counters: CounterRow,
    refusals: Refusals,
  ): DatagramHandler {
    const lines = lineOptionsOf(listen, tally);
    if (this.open) return { received: (packet, peer) => intake.datagram(packet, peer, lines) };
    return {
      received: (packet, peer) => {
        switch (this.judge(peer, packet.byteLength)) {
          case "taken":
            return intake.datagram(packet, peer, lines);
          case "network":
            counters.add(counter.datagrams_refused, 1);
            return refusals.tell("datagram_refused", name, peer, "network", refusalProblems.network);
          case "rate":
            intake.datagramDropped(packet, counter.dropped_rate_udp);
            return refusals.tell(
              "datagram_refused",
              name,
              peer,
              "rate",
              "its sender sends more than the listener's rate",
            );
        }
      },
    };
  }

  judge(peer: string, bytes: number): Verdict {
    const { bytesPerSecond } = this.#policy;
    const sender = this.#senders.get(peer) ?? this.#meet(peer);
    if (!sender.allowed) return "network";
    if (sender.key === undefined || bytesPerSecond === 0) return "taken";
    return this.#table.afford(sender.key, bytes, bytesPerSecond, this.#nowMs()) ? "taken" : "rate";
  }

  #meet(peer: string): Sender {
    const host = hostOf(peer);
    const { allowFrom, bytesPerSecond, scope } = this.#policy;
    const sender: Sender = {
      allowed: allowFrom === undefined || allowFrom.has(host),
      key: bytesPerSecond === 0 ? undefined : this.#table.key(host, scope),
    };
    if (this.#senders.size >= sendersMax) this.#senders.clear();
    this.#senders.set(peer, sender);
    return sender;
  }
}
