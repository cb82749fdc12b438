/**
 * What each worker is doing at this moment, in shared memory: its pulse, the rule it tries, the connection whose bytes
 * it takes. The sentinel reads it while the worker is held and cannot say anything itself.
 *
 *     per worker, i32: pulse | rule + 1, 0: none | connection, 0: none | bytes of the chunk | free ...
 *
 * @module
 */

/** Words of one worker. */
export const activityWord = { pulse: 0, rule: 1, connection: 2, bytes: 3 } as const;

/** One cache line per worker. */
const wordsPerWorker = 16;

/** How often a worker bumps its pulse. */
export const pulseMs = 50;

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
