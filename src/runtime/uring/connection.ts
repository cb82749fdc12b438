/**
 * A TCP connection in a ring: one multishot receive is under way while it is read. Hot path: one call per received
 * chunk, and a view of it is all that is made.
 *
 * `pause` cancels the receive when the next look begins, unless it was resumed by then. What was received before waits
 * here in its buffers. The socket is closed when the last request on it has ended.
 *
 * @module
 */
import { errnoError } from "../address.ts";
import { formatSockaddr } from "../descriptor_datagrams.ts";
import { Gate } from "../gate.ts";
import type { Connection, ConnectionHandler } from "../runtime.ts";
import type { RingUser, UringLoop } from "./loop.ts";
import { bufferGroup } from "./receive_buffers.ts";
import { completionFlag, operation, requestFlag } from "./ring.ts";

const kindReceive = 1;
const kindWritable = 2;
const POLLOUT = 4;
const EAGAIN = 11;
const ENOBUFS = 105;
const ECANCELED = 125;

/** Bytes that were received while nobody wanted them. Buffer -1: they are a copy. */
interface Waiting {
  readonly chunk: Uint8Array;
  readonly buffer: number;
}

/** One accepted connection. */
export class UringConnection<State> implements Connection, RingUser {
  readonly peer: string;
  readonly #loop: UringLoop;
  readonly #fd: number;
  readonly #slot: number;
  readonly #gate: Gate<State>;
  readonly #answers: boolean;
  readonly #left: (connection: UringConnection<State>) => void;
  /** Requests without their last completion. */
  #requests = 0;
  #receiving = false;
  #cancelling = false;
  /** The receive under way had a buffer. */
  #hadSome = false;
  #awaitsWritable = false;
  #reminded = false;
  /** The buffer of the chunk that the handler has until `resume`; -1 where there is none. */
  #lent = -1;
  #waiting: Waiting[] = [];
  /** Nothing more will be received, and why. */
  #end: { readonly error: Error | undefined } | undefined;
  #destroyed = false;
  #closed = false;
  /** What the socket did not take of the bytes that were written. */
  readonly #unsent: Uint8Array[] = [];
  unsentBytes = 0;
  #ending = false;
  #noDelay = false;

