/**
 * Requests with an `Idempotency-Key`, over all workers: a repeated request gets the answer of the first, and its
 * events are not taken again. A table of fixed size in shared memory, in sets of eight: the oldest of a set makes
 * room, so that a flood of keys forgets keys and never grows.
 *
 *     slot, 64 bytes:  [state][until, s][key digest 4][body digest 4][status][accepted][durable]
 *
 * State: 0 empty, 1 in work, 2 answered. A word before the slots of a set is its lock, held for some hundred
 * nanoseconds.
 *
 * @module
 */
import { createHash } from "node:crypto";

/** Keys that are remembered. */
export const keysMax = 65_536;
/** For so long. */
export const keySeconds = 600;
/** A request in work is given up by then; its answer has a deadline long before. */
const workSeconds = 120;
/** Longest key. */
export const keyCharactersMax = 255;

const slotsPerSet = 8;
const slotWords = 16;
const setWords = 16 + slotsPerSet * slotWords;
const sets = keysMax / slotsPerSet;

const word = { state: 0, until: 1, key: 2, body: 6, status: 10, accepted: 11, durable: 12 } as const;
const digestWords = 4;
const state = { empty: 0, inWork: 1, answered: 2 } as const;

/** Tries to get the lock of a set before the thread sleeps for it: its holder has lost its core then. */
const spinsMax = 1_000;
/** A turn of sleep, and how many of them at most. */
const lockWaitMs = 5;
const lockWaitsMax = 40;

/** Shared memory for the table; pages that nobody touches cost nothing. */
export function createIdempotency(): SharedArrayBuffer {
  return new SharedArrayBuffer(sets * setWords * 4);
}

/** What a first request was answered. */
export interface KnownAnswer {
  readonly status: number;
  readonly accepted: number;
  readonly durable: boolean;
}

/** What the table says about a key. */
export type KeyState =
  /** It is new, and in work from now on: `finish` or `forget` must follow. */
  | { readonly kind: "new"; readonly slot: number }
  | { readonly kind: "in_work" }
  /** The key was used for another body. */
  | { readonly kind: "other_body" }
  | { readonly kind: "answered"; readonly answer: KnownAnswer }
  /** All places of the set are in work. */
  | { readonly kind: "full" };

/** The keys of all listeners. */
export class Idempotency {
  readonly #words: Int32Array;
  readonly #nowSeconds: () => number;

  /** `nowSeconds` is a clock that all workers share. */
  constructor(shared: SharedArrayBuffer, nowSeconds: () => number) {
    this.#words = new Int32Array(shared);
    this.#nowSeconds = nowSeconds;
  }

  /** Looks a key up, and puts it in work where it is new. `scope` is who sent it, and to what. */
  begin(scope: string, key: string, body: Uint8Array): KeyState {
    const keyDigest = digestWordsOf(`${scope}\0${key}`);
    const bodyDigest = digestWordsOf(body);
    const set = (keyDigest[0]! >>> 0) % sets * setWords;
    return this.#locked(set, () => this.#begin(set, keyDigest, bodyDigest));
  }

  /** The request of `slot` was answered. */
  finish(slot: number, answer: KnownAnswer): void {
    const words = this.#words;
    words[slot + word.status] = answer.status;
    words[slot + word.accepted] = answer.accepted;
    words[slot + word.durable] = answer.durable ? 1 : 0;
    words[slot + word.until] = this.#nowSeconds() + keySeconds;
    Atomics.store(words, slot + word.state, state.answered);
  }

  /** The request of `slot` was not taken: the key is new again. */
  forget(slot: number): void {
    Atomics.store(this.#words, slot + word.state, state.empty);
  }

  #begin(set: number, key: Int32Array, body: Int32Array): KeyState {
    const words = this.#words;
    const now = this.#nowSeconds();
    let free = -1;
    let freeUntil = Infinity;
    for (let i = 0; i < slotsPerSet; i++) {
      const slot = set + 16 + i * slotWords;
      const now_ = Atomics.load(words, slot + word.state);
      const until = words[slot + word.until]!;
      const isLive = now_ !== state.empty && until > now;
      if (isLive && equals(words, slot + word.key, key)) return this.#known(slot, now_, body);
      if (!isLive) {
        free = slot;
        freeUntil = -1;
      } else if (now_ === state.answered && until < freeUntil) {
        free = slot;
        freeUntil = until;
      }
    }
    if (free < 0) return { kind: "full" };
    words.set(key, free + word.key);
    words.set(body, free + word.body);
    words[free + word.until] = now + workSeconds;
    Atomics.store(words, free + word.state, state.inWork);
    return { kind: "new", slot: free };
  }

  #known(slot: number, now: number, body: Int32Array): KeyState {
    const words = this.#words;
    if (!equals(words, slot + word.body, body)) return { kind: "other_body" };
    if (now === state.inWork) return { kind: "in_work" };
    return {
      kind: "answered",
      answer: {
        status: words[slot + word.status]!,
        accepted: words[slot + word.accepted]!,
        durable: words[slot + word.durable] === 1,
      },
    };
  }

  #locked(set: number, run: () => KeyState): KeyState {
    const words = this.#words;
    for (let tries = 0; Atomics.compareExchange(words, set, 0, 1) !== 0; tries++) {
      if (tries > spinsMax) Atomics.wait(words, set, 1, lockWaitMs);
      if (tries > spinsMax + lockWaitsMax) return { kind: "full" };
    }
    try {
      return run();
    } finally {
      Atomics.store(words, set, 0);
      Atomics.notify(words, set, 1);
    }
  }
}

function equals(words: Int32Array, at: number, digest: Int32Array): boolean {
  for (let i = 0; i < digestWords; i++) if (words[at + i] !== digest[i]) return false;
  return true;
}

function digestWordsOf(data: string | Uint8Array): Int32Array {
  const digest = createHash("sha256").update(data).digest();
  return Int32Array.from({ length: digestWords }, (_, i) => digest.readInt32LE(4 * i));
}
