/**
 * The batches that the sink has, with what the spool knows of each, and since when.
 *
 * @module
 */
import type { ClosedBatch } from "../batch/record_batch.ts";
import type { SpooledBatch } from "../spool/spool.ts";

interface Sent {
  /** Undefined where the disk does not have it. */
  readonly spooled: SpooledBatch | undefined;
  readonly atMs: number;
}

/** Those of one worker. */
export class SentBatches {
  /** Oldest first. */
  readonly #batches = new Map<ClosedBatch, Sent>();

  get size(): number {
    return this.#batches.size;
  }

  /** When the oldest of them was sent, of topics that are not left out; undefined where there is none. */
  oldestMs(isLeftOut: (topic: string) => boolean): number | undefined {
    for (const [{ topic }, { atMs }] of this.#batches) if (!isLeftOut(topic)) return atMs;
    return undefined;
  }

  add(batch: ClosedBatch, spooled: SpooledBatch | undefined, nowMs: number): void {
    this.#batches.set(batch, { spooled, atMs: nowMs });
  }

  /** What the spool knows of a batch. */
  spooledOf(batch: ClosedBatch): SpooledBatch | undefined {
    return this.#batches.get(batch)?.spooled;
  }

  /** False if it was not there. */
  delete(batch: ClosedBatch): boolean {
    return this.#batches.delete(batch);
  }

  /** Takes all of them out. */
  takeAll(): [ClosedBatch, SpooledBatch | undefined][] {
    const all = [...this.#batches].map(([batch, { spooled }]): [ClosedBatch, SpooledBatch | undefined] => [
      batch,
      spooled,
    ]);
    this.#batches.clear();
    return all;
  }
}
