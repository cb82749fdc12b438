/**
 * What each worker is doing at this moment, in shared memory: its pulse, the rule it tries, the connection whose bytes
 * it takes. The sentinel reads it while the worker is held and cannot say anything itself.
 *
 *     per worker, i32: pulse | rule + 1, 0: none | connection, 0: none | bytes of the chunk | pulse comes every ... ms |
 *                      the thread's number for the kernel | collections of garbage | ms that they held it, where told
 *
 * The pulse is quick while there is work, slow while there is none, and slower still when there has been none for
 * seconds: idle loops are not woken for it.
 *
 * @module
 */

/** Words of one worker. */
export const activityWord = {
  pulse: 0,
  rule: 1,
  connection: 2,
  bytes: 3,
  everyMs: 4,
  thread: 5,
  collections: 6,
  pausesMs: 7,
} as const;

/** One cache line per worker. */
const wordsPerWorker = 16;

/** How often a worker bumps its pulse while it has work. */
export const pulseMs = 50;
/** And while it has none. */
export const idlePulseMs = 250;
/** And while it has had none for seconds: once a second, at latest after this time (core/beat.ts). */
export const restPulseMs = 1_250;
/** What stands for "not any more". */
const endedPulseMs = 2 ** 30;

/** Shared memory for all workers. */
export function createActivity(workers: number): SharedArrayBuffer {
  return new SharedArrayBuffer(workers * wordsPerWorker * 4);
}

/** The words of one worker. */
export function activityOf(shared: SharedArrayBuffer, worker: number): Int32Array {
  return new Int32Array(shared, worker * wordsPerWorker * 4, wordsPerWorker);
}

/** What a worker was doing when somebody looked. */
export interface Activity {
  /** Index of the rule in force that it tries; undefined outside of rules. */
  readonly rule: number | undefined;
  /** `worker-number`; undefined where it takes no connection's bytes. */
  readonly connection: string | undefined;
  readonly bytes: number;
}

/** Reads the words of one worker. */
export function readActivity(words: Int32Array, worker: number): Activity {
  const rule = Atomics.load(words, activityWord.rule);
  const connection = Atomics.load(words, activityWord.connection);
  return {
    rule: rule === 0 ? undefined : rule - 1,
    connection: connection === 0 ? undefined : `${worker}-${connection}`,
    bytes: Atomics.load(words, activityWord.bytes),
  };
}

/** The pulse of one worker. */
export class Pulse {
  readonly #words: Int32Array;
  readonly #before: (() => void) | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;
  #worked = false;
  #rests = false;
  readonly #woken: () => void;

  /**
   * `woken` is called when work comes, or something to look after, while it rests; `before` before each beat: what it
   * writes down is there for whoever sees the beat.
   */
  constructor(words: Int32Array, woken: () => void = () => {}, before?: () => void) {
    this.#words = words;
    this.#woken = woken;
    this.#before = before;
    Atomics.store(words, activityWord.everyMs, idlePulseMs);
  }

  /** There is work: called for each chunk. */
  work(): void {
    this.#worked = true;
    if (this.#timer !== undefined) return;
    // This beat first: whoever looks must not take the slow pulse before it for a missed quick one.
    this.beat();
    Atomics.store(this.#words, activityWord.everyMs, pulseMs);
    this.#timer = setInterval(() => this.#quickBeat(), pulseMs);
    this.#wake();
  }

  /** True while beats may come only every `restPulseMs`. */
  get rests(): boolean {
    return this.#rests;
  }

  /** There has been no work for long. */
  rest(): void {
    if (this.#rests || this.#timer !== undefined) return;
    this.#rests = true;
    Atomics.store(this.#words, activityWord.everyMs, restPulseMs);
  }

  /** There is something to look after, if no work. Called behind a beat. */
  rouse(): void {
    if (!this.#rests) return;
    Atomics.store(this.#words, activityWord.everyMs, idlePulseMs);
    this.#wake();
  }

  /** Called every `idlePulseMs`, work or not; at rest every `restPulseMs`. */
  beat(): void {
    this.#before?.();
    Atomics.add(this.#words, activityWord.pulse, 1);
  }

  /** Beats no more, and nobody is to wait for it. */
  stop(): void {
    clearInterval(this.#timer);
    Atomics.store(this.#words, activityWord.everyMs, endedPulseMs);
  }

  #wake(): void {
    if (!this.#rests) return;
    this.#rests = false;
    this.#woken();
  }

  #quickBeat(): void {
    this.beat();
    if (this.#worked) {
      this.#worked = false;
      return;
    }
    clearInterval(this.#timer);
    this.#timer = undefined;
    Atomics.store(this.#words, activityWord.everyMs, idlePulseMs);
  }
}
