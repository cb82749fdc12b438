/**
 * Topics of which nothing moves in the sink while others do: what they hold there is taken back, because others need
 * the place, and one that stalls for long is parked in the spool: its segments would stay for its sake, and the disk
 * fill up with what others have done with.
 *
 * @module
 */
import type { ClosedBatch } from "../batch/record_batch.ts";
import type { Sink } from "../sink/sink.ts";
import type { WorkerLog } from "./protocol.ts";
import type { SinkPlaces, TopicBooks } from "./sink_places.ts";

/** A topic of which nothing moves for so long goes to a place of its own in the spool. */
export const parkAfterMs = 10_000;

/** What this is about, and who does it. */
export interface StalledTopicsParts {
  readonly sink: Sink;
  readonly places: SinkPlaces;
  /** Monotonic milliseconds. */
  nowMs(): number;
  readonly log: WorkerLog;
  /** The disk has a batch that the sink has. */
  isOnDisk(batch: ClosedBatch): boolean;
  /** What waits in memory of a topic is left to the disk. */
  giveUpHeld(topic: string): void;
  /** The sink gave a batch back: it is left to the disk. */
  takeBack(batch: ClosedBatch, books: TopicBooks): void;
  park(topic: string): void;
  unpark(topic: string, books: TopicBooks): void;
}

/** Those of one worker. */
export class StalledTopics {
  readonly #parts: StalledTopicsParts;

  constructor(parts: StalledTopicsParts) {
    this.#parts = parts;
  }

  /** To be called now and then, while there is a spool. */
  look(): void {
    const { sink, places, nowMs } = this.#parts;
    if (sink.stalls === undefined) return;
    places.stalledBytes = 0;
    for (const [topic, books] of places) {
      const stalled = books.stalls;
      books.stalls = books.sinkBytes > 0 && sink.stalls(topic);
      if (books.stalls && !stalled) books.stallsSinceMs = nowMs();
      this.#setAside(topic, books);
      if (books.stalls) this.#takeBack(topic, books);
    }
  }

  #takeBack(topic: string, books: TopicBooks): void {
    const { sink, places, isOnDisk, giveUpHeld, takeBack } = this.#parts;
    giveUpHeld(topic);
    for (const batch of sink.giveBack?.(topic, isOnDisk) ?? []) takeBack(batch, books);
    places.stalledBytes += books.sinkBytes;
  }

  #setAside(topic: string, books: TopicBooks): void {
    const { log, nowMs, park, unpark } = this.#parts;
    if (books.stalls && !books.parked && nowMs() - books.stallsSinceMs >= parkAfterMs) {
      books.parked = true;
      park(topic);
      log("spool_topic_parked", { topic, stalls_s: Math.round((nowMs() - books.stallsSinceMs) / 1000) });
    } else if (books.parked && !books.stalls) {
      books.parked = false;
      unpark(topic, books);
      log("spool_topic_unparked", { topic }, "info");
    }
  }
}
