/**
 * Lines and rejected batches on their way into the dead letter, with the ledger kept.
 *
 * A dead-lettered copy is in flight until it is in the file. `full` means backpressure: the intake stops reading,
 * and a rejected batch keeps its memory until its records were taken.
 *
 * @module
 */
import type { Buffer } from "node:buffer";
import { decodeBatch } from "../batch/decode.ts";
import type { ClosedBatch } from "../batch/record_batch.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { counter, type CounterRow } from "../observe/row.ts";
import type { DeadLetter, Letter } from "../sink/dead_letter.ts";
import type { TopicCounts } from "./topic_counts.ts";
