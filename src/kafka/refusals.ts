/**
 * Why a batch or a record is given up, in words for an operator.
 *
 * @module
 */
import type { ClosedBatch } from "../batch/record_batch.ts";
import type { Refusal } from "./divider.ts";
import { type KafkaError, rejectionReason } from "./error_codes.ts";

/** `reason` is a constant name, `message` for people. */
export function refusalOf(reason: string, message: string): Refusal {
  return { kind: "rejected", reason, message };
}

/** What a broker answered for a batch, and what it said beside. */
export function refusedBy(error: KafkaError, batch: ClosedBatch, said: string | undefined): Refusal {
  const what = batch.count === 1 ? "Record" : `Batch of ${batch.count} records`;
  const why = said === undefined ? error.name : `${error.name} (${said})`;
  const message = `${what} (${batch.end - batch.at} bytes) for topic "${batch.topic}" refused: ${why}`;
  return refusalOf(rejectionReason(error), message);
}

/** Its records are not what was written. */
export function unreadable(batch: ClosedBatch): Refusal {
  return refusalOf("corrupt_message", `Batch for topic "${batch.topic}" cannot be read back to divide it`);
}
