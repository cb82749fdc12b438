/**
 * What the connections of one HTTP listener share in a worker: the service behind them, the heads they have said, what
 * they may hold together, and what is counted of them.
 *
 * @module
 */
import type { Budget } from "./budget.ts";
import type { Heads } from "./heads.ts";
import type { Pieces } from "./pieces.ts";
import type { HttpService } from "./service.ts";

/** A connection whose request, or end, must not take too long. */
export interface Timed {
  /** Ends what takes too long. */
  tick(nowMs: number): void;
}

/** Why a connection ended, by whom it was ended. */
export type EndReason =
  /** Its client ended it, or it broke. */
  | "client"
  /** The client asked for it: `Connection: close`, or HTTP/1.0. */
  | "asked"
  /** An answer that nothing may follow. */
  | "refused"
  /** A head or body took too long. */
  | "slow"
  /** The listener takes no more. */
  | "draining";

/** A request that was answered with a status of 400 or more. */
export interface RefusedRequest {
  readonly peer: string;
  readonly status: number;
  /** The constant name of the problem, where the answer has one. */
  readonly code: string | undefined;
  /** Missing where no head was understood. The path is without the query, in which senders put tokens. */
  readonly method: string | undefined;
  readonly path: string | undefined;
}

/** A connection that ended. */
export interface EndedConnection {
  readonly peer: string;
  readonly requests: number;
  readonly reason: EndReason;
}

/** What the connections of one listener share. */
export interface HttpShared<Plan> {
  readonly service: HttpService<Plan>;
  readonly heads: Heads<Plan>;
  readonly budget: Budget;
  readonly pieces: Pieces;
  /** Connections with a request, or an end, that must not take too long. */
  readonly timed: Set<Timed>;
  readonly counts: HttpCounts;
  /** Every answer is the last one of its connection. */
  stopping: boolean;
  nowMs(): number;
  dateMs(): number;
  /** A client that spoke no HTTP. */
  refused(peer: string, detail: string): void;
  requestRefused(request: RefusedRequest): void;
  ended(connection: EndedConnection): void;
}

/** What happened on a listener since the start. */
export interface HttpCounts {
  requests: number;
  /** Answers with a status of 400 and more. */
  failures: number;
  /** Requests that were too slow. */
  timeouts: number;
}
