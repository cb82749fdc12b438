/**
 * A closed record batch on its way from the batcher to a sink.
 *
 * The bytes lie in the kernel's memory, encoded as Kafka record batch v2 without a valid header: producer id,
 * sequence and CRC are stamped by the sink that needs them (`kernel.sealBatch`). Whoever holds the batch owns
 * its extent until it settles it; the bytes must not be touched while a socket may still read them.
 *
 *     at - headroomBytes      at            at + 61                 end
 *     | room for a request head | batch header | records ............ |
 *
 * @module
 */

import type { Origin } from "./origins.ts";
import type { Receipt } from "./receipt.ts";

/** Bytes in front of each batch in which a Produce request's head may be written (topic names are at most 249 bytes). */
export const headroomBytes = 512;

/** `ClosedBatch.partition` where nobody has chosen one: any will do. */
export const anyPartition = -1;
/** `ClosedBatch.partition` where each record goes where its key says, but the topic's partitions were not known yet. */
export const partitionByKey = -2;

/** A batch that takes no more records. */
export interface ClosedBatch {
  readonly topic: string;
  /** The partition, `anyPartition` while nobody has chosen one, or `partitionByKey`. Set once by the producer. */
  partition: number;
  /** Offset of the batch header in the kernel's memory. */
  readonly at: number;
  /** End of the records. Smaller than at closing when compression made it so. */
  end: number;
  /** Records in it; never 0. */
  readonly count: number;
  /** Bytes of the records before compression. */
  readonly rawBytes: number;
  /** Record batch attributes: bits 0-2 are the codec. */
  attributes: number;
  /** Receive time of the first record, epoch milliseconds; record timestamps are deltas to it. */
  readonly baseTimestampMs: number;
  /** Receive time of the last record. */
  readonly maxTimestampMs: number;
  /** When the first record was appended, on the monotonic clock (`performance.now()`), for latency. */
  readonly openedAtMs: number;
  /** Requests with lines in it that wait for an answer; see `receipt.ts`. */
  receipts?: readonly Receipt[] | undefined;
  /** Who sent its records, as far as it is known; see `origins.ts`. */
  readonly origins?: readonly Origin[] | undefined;
  /** CRC-32C of the records, where somebody has computed it. */
  recordsCrc?: number | undefined;
  /** Its bytes are on the disk, as durable as the spool makes them. */
  committed?: boolean;
}

/** What became of a batch. */
export type BatchOutcome =
  /** `refused` of its records were not: the sink had to divide it, and they went another way one by one. */
  | { readonly kind: "delivered"; readonly refused?: number }
  /** It can never be delivered as it is; its records go to the dead letter. `reason` is a constant name, `message` for people. */
  | { readonly kind: "rejected"; readonly reason: string; readonly message: string };
