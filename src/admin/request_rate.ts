/**
 * How often the admin API answers: questions reach the workers, so that whoever asks without end is told to wait before
 * anything is done for him. Health checks and metrics are always answered.
 *
 * @module
 */
import type { MiddlewareHandler } from "hono";
import { problem } from "./problem.ts";

/** A dashboard asks a few times a second, a script in a loop some dozens of times. */
export const requestsPerSecond = 200;
/** And so many at once. */
export const requestsAtOnce = 400;

/** Paths that are always answered: an orchestrator and Prometheus ask them. */
const freePaths = new Set(["/healthz", "/readyz", "/metrics"]);

/** The middleware. `nowMs` is a monotonic clock. */
export function limitRequests(nowMs: () => number = () => performance.now()): MiddlewareHandler {
  let left = requestsAtOnce;
  let atMs = nowMs();
  return async (context, next) => {
    if (freePaths.has(context.req.path)) return await next();
    const now = nowMs();
    left = Math.min(requestsAtOnce, left + (now - atMs) / 1000 * requestsPerSecond);
    atMs = now;
    if (left < 1) {
      const detail = `Cannot answer more than ${requestsPerSecond} requests a second: ask again in a second`;
      return problem(429, "requests_max", detail, {}, [["retry-after", "1"]]);
    }
    left--;
    return await next();
  };
}
