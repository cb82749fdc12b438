/**
 * Where lines go that no rule forwards.
 *
 * @module
 */
import type { Forward, Program } from "../rules/program.ts";
import type { Submission } from "./submission.ts";

/** Where a program sends them. */
export function fallbackOf({ fallback }: Program): Forward {
  return {
    ...fallback,
    topicFromLine: false,
    text: "",
    start: 0,
    end: 0,
    key: undefined,
    headers: undefined,
    partition: -1,
  };
}

/** Where those of a request go, which may have chosen. */
export function fallbackFor(fallback: Forward, submission: Submission | undefined): Forward {
  const request = submission?.request;
  if (request === undefined || (request.topic === undefined && request.value === undefined)) return fallback;
  return {
    ...fallback,
    ...(request.topic === undefined ? {} : { topic: request.topic, topicFromLine: true }),
    ...(request.value === undefined ? {} : { value: request.value }),
  };
}
