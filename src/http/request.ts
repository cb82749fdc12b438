/**
 * One request of a connection from its service's side: who sent it, whether its body is needed for longer, its answer.
 *
 * @module
 */
import type { Answer } from "./answer.ts";
import type { Body } from "./body.ts";
import type { RequestHead } from "./head.ts";
import type { Exchange } from "./service.ts";

/** The connection that a request came on. */
export interface Answering {
  readonly peer: string;
  readonly tlsPeer: string | undefined;
  /** The answer to the request that is served. */
  answered(answer: Answer): void;
}

/** One request, as the service sees it. */
export class Request implements Exchange {
  readonly head: RequestHead;
  readonly #connection: Answering;
  /** The body lies in the chunk that is read. */
  isLent = false;
  keepsBody = false;
  answered = false;
  /** The body of a client that went away while it was in use: it is given back when the service is done with it. */
  orphan: Body | undefined;

  constructor(connection: Answering, head: RequestHead) {
    this.#connection = connection;
    this.head = head;
  }

  get peer(): string {
    return this.#connection.peer;
  }

  get tlsPeer(): string | undefined {
    return this.#connection.tlsPeer;
  }

  keepBody(): void {
    this.keepsBody = true;
  }

  answer(answer: Answer): void {
    this.orphan?.release();
    this.orphan = undefined;
    if (this.answered) return;
    this.answered = true;
    this.#connection.answered(answer);
  }
}
