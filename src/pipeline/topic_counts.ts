/**
 * Lines per topic of one worker, for `/admin/stats` and hotdog's `/stats`. Counted per batch, never per line.
 *
 * @module
 */
import type { TopicReport } from "./protocol.ts";

/** Topics that are counted apart; log lines may choose topics, so the rest share one row. */
export const topicsCountedMax = 1_000;
/** Name of the shared row; not a legal topic name. */
export const otherTopics = "(other)";

interface Counts {
  submitted: number;
  delivered: number;
  deadLettered: number;
}

/** Counts by topic. */
export class TopicCounts {
  readonly #topics = new Map<string, Counts>();

  submitted(topic: string, lines: number): void {
    this.#of(topic).submitted += lines;
  }

  delivered(topic: string, lines: number): void {
    this.#of(topic).delivered += lines;
  }

  deadLettered(topic: string, lines: number): void {
    this.#of(topic).deadLettered += lines;
  }

  report(): TopicReport[] {
    return [...this.#topics].map(([topic, counts]) => ({ topic, ...counts }));
  }

  #of(topic: string): Counts {
    let counts = this.#topics.get(topic);
    if (counts === undefined) {
      const name = this.#topics.size < topicsCountedMax ? topic : otherTopics;
      counts = this.#topics.get(name) ?? { submitted: 0, delivered: 0, deadLettered: 0 };
      this.#topics.set(name, counts);
    }
    return counts;
  }
}
