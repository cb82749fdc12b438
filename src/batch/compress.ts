/**
 * An optional stage between the batcher and the sink: packs the records of closed batches.
 *
 * The work is done elsewhere (`Pack`). The packed bytes go back into the batch's own extent if they are smaller;
 * else, or when the codec fails, the batch stays as it is. Batches leave in the order in which they came, whatever
 * finishes first, so that the order of each lane is kept. At most `inWorkMax` are in work; others wait in their
 * extents, which the arena bounds.
 *
 * Where the codec is chosen by need, `need` says of each batch whether it is worth it.
 *
 * @module
 */
import { batchHeaderBytes, type Kernel } from "../kernel/kernel.ts";
import { codec as codecBits } from "./decode.ts";
import type { Codec, Pack } from "./pack.ts";
import type { ClosedBatch } from "./record_batch.ts";

/** Behind the compressor. */
export interface CompressorSink {
  readonly hungry: boolean;
  send(batch: ClosedBatch): void;
  status(): { readonly ready: boolean };
}

/** What a compressor is made of. */
export interface CompressorOptions {
  readonly kernel: Kernel;
  readonly codec: Codec;
  readonly pack: Pack;
  /** Undefined: every batch is packed. */
  readonly need?: PackingNeed;
  /** Whether a batch can only be sent if packing makes it smaller, whatever the need is. */
  readonly mustPack?: (batch: ClosedBatch) => boolean;
  /** A clock for what `need` is told; monotonic milliseconds. */
  nowMs(): number;
  /** Batches that are compressed at the same time; one per core is enough. */
  readonly inWorkMax: number;
  readonly sink: CompressorSink;
  /** Called when the compressor became hungry because work ended; pass it on to `Batcher.wants`. */
  wants(): void;
  /** Gives back the memory behind a batch that became smaller (`Batcher.trim`). */
  trim(batch: ClosedBatch): void;
}

/** Who says whether packing is worth it; see `compression_need.ts`. */
export interface PackingNeed {
  /** Asked for each batch, of so many bytes, and whether the sink would take one at once. */
  wants(rawBytes: number, sinkHungry: boolean): boolean;
  /** What it cost. */
  packed(rawBytes: number, ms: number): void;
}

/** Counts since the start. */
export interface CompressorStats {
  readonly batchesInside: number;
  readonly batchesPacked: number;
  /** Left as they were because packing would not make them smaller, or failed. */
  readonly batchesLeftRaw: number;
  /** Not tried, because there was no need. */
  readonly batchesPassed: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** Smaller ones do not shrink by more than a frame's own overhead. */
const packBytesMin = 64;

interface Entry {
  readonly batch: ClosedBatch;
  state: "waiting" | "in_work" | "done";
}

/** The stage; it has the shape that the batcher wants of a sink. */
export class Compressor {
  readonly #options: CompressorOptions;
  /** In the order of arrival; [0, #started) are in work or done. */
  readonly #queue: Entry[] = [];
  #started = 0;
  #inWork = 0;
  #packed = 0;
  #leftRaw = 0;
  #passed = 0;
  #bytesIn = 0;
  #bytesOut = 0;

  constructor(options: CompressorOptions) {
    this.#options = options;
  }

  /** A batch given now would be in work at once, and the sink would take it then. */
  get hungry(): boolean {
    return this.#inWork < this.#options.inWorkMax && this.#started === this.#queue.length &&
      this.#options.sink.hungry;
  }

  status(): { readonly ready: boolean } {
    return this.#options.sink.status();
  }

  /** True while no batch is inside. */
  get empty(): boolean {
    return this.#queue.length === 0;
  }

  /** Takes a batch and sends it on later, after all that came before it. */
  send(batch: ClosedBatch): void {
    this.#queue.push({ batch, state: "waiting" });
    this.#begin();
    this.#sendDone();
  }

  stats(): CompressorStats {
    return {
      batchesInside: this.#queue.length,
      batchesPacked: this.#packed,
      batchesLeftRaw: this.#leftRaw,
      batchesPassed: this.#passed,
      bytesIn: this.#bytesIn,
      bytesOut: this.#bytesOut,
    };
  }

  #begin(): void {
    const { inWorkMax, kernel, pack, need, mustPack, nowMs, sink } = this.#options;
    while (this.#inWork < inWorkMax && this.#started < this.#queue.length) {
      const entry = this.#queue[this.#started++]!;
      const { at, end, rawBytes } = entry.batch;
      const wants = need?.wants(rawBytes, sink.hungry) !== false || mustPack?.(entry.batch) === true;
      if (rawBytes < packBytesMin || !wants) {
        if (rawBytes < packBytesMin) this.#leftRaw++;
        else this.#passed++;
        entry.state = "done";
        continue;
      }
      entry.state = "in_work";
      this.#inWork++;
      const sinceMs = nowMs();
      pack(kernel.bytes.subarray(at + batchHeaderBytes, end), (error, packed) => {
        need?.packed(rawBytes, nowMs() - sinceMs);
        this.#finished(entry, error === null ? packed : undefined);
      });
    }
  }

  #finished(entry: Entry, packed: Uint8Array | undefined): void {
    const { batch } = entry;
    this.#inWork--;
    entry.state = "done";
    this.#bytesIn += batch.rawBytes;
    if (packed !== undefined && packed.length < batch.rawBytes) {
      const records = batch.at + batchHeaderBytes;
      this.#options.kernel.bytes.set(packed, records);
      batch.end = records + packed.length;
      batch.attributes = codecBits[this.#options.codec];
      this.#options.trim(batch);
      this.#packed++;
    } else {
      this.#leftRaw++;
    }
    this.#bytesOut += batch.end - batch.at - batchHeaderBytes;
    this.#begin();
    this.#sendDone();
    if (this.hungry) this.#options.wants();
  }

  #sendDone(): void {
    while (this.#queue[0]?.state === "done") {
      const { batch } = this.#queue.shift()!;
      this.#started--;
      this.#options.sink.send(batch);
    }
  }
}
