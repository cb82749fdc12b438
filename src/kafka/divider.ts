/**
 * Divides batches that cannot go out as they are: too large, with records that a broker refuses, or with records for
 * several partitions. The rest of the producer sees parts as batches like any other.
 *
 *     batch ── records copied to the heap ──> selections, in order ──> parts, each in memory of its own ──> partition
 *                                                                        └─ refused: to the owner of the batch
 *
 * It promises
 *   - the parts of a batch take its place in their partition's line, in its order;
 *   - the batch is settled when each of its records is in the log or was taken by its owner as refused;
 *   - it always gets on: a part that finds no memory takes the place of the batch itself, one after the other;
 *   - copies on the heap are bounded by `copyBytesMax` (one batch may be larger), one batch per topic at a time.
 *
 * Parts of a compressed batch are compressed like it, on the loop: this is rare.
 *
 * @module
 */
import { gzipSync, zstdCompressSync } from "node:zlib";
import { codec } from "../batch/decode.ts";
import type { BatchOutcome, ClosedBatch } from "../batch/record_batch.ts";
import { RecordIndex } from "../batch/record_index.ts";
import { invariant } from "../core/invariant.ts";
import { batchHeaderBytes, type Kernel } from "../kernel/kernel.ts";

/** Records on the heap at a time. */
const copyBytesMax = 16 * 1024 * 1024;
/** The codec in a batch's attributes. */
const codecMask = 7;

/** Why Kafka does not take what it does not take. */
export type Refusal = BatchOutcome & { readonly kind: "rejected" };

/** Memory for parts, beside that of the batches themselves. */
export interface BatchMemory {
  /** Room for a batch with so many bytes of records: the offset of its header, headroom in front; 0 for no room now. */
  reserve(recordBytes: number): number;
  /** Gives back what `reserve` gave. */
  free(at: number): void;
}

/** How far refused records have come. */
export interface PartWatch {
  /** Nobody reads the part any more. */
  released(): void;
  /** Its records are where they stay. Once, after `released`. */
  settled(): void;
}

/** Records that belong together, by their index in the batch that is divided. */
export interface Selection {
  readonly records: readonly number[];
  /** They are refused. */
  readonly refusal?: Refusal;
  /** Puts the part in its place; missing where it is refused. */
  place?(part: ClosedBatch): void;
}

/** The records of the batch that is divided. */
export interface RecordView {
  readonly count: number;
  /** True if the batch is compressed: on the wire its records are smaller than `bytesOf` says. */
  readonly isPacked: boolean;
  bytesOf(record: number): number;
  /** Null where it has none. */
  keyOf(record: number): Uint8Array | null;
}

/** How a batch is divided. */
export interface Plan {
  /** Which records go together, in the order in which they go out. */
  select(records: RecordView): Selection[];
  /** Every part has its place. */
  placed(): void;
  /** Its records cannot be read: nothing was placed. */
  unreadable(): void;
}

/** What a divider works with. */
export interface DividerOptions {
  readonly kernel: Kernel;
  readonly memory: BatchMemory | undefined;
  /** Every record of the batch has its state; `refused` of them went to `refuse`. */
  finished(batch: ClosedBatch, refused: number): void;
  /** Takes records that are refused. */
  refuse(part: ClosedBatch, refusal: Refusal, watch: PartWatch): void;
}

/** A batch whose records are on the heap. */
interface Root {
  readonly batch: ClosedBatch;
  readonly records: RecordIndex;
  refused: number;
}

/** One batch in parts: a root's, or a part that had to be divided again. */
interface Division {
  readonly root: Root;
  /** The divided one; parts may lie where it lay. */
  readonly batch: ClosedBatch;
  /** The part that it is, if it is one. */
  readonly part: Part | undefined;
  readonly plan: Plan;
  readonly pending: Selection[];
  /** Parts that are out. */
  out: number;
  isHomeFree: boolean;
}

/** One part. */
interface Part {
  readonly batch: ClosedBatch;
  readonly division: Division;
  /** Its records in the root. */
  readonly records: readonly number[];
  readonly isAtHome: boolean;
}

/** Divides batches of one sink. */
export class Divider {
  readonly #options: DividerOptions;
  readonly #parts = new Map<ClosedBatch, Part>();
  readonly #waiting: { readonly batch: ClosedBatch; readonly plan: Plan }[] = [];
  readonly #roots = new Set<Root>();
  /** Divisions with parts to place. */
  readonly #placing = new Set<Division>();
  #isRunning = false;
  #runsAgain = false;

  constructor(options: DividerOptions) {
    this.#options = options;
  }

