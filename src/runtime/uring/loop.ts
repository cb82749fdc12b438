/**
 * Joins a ring with the event loop of its thread: hands completions to whoever asked for them, and decides when to
 * look for the next.
 *
 *     idle ──the ring's eventfd, polled off the loop (readiness.ts)──> look ──much came──> look in the next turn
 *      ^                                                                │ little came
 *      └────────── nothing came ──────────── look after lingerMs <──────┘
 *
 * Neither runtime can wait for an eventfd itself. A wake-up from another thread costs a few tens of microseconds, so
 * it is only used out of idleness: while bytes flow, looks follow each other in turns or a millisecond apart, and one
 * of them takes what many senders have sent. Idle it costs nothing.
 *
 * @module
 */
import { setImmediate } from "node:timers";
import { ForwarderError } from "../../core/errors.ts";
import { invariant } from "../../core/invariant.ts";
import { reportFault } from "../fault.ts";
import type { Libc } from "../libc.ts";
import type { Readiness, Watch } from "../readiness.ts";
import type { UringCalls } from "./calls.ts";
import { ReceiveBuffers, type ReceiveMemory } from "./receive_buffers.ts";
import { operation, Ring, type RingRequest } from "./ring.ts";

const IORING_REGISTER_EVENTFD = 4;

/** Between two looks while little comes: what many slow senders sent is read in one go. */
const lingerMs = 1;
/** Completions after which the next look is in the next turn. */
const busyCompletions = 32;
/** Bytes after which the next look is in the next turn. A sender in a hurry must not wait for a timer. */
const busyBytes = 16 * 1024;
/** Looks in turns that may find nothing before it counts as idle: senders in a hurry answer a window at once. */
const emptyLooksMax = 4;
/** A look ends after this, so that timers and other sockets have their turn. */
const lookMs = 4;
/** Completions between two looks at the clock. */
const clockEvery = 8;
/**
 * Since Linux 6.13 a call finishes 20 requests at most (IO_LOCAL_TW_DEFAULT_MAX); some of them may end in nothing. So
 * many completions of one call say that there may be more.
 */
const fullEnter = 16;
/** A wake-up that went missing costs this much at most. */
const lookAtLeastMs = 1_000;
/** At the end, requests that the kernel does not give back within this are left to it. */
const closeMs = 2_000;

/** Whoever has requests in the ring. */
export interface RingUser {
  /** A request of kind `kind` has a result; the last one unless `more`. Returns the bytes it received. */
  completed(kind: number, result: number, flags: number): number;
  /** Before requests are handed over: whether it still wants what it asked to be reminded of. */
  reminded?(): void;
}

/** What a loop is made of. */
export interface LoopParts {
  readonly calls: UringCalls;
  readonly libc: Libc;
  readonly readiness: Readiness;
  readonly memory: ReceiveMemory;
}

/** The kind of a request that cancels another: its user data. */
const cancelKind = 0;

/** One ring in one event loop. */
export class UringLoop {
  readonly calls: UringCalls;
  readonly buffers: ReceiveBuffers;
  readonly #libc: Libc;
  readonly #ring: Ring;
  readonly #eventFd: number;
  readonly #watch: Watch;
  readonly #users: (RingUser | undefined)[] = [];
  readonly #freeSlots: number[] = [];
  #used = 0;
  /** Those who ran out of buffers: first who got none at all. */
  #starved: RingUser[] = [];
  #fed: RingUser[] = [];
  /** Those who may want to cancel. */
  #reminders: RingUser[] = [];
  #armed = true;
  #immediate = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #net: ReturnType<typeof setInterval>;
  #looking = false;
  /** Looks that may still find nothing. */
  #patience = 0;
  #closed: Promise<void> | undefined;
  #emptied: (() => void) | undefined;
  #ended = false;
  /** How often it looked, was woken, and how many completions there were: for benchmarks and tests. */
  readonly counts = { looks: 0, wakes: 0, completions: 0, starvations: 0 };

