/**
 * What the spool knows of each topic: how many batches that were given up in this session wait on the disk, so that
 * new ones wait behind them, and which batches the pipeline has.
 *
 * @module
 */
import type { HeldBatch } from "./held_batch.ts";

/** Counts by topic. */
export class Accounts {
  readonly #byTopic = new Map<string, number>();

  add(topic: string): void {
    this.#byTopic.set(topic, (this.#byTopic.get(topic) ?? 0) + 1);
  }

  remove(topic: string): void {
    const left = (this.#byTopic.get(topic) ?? 0) - 1;
    if (left > 0) this.#byTopic.set(topic, left);
    else this.#byTopic.delete(topic);
  }

  has(topic: string): boolean {
    return this.#byTopic.has(topic);
  }
}

/** Batches that the pipeline has, by topic, in the order in which it got them. Those in parking places are not in it. */
export class LiveBatches {
  readonly #byTopic = new Map<string, Set<HeldBatch>>();

  add(held: HeldBatch): void {
    const { topic } = held.batch;
    const known = this.#byTopic.get(topic);
    if (known === undefined) this.#byTopic.set(topic, new Set([held]));
    else known.add(held);
  }

  remove(held: HeldBatch): void {
    const { topic } = held.batch;
    const known = this.#byTopic.get(topic);
    if (known?.delete(held) && known.size === 0) this.#byTopic.delete(topic);
  }

  has(topic: string): boolean {
    return this.#byTopic.has(topic);
  }

  /** The oldest of a topic, at most `count`. */
  oldest(topic: string, count: number): HeldBatch[] {
    const found: HeldBatch[] = [];
    for (const held of this.#byTopic.get(topic) ?? []) {
      if (found.push(held) === count) break;
    }
    return found;
  }
}
