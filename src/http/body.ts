/**
 * The body of one request, gathered as it comes: so many bytes, or chunked. It grows with what has come and not with
 * what was announced, so that an announcement costs nothing.
 *
 * @module
 */
import type { Budget } from "./budget.ts";
import { ChunkedBody } from "./chunked.ts";

/** The first piece of memory of a body. */
const firstBytes = 4 * 1024;
/** A body of which so much has come gets memory for all of it: to grow by halves would cost as much again. */
const earnestBytes = 32 * 1024;
/** Less is copied byte by byte: a view of it would cost more. */
const viewBytesMin = 16;
/** The memory of larger bodies is given back at once, and not left to the garbage collector. */
const detachedBytesMin = 16 * 1024;

/** Why a body cannot be read on. */
export type BodyFault = "broken" | "too_large" | "no_memory";

/** A body that is not whole yet. */
export class Body {
  /** Bytes that have come. */
  length = 0;
  done = false;
  fault: BodyFault | undefined;
  /** When it began, on the monotonic clock. */
  readonly sinceMs: number;
  readonly #budget: Budget;
  readonly #chunked: ChunkedBody | undefined;
  /** Bytes at the end; with chunks the most there may be. */
  readonly #bytesMax: number;
  #bytes: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  #taken = 0;

  /** `contentLength` is -1 where the body is chunked. */
  constructor(contentLength: number, bytesMax: number, budget: Budget, nowMs: number) {
    this.sinceMs = nowMs;
    this.#budget = budget;
    this.#chunked = contentLength < 0 ? new ChunkedBody() : undefined;
    this.#bytesMax = contentLength < 0 ? bytesMax : contentLength;
  }

  /**
   * Takes from [at, chunk.length) what belongs to it; returns where that ends, or before it where the body is chunked
   * and more than `piecesMax` pieces of data are there.
   */
  read(chunk: Uint8Array, at: number, piecesMax: number): number {
    if (this.#chunked === undefined) {
      const end = Math.min(chunk.length, at + this.#bytesMax - this.length);
      this.#append(chunk, at, end);
      this.done = this.length === this.#bytesMax;
      return end;
    }
    const end = this.#chunked.read(chunk, at, piecesMax, (from, to) => this.#append(chunk, from, to));
    if (this.#chunked.broken) this.fault ??= "broken";
    this.done = this.#chunked.done;
    return end;
  }

  /** Pieces of data in the last `read`. */
  get pieces(): number {
    return this.#chunked?.pieces ?? 0;
  }

  /** All of it. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.length);
  }

  /** Gives its memory back: nobody may look at `bytes` any more. */
  release(): void {
    this.#budget.give(this.#taken);
    this.#taken = 0;
    if (this.#bytes.length >= detachedBytesMin) this.#bytes.buffer.transfer(0);
    this.#bytes = new Uint8Array(0);
  }

  #append(chunk: Uint8Array, from: number, to: number): void {
    if (this.fault !== undefined) return;
    const need = this.length + to - from;
    if (need > this.#bytesMax) {
      this.fault = "too_large";
      return;
    }
    if (need > this.#bytes.length && !this.#grow(need)) {
      this.fault = "no_memory";
      return;
    }
    if (to - from >= viewBytesMin) this.#bytes.set(chunk.subarray(from, to), this.length);
    else for (let at = from, place = this.length; at < to;) this.#bytes[place++] = chunk[at++]!;
    this.length = need;
  }

  #grow(need: number): boolean {
    const isAnnounced = this.#chunked === undefined && need >= earnestBytes;
    const wanted = isAnnounced ? this.#bytesMax : Math.max(need, firstBytes, this.#bytes.length * 2);
    const size = Math.min(this.#bytesMax, wanted);
    if (!this.#budget.take(size - this.#taken)) return false;
    this.#taken = size;
    const grown = new Uint8Array(size);
    grown.set(this.#bytes.subarray(0, this.length));
    if (this.#bytes.length >= detachedBytesMin) this.#bytes.buffer.transfer(0);
    this.#bytes = grown;
    return true;
  }
}
