/**
 * One way of saying events over HTTP: how its bodies become events, and how its answers are worded. An endpoint is
 * made from a head, once for all requests that repeat it.
 *
 * @module
 */
import type { Answer } from "./answer.ts";
import type { Events } from "./events.ts";
import type { RequestHead } from "./head.ts";
import type { EventResult } from "./port.ts";
import type { Reading } from "./turns.ts";

/** How far events must have come before they are answered; `none` does not even wait for room. */
export type Ack = "none" | "memory" | "disk" | "kafka";

/** Why a request is not taken. */
export interface Refusal {
  readonly status: 400 | 401 | 403 | 404 | 405 | 409 | 413 | 415 | 422 | 429 | 500 | 503;
  /** Constant name. */
  readonly code: string;
  readonly detail: string;
  /** When it is worth to try again. */
  readonly retryAfterMs?: number;
  /** Further members for the answer. */
  readonly extensions?: Readonly<Record<string, unknown>>;
  readonly fields?: Readonly<Record<string, string>>;
}

/** What became of the events of a request that was not refused. */
export interface Outcome {
  readonly events: Events;
  readonly result: EventResult;
  readonly ack: Ack;
  /** Whether what was placed survives the end of the process. */
  readonly durable: boolean;
}

/** What endpoints are made with. */
export interface EndpointOptions {
  readonly frameBytesMax: number;
  readonly version: string;
  /** Those of `count` frames that are not JSON. */
  notJson(bytes: Uint8Array, ranges: Uint32Array, count: number): readonly number[];
}

/** A way of saying events. */
export interface Endpoint {
  /** Where events go that no rule forwards. */
  readonly topic?: string | undefined;
  /** Record key. */
  readonly key?: string | undefined;
  /** Lines were made by `syslogHeader`, and the message is the event. */
  readonly value?: "message" | undefined;
  /** The body is a stream of frames (RFC 6587), of which nothing is known here. */
  readonly isFramed?: boolean;
  /** The body is compressed by the protocol itself. */
  readonly coding?: "snappy" | undefined;
  /**
   * `read` keeps `body` in the events that it gives. A refusal answers the whole request. Both throw `TooManyEvents`
   * and `PartTooLarge`.
   */
  read(body: Uint8Array): Events | Refusal;
  /** The same, a few records at a time. */
  readInTurns(body: Uint8Array): Reading<Events | Refusal>;
  answer(outcome: Outcome): Answer;
  refuse(refusal: Refusal): Answer;
}

/** A head to which there is an answer without any events: health checks and the like. */
export interface Fixed {
  readonly fixed: (head: RequestHead, body: Uint8Array) => Answer;
  /** Whether it needs a token. */
  readonly open: boolean;
  refuse(refusal: Refusal): Answer;
}

/** `Retry-After` in whole seconds (RFC 9110 10.2.3), spread so that clients do not come back together. */
export function retryAfter(refusal: Refusal): Readonly<Record<string, string>> {
  const { retryAfterMs } = refusal;
  if (retryAfterMs === undefined || retryAfterMs <= 0) return {};
  return { "retry-after": String(Math.max(1, Math.ceil(retryAfterMs * (1 + Math.random() / 4) / 1000))) };
}
