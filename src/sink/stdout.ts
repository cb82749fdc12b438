/**
 * The sink `stdout`: the lines of the file sink with their topic, on descriptor 1.
 *
 * A pipe takes part of a write, nothing for now (EAGAIN, where somebody made it non-blocking), or is gone (EPIPE);
 * the first two are gone on with where they stopped, the last is tried again for ever and said in `status()`.
 * Writes are off the loop, one at a time: while nobody reads, the sink holds what it has, says so in `status()`, and
 * everything else goes on.
 *
 * Several workers share descriptor 1, and a pipe may take their writes in pieces: `turn`, a word of shared memory,
 * lets one of them write at a time, so that lines stay whole.
 *
 * @module
 */
import type { BatchOutcome, ClosedBatch } from "../batch/record_batch.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { writeStdout } from "../runtime/stdout.ts";
import { BatchLines } from "./batch_lines.ts";
import { backoffMs, codeOf, ioProblem } from "../core/io_problem.ts";
import { JsonLines } from "./json_lines.ts";
import type { Sink, SinkEvents, SinkStatus } from "./sink.ts";

/** What a stdout sink is made of. */
export interface StdoutSinkOptions {
  readonly kernel: Kernel;
  readonly events: SinkEvents;
  /** One word of a SharedArrayBuffer, 0 at first, the same for all workers. */
  readonly turn?: Int32Array;
  /** Writes a part of `bytes` and tells how much; descriptor 1 if not given. */
  readonly write?: (bytes: Uint8Array, offset: number) => Promise<number>;
  /** Time that only goes forward; the process' own if not given. */
  readonly nowMs?: () => number;
}

/** What a Linux pipe holds; more would only wait in a thread. */
const pieceBytesMax = 64 * 1024;
/** Before a full pipe, or another worker's turn, is tried again. */
const againMs = 2;

/** A reader that takes nothing for so long is no reader: `status()` says so. */
const stallMs = 10_000;
/** What `close` gives a write in work, so that the last line is whole. */
const closeMs = 1000;

/** Makes the sink `stdout`. */
export function createStdoutSink(options: StdoutSinkOptions): Sink {
  return new StdoutSink(options);
}

class StdoutSink implements Sink {
  readonly name = "stdout";
  readonly #events: SinkEvents;
  readonly #queue: BatchLines;
  readonly #lines = new JsonLines(pieceBytesMax);
  readonly #turn: Int32Array | undefined;
  readonly #write: (bytes: Uint8Array, offset: number) => Promise<number>;
  readonly #nowMs: () => number;
  /** `abandoned`: closed, and what a write in work does is nobody's concern any more. */
  #state: "idle" | "writing" | "closed" | "abandoned" = "idle";
  /** When bytes were last taken, or began to wait. */
  #movedAtMs = 0;
  #task: Promise<void> = Promise.resolve();
  #endWait: (() => void) | undefined;
  #problem: string | undefined;
  #bytes = 0;
  #bytesWritten = 0;

  constructor(options: StdoutSinkOptions) {
    this.#events = options.events;
    this.#turn = options.turn;
    this.#write = options.write ?? ((bytes, offset) => writeStdout(bytes.subarray(offset)));
    this.#nowMs = options.nowMs ?? (() => performance.now());
    this.#queue = new BatchLines(
      options.kernel.bytes,
      (lines, reader, batch) => lines.addRecord(reader, batch.topic),
    );
  }

  get hungry(): boolean {
    return this.#state === "idle";
  }

  start(): void {}

  send(batch: ClosedBatch): void {
    this.#bytes += batch.end - batch.at;
    this.#queue.push(batch);
    if (this.#state !== "idle") return;
    this.#state = "writing";
    this.#movedAtMs = this.#nowMs();
    this.#task = this.#drain();
  }

  status(): SinkStatus {
    const problem = this.#problem ?? this.#stall();
    return {
      name: this.name,
      ready: problem === undefined,
      ...(problem === undefined ? {} : { problem }),
      batchesInFlight: this.#queue.length,
      bytesInFlight: this.#bytes,
      details: { bytes_written: this.#bytesWritten },
    };
  }

  /** Finishes the write in work, so that the last line is whole, unless nobody reads. */
  async close(): Promise<void> {
    this.#state = "closed";
    this.#endWait?.();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, closeMs);
    });
    await Promise.race([this.#task, late]);
    clearTimeout(timer);
    this.#state = "abandoned";
  }

  #stall(): string | undefined {
    if (this.#state !== "writing" || this.#nowMs() - this.#movedAtMs < stallMs) return undefined;
    return `Cannot write "stdout": nobody reads it, a write waits for more than ${stallMs / 1000} s`;
  }

  /** Writes until nothing waits. */
  async #drain(): Promise<void> {
    while (this.#queue.length > 0 && this.#state === "writing") {
      this.#lines.cut(0);
      this.#queue.fill(this.#lines, pieceBytesMax);
      if (!await this.#takeTurn()) return;
      const written = await this.#writeAll(this.#lines.bytes);
      this.#endTurn();
      if (!written || this.#isAbandoned()) return;
      this.#bytesWritten += this.#lines.length;
      this.#queue.commit((batch, outcome) => this.#settle(batch, outcome));
    }
    if (this.#state !== "writing") return;
    this.#state = "idle";
    this.#events.wants();
  }

  /** False: the sink was closed, and the reader is gone or does not read. */
  async #writeAll(bytes: Uint8Array): Promise<boolean> {
    let attempts = 0;
    for (let offset = 0; offset < bytes.length;) {
      try {
        offset += await this.#write(bytes, offset);
        this.#movedAtMs = this.#nowMs();
        this.#problem = undefined;
        attempts = 0;
      } catch (error) {
        if (this.#state !== "writing") return false;
        const full = codeOf(error) === "EAGAIN";
        if (!full) this.#problem = ioProblem("write", "stdout", error);
        await this.#wait(full ? againMs : backoffMs(attempts++));
      }
    }
    return true;
  }

  /** False: the sink was closed before its turn came. */
  async #takeTurn(): Promise<boolean> {
    if (this.#turn === undefined) return true;
    while (Atomics.compareExchange(this.#turn, 0, 0, 1) !== 0) {
      if (this.#state !== "writing") return false;
      await this.#wait(againMs);
    }
    return true;
  }

  /** A method, since the compiler does not see `close` change it in a wait. */
  #isAbandoned(): boolean {
    return this.#state === "abandoned";
  }

  #endTurn(): void {
    if (this.#turn !== undefined) Atomics.store(this.#turn, 0, 0);
  }

  /** Waits, but not past `close`. */
  #wait(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, delayMs);
      this.#endWait = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #settle(batch: ClosedBatch, outcome: BatchOutcome): void {
    this.#bytes -= batch.end - batch.at;
    this.#events.settled(batch, outcome);
  }
}
