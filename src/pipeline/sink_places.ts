/**
 * How much of the sink's share of the memory each topic has, and who may have more: one topic has not all of it, and a
 * topic of which nothing moves leaves the others their place.
 *
 * @module
 */

/** One topic's batches between batcher and sink. */
export interface TopicBooks {
  /** Bytes that the sink has. */
  sinkBytes: number;
  /** Batches that wait for their commit. */
  pending: number;
  /** Nothing of it moves while others do: one batch in the sink is enough to see when it goes on. */
  stalls: boolean;
  stallsSinceMs: number;
  /** It stalls for long, and was parked for that. */
  parked: boolean;
}

/** The places of one worker's sink. */
export class SinkPlaces {
  /** Bytes that the sink may have. */
  bytesMax = 0;
  /** Bytes that it has. */
  bytes = 0;
  /** Of those, what topics have of which nothing moves, when that was looked at last. */
  stalledBytes = 0;
  readonly #topics = new Map<string, TopicBooks>();

  /** The books of a topic, begun where there are none. */
  of(topic: string): TopicBooks {
    let books = this.#topics.get(topic);
    if (books === undefined) {
      this.#topics.set(
        topic,
        books = { sinkBytes: 0, pending: 0, stalls: false, stallsSinceMs: 0, parked: false },
      );
    }
    return books;
  }

  /** All topics with books; they may be forgotten meanwhile. */
  [Symbol.iterator](): Iterator<[string, TopicBooks]> {
    return this.#topics.entries();
  }

  /** The sink got a batch, which takes so many bytes, or gave it back (negative). */
  add(books: TopicBooks, bytes: number): void {
    this.bytes += bytes;
    books.sinkBytes += bytes;
  }

  /**
   * A topic may have as much as is left for the others; whoever has nothing may have one batch, while there is place, or
   * nothing moves in the sink.
   */
  has(bytes: number, books: TopicBooks): boolean {
    if (books.stalls && books.sinkBytes > 0) return false;
    if (this.#moving <= 0) return true;
    const left = this.#movingMax - this.#moving - bytes;
    return left >= 0 && (books.sinkBytes === 0 || books.sinkBytes + bytes <= left);
  }

  /** Whether a topic has place for some batch, of a byte at least. */
  hasFor(topic: string): boolean {
    const books = this.#topics.get(topic);
    return books === undefined || this.has(1, books);
  }

  /**
   * A quarter of what topics that move may have is free: more than what one topic alone leaves, of which nothing moves
   * and nobody knows it yet.
   */
  get quarterFree(): boolean {
    return this.#moving * 4 <= this.#movingMax * 3;
  }

  get #moving(): number {
    return this.bytes - this.stalledBytes;
  }

  /** What cannot be given back, because brokers may know it, can be more than all of the place: half is for what moves. */
  get #movingMax(): number {
    return this.bytesMax - Math.min(this.stalledBytes, this.bytesMax / 2);
  }

  /** Closes the books of a topic that has nothing anywhere; `held` batches of it wait in memory. */
  forget(topic: string, books: TopicBooks, held: number): void {
    const rests = books.sinkBytes === 0 && books.pending === 0 && held === 0;
    if (rests && !books.parked) this.#topics.delete(topic);
  }
}
