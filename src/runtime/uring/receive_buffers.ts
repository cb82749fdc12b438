/**
 * The receive buffers of one ring: a region of memory in equal strides, of which the kernel gets some at a time through
 * a ring of provided buffers (io_uring_register_buf_ring(3)). It fills one with what a socket has, and says which.
 *
 *     stride: [head, free for the half frame of the connection][bytes as received]
 *
 * How many the kernel has follows what is needed: with few the same memory is used again while it is in the caches,
 * with many hundreds of small senders are read in one go. `grow` doubles it when the kernel ran out, and a quiet
 * stretch halves it.
 *
 * A buffer that was filled belongs to its reader until `give`. When less than a quarter of all is left, `scarce` says
 * that readers should copy and give at once, so that those who wait cannot keep others from being read.
 *
 *     entry, 16 bytes: addr u64, len u32, id u16, and in the first one the ring's tail u16
 *
 * @module
 */
import { invariant } from "../../core/invariant.ts";
import type { Mapped, UringCalls } from "./calls.ts";
import type { Ring } from "./ring.ts";

/** Where sockets are read into. The memory must never move. */
export interface ReceiveMemory {
  readonly bytes: Uint8Array;
  readonly at: number;
  /** Strides; a power of two. */
  readonly count: number;
  /** Bytes before and in each buffer. */
  readonly headBytes: number;
  readonly bufferBytes: number;
}

const IORING_REGISTER_PBUF_RING = 22;
/** Buffers that the kernel has at first, and at least. */
const providedMin = 16;
/** Looks between two thoughts about giving the kernel fewer. */
const quietLooks = 1024;

/** The group of buffers in requests. */
export const bufferGroup = 1;

/** The buffers of one ring. */
export class ReceiveBuffers {
  readonly #memory: ReceiveMemory;
  readonly #calls: UringCalls;
  readonly #base: number;
  readonly #strideBytes: number;
  readonly #entries: Mapped;
  readonly #words: Uint32Array;
  readonly #halves: Uint16Array;
  /** Not with the kernel and not with a reader; the last one given is the next one taken. */
  readonly #free: number[] = [];
  #tail = 0;
  #target = providedMin;
  #provided = 0;
  #lowest = providedMin;
  #looks = 0;
  #grown = false;

  /** @throws Error where the kernel refuses */
  constructor(calls: UringCalls, ring: Ring, memory: ReceiveMemory) {
    invariant((memory.count & (memory.count - 1)) === 0, "a power of two of receive buffers");
    this.#calls = calls;
    this.#memory = memory;
    this.#strideBytes = memory.headBytes + memory.bufferBytes;
    this.#base = calls.addressOf(memory.bytes) + memory.at + memory.headBytes;
    this.#entries = calls.mapPages(Math.max(4096, memory.count * 16));
    this.#words = new Uint32Array(this.#entries.buffer);
    this.#halves = new Uint16Array(this.#entries.buffer);
    const registration = new Uint32Array(10);
    registration[0] = this.#entries.address >>> 0;
    registration[1] = Math.floor(this.#entries.address / 2 ** 32);
    registration[2] = memory.count;
    registration[3] = bufferGroup;
    const bytes = new Uint8Array(registration.buffer);
    const result = calls.register(ring.fd, IORING_REGISTER_PBUF_RING, bytes, 1);
    if (result < 0) {
      calls.unmap(this.#entries);
      throw new Error(`io_uring_register of provided buffers failed with errno ${-result}`);
    }
    for (let id = memory.count - 1; id >= 0; id--) this.#free.push(id);
    this.provide();
  }

  /** Whether readers should copy what they want to keep. */
  get scarce(): boolean {
    return this.#free.length + this.#provided < this.#memory.count / 4;
  }

  /** Whether all buffers are free or with the kernel. */
  get whole(): boolean {
    return this.#free.length + this.#provided === this.#memory.count;
  }

  /** What was received into buffer `id`; the caller gives it back. */
  taken(id: number, bytes: number): Uint8Array {
    this.#provided -= 1;
    this.#lowest = Math.min(this.#lowest, this.#provided);
    const at = this.#memory.at + id * this.#strideBytes + this.#memory.headBytes;
    return this.#memory.bytes.subarray(at, at + bytes);
  }

  /** Nobody looks at buffer `id` any more. */
  give(id: number): void {
    this.#free.push(id);
  }

  /** The kernel ran out of buffers, of which `users` sockets take turns. Counts once between two `provide`. */
  grow(users: number): void {
    if (this.#grown) return;
    this.#grown = true;
    // A few senders in a hurry want all that there are; the same memory again is faster than more of it.
    const useful = Math.min(this.#memory.count, Math.max(providedMin, 2 * users));
    if (this.#target < useful) this.#target *= 2;
    this.#looks = 0;
    this.#lowest = this.#target;
  }

  /** Whether the kernel has some. */
  get provides(): boolean {
    return this.#provided > 0;
  }

  /** Gives the kernel what it lacks. Once per look. */
  provide(): void {
    this.#grown = false;
    if (++this.#looks >= quietLooks) {
      if (this.#lowest > this.#target * 3 / 4) this.#target = Math.max(providedMin, this.#target / 2);
      this.#looks = 0;
      this.#lowest = this.#target;
    }
    if (this.#provided >= this.#target || this.#free.length === 0) return;
    const { count, bufferBytes } = this.#memory;
    while (this.#provided < this.#target && this.#free.length > 0) {
      const id = this.#free.pop()!;
      const at = this.#tail & (count - 1);
      const address = this.#base + id * this.#strideBytes;
      this.#words[at * 4] = address >>> 0;
      this.#words[at * 4 + 1] = Math.floor(address / 2 ** 32);
      this.#words[at * 4 + 2] = bufferBytes;
      this.#halves[at * 8 + 6] = id;
      this.#tail = (this.#tail + 1) & 0xffff;
      this.#provided += 1;
    }
    Atomics.store(this.#halves, 7, this.#tail);
  }

  /** After the ring is closed. */
  close(): void {
    this.#calls.unmap(this.#entries);
  }
}
