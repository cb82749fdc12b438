/**
 * Lines of a body: what LF ends, one CR before it left out, the last one with or without it. Empty lines are none.
 *
 * @module
 */
import type { Events } from "./events.ts";

const lf = 0x0a;
const cr = 0x0d;

/** Adds each line of `body` to `events`, which lie in it. */
export function addLines(events: Events, body: Uint8Array): void {
  for (let at = 0; at < body.length;) {
    let next = body.indexOf(lf, at);
    if (next < 0) next = body.length;
    const end = next > at && body[next - 1] === cr ? next - 1 : next;
    if (end > at) events.addRange(at, end);
    at = next + 1;
  }
}
