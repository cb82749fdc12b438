/**
 * How many batches of each topic, given up in this session, wait on the disk: who must wait behind them.
 *
 * @module
 */

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
