/**
 * The beginning of a frame whose rest has not arrived: a compact buffer per connection, held between chunks and
 * released as soon as the frame is whole. Bounded by the framer: never longer than a frame and its count.
 *
 * @module
 */
import { invariant } from "../core/invariant.ts";

/** Bytes of one unfinished frame. Exactly as large as they are, until bytes are appended: then it grows by doubling. */
export class HalfFrame {
  #buffer: Uint8Array | undefined;
  #length = 0;

  /** Bytes of the frame that are here. */
  get length(): number {
    return this.#length;
  }

  /** Memory that is held. */
  get heldBytes(): number {
    return this.#buffer === undefined ? 0 : this.#buffer.byteLength;
  }

  /** The bytes; valid until the next call. */
  get bytes(): Uint8Array {
    invariant(this.#buffer !== undefined, "there is a half frame");
    return this.#buffer.subarray(0, this.#length);
  }

  /** Copies the half frame out of the kernel's memory. */
  keep(memory: Uint8Array, start: number, end: number): void {
    if (start === end) return;
    invariant(this.#length === 0, "only one half frame is held");
    this.#buffer = memory.slice(start, end);
    this.#length = end - start;
  }

  /** Adds bytes that do not finish the frame. A frame that drips in costs its length, not the square of it. */
  append(chunk: Uint8Array, bytesMax: number): void {
    const length = this.#length + chunk.length;
    invariant(length <= bytesMax, "half frame respects its limit");
    if (length > this.heldBytes) {
      const grown = new Uint8Array(Math.min(bytesMax, Math.max(length, 2 * this.#length)));
      grown.set(this.bytes);
      this.#buffer = grown;
    }
    this.#buffer!.set(chunk, this.#length);
    this.#length = length;
  }

  /** Copies the bytes to `at` and lets them go; returns how many there were. */
  release(memory: Uint8Array, at: number): number {
    if (this.#buffer === undefined) return 0;
    const length = this.#length;
    memory.set(length === this.#buffer.byteLength ? this.#buffer : this.bytes, at);
    this.#buffer = undefined;
    this.#length = 0;
    return length;
  }
}
