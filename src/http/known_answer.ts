/**
 * The answer to a request whose `Idempotency-Key` was answered before: the same status and numbers.
 *
 * @module
 */
import { type Answer, jsonAnswer, type Status } from "./answer.ts";
import type { KnownAnswer } from "./idempotency.ts";

/** Says again what was said. Lists of single events are not kept, only how many were taken. */
export function knownAnswer({ status, accepted, durable }: KnownAnswer): Answer {
  return jsonAnswer(status as Status, { accepted, durable, replayed: true }, {
    "idempotency-replayed": "true",
  });
}
