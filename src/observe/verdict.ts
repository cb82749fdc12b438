/**
 * What a connection waits for, in one word: the judgement that an operator would come to with `ss`, the log and the
 * dashboard side by side. Pure.
 *
 * @module
 */

/** What is known of one connection. */
export interface ConnectionFacts {
  /**
   * Why it is not read: no room in memory, none in the dead letter, its next turn; or what its request waits for: an
   * `answer`. Undefined: it is read.
   */
  readonly waits_for?: "room" | "letters" | "turn" | "answer" | undefined;
  readonly waits_ms?: number;
  /** Paused for another reason: its answers are not taken, or all are paused. */
  readonly paused: boolean;
  readonly idle_ms: number;
  readonly partial_bytes: number;
  /** Bytes that the peer sent and nobody has read, and bytes that it has not taken; undefined where unknown. */
  readonly recv_q?: number | undefined;
  readonly send_q?: number | undefined;
  /** Retransmissions of what was sent and not acknowledged. */
  readonly retransmits?: number | undefined;
  /** What of it the kernel holds for lost. */
  readonly lost?: number | undefined;
}

/** What is known of the rest of the process. */
export interface Surroundings {
  /** `kafka` or another sink, and where lines lie before it. */
  readonly sink: string;
  /** The spool's disk fails. */
  readonly spoolBlocked: boolean;
  /** The connection's worker is held for this long, and by which rule. */
  readonly heldMs: number;
  readonly heldByRule?: string | undefined;
}

/** What is the matter. `flowing`: nothing. */
export type Verdict =
  | "flowing"
  | "client_silent"
  | "we_are_not_reading"
  | "peer_not_reading"
  | "network_loss"
  | "kafka"
  | "disk"
  | "cpu"
  | `rule:${string}`;

/** A worker that is held for this long is the reason for everything that waits on it. */
export const heldMsMin = 100;
/** A wait for the next turn is normal for milliseconds. */
const turnMsMax = 100;
/** An answer waits for Kafka or the disk; so long that is as it should be. */
const answerMsMax = 1_000;
/** A sender may pause this long between two lines without being called silent. */
export const silentMsMin = 5_000;
/** Bytes that lie in the kernel for this long while we should be reading are our doing. */
const unreadMsMin = 200;

/** Judges one connection. */
export function verdictOf(facts: ConnectionFacts, around: Surroundings): Verdict {
  if (around.heldMs >= heldMsMin) {
    return around.heldByRule === undefined ? "cpu" : `rule:${around.heldByRule}`;
  }
  switch (facts.waits_for) {
    case "letters":
      return "disk";
    case "room":
      return around.sink !== "kafka" || around.spoolBlocked ? "disk" : "kafka";
    case "turn":
      return (facts.waits_ms ?? 0) >= turnMsMax ? "cpu" : "flowing";
    case "answer":
      if ((facts.waits_ms ?? 0) >= answerMsMax) {
        return around.sink !== "kafka" || around.spoolBlocked ? "disk" : "kafka";
      }
  }
  if ((facts.retransmits ?? 0) > 0 || (facts.lost ?? 0) > 0) return "network_loss";
  if ((facts.send_q ?? 0) > 0 && facts.paused) return "peer_not_reading";
  // What it sends behind its request is read when that is answered.
  if (facts.waits_for === "answer") return "flowing";
  if (facts.paused || ((facts.recv_q ?? 0) > 0 && facts.idle_ms >= unreadMsMin)) return "we_are_not_reading";
  return facts.idle_ms >= silentMsMin ? "client_silent" : "flowing";
}

/** Waits of this length are what `stuck` shows and `corndog why` ends with 1 for. */
export const stuckMsMin = 5_000;

/** True if somebody should look at this connection: it waits for us, or has left a line half sent. */
export function isStuck(
  facts: ConnectionFacts & { readonly partial_ms?: number | undefined },
  verdict: Verdict,
): boolean {
  if (verdict === "client_silent") return facts.partial_bytes > 0 && (facts.partial_ms ?? 0) >= stuckMsMin;
  if (verdict === "flowing") return false;
  return Math.max(facts.waits_ms ?? 0, facts.waits_for === undefined ? facts.idle_ms : 0) >= stuckMsMin;
}
