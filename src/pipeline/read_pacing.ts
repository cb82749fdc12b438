/**
 * Gathers the reads of many small chunks, as network cards gather interrupts: a worker to which lines trickle in spends
 * its time waking up, not on lines. So at the end of a turn the thread sleeps for a moment; what comes meanwhile waits
 * in the sockets, and the next turn reads it at once.
 *
 *     read ─ read ─ end of turn: close what is due, sleep ─┐      without: wake, read a line, wait; wake, read a line, …
 *      ^                                                   │
 *      └────────────── all that came meanwhile <───────────┘
 *
 * The linger goes on during the sleep: batches that are begun behind it count from its beginning, so a line leaves no
 * later than without. What is asleep cannot answer, so it sleeps only
 *  - while streams without answers come in small chunks and many of them (`chunksPerMsMin`), and turns are short: at
 *    full speed the thread is never idle and chunks are large;
 *  - not within `quietMs` of a request or a connection for one, not within `datagramQuietMs` of a datagram: those cannot wait;
 *  - while nothing is between the intake and the sink, nor read back from the spool, the sink wants more, and no stream
 *    waits (worker_pacing.ts);
 *  - until the next batch is due, less what a turn takes, `pauseMsMax` at most.
 *
 * A sleeping thread uses no processor, and beats its pulse as soon as it is awake: neither the busy share nor the
 * sentinel takes a pause for work.
 *
 * Hot path: `read`, once per chunk.
 *
 * @module
 */

/** The longest sleep, whatever the linger. Whoever calls on the worker waits that much longer. */
export const pauseMsMax = 5;
/** For less it is not worth it to fall asleep. What is due so soon that there is no time for it goes before. */
export const pauseMsMin = 1;
/** Fewer chunks than this, per millisecond, cost next to nothing as they come. */
export const chunksPerMsMin = 1;
/** Over this span they are counted. */
export const windowMs = 10;
/** A sender of a larger chunk has filled half of what a socket holds at first: one in a hurry must not wait. */
export const chunkBytesMax = 32 * 1024;
/** All chunks of a turn together. */
export const turnBytesMax = 256 * 1024;
/** A worker whose turns take longer than this has work enough. One alone is the collector's, or other programs'. */
export const turnMsMax = 2;
/** It wakes before a batch is due by so many times what turns take. */
const turnsEarly = 1.5;
/** One part in so many of the mean is the last turn. */
const turnsInMean = 8;
/** No pause for so long after a request, after a connection for one was opened, and after a turn with much to do. */
export const quietMs = 50;
/** And after a datagram: what the socket has no room for is lost. */
export const datagramQuietMs = 1_000;

/** What the pacing of one worker joins. */
export interface ReadPacingParts {
  /** Age at which a batch is closed. */
  readonly lingerMs: number;
  /** Monotonic milliseconds. */
  nowMs(): number;
  /** Holds the thread for so long. */
  sleep(ms: number): void;
  /** Calls back when the turn of the event loop is over. */
  soon(callback: () => void): void;
  /** Calls back when what was begun in this turn has been done, before anything new comes. */
  after(callback: () => void): void;
  /** True while nothing that waits would be late. */
  mayPause(): boolean;
  /** Closes the batches that are due within `earlyMs`. */
  closeDue(earlyMs: number): void;
  /** When the oldest open batch is due; Infinity where none is open. */
  dueMs(): number;
  /** Lines may have waited since `sinceMs` when they are read; undefined: they are read as they come. */
  waitedSince(sinceMs: number | undefined): void;
}

/** Counts of one worker. */
export interface ReadPacingStats {
  readonly pauses: number;
  readonly pausedMs: number;
}

