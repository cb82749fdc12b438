/**
 * Holds a worker's loop now and then where chaos.ts is asked to, to prove that it is found.
 *
 * @module
 */
import { activityWord } from "../observe/activity.ts";
import { type Chaos, holdLoop, keepGarbage } from "./chaos.ts";

/** The holds of one worker. */
export class HeldOnPurpose {
  readonly #chaos: Chaos;
  readonly #activity: Int32Array;
  readonly #ruleNames: () => readonly string[];
  #heldAtMs = 0;

  /** `activity` is what the worker says of itself, `ruleNames` are those in force. */
  constructor(chaos: Chaos, activity: Int32Array, ruleNames: () => readonly string[]) {
    this.#chaos = chaos;
    this.#activity = activity;
    this.#ruleNames = ruleNames;
  }

  /** Holds the loop, if it is time. */
  tick(): void {
    const chaos = this.#chaos;
    const { holdEveryMs, holdRule } = chaos;
    if (holdEveryMs === 0) return;
    const nowMs = performance.now();
    if (!keepGarbage(chaos) || nowMs < this.#heldAtMs + holdEveryMs) return;
    this.#heldAtMs = nowMs;
    const rule = holdRule === undefined ? -1 : this.#ruleNames().indexOf(holdRule);
    Atomics.store(this.#activity, activityWord.rule, rule + 1);
    holdLoop(chaos);
    Atomics.store(this.#activity, activityWord.rule, 0);
  }
}
