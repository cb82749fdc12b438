/**
 * What stands behind the HTTP connections: it looks at a head before the body comes, and answers whole requests, at
 * once or later.
 *
 * @module
 */
import type { Answer } from "./answer.ts";
import type { RequestHead } from "./head.ts";

/** One request on its way to its answer. */
export interface Exchange {
  readonly head: RequestHead;
  /** `127.0.0.1:53211`. */
  readonly peer: string;
  /** The client's certificate names it. */
  readonly tlsPeer: string | undefined;
  /**
   * The body is needed beyond `serve`, until the answer: the chunk in which it came stays as it is, and the connection
   * is not read meanwhile. Call it in `serve`. Nothing where the body is a copy.
   */
  keepBody(): void;
  /** Answers. Exactly once, and only where `serve` gave no answer; nothing happens where the client is gone. */
  answer(answer: Answer): void;
}

/** Answers requests. `Plan` is what it has found out from a head. Never throws. */
export interface HttpService<Plan> {
  /** Bytes of a body as it comes, before it is decompressed. */
  readonly bodyBytesMax: number;
  /**
   * What a head asks for. Asked once for heads that are equal to the byte, hence nothing that changes: what does (time,
   * load, tokens) is the matter of `admit`.
   */
  plan(head: RequestHead): Plan;
  /** Whether the body shall come; an answer refuses the request, whose body is then not read. */
  admit(plan: Plan, head: RequestHead, peer: string, tlsPeer: string | undefined): Answer | undefined;
  /**
   * Takes a whole request. `body` is valid until this returns. Undefined: the answer comes by `exchange.answer`, and
   * no further request of this connection before it.
   */
  serve(plan: Plan, exchange: Exchange, body: Uint8Array): Answer | undefined;
  /**
   * The client went away: nobody waits for the answer any more. A service that keeps the body says by any answer when
   * it is done with it.
   */
  gone(exchange: Exchange): void;
}
