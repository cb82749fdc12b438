/**
 * Gives out extents of the kernel's arena: runs of 16 KiB granules, found in a bitmap.
 *
 * The lowest free address wins, so that the part of the arena that was ever touched, and with it the resident
 * memory, stays as small as the load allows: a page that nobody wrote costs nothing. An extent may grow in place
 * while the granules behind it are free, and give back its tail. Offsets are absolute in the kernel's memory; 0 is
 * never one, so it stands for "no room".
 *
 * Hot path: called once or twice per batch; allocates no objects.
 *
 * @module
 */
import { invariant } from "../core/invariant.ts";

/** Bytes of one granule: the smallest extent. Small enough for thousands of slow topics, a multiple of any page size in use. */
export const granuleBytes = 16 * 1024;

/** Granules in one word of the bitmap. */
const wordBits = 32;
const fullWord = 0xffff_ffff;

/** The extents of one region of the kernel's memory. */
export class Arena {
  readonly #base: number;
  readonly #granules: number;
  /** Bit set: the granule is taken. Bits behind the last granule are set for ever. */
  readonly #map: Uint32Array;
  /** At the first granule of an extent: how many it has. 0 everywhere else. */
  readonly #lengths: Uint32Array;
  /** Every word before this one is full. */
  #firstFreeWord = 0;
  #used = 0;
  #highWater = 0;

  /** Manages `bytes` at `base` (rounded down to whole granules). */
  constructor(base: number, bytes: number) {
    this.#base = base;
    this.#granules = Math.floor(bytes / granuleBytes);
    invariant(base > 0 && this.#granules > 0, "arena has an offset and at least one granule");
    const words = Math.ceil(this.#granules / wordBits);
    this.#map = new Uint32Array(words);
    this.#lengths = new Uint32Array(this.#granules);
    const last = this.#granules % wordBits;
    if (last !== 0) this.#map[words - 1] = fullWord << last;
  }

  /** Bytes it can give out in all. */
  get bytesTotal(): number {
    return this.#granules * granuleBytes;
  }

  /** Bytes in extents now. */
  get bytesUsed(): number {
    return this.#used * granuleBytes;
  }

  /** Bytes from the arena's beginning to the end of the highest extent there ever was: what may be resident. */
  get bytesHighWater(): number {
    return this.#highWater * granuleBytes;
  }

  /** Offset of a new extent of at least `bytes`, at the lowest place where it fits; 0 when it fits nowhere. */
  allocate(bytes: number): number {
    const count = granulesOf(bytes);
    const first = this.#find(count);
    if (first < 0) return 0;
    this.#mark(first, count);
    this.#lengths[first] = count;
    return this.#base + first * granuleBytes;
  }

  /** Bytes of the extent at `at`. */
  bytesOf(at: number): number {
    return this.#lengths[this.#granuleOf(at)]! * granuleBytes;
  }

  /** Makes the extent at `at` hold `bytes` without moving it. False, and nothing changed, when what follows is taken. */
  extend(at: number, bytes: number): boolean {
    const first = this.#granuleOf(at);
    const had = this.#lengths[first]!;
    const count = granulesOf(bytes);
    if (count <= had) return true;
    if (first + count > this.#granules) return false;
    for (let i = first + had; i < first + count; i++) if (this.#taken(i)) return false;
    this.#mark(first + had, count - had);
    this.#lengths[first] = count;
    return true;
  }

  /** Gives back the granules of the extent at `at` that lie behind its first `bytes`. */
  trim(at: number, bytes: number): void {
    const first = this.#granuleOf(at);
    const had = this.#lengths[first]!;
    const count = granulesOf(bytes);
    if (count >= had) return;
    this.#clear(first + count, had - count);
    this.#lengths[first] = count;
  }

  /** Gives back the extent at `at`. */
  free(at: number): void {
    const first = this.#granuleOf(at);
    this.#clear(first, this.#lengths[first]!);
    this.#lengths[first] = 0;
  }

  /** Index of the first granule of the extent at `at`; freeing twice or a wrong offset ends here. */
  #granuleOf(at: number): number {
    const granule = (at - this.#base) / granuleBytes;
    invariant(this.#lengths[granule]! > 0, "offset is the beginning of an extent in use");
    return granule;
  }

  #taken(granule: number): boolean {
    return (this.#map[granule >>> 5]! >>> (granule & 31) & 1) === 1;
  }

  /** First granule of the lowest run of `count` free ones, or -1. */
  #find(count: number): number {
    const map = this.#map;
    let run = 0;
    let start = 0;
    let word = this.#firstFreeWord;
    while (word < map.length && map[word] === fullWord) word++;
    this.#firstFreeWord = word;
    for (; word < map.length; word++) {
      const bits = map[word]!;
      if (bits === fullWord) {
        run = 0;
      } else if (bits === 0) {
        if (run === 0) start = word * wordBits;
        run += wordBits;
        if (run >= count) return start;
      } else {
        for (let bit = 0; bit < wordBits; bit++) {
          if ((bits >>> bit & 1) === 1) {
            run = 0;
          } else {
            if (run === 0) start = word * wordBits + bit;
            if (++run >= count) return start;
          }
        }
      }
    }
    return -1;
  }

  #mark(first: number, count: number): void {
    for (let i = first; i < first + count; i++) this.#map[i >>> 5]! |= 1 << (i & 31);
    this.#used += count;
    if (first + count > this.#highWater) this.#highWater = first + count;
  }

  #clear(first: number, count: number): void {
    for (let i = first; i < first + count; i++) this.#map[i >>> 5]! &= ~(1 << (i & 31));
    this.#used -= count;
    if (first >>> 5 < this.#firstFreeWord) this.#firstFreeWord = first >>> 5;
  }
}

function granulesOf(bytes: number): number {
  return Math.max(1, Math.ceil(bytes / granuleBytes));
}
