/**
 * Batches that wait to be written as lines, and the cut through them: a piece of lines is made, written, and only
 * then done with. If the write fails, the same lines are made again.
 *
 *     push(batch)…  fill(lines) -> write -> commit(settle)      or, if the write failed, reset()
 *
 * @module
 */
import { openBatch } from "../batch/decode.ts";
import type { BatchOutcome, ClosedBatch } from "../batch/record_batch.ts";
import type { RecordReader } from "../batch/record_reader.ts";
import type { JsonLines } from "./json_lines.ts";

/** Adds the current record of `reader` to `lines`. */
export type RecordFormat = (lines: JsonLines, reader: RecordReader, batch: ClosedBatch) => void;

interface Entry {
  readonly batch: ClosedBatch;
  /** Records at the beginning that are left out. */
  readonly skip: number;
  /** Present from the first fill on. */
  reader: RecordReader | undefined;
  outcome: BatchOutcome;
}

/** A queue of batches in kernel memory, read as lines. */
export class BatchLines {
  readonly #memory: Uint8Array;
  readonly #format: RecordFormat;
  readonly #entries: Entry[] = [];
  /** Entries that the last fill used up. */
  #filled = 0;

  constructor(memory: Uint8Array, format: RecordFormat) {
    this.#memory = memory;
    this.#format = format;
  }

  /** Batches that are not committed. */
  get length(): number {
    return this.#entries.length;
  }

  /** Adds a batch, without its first `skip` records. */
  push(batch: ClosedBatch, skip = 0): void {
    this.#entries.push({ batch, skip, reader: undefined, outcome: { kind: "delivered" } });
  }

  /**
   * Adds lines until `lines` would hold more than `bytesMax`; a line is never cut, and goes alone if it is longer
   * than that and `lines` was empty. Returns the records added. A batch that cannot be read is used up, and will be
   * committed as rejected.
   */
  fill(lines: JsonLines, bytesMax: number): number {
    let records = 0;
    for (; this.#filled < this.#entries.length; this.#filled++) {
      const entry = this.#entries[this.#filled]!;
      const reader = entry.reader ?? this.#open(entry);
      if (reader === undefined) continue;
      for (;;) {
        const before = lines.length;
        if (before >= bytesMax && records > 0 && !reader.done) return records;
        if (!reader.next()) break;
        this.#format(lines, reader, entry.batch);
        if (lines.length > bytesMax && before > 0) {
          lines.cut(before);
          reader.unread();
          return records;
        }
        records++;
      }
      if (reader.fault !== undefined) entry.outcome = undecodable(reader.fault);
    }
    return records;
  }

  /** The lines of the last fill are where they belong: the batches that it used up are settled. */
  commit(settle: (batch: ClosedBatch, outcome: BatchOutcome) => void): void {
    const done = this.#entries.splice(0, this.#filled);
    this.#filled = 0;
    this.#entries[0]?.reader?.mark();
    for (const { batch, outcome } of done) settle(batch, outcome);
  }

  /** The lines of the last fill went nowhere: the next fill makes them again. */
  reset(): void {
    for (let i = 0; i <= this.#filled && i < this.#entries.length; i++) this.#entries[i]!.reader?.reset();
    this.#filled = 0;
  }

  #open(entry: Entry): RecordReader | undefined {
    const opened = openBatch(this.#memory, entry.batch);
    if (opened.ok) {
      for (let record = 0; record < entry.skip; record++) opened.records.next();
      opened.records.mark();
      return entry.reader = opened.records;
    }
    entry.outcome = undecodable(opened.fault);
    return undefined;
  }
}

function undecodable(fault: string): BatchOutcome {
  return {
    kind: "rejected",
    reason: "batch_undecodable",
    message: `Cannot read back a batch of ours: ${fault}`,
  };
}
