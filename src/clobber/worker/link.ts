/**
 * One connection slot of a load thread: the sender that marks name, over as many connections as it takes. It
 * remembers what is under way: when each message was due, and when it was sent.
 *
 * @module
 */
import type { Dialled } from "../../runtime/dial.ts";
import type { AnswerReader } from "../targets/answer.ts";

/** What a slot is for. */
export type Role = "load" | "idle" | "slow";

/** A slot. Fields are plain: the loads work on them for every message. */
export class Link {
  readonly sender: number;
  readonly role: Role;
  dialled: Dialled | undefined;
  reader: AnswerReader | undefined;
  state: "closed" | "connecting" | "greeting" | "open" = "closed";
  /** The socket has not taken everything yet. */
  writing = false;
  /** It stands in the queue of those that can take a message. */
  queued = false;
  /** It is closed as soon as nothing is under way. */
  retiring = false;
  /** Messages sent and not answered; for streams, not taken by the socket. */
  inFlight = 0;
  /** Number of the next line. */
  sequence = 0;
  /** Messages sent over the present connection. */
  sentHere = 0;
  /** Transaction number of the next RELP frame; 1 is `open`. */
  transaction = 2;
  dialledAtMs = 0;
  /** When it was open last; 0 is never. */
  readyAtMs = 0;
  /** Not dialled before. */
  retryAtMs = 0;
  /** Failures since the last answer, or since a connection that lasted. */
  failuresInRow = 0;
  retireAtMs = Infinity;
  /** A message that is sent byte by byte, and how far it is. */
  dribble: Uint8Array | undefined;
  dribbled = 0;
  /** Due and start time of messages under way, a ring. */
  readonly due: Float64Array;
  readonly started: Float64Array;
  readonly #mask: number;
  #head = 0;

  constructor(sender: number, role: Role, pipeline: number) {
    this.sender = sender;
    this.role = role;
    // Two at least: a stream keeps the first and the last line of a bundle in it.
    const size = 2 ** Math.ceil(Math.log2(Math.max(2, pipeline)));
    this.due = new Float64Array(size);
    this.started = new Float64Array(size);
    this.#mask = size - 1;
  }

  /** Remembers a message that was sent. */
  push(dueMs: number, startedMs: number): void {
    const at = this.#head + this.inFlight & this.#mask;
    this.due[at] = dueMs;
    this.started[at] = startedMs;
    this.inFlight++;
  }

  /** Place of the oldest message under way in the rings. */
  get oldest(): number {
    return this.#head;
  }

  /** The message at `oldest` is done. */
  shift(): void {
    this.#head = this.#head + 1 & this.#mask;
    this.inFlight--;
  }

  /** Forgets what was under way; a new connection begins. */
  reset(): void {
    this.#head = 0;
    this.inFlight = 0;
    this.sentHere = 0;
    this.transaction = 2;
    this.writing = false;
    this.retiring = false;
    this.retireAtMs = Infinity;
    this.dribble = undefined;
  }
}
