/**
 * What a load is to its thread: something that sends what is due whenever it gets a turn.
 *
 * @module
 */
import type { LinkUser } from "./connections.ts";
import type { Due } from "./due.ts";
import type { Link } from "./link.ts";

/** Sends messages over connections. */
export interface Load extends LinkUser {
  /** A new span begins; what was due before and not sent is given up. */
  begin(due: Due): void;
  /** Sends what is due. True: there is more to do at once. */
  turn(now: number): boolean;
  /** Sends nothing more; what was due and not sent is counted. */
  end(now: number): void;
  /** Messages are due and no connection can take one: only the sockets can bring the next turn. */
  readonly isStalled: boolean;
  /** Slow senders and slow readers get their bit. Called with the housekeeping. */
  trickle(now: number): void;
}

/** Read once: it is asked for with every line. */
const { timeOrigin } = performance;

/** Epoch microseconds of a time on this thread's clock. */
export function epochMicros(ms: number): number {
  return Math.floor((timeOrigin + ms) * 1000);
}

/** Next number of a ring of messages. */
export function after(cursor: number, count: number): number {
  return cursor + 1 === count ? 0 : cursor + 1;
}

/** Whether a connection has had all the messages it may have. */
export function isSpent(link: Link, repeat: number): boolean {
  return repeat > 0 && link.sentHere >= repeat;
}
