/**
 * Named places at which a test may end the process, as a power cut or a `kill -9` would: between two steps whose order
 * keeps lines from being lost.
 *
 *     CORNDOG_FAULT=after_commit        the process ends when it first comes there
 *     CORNDOG_FAULT=after_commit:20     at the twentieth time, over each thread
 *
 * Without the variable a fault point costs one comparison. They stand per batch, never per line.
 *
 * @module
 */
import process from "node:process";

/** All fault points, in the order in which a batch comes by. */
export const faultPoints = [
  "after_append",
  "after_commit",
  "after_receipts",
  "after_send",
  "after_give_up",
  "after_read_back",
  "before_settle",
  "after_settle",
  "before_close",
] as const;

/** A member of `faultPoints`. */
export type FaultPoint = (typeof faultPoints)[number];

const [wanted, times] = (process.env.CORNDOG_FAULT ?? "").split(":");
let left = times === undefined ? 1 : Number(times);

/** Ends the process here, if it was started to end here. */
export function faultPoint(name: FaultPoint): void {
  if (wanted !== name || --left > 0) return;
  process.kill(process.pid, "SIGKILL");
  // Nothing may happen behind the point, however late the signal is.
  for (;;);
}
