/**
 * What tests of the spool share: batches in a kernel's memory, and a pipeline that only counts.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { Arena } from "../../../src/batch/arena.ts";
import { type ClosedBatch, headroomBytes } from "../../../src/batch/record_batch.ts";
import { createKernel } from "../../../src/kernel/instance.ts";
import { batchHeaderBytes, type Kernel } from "../../../src/kernel/kernel.ts";
import type { BacklogWish, Damage, SpooledBatch, SpoolSettings } from "../../../src/spool/spool.ts";

/** Memory for batches, as a worker has it. */
export class BatchMemory {
  readonly kernel: Kernel;
  readonly #arenaBytes: number;
  #arena: Arena;

  constructor(arenaBytes = 8 * 1024 * 1024) {
    this.kernel = createKernel({
      arenaBytes,
      frameBytesMax: 1024,
      pieceBytes: 1024,
      rowsMax: 1,
      scratchBytes: 1024,
    });
    this.#arenaBytes = arenaBytes;
    this.#arena = new Arena(this.kernel.arenaAt, arenaBytes);
  }

  /** Everything is free again. */
  reset(): void {
    this.#arena = new Arena(this.kernel.arenaAt, this.#arenaBytes);
  }

  get bytesUsed(): number {
    return this.#arena.bytesUsed;
  }

  /** A closed batch whose records are `text`. */
  batch(topic: string, text: string | Uint8Array, fields: Partial<ClosedBatch> = {}): ClosedBatch {
    const records = typeof text === "string" ? Buffer.from(text) : text;
    const at = this.room(records.length);
    if (at === 0) throw new Error("the arena is too small for this test");
    this.kernel.bytes.set(records, at + batchHeaderBytes);
    return {
      topic,
      partition: -1,
      at,
      end: at + batchHeaderBytes + records.length,
      count: 1,
      rawBytes: records.length,
      attributes: 0,
      baseTimestampMs: 1000,
      maxTimestampMs: 2000,
      openedAtMs: 0,
      ...fields,
    };
  }

  /** The records of a batch. */
  text(batch: ClosedBatch): string {
    return Buffer.from(this.kernel.bytes.subarray(batch.at + batchHeaderBytes, batch.end)).toString();
  }

  room(recordBytes: number): number {
    const extent = this.#arena.allocate(headroomBytes + batchHeaderBytes + recordBytes);
    return extent === 0 ? 0 : extent + headroomBytes;
  }

  release(at: number): void {
    this.#arena.free(at - headroomBytes);
  }

  /** A wish that collects what it gets. */
  wish(mayGo: (topic: string) => boolean = () => true): BacklogWish & { readonly taken: SpooledBatch[] } {
    const taken: SpooledBatch[] = [];
    return {
      taken,
      mayGo,
      room: (recordBytes) => this.room(recordBytes),
      release: (at) => this.release(at),
      take: (spooled) => void taken.push(spooled),
    };
  }
}

/** Settings that hold nothing up. */
export function settings(dir: string, changes: Partial<SpoolSettings> = {}): SpoolSettings {
  return {
    dir,
    durability: "fsync",
    bytesMax: 1024 ** 3,
    freeBytesMin: 0,
    replay: "live_first",
    replayBytesPerS: 1024 ** 3,
    parkedBytesMax: 1024 ** 3,
    ...changes,
  };
}

/** Events that are counted. */
export class CountedEvents {
  wantsCount = 0;
  roomCount = 0;
  readonly damages: Damage[] = [];
  /** Records that came with folders that were taken over late. */
  adoptedCount = 0;
  readonly logged: string[] = [];

  wants(): void {
    this.wantsCount++;
  }

  room(): void {
    this.roomCount++;
  }

  damaged(damage: Damage): void {
    this.damages.push(damage);
  }

  adopted(records: number): void {
    this.adoptedCount += records;
  }

  log(_level: string, event: string, fields: Record<string, unknown>): void {
    this.logged.push(`${event} ${JSON.stringify(fields)}`);
  }
}
