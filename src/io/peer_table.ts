/**
 * What the workers know together about each sender: how many connections it has, and how much it has sent lately.
 * The books lie in shared memory, because a sender's connections are spread over all workers.
 *
 *     0                 seed (random per process, so that nobody can choose addresses that collide)
 *     1                 open connections of all senders
 *     2 .. slots        48 bits of hash, 16 bits of open connections
 *     .. 2 * slots      32 bits of hash, 32 bits of time: when the sender will have paid for what it sent
 *
 * A word is changed by compare-and-exchange alone, so that no worker ever waits for another. A slot is free when it
 * counts nothing, and a rate slot when its time is past: nothing has to be cleaned. A sender is an IPv4 address, or the
 * /64 of an IPv6 address, since one machine has all addresses of that.
 *
 * Two workers that see the first connection of a sender in the same instant may take two slots for it; the limit is
 * then missed by what the second counts, until both are closed.
 *
 * @module
 */
import { readAddress } from "../core/networks.ts";

/** Words before the slots. */
const headWords = 2;
/** Slots that are looked at for a sender. With at most half of the slots taken, all of them taken is not met. */
const probesMax = 16;
/** Most connections of one sender that can be counted. */
export const countMax = 0xffff;
/** Ticks per millisecond of the rate's clock; 32 bits of it last 37 hours, and only differences count. */
const ticksPerMs = 16;
/** Most ticks that one charge takes, five hours: twice of it is still less than half of the clock. */
const costMax = 1 << 28;
/** A charge that other workers overtake so often in a row goes free. */
const triesMax = 64;
/** Unused time that a sender may spend at once. */
const burstMs = 1000;

/** Shared memory for `connections` at once over all workers. */
export function createPeerTable(connections: number): SharedArrayBuffer {
  let slots = 1024;
  while (slots < connections * 2 && slots < 1 << 20) slots *= 2;
  const memory = new SharedArrayBuffer((headWords + slots * 2) * 8);
  const seed = crypto.getRandomValues(new BigUint64Array(1));
  new BigUint64Array(memory)[0] = seed[0]!;
  return memory;
}

/** One sender's key; make it once per connection. */
export interface PeerKey {
  readonly high: number;
  readonly low: number;
}

/** A worker's view of the shared books. */
export class PeerTable {
  readonly #words: BigUint64Array;
  readonly #slots: number;
  readonly #seedHigh: number;
  readonly #seedLow: number;

  constructor(memory: SharedArrayBuffer) {
    this.#words = new BigUint64Array(memory);
    this.#slots = (this.#words.length - headWords) / 2;
    this.#seedHigh = Number(this.#words[0]! >> 32n) >>> 0;
    this.#seedLow = Number(this.#words[0]! & 0xffffffffn) >>> 0;
  }

