/**
 * Faults of our own on purpose, to prove that they are found: only where the environment says `CORNDOG_CHAOS`.
 *
 *     CORNDOG_CHAOS=lost-wakeup=kafka:5%@200rps     5 % of the acknowledgements are forgotten, above 200 a second
 *     CORNDOG_CHAOS=held-loop=400ms:2s              the loop of worker 0 is held for 400 ms every two seconds
 *
 * @module
 */
import { ForwarderError } from "../core/errors.ts";

/** The faults that were asked for. */
export interface Chaos {
  /** True where an acknowledgement is to be forgotten. */
  forgets(nowMs: number): boolean;
  readonly holdMs: number;
  readonly holdEveryMs: number;
}

const form = /^(?:lost-wakeup=kafka:(\d+(?:\.\d+)?)%(?:@(\d+)rps)?|held-loop=(\d+)ms:(\d+)s)$/;

/** Reads the variable; undefined where it is not set. @throws ForwarderError `config_invalid` */
export function chaosOf(text: string | undefined, random: () => number = Math.random): Chaos | undefined {
  if (text === undefined || text === "") return undefined;
  const match = form.exec(text);
  if (match === null) {
    const known = "lost-wakeup=kafka:5%@200rps or held-loop=400ms:2s";
    throw new ForwarderError("config_invalid", `Cannot use CORNDOG_CHAOS="${text}": expected ${known}`);
  }
  const share = Number(match[1] ?? 0) / 100;
  const above = Number(match[2] ?? 0);
  let secondEndsMs = 0;
  let count = 0;
  let last = 0;
  return {
    forgets(nowMs) {
      if (nowMs >= secondEndsMs) {
        last = nowMs >= secondEndsMs + 1000 ? 0 : count;
        count = 0;
        secondEndsMs = nowMs + 1000;
      }
      count++;
      return share > 0 && Math.max(last, count) > above && random() < share;
    },
    holdMs: Number(match[3] ?? 0),
    holdEveryMs: Number(match[4] ?? 0) * 1000,
  };
}

/** Holds the loop, as a fault of ours would. */
export function holdLoop(ms: number): void {
  const untilMs = performance.now() + ms;
  while (performance.now() < untilMs);
}
