/**
 * Rates of tokens, over all workers: buckets in shared memory. A bucket holds what may be taken now, one second's
 * worth at most; whoever finds that time has passed puts in what has come by then.
 *
 *     per token: [credit i32] [filled at, ms i32] for events, the same for bytes (in units of 64)
 *
 * @module
 */

/** Words of one bucket: credit, and when it was filled. */
const bucketWords = 2;
/** Kinds of rate of a token. */
const kinds = { events: 0, bytes: 1 } as const;
const kindCount = 2;
/** Bytes that one unit of a bucket stands for, so that a second of a fast line fits 31 bits. */
const bytesPerUnit = 64;
const creditMax = 2 ** 30;

/** Shared memory for `tokens` tokens. */
export function createRates(tokens: number): SharedArrayBuffer {
  return new SharedArrayBuffer(tokens * kindCount * bucketWords * 4);
}

/** The buckets of the tokens of one listener. */
export class Rates {
  readonly #words: Int32Array;
  readonly #nowMs: () => number;

  /** `nowMs` is a clock that all workers share (the calendar). */
  constructor(shared: SharedArrayBuffer, nowMs: () => number) {
    this.#words = new Int32Array(shared);
    this.#nowMs = nowMs;
  }

  /** Takes `events` of a token's rate: 0, or the milliseconds after which to try again. */
  takeEvents(token: number, perSecond: number, events: number): number {
    return this.#take((token * kindCount + kinds.events) * bucketWords, perSecond, events);
  }

  /** Gives back events of a request that was not taken after all. */
  giveEvents(token: number, events: number): void {
    Atomics.add(this.#words, (token * kindCount + kinds.events) * bucketWords, Math.min(events, creditMax));
  }

  /** The same for bytes as for events. */
  takeBytes(token: number, perSecond: number, bytes: number): number {
    const units = Math.max(1, Math.ceil(bytes / bytesPerUnit));
    return this.#take((token * kindCount + kinds.bytes) * bucketWords, perSecond / bytesPerUnit, units);
  }

  #take(at: number, perSecond: number, wanted: number): number {
    const words = this.#words;
    const most = Math.max(1, Math.min(creditMax, Math.floor(perSecond)));
    this.#fill(at, perSecond, most);
    // A request larger than a second's worth passes when the bucket is full, and leaves a debt.
    const needed = Math.min(wanted, most);
    const before = Atomics.sub(words, at, Math.min(wanted, creditMax));
    if (before >= needed) return 0;
    Atomics.add(words, at, Math.min(wanted, creditMax));
    return Math.max(1, Math.ceil((needed - before) / perSecond * 1000));
  }

  #fill(at: number, perSecond: number, most: number): void {
    const words = this.#words;
    const nowMs = this.#nowMs() % creditMax | 0;
    const filledMs = Atomics.load(words, at + 1);
    const passedMs = nowMs - filledMs;
    // Never filled, a clock that was set, or one that went around.
    if (filledMs === 0 || passedMs < 0 || passedMs > 60_000) {
      if (Atomics.compareExchange(words, at + 1, filledMs, nowMs) === filledMs) {
        Atomics.store(words, at, most);
      }
      return;
    }
    const come = Math.floor(passedMs * perSecond / 1000);
    if (come === 0) return;
    // What is not whole yet stays with the time.
    const usedMs = Math.min(passedMs, Math.ceil(come / perSecond * 1000));
    if (Atomics.compareExchange(words, at + 1, filledMs, filledMs + usedMs) !== filledMs) return;
    const credit = Atomics.add(words, at, Math.min(come, creditMax)) + come;
    if (credit > most) Atomics.sub(words, at, credit - most);
  }
}
