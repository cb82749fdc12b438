/**
 * Makes a closed batch of what is open in a lane.
 *
 * @module
 */
import { invariant } from "../core/invariant.ts";
import { batchHeaderBytes } from "../kernel/kernel.ts";
import type { Lane } from "./lane.ts";
import type { ClosedBatch } from "./record_batch.ts";

/** Takes the finished batch out of its lane, which has none then. Its memory goes with it. */
export function takeBatch(lane: Lane): ClosedBatch {
  invariant(lane.count > 0, "an open batch has a record");
  const rawBytes = lane.end - lane.at - batchHeaderBytes;
  const batch: ClosedBatch = {
    topic: lane.topic,
    partition: lane.partition,
    at: lane.at,
    end: lane.end,
    count: lane.count,
    rawBytes,
    attributes: 0,
    baseTimestampMs: lane.baseTimestampMs,
    maxTimestampMs: lane.maxTimestampMs,
    openedAtMs: lane.openedAtMs,
    receipts: lane.receipts,
    origins: lane.origins,
    recordsCrc: undefined,
    committed: false,
  };
  lane.receipts = undefined;
  lane.origins = undefined;
  lane.hurried = lane.hurriedToDisk = false;
  lane.at =
    lane.end =
    lane.limit =
    lane.count =
      0;
  lane.bytesLast = rawBytes;
  return batch;
}
