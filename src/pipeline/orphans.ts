/**
 * Waits that nothing will wake: found in two scans, told, counted, and ended, so that a lost wake-up within corndog
 * costs a minute and a line in the log instead of a hang that nobody can see.
 *
 * A batch is given to the sink again: whether it was delivered is not known, so that it may be there twice, and never
 * not at all. A connection is ended; its sender sends again. A request has a deadline of its own.
 *
 * @module
 */
import { flightKind, type FlightRecorder } from "../observe/flight.ts";
import type { LostWaits } from "../observe/inflight.ts";
import { type Orphan, type StageName, stageNames, type StageTable } from "../observe/stage_table.ts";
import { type BatchWaits, WaitingBatch } from "./batch_waits.ts";
import type { WorkerLog } from "./protocol.ts";

/** An orphan that is older is ended. */
const orphanMsMax = 10_000;
/** Scans are this far apart. */
export const orphanScanMs = 1_000;

/** What the keeper of orphans joins. */
export interface OrphansParts {
  readonly waits: StageTable;
  readonly batches: BatchWaits;
  readonly flight: FlightRecorder;
  readonly log: WorkerLog;
  /** Gives a batch to the sink again. */
  resend(batch: WaitingBatch["batch"]): void;
  /** Ends what a connection's wait belongs to. */
  endConnection(id: number): void;
}

/** The orphans of one worker. */
export class Orphans {
  readonly #parts: OrphansParts;
  #total = 0;
  readonly #byStage = new Map<StageName, number>();
  #scannedAtMs = 0;

  constructor(parts: OrphansParts) {
    this.#parts = parts;
  }

  /** Found since the start. */
  get total(): number {
    return this.#total;
  }

  /** By stage, of how many waits. */
  get lost(): LostWaits[] {
    return [...this.#byStage].map(([name, lost]) => ({
      stage: name,
      lost,
      waits: this.#parts.waits.entered[stageNames.indexOf(name)]!,
    }));
  }

  /** Scans, if it is time. */
  tick(nowMs: number): void {
    if (nowMs - this.#scannedAtMs < orphanScanMs) return;
    this.#scannedAtMs = nowMs;
    this.#parts.batches.lookAtSink();
    for (const orphan of this.#parts.waits.scan(nowMs)) {
      if (orphan.isNew) this.#tell(orphan);
      if (orphan.ageMs > orphanMsMax || orphan.expired) this.#end(orphan);
    }
  }

  #tell({ stage, waiting, ageMs }: Orphan): void {
    this.#total++;
    this.#byStage.set(stage, (this.#byStage.get(stage) ?? 0) + 1);
    const { flight, log } = this.#parts;
    flight.record(flightKind.orphan, performance.now(), 0, stageNames.indexOf(stage), 0);
    const problem = "nothing in this process will wake this wait; it is ended, please report it";
    log("orphan", { stage, age_ms: Math.round(ageMs), ...waiting.describe(), problem }, "error");
  }

  #end({ waiting, slot }: Orphan): void {
    if (waiting instanceof WaitingBatch) return this.#parts.resend(waiting.batch);
    const { connection } = waiting.describe();
    if (connection !== undefined) this.#parts.endConnection(Number(connection.split("-")[1]));
    else this.#parts.waits.leave(slot);
  }
}
