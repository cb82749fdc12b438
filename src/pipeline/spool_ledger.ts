/**
 * What the spool's stage tells the ledger: a batch is in flight while it is in memory, and spooled while the disk
 * alone has it. `in_flight_on_disk` counts those in flight that the disk has too.
 *
 * @module
 */
import type { ClosedBatch } from "../batch/record_batch.ts";
import { counter, type CounterRow } from "../observe/row.ts";
import type { Damage } from "../spool/spool.ts";
import type { WorkerLog } from "./protocol.ts";

/** The spool's side of one worker's counters. */
export class SpoolLedger {
  readonly #counters: CounterRow;
  readonly #log: WorkerLog;

  constructor(counters: CounterRow, log: WorkerLog) {
    this.#counters = counters;
    this.#log = log;
  }

  /** What earlier processes left was found. */
  found(records: number): void {
    this.#counters.add(counter.replayed, records);
    this.#counters.add(counter.spooled, records);
    this.#counters.publish();
  }

  /** A batch in memory is on the disk, too. */
  committed({ count }: ClosedBatch): void {
    this.#counters.add(counter.in_flight_on_disk, count);
  }

  /** A batch that the disk has is delivered, or its records are in the dead letter. */
  settled({ count }: ClosedBatch): void {
    this.#counters.add(counter.in_flight_on_disk, -count);
  }

  /** A batch that the disk has left the memory. */
  gaveUp(batch: ClosedBatch): void {
    this.#counters.add(counter.in_flight_on_disk, -batch.count);
    this.spooled(batch);
  }

  /** A batch that was in memory alone is on the disk alone. */
  spooled({ count }: ClosedBatch): void {
    this.#counters.add(counter.in_flight, -count);
    this.#counters.add(counter.spooled, count);
  }

  /** A batch was read back. */
  readBack({ count }: ClosedBatch): void {
    this.#counters.add(counter.spooled, -count);
    this.#counters.add(counter.in_flight, count);
    this.#counters.add(counter.in_flight_on_disk, count);
    this.#counters.publish();
  }

  /** Something in the spool is damaged. */
  damaged({ counted, records, reason, batches, path, message }: Damage): void {
    const kept = path === undefined ? {} : { path };
    // The end of a file that a crash cut off was never committed.
    const level = reason === "torn" ? "info" : "error";
    this.#log("spool_damaged", { reason, batches, records, message, ...kept }, level);
    if (!counted) return;
    this.#counters.add(counter.spooled, -records);
    this.#counters.add(counter.dropped_spool_damaged, records);
    this.#counters.publish();
  }
}
