/**
 * Chunks that wait with their streams: memory of the runtime that is pinned while a connection is paused. Over their
 * bound all connections are paused, so that no more can come to it.
 *
 * @module
 */
import type { Stream } from "./stream.ts";

/** Chunks that paused connections may pin before all others are paused too; a chunk of Bun's is at most 512 KiB. */
const heldBytesMax = 4 * 1024 * 1024;

/** The chunks of one worker that wait. */
export class HeldChunks {
  readonly #streams: ReadonlySet<Stream>;
  #bytes = 0;
  #allPaused = false;

  /** `streams` are all of the worker's. */
  constructor(streams: ReadonlySet<Stream>) {
    this.#streams = streams;
  }

  /** Bytes of all chunks that wait. */
  get bytes(): number {
    return this.#bytes;
  }

  /** True while no connection is read. */
  get allPaused(): boolean {
    return this.#allPaused;
  }

  /** A stream waits, and its chunk with it. */
  add({ heldBytes }: Stream): void {
    this.#bytes += heldBytes;
    if (this.#bytes <= heldBytesMax || this.#allPaused) return;
    this.#allPaused = true;
    for (const stream of this.#streams) if (stream.state === "reading") stream.connection.pause();
  }

  /** A stream goes on with its chunk. */
  delete({ heldBytes }: Stream): void {
    this.#bytes -= heldBytes;
  }

  /** Streams went on: connections are read again where half of the bound is free. */
  resume(): void {
    if (!this.#allPaused || this.#bytes > heldBytesMax / 2) return;
    this.#allPaused = false;
    for (const stream of this.#streams) if (stream.state === "reading") stream.connection.resume();
  }
}
