/**
 * One io_uring: requests in, completions out. Used by the thread that made it, and by no other.
 *
 * The kernel writes to the same memory while JavaScript runs, so every index, and every word of a completion, is read
 * with `Atomics.load` and published with `Atomics.store`: a JIT that sees a plain load in a loop may hoist it (Bun's
 * does). The kernel does its work for us inside `enter` alone (DEFER_TASKRUN), so nothing interrupts the thread.
 *
 *     params, words:   0 sq_entries  1 cq_entries  2 flags  5 features
 *                      10.. sq_off: head tail ring_mask ring_entries flags dropped array
 *                      20.. cq_off: head tail ring_mask ring_entries overflow cqes
 *     request, 64 bytes:    op u8, flags u8, ioprio u16, fd i32, off u64, addr u64, len u32, op_flags u32,
 *                           user_data u64, buf_group u16, ...
 *     completion, 16 bytes: user_data u64, res i32, flags u32
 *
 * @module
 */
import type { Mapped, UringCalls } from "./calls.ts";

// linux/io_uring.h
const IORING_SETUP_CQSIZE = 1 << 3;
const IORING_SETUP_SUBMIT_ALL = 1 << 7;
const IORING_SETUP_SINGLE_ISSUER = 1 << 12;
const IORING_SETUP_DEFER_TASKRUN = 1 << 13;
const IORING_ENTER_GETEVENTS = 1;
const IORING_OFF_SQES = 0x10000000;
const paramsWords = 30;
const sqOffsets = 10;
const cqOffsets = 20;

/** Operations that are used. */
export const operation = { nop: 0, pollAdd: 6, accept: 13, asyncCancel: 14, recv: 27 } as const;

/** `IORING_CQE_F_*`: the buffer's number is in the upper half; the request goes on. */
export const completionFlag = { buffer: 1, more: 2 } as const;

/** Bits of a request. */
export const requestFlag = {
  /** `IOSQE_BUFFER_SELECT`: the kernel takes a buffer of `bufferGroup`. */
  bufferSelect: 1 << 5,
  /** `IORING_RECV_MULTISHOT` and `IORING_ACCEPT_MULTISHOT`, in ioprio. */
  recvMultishot: 1 << 1,
  acceptMultishot: 1 << 0,
} as const;

/** Requests that may wait to be submitted; more are submitted in between. */
const requestsMax = 512;
/** Completions that fit; what is more waits in the kernel, and ends its multishot request. */
const completionsMax = 4096;

/** One request. */
export interface RingRequest {
  readonly op: number;
  readonly fd: number;
  /** Low and high word of user_data. */
  readonly slot: number;
  readonly kind: number;
  readonly ioprio?: number;
  /** Two words. */
  readonly addr?: readonly [number, number];
  readonly opFlags?: number;
  readonly flags?: number;
  readonly bufferGroup?: number;
}

/** The system refused to make a ring. */
export class RingRefused extends Error {
  readonly errno: number;

  constructor(errno: number) {
    super(`io_uring_setup failed with errno ${errno}`);
    this.errno = errno;
  }
}

/** A ring. */
export class Ring {
  readonly fd: number;
  readonly #calls: UringCalls;
  readonly #rings: Mapped;
  readonly #requests: Mapped;
  readonly #words: Uint32Array;
  readonly #signed: Int32Array;
  readonly #requestWords: Uint32Array;
  readonly #entries: number;
  readonly #sqHead: number;
  readonly #sqTail: number;
  readonly #sqMask: number;
  readonly #cqHead: number;
  readonly #cqTail: number;
  readonly #cqMask: number;
  readonly #cqes: number;
  #tail = 0;
  #head = 0;
  #closed = false;

