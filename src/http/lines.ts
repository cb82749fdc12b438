/**
 * Lines of a body: what LF ends, one CR before it left out, the last one with or without it. Empty lines are none.
 *
 * @module
 */
import type { Events } from "./events.ts";
import { type Reading, recordsAStep } from "./turns.ts";

const lf = 0x0a;
const cr = 0x0d;

/** Lines that are empty, or found, between two looks at the clock: they cost less than other records. */
const linesAStep = 32 * recordsAStep;

/** Adds each line of `body` to `events`, which lie in it. */
export function addLines(events: Events, body: Uint8Array): void {
  addSome(events, body, 0, Infinity);
}

/** The same, some lines at a time. */
export function* addLinesInTurns(events: Events, body: Uint8Array): Reading<void> {
  for (let at = 0; at < body.length;) {
    at = addSome(events, body, at, linesAStep);
    yield;
  }
}

/** Adds lines from `from` on; returns where it stopped. */
function addSome(events: Events, body: Uint8Array, from: number, linesMax: number): number {
  let at = from;
  for (let lines = 0; at < body.length && lines < linesMax; lines++) {
    let next = body.indexOf(lf, at);
    if (next < 0) next = body.length;
    const end = next > at && body[next - 1] === cr ? next - 1 : next;
    if (end > at) events.addRange(at, end);
    at = next + 1;
  }
  return at;
}
