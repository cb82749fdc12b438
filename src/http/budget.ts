/**
 * Bytes that unfinished requests of a worker may hold together: heads and bodies that are not whole, and bodies that
 * wait to be taken. What does not fit is refused, so that memory stays bounded whatever clients send.
 *
 * @module
 */

/** A bound for bytes. */
export class Budget {
  readonly bytesMax: number;
  #bytes = 0;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  /** Bytes that are held. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Takes `bytes` if there is room for them. */
  take(bytes: number): boolean {
    if (this.#bytes + bytes > this.bytesMax) return false;
    this.#bytes += bytes;
    return true;
  }

  /** Gives back what was taken. */
  give(bytes: number): void {
    this.#bytes -= bytes;
  }
}
