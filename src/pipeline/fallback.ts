/**
 * Where lines of requests go that no rule forwards.
 *
 * @module
 */
import type { Forward } from "../rules/program.ts";
import type { Submission } from "./submission.ts";

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
