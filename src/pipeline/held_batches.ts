/**
 * Batches that the disk has, and that stay in memory until the sink has a place for them: while the sink is prompt,
 * giving them up and reading them back would cost processor time, and every batch behind them would come late by the
 * length of the backlog. Memory that is full of them slows the senders, as without a spool.
 *
 *     place lacking, sink ready and prompt   -> held, in order per topic
 *     a place is free                        -> to the sink
 *     the sink is late                       -> given up, all of them: the disk takes what comes
 *     nothing of a topic moves               -> its own are given up, those of others stay
 *
 * @module
 */
import type { SpooledBatch } from "../spool/spool.ts";

/** A sink that has not settled its oldest batch for so long is what is slow. */
export const lateMs = 200;

/** The held batches of one worker. */
export class HeldBatches {
  readonly #batches = new Set<SpooledBatch>();
  readonly #topics = new Map<string, number>();

  get size(): number {
    return this.#batches.size;
  }

  /** All of them, oldest first; they may be taken out meanwhile. */
  [Symbol.iterator](): Iterator<SpooledBatch> {
    return this.#batches.values();
  }

  /** How many of a topic are held: others of it may not go before them. */
  of(topic: string): number {
    return this.#topics.get(topic) ?? 0;
  }

  add(spooled: SpooledBatch): void {
    this.#batches.add(spooled);
    this.#topics.set(spooled.batch.topic, this.of(spooled.batch.topic) + 1);
  }

  delete(spooled: SpooledBatch): void {
    if (!this.#batches.delete(spooled)) return;
    const { topic } = spooled.batch;
    const left = this.of(topic) - 1;
    if (left === 0) this.#topics.delete(topic);
    else this.#topics.set(topic, left);
  }
}
