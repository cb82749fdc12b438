/**
 * Brings batches from the disk into the kernel's memory, and believes only what has its checksum.
 *
 * A batch is read in one piece, head and records, so that the records lie behind the place of the Kafka header:
 *
 *     at - …        at             at + 61
 *     |   head ────────────────────| records …          the header is made when the batch is sent
 *
 * @module
 */
import type { ClosedBatch } from "../batch/record_batch.ts";
import { codeOf } from "../core/io_problem.ts";
import { batchHeaderBytes } from "../kernel/kernel.ts";
import { type BatchHead, headAt, readHead } from "./format.ts";
import type { Place } from "./held_batch.ts";

/** The kernel's memory and its checksum. */
export interface SpoolMemory {
  readonly bytes: Uint8Array;
  crc32c(at: number, length: number): number;
}

/** A batch and where it stands in its segment. */
export interface Stored extends Place {
  readonly offset: number;
  readonly headBytes: number;
  readonly recordBytes: number;
}

/** What came of a read. */
export type ReadOutcome =
  | { readonly kind: "read"; readonly head: BatchHead }
  /** The bytes that are there instead, as they lie in memory. */
  | { readonly kind: "damaged"; readonly bytes: Uint8Array }
  /** The disk does not give them now. */
  | { readonly kind: "failed"; readonly error: unknown; readonly code: string };

/** Reads into one memory. */
export class BatchReader {
  readonly #memory: SpoolMemory;
  readonly #view: DataView;
  readonly #checksum: (at: number, length: number) => number;

  constructor(memory: SpoolMemory) {
    const { bytes } = memory;
    this.#memory = memory;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#checksum = (at, length) => memory.crc32c(at, length);
  }

  /** Reads a batch into memory, its header's place at `at`. Never rejects. */
  async read(
    { home, segment, batch, offset, headBytes, recordBytes }: Stored,
    at: number,
  ): Promise<ReadOutcome> {
    const start = headAt(at, headBytes);
    const end = at + batchHeaderBytes + recordBytes;
    const into = this.#memory.bytes.subarray(start, end);
    try {
      if (!await home.read(segment, offset, into)) return { kind: "damaged", bytes: into };
    } catch (error) {
      return { kind: "failed", error, code: codeOf(error) };
    }
    const head = readHead(this.#view, start, end, this.#checksum);
    const whole = head !== undefined && head.segmentId === segment.id && head.index === batch &&
      head.recordBytes === recordBytes &&
      this.#checksum(at + batchHeaderBytes, recordBytes) === head.recordCrc;
    return whole ? { kind: "read", head } : { kind: "damaged", bytes: into };
  }
}

/** The batch that a head describes, in memory at `at`. */
export function closedBatchOf(head: BatchHead, at: number, openedAtMs: number): ClosedBatch {
  return {
    topic: head.topic,
    partition: head.partition,
    at,
    end: at + batchHeaderBytes + head.recordBytes,
    count: head.count,
    rawBytes: head.rawBytes,
    attributes: head.attributes,
    baseTimestampMs: head.baseTimestampMs,
    maxTimestampMs: head.maxTimestampMs,
    openedAtMs,
    recordsCrc: head.recordCrc,
  };
}
