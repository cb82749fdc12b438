/**
 * Ids that Splunk's senders ask after: one per request that was answered before its events were kept. A ring in
 * shared memory, so that any worker can answer for all.
 *
 *     [next id u32] [15 words unused] ringSize x [id << 1 | done]
 *
 * @module
 */

/** Ids that are remembered; senders ask every ten seconds. */
export const ackIdsKept = 1 << 20;
/** Ids begin again behind it; they must fit 31 bits with the mark of being done. */
const idMax = 2 ** 30;
const ringAt = 16;

/** Shared memory for the ring. */
export function createAckIds(): SharedArrayBuffer {
  return new SharedArrayBuffer((ringAt + ackIdsKept) * 4);
}

/** The ids of all workers. */
export class AckIds {
  readonly #words: Int32Array;

  constructor(shared: SharedArrayBuffer) {
    this.#words = new Int32Array(shared);
  }

  /** A new id, which is not done. The first is 1: an empty place is no id that is done. */
  next(): number {
    const id = (Atomics.add(this.#words, 0, 1) & (idMax - 1)) + 1;
    Atomics.store(this.#words, ringAt + id % ackIdsKept, id << 1);
    return id;
  }

  /** The events of the request are kept. */
  done(id: number): void {
    const at = ringAt + id % ackIdsKept;
    Atomics.compareExchange(this.#words, at, id << 1, id << 1 | 1);
  }

  /** Whether they are. */
  isDone(id: number): boolean {
    if (id < 1 || id > idMax) return false;
    return Atomics.load(this.#words, ringAt + id % ackIdsKept) === (id << 1 | 1);
  }
}
