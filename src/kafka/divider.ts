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
 *   - it always gets on: a part that finds no memory takes the place of the batch itself, one after the other. What it
 *     writes over is kept on the heap until the batch is finished: `restore` puts it back, for whoever keeps what the
 *     end leaves;
 *   - copies on the heap are bounded: a few batches per partition that are in the way there (those that are placed, and
 *     what was written over while it is in flight), and of those that are in nobody's way `copyBytesMax` (one may be
 *     larger).
 *
 * Parts of a compressed batch are compressed like it, on the loop: this is rare.
 *
 * @module
 */
import { codec } from "../batch/decode.ts";
import { originsOf } from "../batch/origins.ts";
import { type Codec, packNow } from "../batch/pack.ts";
import type { BatchOutcome, ClosedBatch } from "../batch/record_batch.ts";
import { RecordIndex } from "../batch/record_index.ts";
import { invariant } from "../core/invariant.ts";
import { batchHeaderBytes, type Kernel } from "../kernel/kernel.ts";
import { Fifo } from "./fifo.ts";

/** Copies on the heap above which no batch is divided that could wait. */
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

/** A batch in parts; a part may have to be divided again. */
interface Division {
  /** The divided one; parts may lie where it lay. */
  readonly batch: ClosedBatch;
  /** The part that it is, if it is one. */
  readonly part: Part | undefined;
  readonly plan: Plan;
  /** Its records on the heap, while not all parts have their place. */
  records: RecordIndex | undefined;
  readonly pending: Selection[];
  /** Parts that are out. */
  out: number;
  refused: number;
  isHomeFree: boolean;
  /** What lay where the batch lies, once a part took its place. */
  original: Uint8Array | undefined;
}

/** One part. */
interface Part {
  readonly batch: ClosedBatch;
  readonly division: Division;
  readonly isAtHome: boolean;
}

/** Divides batches of one sink. */
export class Divider {
  readonly #options: DividerOptions;
  readonly #parts = new Map<ClosedBatch, Part>();
  /** Batches that wait for room on the heap. */
  readonly #waiting = new Fifo<{ readonly batch: ClosedBatch; readonly plan: Plan }>();
  /** All that are not finished: parts may be on their way into the dead letter, where nobody here sees them. */
  readonly #divisions = new Set<Division>();
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
    for (const { records, original } of this.#divisions) {
      bytes += (records?.bytes ?? 0) + (original?.length ?? 0);
    }
    return bytes;
  }

  /** @see Sink.restore */
  restore(): void {
    for (const { batch, original } of this.#divisions) {
      if (original !== undefined) this.#options.kernel.bytes.set(original, batch.at);
    }
  }

  /** Adds the batches that are divided or wait for it. Their parts are held where they stand. */
  addHeld(into: Set<ClosedBatch>): void {
    for (const { batch } of this.#waiting) into.add(batch);
    for (const { batch } of this.#divisions) into.add(batch);
  }

  /** Divides a batch, or a part once more, that holds a place in its line: others wait for it, so it is done at once. */
  divide(batch: ClosedBatch, plan: Plan): void {
    this.#begin(batch, plan);
    this.run();
  }

  /** Divides a batch that stands in no line, when there is room for its copy. */
  divideLater(batch: ClosedBatch, plan: Plan): void {
    this.#waiting.push({ batch, plan });
    this.run();
  }

  /** What became of a batch. True if it was a part: its owner is told when the last one is settled. */
  settled(batch: ClosedBatch, refusal: Refusal | undefined): boolean {
    const part = this.#parts.get(batch);
    if (part === undefined) return false;
    if (refusal === undefined) {
      this.#release(part);
      this.#done(part);
    } else {
      part.division.refused += batch.count;
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
      this.#beginWaiting();
      for (const division of this.#placing) this.#placeParts(division);
    }
    this.#isRunning = false;
  }

  #beginWaiting(): void {
    for (let first = this.#waiting.first; first !== undefined; first = this.#waiting.first) {
      const held = this.bytesHeld;
      if (held > 0 && held + first.batch.rawBytes > copyBytesMax) return;
      this.#waiting.take();
      this.#begin(first.batch, first.plan);
    }
  }

  #begin(batch: ClosedBatch, plan: Plan): void {
    const records = RecordIndex.of(this.#options.kernel.bytes, batch);
    if (records === undefined) return plan.unreadable();
    const pending = plan.select({
      count: batch.count,
      isPacked: (batch.attributes & codecMask) !== codec.none,
      bytesOf: (record) => records.bytesOf(record),
      keyOf: (record) => records.keyOf(record),
    });
    const part = this.#parts.get(batch);
    const division = {
      batch,
      part,
      plan,
      records,
      pending,
      out: 0,
      refused: 0,
      isHomeFree: true,
      original: undefined,
    };
    this.#divisions.add(division);
    this.#placing.add(division);
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
    division.records = undefined;
    division.plan.placed();
    this.#finish(division);
  }

  /** Writes a part into memory of its own, else where the divided batch lay. undefined: no room now. */
  #make(division: Division, records: readonly number[]): Part | undefined {
    const { kernel, memory } = this.#options;
    const { batch } = division;
    const index = division.records!;
    const raw = encode(index, records);
    const { bytes, attributes } = packed(raw, batch.attributes);
    const need = batchHeaderBytes + bytes.length;
    const reserved = memory?.reserve(bytes.length) ?? 0;
    const isAtHome = reserved === 0;
    if (isAtHome && (!division.isHomeFree || need > batch.end - batch.at)) return undefined;
    const at = isAtHome ? batch.at : reserved;
    if (isAtHome) {
      // Nobody keeps a part: what matters is the batch that it comes from.
      if (division.part === undefined) division.original ??= kernel.bytes.slice(batch.at, batch.end);
      division.isHomeFree = false;
    }
    kernel.bytes.set(bytes, at + batchHeaderBytes);
    const { topic, partition, baseTimestampMs, openedAtMs } = batch;
    return {
      division,
      isAtHome,
      batch: {
        topic,
        partition,
        at,
        end: at + need,
        count: records.length,
        rawBytes: raw.length,
        attributes,
        baseTimestampMs,
        maxTimestampMs: baseTimestampMs + index.latestDelta(records),
        openedAtMs,
        origins: originsOf(batch.origins, records),
      },
    };
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
    this.#divisions.delete(division);
    const { part, batch, refused } = division;
    if (part === undefined) return this.#options.finished(batch, refused);
    part.division.refused += refused;
    this.#release(part);
    this.#done(part);
  }
}

function encode(index: RecordIndex, records: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(records.reduce((sum, record) => sum + index.bytesOf(record) + slackBytes, 0));
  const end = index.write(records, bytes, 0, bytes.length);
  invariant(end > 0, "records have room in what was made for them");
  return bytes.subarray(0, end);
}

/** What an offset delta and a length may need more in a batch than alone. */
const slackBytes = 8;

/** By the codec's bits. */
const codecNames: readonly (Codec | undefined)[] = [undefined, "gzip", "snappy", "lz4", "zstd"];

/** Compresses like the batch they come from, where that makes them smaller. */
function packed(raw: Uint8Array, attributes: number): { bytes: Uint8Array; attributes: number } {
  const kind = attributes & codecMask;
  if (kind === codec.none) return { bytes: raw, attributes: 0 };
  const bytes = packNow({ codec: codecNames[kind]! }, raw);
  return bytes.length < raw.length ? { bytes, attributes: kind } : { bytes: raw, attributes: 0 };
}
