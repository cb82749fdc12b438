/**
 * What a sender is told when its events were not taken: the pipeline's reasons as statuses and sentences.
 *
 * @module
 */
import type { Refusal } from "./endpoint.ts";

const reasons: Readonly<Record<string, readonly [status: Refusal["status"], detail: string]>> = {
  busy: [503, "Cannot take this now: what came before waits for memory"],
  spool_full: [503, "Cannot take this now: the spool is full"],
  dead_letter_full: [503, "Cannot take this now: the dead letter is full"],
  stopping: [503, "Cannot take this: corndog ends; ask again, or ask another"],
  cancelled: [503, "Cannot take this now: what came before waits for memory"],
  ack_timeout: [
    503,
    "What was sent is in memory and not kept in time as it was asked: it may be delivered, or lost",
  ],
  frame_too_large: [413, "An event is larger than frame_max"],
  frame_empty: [400, "An event has no bytes"],
  topic_not_legal: [400, "This is no name of a topic"],
  topic_not_allowed: [403, "This topic may not be chosen: kafka.topics.allow does not have it"],
  topics_max: [403, "This topic would be one more than kafka.topics.max"],
};

/** The refusal for a reason of the pipeline. `placed` events were taken before it. */
export function refusalOf(reason: string, placed: number, retryAfterMs: number): Refusal {
  const [status, detail] = reasons[reason] ?? [503, "Cannot take this now"];
  return {
    status,
    code: reason === "cancelled" ? "busy" : reason,
    detail,
    ...(status === 503 ? { retryAfterMs: Math.max(retryAfterMs, 100) } : {}),
    ...(placed > 0 ? { extensions: { accepted: placed } } : {}),
  };
}
