/**
 * Read buffers for connections that are read by a loop (Deno): small ones for all, large ones for the few that are
 * busy. 10,000 idle connections with 64 KiB each would hold 640 MiB, and with 4 KiB a full stream needs 16 times the
 * reads.
 *
 * A connection gets a large buffer after a read that filled its small one. It gives it back after a read so short
 * that the small one would have done; and, while more than half of the large ones are lent, after any read that did
 * not fill it, since such a read is the last one before silence.
 *
 * @module
 */

/** A syslog sender that is not in a hurry sends less at once. */
export const smallBufferBytes = 4 * 1024;

/** Larger ones gained nothing on loopback: a read seldom yields more. */
export const largeBufferBytes = 64 * 1024;

/** Large buffers of one thread, 16 MiB. */
export const largeBuffersMax = 256;

/** Lends buffers to the connections of one thread. */
export class ReadBuffers {
  /** Buffers that were given back. */
  readonly #free: Uint8Array[] = [];
  #lent = 0;

  /** Large buffers in use. */
  get lent(): number {
    return this.#lent;
  }

  /** The first buffer of a connection. */
  small(): Uint8Array {
    return new Uint8Array(smallBufferBytes);
  }

  /**
   * The buffer for the next read, given the one of the last read and how many bytes came. May hand `buffer` to
   * another connection: its content must not be needed any more.
   */
  next(buffer: Uint8Array, bytes: number): Uint8Array {
    if (buffer.length === smallBufferBytes) {
      if (bytes < smallBufferBytes || this.#lent >= largeBuffersMax) return buffer;
      this.#lent += 1;
      return this.#free.pop() ?? new Uint8Array(largeBufferBytes);
    }
    const short = bytes <= smallBufferBytes / 2;
    const scarce = this.#lent > largeBuffersMax / 2 && bytes < largeBufferBytes;
    if (!short && !scarce) return buffer;
    this.release(buffer, true);
    return this.small();
  }

  /** Takes the buffer of a closed connection back; `reusable` is false when someone may still look at it. */
  release(buffer: Uint8Array, reusable: boolean): void {
    if (buffer.length === smallBufferBytes) return;
    this.#lent -= 1;
    if (reusable) this.#free.push(buffer);
  }
}
