/**
 * Lines that wait for a continuation (`join`): the sender may have said all, and nothing comes to tell. A line that has
 * waited for long enough goes on as it is.
 *
 * @module
 */
import type { CounterRow } from "../observe/row.ts";
import type { Stream } from "./stream.ts";

/** How often they are looked after. */
const lookMs = 50;

/** What the books of such lines join. */
export interface LineJoinsParts {
  readonly counters: CounterRow;
  /** Takes the line that waits in the stream's framer. */
  goOn(stream: Stream): void;
}

/** The lines of one worker that wait for a continuation. */
export class LineJoins {
  readonly #parts: LineJoinsParts;
  /** Streams with such a line. */
  readonly #streams = new Set<Stream>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(parts: LineJoinsParts) {
    this.#parts = parts;
  }

  /** A chunk of the stream was taken: a line that waits does so from the last byte on. */
  watch(stream: Stream): void {
    if (stream.state !== "reading" || stream.framer.holds !== true) {
      this.#streams.delete(stream);
      return;
    }
    stream.joinUntilMs = performance.now() + stream.options.joinWaitMs;
    this.#streams.add(stream);
    this.#arm();
  }

  #arm(): void {
    this.#timer ??= setTimeout(this.#look, lookMs);
  }

  /** Lets lines go on that have waited for long enough. */
  readonly #look = (): void => {
    this.#timer = undefined;
    const nowMs = performance.now();
    for (const stream of [...this.#streams]) {
      // One that waits for room has its turn there.
      if (stream.state === "reading" && nowMs < stream.joinUntilMs) continue;
      this.#streams.delete(stream);
      if (stream.state === "reading") this.#parts.goOn(stream);
    }
    if (this.#streams.size > 0) this.#arm();
    this.#parts.counters.publish();
  };
}
