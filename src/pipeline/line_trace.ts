/**
 * One line on its way, for who traces it: every stage that it or a copy of it passed, with its time, from the chunk in
 * which it came to the acknowledgement.
 *
 *     intake ── rules ── batch ── [compress] ── [spool] ── kafka|sink ──> delivered
 *                 └─> dropped                      └──────────────────> spooled: the disk alone has it
 *
 * It travels as a receipt of the batches that have a copy of the line, and makes none of them hurry. It ends with
 * `traceMsMax` at the latest, and says then where the line is.
 *
 * @module
 */
import { Receipt } from "../batch/receipt.ts";
import type { ClosedBatch } from "../batch/record_batch.ts";
import type { LineTraceView, TraceStep } from "../admin/tap_view.ts";

/** A trace whose line is not at its end by then is told as far as it went. */
export const traceMsMax = 30_000;
/** Stages of all copies that are told. */
const stepsMax = 64;

/** When what happened before the line lay in a batch; `performance.now()`. */
export interface TraceTimes {
  readonly receivedMs: number;
  readonly rulesFromMs: number;
  readonly rulesToMs: number;
}

/** The trace of one line. */
export class LineTrace extends Receipt {
  readonly #times: TraceTimes;
  readonly #steps: TraceStep[] = [];
  /** What each batch with a copy of the line is at, since when. */
  readonly #at = new Map<ClosedBatch, { stage: string; sinceMs: number }>();
  #left: "spooled" | undefined;
  #lettered = false;

  /** `ended` is called once, when every copy is where it stays. */
  constructor(times: TraceTimes, ended: () => void) {
    super("kafka", ended);
    this.#times = times;
    const { receivedMs, rulesFromMs, rulesToMs } = times;
    this.#step("intake", receivedMs, rulesFromMs);
    this.#step("rules", rulesFromMs, rulesToMs);
  }

  /** Who looks must not change what he sees. */
  override get hurries(): boolean {
    return false;
  }

  override moved(stage: string | undefined, batch: ClosedBatch, broker?: string): void {
    const nowMs = performance.now();
    const now = this.#at.get(batch) ?? { stage: "batch", sinceMs: this.#times.rulesToMs };
    this.#step(now.stage, now.sinceMs, nowMs, {
      topic: batch.topic,
      ...(batch.partition < 0 ? {} : { partition: batch.partition }),
      ...(broker === undefined ? {} : { broker }),
    });
    if (stage === undefined) this.#at.delete(batch);
    else this.#at.set(batch, { stage, sinceMs: nowMs });
  }

  override spooled(reached: "memory" | "disk" | "kafka"): void {
    this.#left = "spooled";
    super.spooled(reached);
  }

  /** It went to the dead letter, whatever the rules decided. */
  lettered(): void {
    this.#lettered = true;
  }

  /** What there is to tell; `outcome` is what the rules decided. */
  view(outcome: "forward" | "default" | "drop" | "dead_letter"): LineTraceView {
    const nowMs = performance.now();
    for (const [batch, { stage, sinceMs }] of this.#at) {
      this.#step(stage, sinceMs, nowMs, { topic: batch.topic, unfinished: true });
    }
    const end = outcome === "drop"
      ? "dropped"
      : !this.done
      ? "unfinished"
      : this.#lettered || this.rejection !== undefined
      ? "dead_lettered"
      : this.#left ?? "delivered";
    return { steps: this.#steps, end, ms: rounded(nowMs - this.#times.receivedMs) };
  }

  #step(
    stage: string,
    fromMs: number,
    toMs: number,
    where: Omit<TraceStep, "stage" | "at_ms" | "ms"> = {},
  ): void {
    if (this.#steps.length >= stepsMax) return;
    const at = rounded(fromMs - this.#times.receivedMs);
    this.#steps.push({ stage, at_ms: at, ms: rounded(toMs - fromMs), ...where });
  }
}

function rounded(ms: number): number {
  return Math.round(Math.max(0, ms) * 1000) / 1000;
}