  /** `left` is called when its socket is closed. */
  constructor(
    loop: UringLoop,
    fd: number,
    handler: ConnectionHandler<State>,
    left: (connection: UringConnection<State>) => void,
  ) {
    this.#loop = loop;
    this.#fd = fd;
    this.#left = left;
    this.#slot = loop.enter(this);
    this.#answers = handler.halfClosed !== undefined;
    const address = loop.calls.peerAddress(fd);
    this.peer = address.length === 0 ? "unknown" : formatSockaddr(address);
    this.#gate = new Gate(handler, {
      pause: () => this.#remind(),
      resume: () => this.#goOn(),
      destroy: () => this.#destroy(),
    });
    if (!this.#gate.open(this)) {
      this.#destroyed = true;
      this.#closed = true;
      loop.calls.close(fd);
      loop.leave(this.#slot);
    } else if (!this.#destroyed && !this.#gate.paused) this.#receive();
  }

  /** Its socket is closed. */
  get isClosed(): boolean {
    return this.#closed;
  }

  pause(isDone?: boolean): void {
    this.#gate.pause(isDone);
  }

  resume(): void {
    const lent = this.#lent;
    this.#lent = -1;
    this.#gate.resume();
    if (lent >= 0) this.#loop.buffers.give(lent);
  }

  write(bytes: Uint8Array): void {
    if (this.#gate.ended || this.#ending) return;
    if (!this.#noDelay) this.#loop.calls.noDelay(this.#fd);
    this.#noDelay = true;
    const sent = this.unsentBytes === 0 ? this.#send(bytes) : 0;
    if (sent === bytes.length) return;
    // A Buffer's slice would be a view; the bytes do not change, so a view is all it takes.
    this.#unsent.push(sent === 0 ? bytes : bytes.subarray(sent));
    this.unsentBytes += bytes.length - sent;
    this.#awaitWritable();
  }

  end(): void {
    if (this.#gate.ended || this.#ending) return;
    this.#ending = true;
    if (this.unsentBytes === 0) this.#shutdown();
  }

  destroy(): void {
    this.#gate.destroy();
  }

  /** @see RingUser */
  completed(kind: number, result: number, flags: number): number {
    const more = (flags & completionFlag.more) !== 0;
    if (!more) this.#requests -= 1;
    let bytes = 0;
    if (kind === kindReceive) {
      if (!more) this.#receiving = false;
      bytes = this.#received(result, flags);
    } else if (kind === kindWritable) {
      this.#awaitsWritable = false;
      if (!this.#destroyed) this.#sendUnsent();
    } else this.#cancelling = false;
    if (this.#destroyed) this.#closeIfDone();
    return bytes;
  }

  /** @see RingUser */
  reminded(): void {
    this.#reminded = false;
    if (this.#destroyed) return;
    if (!this.#gate.paused) this.#receive();
    else if (this.#receiving && !this.#cancelling) this.#cancel(kindReceive);
  }

  #received(result: number, flags: number): number {
    const { buffers } = this.#loop;
    if ((flags & completionFlag.buffer) !== 0) {
      const buffer = flags >>> 16;
      this.#hadSome = true;
      const view = buffers.taken(buffer, Math.max(0, result));
      if (result <= 0 || this.#gate.ended) buffers.give(buffer);
      else this.#take(view, buffer);
    }
    if (this.#gate.ended) return 0;
    if (result > 0) this.#goOnReceiving();
    else if (result === -ENOBUFS) this.#loop.starved(this, this.#hadSome);
    else if (result === -ECANCELED) this.#goOnReceiving();
    else {
      const error = result === 0 ? undefined : errnoError(-result);
      this.#end = { error };
      if (this.#waiting.length === 0) this.#endOfStream();
    }
    return Math.max(0, result);
  }

  #take(view: Uint8Array, buffer: number): void {
    const { buffers } = this.#loop;
    let chunk = view;
    if (buffers.scarce) {
      chunk = new Uint8Array(view);
      buffers.give(buffer);
      buffer = -1;
    }
    if (this.#gate.paused || this.#waiting.length > 0) this.#waiting.push({ chunk, buffer });
    else this.#deliver(chunk, buffer);
  }

  #deliver(chunk: Uint8Array, buffer: number): void {
    this.#gate.take(chunk);
    if (buffer < 0) return;
    if (this.#gate.lends) this.#lent = buffer;
    else this.#loop.buffers.give(buffer);
  }

  /** The handler wants to be called again. */
  #goOn(): void {
    while (this.#waiting.length > 0) {
      if (this.#gate.paused || this.#gate.ended) return;
      const { chunk, buffer } = this.#waiting.shift()!;
      this.#deliver(chunk, buffer);
    }
    if (this.#gate.paused || this.#gate.ended) return;
    if (this.#end !== undefined) this.#endOfStream();
    else this.#receive();
  }

  #goOnReceiving(): void {
    if (!this.#receiving && !this.#gate.paused) this.#receive();
  }

  #receive(): void {
    if (this.#receiving || this.#end !== undefined) return;
    this.#receiving = true;
    this.#hadSome = false;
    this.#request(operation.recv, kindReceive, requestFlag.recvMultishot, 0, requestFlag.bufferSelect);
  }

  #remind(): void {
    if (this.#reminded || !this.#receiving) return;
    this.#reminded = true;
    this.#loop.remind(this);
  }

  /** All that came was delivered. */
  #endOfStream(): void {
    const { error } = this.#end!;
    if (error === undefined && this.#answers && !this.#gate.ended) {
      if (this.#ending && this.unsentBytes === 0) this.#gate.destroy();
      else this.#gate.halfClose();
      return;
    }
    // Who paused has the last chunk still; the end waits for `resume`.
    if (this.#gate.paused) return;
    this.#destroy();
  }

  #send(bytes: Uint8Array): number {
    const sent = this.#loop.calls.send(this.#fd, bytes);
    if (sent >= 0) return sent;
    // What is wrong with the socket is told by the receive.
    return sent === -EAGAIN ? 0 : bytes.length;
  }

  #sendUnsent(): void {
    while (this.#unsent.length > 0) {
      const bytes = this.#unsent[0]!;
      const sent = this.#send(bytes);
      this.unsentBytes -= sent;
      if (sent < bytes.length) {
        this.#unsent[0] = bytes.subarray(sent);
        return this.#awaitWritable();
      }
      this.#unsent.shift();
    }
    if (this.#ending) this.#shutdown();
    else this.#gate.drain();
  }

  #shutdown(): void {
    this.#loop.calls.shutdownWrite(this.#fd);
    if (this.#end !== undefined && this.#waiting.length === 0) this.#gate.destroy();
  }

  #awaitWritable(): void {
    if (this.#awaitsWritable) return;
    this.#awaitsWritable = true;
    this.#request(operation.pollAdd, kindWritable, 0, POLLOUT, 0);
  }

  #request(op: number, kind: number, ioprio: number, opFlags: number, flags: number): void {
    this.#requests += 1;
    this.#loop.request({ op, fd: this.#fd, slot: this.#slot, kind, ioprio, opFlags, flags, bufferGroup });
  }

  #cancel(kind: number): void {
    this.#cancelling = true;
    this.#requests += 1;
    this.#loop.cancel(this.#slot, kind);
  }

  /** The gate is ended, or ends now. */
  #destroy(): void {
    if (this.#destroyed) return;
    this.#destroyed = true;
    for (const { buffer } of this.#waiting) if (buffer >= 0) this.#loop.buffers.give(buffer);
    this.#waiting = [];
    this.#unsent.length = 0;
    this.unsentBytes = 0;
    if (this.#receiving && !this.#cancelling) this.#cancel(kindReceive);
    if (this.#awaitsWritable) this.#cancel(kindWritable);
    this.#closeIfDone();
  }

  #closeIfDone(): void {
    if (this.#requests > 0 || this.#closed) return;
    this.#closed = true;
    this.#loop.calls.close(this.#fd);
    this.#loop.leave(this.#slot);
    this.#left(this);
    this.#gate.finish(this.#end?.error);
  }
}
