/**
 * Lines and rejected batches on their way into the dead letter, with the ledger kept.
 *
 * A dead-lettered copy is in flight until it is in the file. `full` means backpressure: the intake stops reading.
 * A rejected batch keeps its memory until its records are in the file.
 *
 * @module
 */
import { type Receipt, settleReceipts } from "../batch/receipt.ts";
import type { BatchOutcome, ClosedBatch } from "../batch/record_batch.ts";
import { counter, type CounterRow } from "../observe/row.ts";
import type { DeadLetter, Letter } from "../sink/dead_letter.ts";
import type { TopicCounts } from "./topic_counts.ts";

/** What the letters join. */
export interface LettersParts {
  readonly deadLetter: DeadLetter;
  readonly counters: CounterRow;
  readonly topics: TopicCounts;
  /** Gives back the memory of a batch whose records are in the file. */
  readonly release: (batch: ClosedBatch) => void;
}

/** The way into the dead letter of one worker. */
export class Letters {
  readonly #parts: LettersParts;

  constructor(parts: LettersParts) {
    this.#parts = parts;
  }

  /** Looks at the file, so that trouble shows before the first letter. */
  start(): void {
    this.#parts.deadLetter.start();
  }

  /** True while nothing more can be taken. */
  get full(): boolean {
    return this.#parts.deadLetter.full;
  }

  /** Why nothing can be written, in words for an operator. */
  get problem(): string | undefined {
    return this.#parts.deadLetter.status().problem;
  }

  /** Takes one line (a copy of it), for which an answer may wait; false: no room now. */
  write(letter: Letter, receipt?: Receipt): boolean {
    const { deadLetter, counters, topics } = this.#parts;
    const { topic } = letter;
    const taken = deadLetter.write(letter, () => {
      this.#settled(1);
      if (topic !== undefined) topics.deadLettered(topic, 1);
      receipt?.settled(false);
    });
    if (!taken) return false;
    counters.add(counter.in_flight, 1);
    receipt?.attached();
    return true;
  }

  /** Takes a batch that the sink rejected. */
  takeBatch(batch: ClosedBatch, outcome: BatchOutcome & { kind: "rejected" }): void {
    const { deadLetter, topics, release } = this.#parts;
    deadLetter.writeBatch(batch, outcome.reason, outcome.message, () => {
      this.#settled(batch.count);
      topics.deadLettered(batch.topic, batch.count);
      settleReceipts(batch, outcome);
      release(batch);
    });
  }

  close(): Promise<void> {
    return this.#parts.deadLetter.close();
  }

  #settled(lines: number): void {
    const { counters } = this.#parts;
    counters.add(counter.in_flight, -lines);
    counters.add(counter.dead_lettered, lines);
    counters.publish();
  }
}
