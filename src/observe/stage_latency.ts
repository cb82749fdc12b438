/**
 * Where the time of a line goes: one histogram for its whole way and one for each stage of it, per worker, in shared
 * memory.
 *
 *     receive_to_ack                                     from its batch's first line to the sink's acknowledgement
 *     work        batch       compress spool kafka|sink  a chunk through the rules; an open batch; what it waits for
 *     rules memory dead_letter http_reply relp_reply     waits of connections and requests
 *
 * Batches count with their lines, chunks with theirs, waits of connections and requests as one.
 *
 * @module
 */
import { createHistogramRows, HistogramRow } from "./histogram.ts";
import { type StageName, stageNames } from "./stage_table.ts";

/** What has a histogram beside the stages in which something waits. */
const ownNames = ["receive_to_ack", "work", "batch"] as const;

/** Name of a histogram. How long a sender takes for the rest of its line (`frame`) says nothing about corndog. */
export type LatencyName = (typeof ownNames)[number] | Exclude<StageName, "frame">;

/** All histograms; the place in this list is the place among the rows. */
export const latencyNames: readonly LatencyName[] = [
  ...ownNames,
  ...stageNames.filter((name) => name !== "frame"),
];

const rowOfStage = stageNames.map((name) => latencyNames.indexOf(name as LatencyName));

/** Shared memory for the histograms of all workers. */
export function createLatencyRows(workers: number): SharedArrayBuffer {
  return createHistogramRows(latencyNames.length * workers);
}

/** First row of a histogram: those of all workers lie together. */
export function latencyRowAt(name: LatencyName, workers: number): number {
  return latencyNames.indexOf(name) * workers;
}

/** Where latencies are counted. */
export type Latencies = Pick<HistogramRow, "record">;

/** One worker's side. */
export class LatencyRows {
  readonly #rows: readonly HistogramRow[];

  constructor(rows: SharedArrayBuffer, worker: number, workers: number) {
    this.#rows = latencyNames.map((name) => new HistogramRow(rows, latencyRowAt(name, workers) + worker));
  }

  /** Of the whole way of lines. */
  get receiveToAck(): Latencies {
    return this.#rows[0]!;
  }

  /** Of chunks on their way through framing, rules and into batches. */
  get work(): Latencies {
    return this.#rows[1]!;
  }

  /** Of batches from their first line to their closing. */
  get batch(): Latencies {
    return this.#rows[2]!;
  }

  /** A wait has ended; `stageNumber` as in the table of waits. */
  readonly waitEnded = (stageNumber: number, ms: number, count: number): void => {
    const row = rowOfStage[stageNumber]!;
    if (row >= 0) this.#rows[row]!.record(ms, count);
  };
}
