/**
 * Books that write nothing, to measure what the real ones cost: the table of waits, the flight recorder, histograms.
 *
 * @module
 */
import { FlightRecorder } from "./flight.ts";
import { LatencyRows } from "./stage_latency.ts";
import { StageTable } from "./stage_table.ts";

/** Records no event. */
export class BlindFlight extends FlightRecorder {
  override record(): void {}
}

/** Gives no slot, so that no wait is seen. */
export class BlindStageTable extends StageTable {
  override enter(): number {
    return -1;
  }
}

/** Counts no latency. */
export class BlindLatencyRows extends LatencyRows {
  override readonly waitEnded = (): void => {};

  override get receiveToAck(): typeof nowhere {
    return nowhere;
  }

  override get work(): typeof nowhere {
    return nowhere;
  }

  override get batch(): typeof nowhere {
    return nowhere;
  }
}

const nowhere = { record(_valueMs: number, _count: number): void {} };