  /** @throws RingRefused, Error where memory cannot be mapped */
  constructor(calls: UringCalls) {
    const params = new Uint32Array(paramsWords);
    params[1] = completionsMax;
    params[2] = IORING_SETUP_CQSIZE | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_SINGLE_ISSUER |
      IORING_SETUP_DEFER_TASKRUN;
    const fd = calls.setup(requestsMax, params);
    if (fd < 0) throw new RingRefused(-fd);
    this.fd = fd;
    this.#calls = calls;
    const [sqEntries, cqEntries] = params as unknown as [number, number];
    this.#entries = sqEntries;
    const sq = (word: number) => params[sqOffsets + word]!;
    const cq = (word: number) => params[cqOffsets + word]!;
    try {
      const bytes = Math.max(sq(6) + sqEntries * 4, cq(5) + cqEntries * 16);
      this.#rings = calls.mapRing(fd, 0, bytes);
      this.#requests = calls.mapRing(fd, IORING_OFF_SQES, sqEntries * 64);
    } catch (error) {
      calls.close(fd);
      throw error;
    }
    this.#words = new Uint32Array(this.#rings.buffer, 0, this.#rings.buffer.byteLength >> 2);
    this.#signed = new Int32Array(this.#rings.buffer, 0, this.#rings.buffer.byteLength >> 2);
    this.#requestWords = new Uint32Array(this.#requests.buffer);
    this.#sqHead = sq(0) >> 2;
    this.#sqTail = sq(1) >> 2;
    this.#sqMask = this.#words[sq(2) >> 2]!;
    this.#cqHead = cq(0) >> 2;
    this.#cqTail = cq(1) >> 2;
    this.#cqMask = this.#words[cq(2) >> 2]!;
    this.#cqes = cq(5) >> 2;
    // The order of requests is the order of the array.
    for (let index = 0; index < sqEntries; index++) this.#words[(sq(6) >> 2) + index] = index;
    this.#tail = Atomics.load(this.#words, this.#sqTail);
    this.#head = Atomics.load(this.#words, this.#cqHead);
  }

  /** Requests that `enter` has not taken yet. */
  get pending(): number {
    return (this.#tail - Atomics.load(this.#words, this.#sqHead)) >>> 0;
  }

  /** Puts a request into the queue. */
  request(request: RingRequest): void {
    if (this.pending >= this.#entries) this.enter();
    const { addr = [0, 0] } = request;
    const words = this.#requestWords;
    const at = (this.#tail & this.#sqMask) * 16;
    words.fill(0, at, at + 16);
    words[at] = request.op | (request.flags ?? 0) << 8 | (request.ioprio ?? 0) << 16;
    words[at + 1] = request.fd;
    words[at + 4] = addr[0];
    words[at + 5] = addr[1];
    words[at + 7] = request.opFlags ?? 0;
    words[at + 8] = request.slot;
    words[at + 9] = request.kind;
    words[at + 10] = request.bufferGroup ?? 0;
    this.#tail = (this.#tail + 1) >>> 0;
    Atomics.store(this.#words, this.#sqTail, this.#tail);
  }

  /** Hands over what is queued and lets the kernel finish what it can; does not wait. -errno where it refused. */
  enter(): number {
    return this.#calls.enter(this.fd, this.pending, IORING_ENTER_GETEVENTS);
  }

  /** Whether a completion is there. */
  get ready(): boolean {
    return Atomics.load(this.#words, this.#cqTail) !== this.#head;
  }

  // The completion that is next, while `ready`.

  get slot(): number {
    return Atomics.load(this.#words, this.#completionAt);
  }

  get kind(): number {
    return Atomics.load(this.#words, this.#completionAt + 1);
  }

  get result(): number {
    return Atomics.load(this.#signed, this.#completionAt + 2);
  }

  get flags(): number {
    return Atomics.load(this.#words, this.#completionAt + 3);
  }

  /** The kernel may use its place again. */
  next(): void {
    this.#head = (this.#head + 1) >>> 0;
    Atomics.store(this.#words, this.#cqHead, this.#head);
  }

  get #completionAt(): number {
    return this.#cqes + (this.#head & this.#cqMask) * 4;
  }

  /** Frees it. Requests under way must have ended, or the kernel ends them some time later. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#calls.close(this.fd);
    this.#calls.unmap(this.#requests);
    this.#calls.unmap(this.#rings);
  }
}
