/**
 * Who sent the records of batches that lie on the disk alone, should Kafka refuse them when they are read back. The
 * segment has no place for it (a batch may have thousands of senders); this process remembers it, within a bound: the
 * oldest are forgotten first. After a restart nobody knows it.
 *
 * @module
 */
import type { Origin } from "../batch/origins.ts";

/** Runs of records from one sender, over all batches; one is some 60 bytes. */
export const keptRunsMax = 32_768;

/** The origins of one worker's batches, by segment and batch. */
export class KeptOrigins {
  readonly #kept = new Map<string, readonly Origin[]>();
  #runs = 0;

  /** The batch leaves the memory. */
  keep(segmentId: number, batch: number, origins: readonly Origin[] | undefined): void {
    if (origins === undefined || origins.length === 0) return;
    this.take(segmentId, batch);
    this.#kept.set(nameOf(segmentId, batch), origins);
    this.#runs += origins.length;
    for (const [oldest, { length }] of this.#kept) {
      if (this.#runs <= keptRunsMax) return;
      this.#kept.delete(oldest);
      this.#runs -= length;
    }
  }

  /** The batch is read back. */
  take(segmentId: number, batch: number): readonly Origin[] | undefined {
    const name = nameOf(segmentId, batch);
    const origins = this.#kept.get(name);
    if (origins === undefined) return undefined;
    this.#kept.delete(name);
    this.#runs -= origins.length;
    return origins;
  }
}

function nameOf(segmentId: number, batch: number): string {
  return `${segmentId} ${batch}`;
}