  /** Bytes of records on the heap. */
  get bytesHeld(): number {
    let bytes = 0;
    for (const { records } of this.#roots) bytes += records.bytes;
    return bytes;
  }

  /** Divides a batch, or a part once more, now or when there is room for its copy. */
  divide(batch: ClosedBatch, plan: Plan): void {
    const part = this.#parts.get(batch);
    if (part === undefined) this.#waiting.push({ batch, plan });
    else this.#divide(part.division.root, part.batch, part, plan);
    this.run();
  }

  /** What became of a batch. True if it was a part: its owner is told when the last one is settled. */
  settled(batch: ClosedBatch, refusal: Refusal | undefined): boolean {
    const part = this.#parts.get(batch);
    if (part === undefined) return false;
    const { root } = part.division;
    if (refusal === undefined) {
      this.#release(part);
      this.#done(part);
    } else {
      root.refused += batch.count;
      this.#options.refuse(batch, refusal, {
        released: () => {
          this.#release(part);
          this.run();
        },
        settled: () => {
          this.#done(part);
          this.run();
        },
      });
    }
    this.run();
    return true;
  }

  /** Begins and goes on where there is memory: call it when some came back. */
  run(): void {
    this.#runsAgain = true;
    if (this.#isRunning) return;
    this.#isRunning = true;
    while (this.#runsAgain) {
      this.#runsAgain = false;
      this.#begin();
      for (const division of this.#placing) this.#placeParts(division);
    }
    this.#isRunning = false;
  }

  #begin(): void {
    for (let index = 0; index < this.#waiting.length;) {
      const { batch, plan } = this.#waiting[index];
      if (!this.#mayBegin(batch)) {
        index++;
        continue;
      }
      this.#waiting.splice(index, 1);
      const records = RecordIndex.of(this.#options.kernel.bytes, batch);
      if (records === undefined) plan.unreadable();
      else {
        const root: Root = { batch, records, refused: 0 };
        this.#roots.add(root);
        this.#divide(root, batch, undefined, plan);
      }
    }
  }

  #mayBegin(batch: ClosedBatch): boolean {
    let bytes = batch.rawBytes;
    for (const root of this.#roots) {
      if (root.batch.topic === batch.topic) return false;
      bytes += root.records.bytes;
    }
    return this.#roots.size === 0 || bytes <= copyBytesMax;
  }

  #divide(root: Root, batch: ClosedBatch, part: Part | undefined, plan: Plan): void {
    // A part's records are counted in the part.
    const inRoot = (record: number) => part === undefined ? record : part.records[record]!;
    const pending = plan.select({
      count: batch.count,
      isPacked: (batch.attributes & codecMask) !== codec.none,
      bytesOf: (record) => root.records.bytesOf(inRoot(record)),
      keyOf: (record) => root.records.keyOf(inRoot(record)),
    }).map((selection) => ({ ...selection, records: selection.records.map(inRoot) }));
    this.#placing.add({ root, batch, part, plan, pending, out: 0, isHomeFree: true });
  }

  #placeParts(division: Division): void {
    for (let next = division.pending[0]; next !== undefined; next = division.pending[0]) {
      const part = this.#make(division, next.records);
      if (part === undefined) return;
      division.pending.shift();
      division.out++;
      this.#parts.set(part.batch, part);
      if (next.refusal !== undefined) this.settled(part.batch, next.refusal);
      else next.place!(part.batch);
    }
    this.#placing.delete(division);
    division.plan.placed();
    this.#finish(division);
  }

  /** Writes a part into memory of its own, else where the divided batch lay. undefined: no room now. */
  #make(division: Division, records: readonly number[]): Part | undefined {
    const { kernel, memory } = this.#options;
    const { batch, root } = division;
    const raw = this.#encode(root.records, records);
    const { bytes, attributes } = packed(raw, root.batch.attributes);
    const need = batchHeaderBytes + bytes.length;
    const reserved = memory?.reserve(bytes.length) ?? 0;
    const isAtHome = reserved === 0;
    if (isAtHome && (!division.isHomeFree || need > batch.end - batch.at)) return undefined;
    const at = isAtHome ? batch.at : reserved;
    kernel.bytes.set(bytes, at + batchHeaderBytes);
    if (isAtHome) division.isHomeFree = false;
    const { topic, partition, baseTimestampMs, openedAtMs } = root.batch;
    return {
      division,
      records,
      isAtHome,
      batch: {
        topic,
        partition: partition < 0 ? batch.partition : partition,
        at,
        end: at + need,
        count: records.length,
        rawBytes: raw.length,
        attributes,
        baseTimestampMs,
        maxTimestampMs: baseTimestampMs + root.records.latestDelta(records),
        openedAtMs,
      },
    };
  }

  #encode(index: RecordIndex, records: readonly number[]): Uint8Array {
    const bytes = new Uint8Array(
      records.reduce((sum, record) => sum + index.bytesOf(record) + slackBytes, 0),
    );
    const end = index.write(records, bytes, 0, bytes.length);
    invariant(end > 0, "records have room in what was made for them");
    return bytes.subarray(0, end);
  }

  /** Nobody reads the part any more. */
  #release(part: Part): void {
    invariant(this.#parts.delete(part.batch), "a part is settled once");
    if (part.isAtHome) part.division.isHomeFree = true;
    else this.#options.memory!.free(part.batch.at);
  }

  /** The part's records are where they stay. */
  #done({ division }: Part): void {
    division.out--;
    this.#finish(division);
  }

  #finish(division: Division): void {
    if (division.out > 0 || this.#placing.has(division)) return;
    const { root, part } = division;
    if (part !== undefined) {
      this.#release(part);
      return this.#done(part);
    }
    this.#roots.delete(root);
    this.#options.finished(root.batch, root.refused);
  }
}

/** What an offset delta and a length may need more in a batch than alone. */
const slackBytes = 8;

/** Compresses like the batch they come from, where that makes them smaller. */
function packed(raw: Uint8Array, attributes: number): { bytes: Uint8Array; attributes: number } {
  const kind = attributes & codecMask;
  if (kind === codec.none) return { bytes: raw, attributes: 0 };
  const bytes = kind === codec.gzip ? gzipSync(raw) : zstdCompressSync(raw);
  return bytes.length < raw.length ? { bytes, attributes: kind } : { bytes: raw, attributes: 0 };
}