/** The pacing of one worker's reads. */
export class ReadPacing {
  readonly #parts: ReadPacingParts;
  readonly #isOn: boolean;
  /** The end of this turn is awaited. */
  #armed = false;
  /** What was read in this turn. */
  #chunks = 0;
  #bytes = 0;
  #largest = 0;
  /** What was read in this window, which began then. */
  #windowChunks = 0;
  #windowFromMs = 0;
  /** Chunks are frequent. */
  #gathers = false;
  /** No pause before this. */
  #notBeforeMs = 0;
  /** When the pause before this turn ended; 0: there was none. */
  #wokeMs = 0;
  #untilMs = 0;
  /** What a turn behind a pause takes. */
  #turnMs = 0;
  /** The last of them was longer than `turnMsMax`. */
  #wasLong = false;
  #pauses = 0;
  #pausedMs = 0;

  constructor(parts: ReadPacingParts) {
    this.#parts = parts;
    this.#isOn = parts.lingerMs >= 2 * pauseMsMin;
  }

  get stats(): ReadPacingStats {
    return { pauses: this.#pauses, pausedMs: this.#pausedMs };
  }

  /** A chunk of a stream without answers was read and taken. */
  read(bytes: number): void {
    this.#chunks++;
    this.#bytes += bytes;
    if (bytes > this.#largest) this.#largest = bytes;
    if (!this.#armed && this.#isOn) this.#arm();
  }

  /** Somebody came who cannot wait: no pause for `ms`. */
  hold(ms: number): void {
    this.#notBeforeMs = Math.max(this.#notBeforeMs, this.#parts.nowMs() + ms);
  }

  #arm(): void {
    this.#armed = true;
    this.#parts.soon(this.#turnEnded);
  }

  readonly #turnEnded = (): void => {
    this.#armed = false;
    const parts = this.#parts;
    const nowMs = parts.nowMs();
    const chunks = this.#chunks;
    const turnMs = this.#wokeMs === 0 ? 0 : nowMs - this.#wokeMs;
    const isLong = turnMs > turnMsMax;
    const isBusy = this.#largest > chunkBytesMax || this.#bytes > turnBytesMax || isLong && this.#wasLong;
    if (turnMs > 0) {
      this.#turnMs += (Math.min(turnMs, turnMsMax) - this.#turnMs) / turnsInMean;
      this.#wasLong = isLong;
    }
    // A pause in which nothing came: whoever comes next is served as he comes.
    if (this.#wokeMs > 0 && chunks === 0) this.#gathers = false;
    if (this.#wokeMs > 0) parts.waitedSince(undefined);
    this.#wokeMs =
      this.#chunks =
      this.#bytes =
      this.#largest =
        0;
    if (isBusy) this.#notBeforeMs = Math.max(this.#notBeforeMs, nowMs + quietMs);
    if (nowMs < this.#notBeforeMs) this.#gathers = false;
    this.#count(chunks, nowMs);
    if (!this.#gathers || nowMs < this.#notBeforeMs || !parts.mayPause()) return;
    const earlyMs = turnsEarly * this.#turnMs;
    // What is due too soon for another pause goes now: else every line until then would be read as it comes.
    parts.closeDue(earlyMs + pauseMsMin);
    const dueMs = Math.min(parts.dueMs(), nowMs + parts.lingerMs);
    this.#untilMs = Math.min(nowMs + pauseMsMax, dueMs - earlyMs);
    parts.after(this.#pause);
  };

  /** Whether chunks are frequent: while it gathers, one after each pause is enough. */
  #count(chunks: number, nowMs: number): void {
    this.#windowChunks += chunks;
    const spanMs = nowMs - this.#windowFromMs;
    if (spanMs < windowMs) return;
    if (!this.#gathers) this.#gathers = this.#windowChunks >= spanMs * chunksPerMsMin;
    this.#windowChunks = 0;
    this.#windowFromMs = nowMs;
  }

  readonly #pause = (): void => {
    const parts = this.#parts;
    const fromMs = parts.nowMs();
    const ms = this.#untilMs - fromMs;
    // What was closed may be on its way to the disk: its sending must not wait.
    if (ms < pauseMsMin / 2 || this.#armed || !parts.mayPause()) return;
    parts.sleep(ms);
    this.#wokeMs = parts.nowMs();
    this.#pauses++;
    this.#pausedMs += this.#wokeMs - fromMs;
    parts.waitedSince(fromMs);
    this.#arm();
  };
}
