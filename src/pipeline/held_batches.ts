/**
 * Batches that the disk has, and that stay in memory until the sink has a place for them: while the processors are
 * the limit and the sink is prompt, writing more and reading it back would cost what is short, and every batch would
 * come late by the length of the backlog. Memory that is full of them slows the senders, as without a spool.
 *
 *     place lacking, sink ready and prompt, processors busy (or not yet judged)  -> held, in order per topic
 *     a place is free                                                           -> to the sink
 *     judged at the next tick: the processors have room, or the sink is late     -> given up, all of them
 *
 * @module
 */
import type { SpooledBatch } from "../spool/spool.ts";

/** From here on the processors are the limit: what is left is the system's and the neighbours'. */
const busyMin = 0.9;

/** A sink that has not settled its oldest batch for so long is the limit itself. */
export const lateMs = 1_000;

/** The held batches of one worker, and whether to hold more. */
export class HeldBatches {
  readonly #busyShare: () => number;
  readonly #batches = new Set<SpooledBatch>();
  readonly #topics = new Map<string, number>();
  /** Until the first lack of place was judged, holding is right: it lasts one tick at most. */
  #limited = true;
  #lacked = false;
  #used = false;

  /** @param busyShare the share of the processors that was in use since its last call, 0 to 1 */
  constructor(busyShare: () => number) {
    this.#busyShare = busyShare;
  }

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

  /** A batch finds no place: whether the processors are what is short. */
  wanted(): boolean {
    this.#lacked = true;
    return this.#limited;
  }

  /** A batch went to the sink or came here. */
  used(): void {
    this.#used = true;
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

  /** Called a few times a second. @returns true where they are to be given up */
  judge(): boolean {
    if (!this.#used) return false;
    const busy = this.#busyShare() >= busyMin;
    this.#limited = busy || !this.#lacked;
    this.#used = this.#lacked = false;
    return !this.#limited;
  }
}