  /** @throws ForwarderError `not_supported`, RingRefused, Error */
  constructor({ calls, libc, readiness, memory }: LoopParts) {
    this.calls = calls;
    this.#libc = libc;
    this.#ring = new Ring(calls);
    const eventFd = libc.eventFd();
    try {
      this.buffers = new ReceiveBuffers(calls, this.#ring, memory);
      const argument = new Uint8Array(new Int32Array([eventFd]).buffer);
      const result = calls.register(this.#ring.fd, IORING_REGISTER_EVENTFD, argument, 1);
      const watch = result < 0 ? undefined : readiness.watch(eventFd, () => this.#woken());
      if (watch === undefined) {
        throw new ForwarderError("not_supported", "Cannot watch an io_uring: no eventfd or too many watches");
      }
      this.#watch = watch;
    } catch (error) {
      this.#ring.close();
      libc.close(eventFd);
      throw error;
    }
    this.#eventFd = eventFd;
    this.#net = setInterval(() => this.#look(), lookAtLeastMs);
  }

  /** A place for `user`, which names it in its requests. */
  enter(user: RingUser): number {
    const slot = this.#freeSlots.pop() ?? this.#users.length;
    this.#users[slot] = user;
    this.#used += 1;
    return slot;
  }

  /** All requests under `slot` have ended. */
  leave(slot: number): void {
    this.#users[slot] = undefined;
    this.#freeSlots.push(slot);
    this.#used -= 1;
    if (this.#used === 0) this.#emptied?.();
  }

  /** Queues a request; it is handed over before this turn or the next one ends. */
  request(request: RingRequest): void {
    invariant(!this.#ended, "no request after the end of a ring");
    this.#ring.request(request);
    if (!this.#looking) this.soon();
  }

  /** Cancels the request `kind` of `slot`; one more completion, of kind 0, follows. */
  cancel(slot: number, kind: number): void {
    this.request({ op: operation.asyncCancel, fd: -1, slot, kind: cancelKind, addr: [slot, kind] });
  }

  /**
   * `user` had no buffer: it is reminded when there are some. The kernel serves requests in their order and each as
   * long as its socket has bytes, so those who had some stand behind those who had none.
   */
  starved(user: RingUser, hadSome: boolean): void {
    this.counts.starvations += 1;
    this.buffers.grow(this.#used);
    (hadSome ? this.#fed : this.#starved).push(user);
  }

  /** `user` is reminded before the next look. */
  remind(user: RingUser): void {
    this.#reminders.push(user);
  }

  /** Looks in the next turn. */
  soon(): void {
    if (this.#immediate || this.#ended) return;
    this.#immediate = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    setImmediate(this.#turn);
  }

  /** Ends the ring when all who used it have left. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    if (this.#used > 0) {
      await new Promise<void>((resolve) => {
        this.#emptied = resolve;
        timer = setTimeout(resolve, closeMs);
        this.soon();
      });
    }
    clearTimeout(timer);
    clearTimeout(this.#timer);
    clearInterval(this.#net);
    const left = this.#used;
    this.#ended = true;
    await this.#watch.end();
    if (left > 0) {
      // The kernel may still write: its memory stays mapped.
      reportFault("uring.close", new Error(`${left} requests did not end within ${closeMs} ms`));
      this.calls.close(this.#ring.fd);
    } else {
      this.#ring.close();
      this.buffers.close();
    }
    this.#libc.close(this.#eventFd);
  }

  get #starves(): boolean {
    return this.#starved.length + this.#fed.length > 0;
  }

  readonly #turn = (): void => {
    this.#immediate = false;
    this.#look();
  };

  #woken(): void {
    this.#armed = false;
    this.counts.wakes += 1;
    this.#look();
  }

  #look(): void {
    if (this.#ended || this.#looking) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.counts.looks += 1;
    this.#looking = true;
    const reminders = this.#reminders;
    if (reminders.length > 0) {
      this.#reminders = [];
      for (const user of reminders) user.reminded!();
    }
    this.buffers.provide();
    if (this.#starves && this.buffers.provides) {
      const starved = [...this.#starved, ...this.#fed];
      this.#starved = [];
      this.#fed = [];
      for (const user of starved) user.reminded!();
    }
    let completions = 0;
    let bytes = 0;
    const ring = this.#ring;
    ring.enter();
    if (!ring.ready) {
      // What signalled the eventfd until here is looked at; what comes later signals it again.
      this.#libc.drain(this.#eventFd);
      ring.enter();
    }
    const untilMs = performance.now() + lookMs;
    let entered = 0;
    while (ring.ready) {
      const { slot, kind, result, flags } = ring;
      ring.next();
      bytes += this.#users[slot]!.completed(kind, result, flags);
      if (++completions % clockEvery === 0 && performance.now() > untilMs) break;
      if (ring.ready || completions - entered < fullEnter) continue;
      entered = completions;
      this.buffers.provide();
      ring.enter();
    }
    this.counts.completions += completions;
    if (ring.pending > 0) {
      this.buffers.provide();
      ring.enter();
    }
    this.#looking = false;
    if (this.#immediate || this.#ended) return;
    if (
      ring.ready || completions >= busyCompletions || bytes >= busyBytes || this.#starves
    ) {
      this.#patience = emptyLooksMax;
      this.soon();
    } else if (completions === 0 && this.#patience > 0) {
      this.#patience -= 1;
      this.soon();
    } else if (completions > 0) this.#timer = setTimeout(() => this.#look(), lingerMs);
    else if (!this.#armed) {
      this.#armed = true;
      this.#watch.arm();
    }
  }
}
