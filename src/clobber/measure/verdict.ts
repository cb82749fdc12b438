/**
 * Whether the generator itself was the limit. If it was, the numbers say nothing about the target, and the run says so
 * instead of reporting them as the target's. Pure.
 *
 * @module
 */

/** p99 of the generator's own lateness beyond which an open loop was not kept. */
export const latenessMsMax = 5;
/** A thread that worked, or waited for a processor, for more of its time had none to spare. */
export const busyMax = 0.95;
/** Of the requested rate, at least. */
export const achievedMin = 0.99;
/** If no connection could take anything for more of the time, the target was the limit. */
export const stalledMin = 0.05;

/** Waiting for a processor is said from this share of the time on. */
const waitedSaid = 0.02;

/** What a verdict is made of. */
export interface VerdictInput {
  /** Messages had times. */
  readonly open: boolean;
  readonly latenessP99Ms: number;
  /** Sent / requested; 1 in a closed loop. */
  readonly achieved: number;
  /** Fraction of the time in which messages were due and no connection could take one. */
  readonly stalled: number;
  /** Fraction of its time that the busiest thread worked, and that it waited for a processor. */
  readonly busy: number;
  readonly waited: number;
  /** Failures that are the generator's own: no ports, no descriptors. */
  readonly ownFailures: number;
}

/** Reasons, empty when the generator kept up. */
export function generatorLimits(input: VerdictInput): string[] {
  const reasons: string[] = [];
  if (input.open && input.latenessP99Ms > latenessMsMax) {
    reasons.push(
      `one message in a hundred was sent ${
        input.latenessP99Ms.toFixed(1)
      } ms or more after its time although a ` +
        `connection was free (${latenessMsMax} ms are allowed)` +
        (input.waited >= waitedSaid
          ? `; a thread waited for a processor ${(100 * input.waited).toFixed(0)} % of the time`
          : ""),
    );
  }
  if (input.open && input.achieved < achievedMin && input.stalled < stalledMin) {
    reasons.push(
      `only ${
        (100 * input.achieved).toFixed(1)
      } % of the requested rate was sent, and the target was not the reason`,
    );
  }
  if (!input.open && input.busy + input.waited >= busyMax) {
    const waited = input.waited >= 0.05
      ? `, of which ${(100 * input.waited).toFixed(0)} % waiting for a processor`
      : "";
    reasons.push(
      `its busiest thread was occupied ${
        (100 * Math.min(1, input.busy + input.waited)).toFixed(0)
      } % of the time${waited}: ` +
        "the target may take more than this",
    );
  }
  if (input.ownFailures > 0) {
    reasons.push(`it ran out of local ports or descriptors ${input.ownFailures} times`);
  }
  return reasons;
}
