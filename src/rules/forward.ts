/**
 * Records as nobody has filled them in yet.
 *
 * @module
 */
import type { Forward, Program } from "./program.ts";

/** One of nowhere, to be written over. */
export function emptyForward(): Forward {
  return {
    topic: "",
    topicFromLine: false,
    value: "message",
    text: "",
    start: 0,
    end: 0,
    key: undefined,
    headers: undefined,
    partition: -1,
  };
}

/** That of a line which no rule forwards. */
export function fallbackForward({ fallback }: Pick<Program, "fallback">): Forward {
  const forward = emptyForward();
  forward.topic = fallback.topic;
  forward.value = fallback.value;
  return forward;
}
