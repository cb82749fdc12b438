/**
 * The sink `blackhole`: every batch is delivered, to nowhere. For measuring what comes before a sink.
 *
 * @module
 */
import type { ClosedBatch } from "../batch/record_batch.ts";
import type { Sink, SinkEvents, SinkStatus } from "./sink.ts";

/** What a blackhole is made of. */
export interface BlackholeSinkOptions {
  readonly events: SinkEvents;
}

/** Makes the sink `blackhole`. */
export function createBlackholeSink(options: BlackholeSinkOptions): Sink {
  return new BlackholeSink(options.events);
}

class BlackholeSink implements Sink {
  readonly name = "blackhole";
  readonly hungry = true;
  readonly #events: SinkEvents;
  #waiting: ClosedBatch[] = [];
  #bytesWaiting = 0;
  #batchesTaken = 0;
  #bytesTaken = 0;

  constructor(events: SinkEvents) {
    this.#events = events;
  }

  start(): void {}

  /** Settles after the caller returned, as every other sink does. */
  send(batch: ClosedBatch): void {
    this.#waiting.push(batch);
    this.#bytesWaiting += batch.end - batch.at;
    if (this.#waiting.length === 1) queueMicrotask(this.#swallow);
  }

  status(): SinkStatus {
    return {
      name: this.name,
      ready: true,
      batchesInFlight: this.#waiting.length,
      bytesInFlight: this.#bytesWaiting,
      details: { batches: this.#batchesTaken, bytes: this.#bytesTaken },
    };
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  readonly #swallow = (): void => {
    const batches = this.#waiting;
    this.#batchesTaken += batches.length;
    this.#bytesTaken += this.#bytesWaiting;
    this.#waiting = [];
    this.#bytesWaiting = 0;
    for (const batch of batches) this.#events.settled(batch, { kind: "delivered" });
  };
}