  /** The key of `host` under the name `scope` (a listener, where each has its own rate); undefined without address. */
  key(host: string, scope = 0): PeerKey | undefined {
    const address = readAddress(host);
    if (address === undefined) return undefined;
    const ipv4 = address[10] === 0xff && address[11] === 0xff &&
      address.subarray(0, 10).every((b) => b === 0);
    const bytes = ipv4 ? address : address.subarray(0, 8);
    return { high: hash(bytes, this.#seedHigh ^ scope), low: hash(bytes, this.#seedLow + scope) };
  }

  /** Counts one more connection of anybody; false, and not counted, where there are `max` already. */
  enterAll(max: number): boolean {
    if (Number(Atomics.add(this.#words, 1, 1n)) < max) return true;
    Atomics.sub(this.#words, 1, 1n);
    return false;
  }

  /** A connection that `enterAll` counted has closed. */
  leaveAll(): void {
    Atomics.sub(this.#words, 1, 1n);
  }

  /** Counts one more connection of `key`; false, and not counted, where it has `max` already. */
  enter(key: PeerKey, max: number): boolean {
    const name = (BigInt(key.high) << 16n | BigInt(key.low & 0xffff)) << 16n;
    for (;;) {
      let free = 0;
      let freeWord = 0n;
      let found = 0;
      for (let probe = 0; probe < probesMax && found === 0; probe++) {
        const at = headWords + (key.low + probe & this.#slots - 1);
        const word = Atomics.load(this.#words, at);
        if ((word & 0xffffn) === 0n) {
          if (free === 0) [free, freeWord] = [at, word];
        } else if (word >> 16n === name >> 16n) found = at;
      }
      if (found !== 0) {
        const word = Atomics.load(this.#words, found);
        if (word >> 16n !== name >> 16n || (word & 0xffffn) === 0n) continue;
        if (Number(word & 0xffffn) >= Math.min(max, countMax)) return false;
        if (Atomics.compareExchange(this.#words, found, word, word + 1n) === word) return true;
        continue;
      }
      if (max < 1) return false;
      // No slot at all: more senders than the table was made for. It goes uncounted, the limit of all still holds.
      if (free === 0) return true;
      if (Atomics.compareExchange(this.#words, free, freeWord, name | 1n) === freeWord) return true;
    }
  }

  /** A connection that `enter` counted has closed. */
  leave(key: PeerKey): void {
    const name = BigInt(key.high) << 16n | BigInt(key.low & 0xffff);
    for (let probe = 0; probe < probesMax; probe++) {
      const at = headWords + (key.low + probe & this.#slots - 1);
      for (;;) {
        const word = Atomics.load(this.#words, at);
        if (word >> 16n !== name || (word & 0xffffn) === 0n) break;
        if (Atomics.compareExchange(this.#words, at, word, word - 1n) === word) return;
      }
    }
  }

  /**
   * Pays for `bytes` at `bytesPerSecond` (GCRA over all workers): gives for how many milliseconds the sender has to
   * wait before it may send on, 0 where it need not.
   */
  spend(key: PeerKey, bytes: number, bytesPerSecond: number, nowMs: number): number {
    const aheadMs = this.#charge(key, bytes, bytesPerSecond, nowMs, Infinity);
    return aheadMs === undefined ? 0 : Math.max(0, aheadMs - burstMs);
  }

  /** Pays for `bytes` where the sender can; false, and nothing paid, where it is over its rate. */
  afford(key: PeerKey, bytes: number, bytesPerSecond: number, nowMs: number): boolean {
    return this.#charge(key, bytes, bytesPerSecond, nowMs, burstMs) !== undefined;
  }

  /** How far ahead of now the sender is when it has paid; undefined where that would be more than `aheadMaxMs`. */
  #charge(
    key: PeerKey,
    bytes: number,
    bytesPerSecond: number,
    nowMs: number,
    aheadMaxMs: number,
  ): number | undefined {
    const now = Math.trunc(nowMs * ticksPerMs) | 0;
    const cost = Math.min(Math.ceil(bytes * 1000 * ticksPerMs / bytesPerSecond), costMax);
    const name = BigInt(key.high);
    for (let tries = 0; tries < triesMax; tries++) {
      let at = 0;
      let word = 0n;
      let due = now;
      for (let probe = 0; probe < probesMax; probe++) {
        const candidate = headWords + this.#slots + (key.low + probe & this.#slots - 1);
        const value = Atomics.load(this.#words, candidate);
        const time = Number(value & 0xffffffffn) | 0;
        const ahead = time - now | 0;
        // Ahead of what any charge may reach: left over from before the clock turned round.
        const past = ahead <= 0 || ahead > 2 * costMax;
        if (value >> 32n === name) {
          [at, word, due] = [candidate, value, past ? now : time];
          break;
        }
        if (past && at === 0) [at, word] = [candidate, value];
      }
      // No slot: more senders than the table was made for. This one goes free.
      if (at === 0) return 0;
      const next = due + cost | 0;
      const aheadMs = (next - now | 0) / ticksPerMs;
      if (aheadMs > aheadMaxMs) return undefined;
      const charged = name << 32n | BigInt(next >>> 0);
      if (Atomics.compareExchange(this.#words, at, word, charged) === word) return aheadMs;
    }
    return 0;
  }
}

/** FNV-1a over `bytes`, from `seed`, stirred (the finalizer of MurmurHash3). */
function hash(bytes: Uint8Array, seed: number): number {
  let value = 0x811c9dc5 ^ seed;
  for (const byte of bytes) value = Math.imul(value ^ byte, 0x01000193);
  value = Math.imul(value ^ value >>> 16, 0x85ebca6b);
  value = Math.imul(value ^ value >>> 13, 0xc2b2ae35);
  return (value ^ value >>> 16) >>> 0;
}
