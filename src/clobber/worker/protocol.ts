/**
 * What the main thread and a load thread say to each other. Counters are not among it: they lie in shared memory.
 *
 * @module
 */
import type { Plan } from "../plan.ts";
import type { Phase } from "./due.ts";

/** To a load thread. */
export type ToLoadThread =
  | {
    readonly kind: "open";
    readonly plan: Plan;
    readonly thread: number;
    readonly memory: SharedArrayBuffer;
  }
  | { readonly kind: "phase"; readonly phase: Phase }
  /** The present phase ends now. */
  | { readonly kind: "halt" }
  | { readonly kind: "close" };

/** From a load thread. */
export type FromLoadThread =
  /** All connections are open, or have failed once. */
  | { readonly kind: "ready" }
  /** The phase is over and what was under way is answered, or its time is up. */
  | { readonly kind: "phaseDone"; readonly id: number }
  /** All is closed. How many lines each sender of this thread has marked, by sender. */
  | { readonly kind: "closed"; readonly marked: readonly (readonly [sender: number, lines: number])[] };

/** One load thread, as the main thread sees it. */
export interface LoadThread {
  post(message: ToLoadThread): void;
  onMessage(handler: (message: FromLoadThread) => void): void;
  /** `reason` says why it ended. */
  onExit(handler: (reason: string) => void): void;
  terminate(): Promise<unknown> | void;
}
