/**
 * Writes to a socket whose writes are promises (Deno), one at a time and in order. What is written while one is under
 * way is sent in one piece after it.
 *
 * @module
 */

/** The part of a connection that is written to. */
export interface Writable {
  /** Bytes that were taken, at least one. */
  write(bytes: Uint8Array): Promise<number>;
  /** Sends FIN. */
  closeWrite(): Promise<void>;
}

/** Output of one connection. A failed write ends the output and nothing else: the reading side sees why. */
export class WriteLoop {
  readonly #conn: Writable;
  readonly #drained: () => void;
  #waiting: Uint8Array[] = [];
  #ending = false;
  #running = false;
  /** FIN is sent behind everything, or the socket takes nothing any more. */
  ended = false;
  unsentBytes = 0;

  /** `drained` is called when all was sent, and at the end. */
  constructor(conn: Writable, drained: () => void) {
    this.#conn = conn;
    this.#drained = drained;
  }

  write(bytes: Uint8Array): void {
    if (this.#ending || this.ended || bytes.length === 0) return;
    this.unsentBytes += bytes.length;
    this.#waiting.push(bytes);
    if (!this.#running) void this.#run();
  }

  end(): void {
    if (this.#ending) return;
    this.#ending = true;
    if (!this.#running) void this.#run();
  }

  async #run(): Promise<void> {
    this.#running = true;
    try {
      while (this.#waiting.length > 0) {
        let bytes = this.#waiting.length === 1 ? this.#waiting[0]! : joined(this.#waiting);
        this.#waiting = [];
        while (bytes.length > 0) {
          const sent = await this.#conn.write(bytes);
          this.unsentBytes -= sent;
          bytes = bytes.subarray(sent);
        }
      }
      if (this.#ending) {
        this.ended = true;
        await this.#conn.closeWrite();
      }
    } catch {
      // The peer is gone, or we closed the socket.
      this.ended = true;
      this.#waiting = [];
      this.unsentBytes = 0;
    }
    this.#running = false;
    this.#drained();
  }
}

function joined(chunks: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}
