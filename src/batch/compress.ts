/**
 * An optional stage between the batcher and the sink: packs the records of closed batches with gzip or zstd.
 *
 * The work is done by node:zlib's asynchronous functions (in Bun on its thread pool; Deno runs them on the loop,
 * one batch at a time). The packed bytes go back into the batch's own extent if they are smaller; else, or when
 * the codec fails, the batch stays as it is. Batches leave in the order in which they came, whatever finishes
 * first, so that the order of each lane is kept. At most `inWorkMax` are in work; others wait in their extents,
 * which the arena bounds.
 *
 * The result is a standard gzip member (RFC 1952) or zstd frame (RFC 8878), as Kafka's clients expect
 * behind attributes 1 and 4.
 *
 * @module
 */
import { constants, gzip, gzipSync, zstdCompress, zstdCompressSync } from "node:zlib";
import { ForwarderError } from "../core/errors.ts";
import { batchHeaderBytes, type Kernel } from "../kernel/kernel.ts";
import { codec as codecBits } from "./decode.ts";
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
  readonly codec: "gzip" | "zstd";
  /** The codec's own scale; undefined is its default. */
  readonly level: number | undefined;
  /** Batches that are compressed at the same time; one per core is enough. */
  readonly inWorkMax: number;
  readonly sink: CompressorSink;
  /** Called when the compressor became hungry because work ended; pass it on to `Batcher.wants`. */
  wants(): void;
  /** Gives back the memory behind a batch that became smaller (`Batcher.trim`). */
  trim(batch: ClosedBatch): void;
}

/** Counts since the start. */
export interface CompressorStats {
  readonly batchesInside: number;
  readonly batchesPacked: number;
  /** Left as they were because packing would not make them smaller, or failed. */
  readonly batchesLeftRaw: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** Smaller ones do not shrink by more than a frame's own overhead. */
const packBytesMin = 64;

type Pack = (bytes: Uint8Array, done: (error: Error | null, packed: Uint8Array) => void) => void;

interface Entry {
  readonly batch: ClosedBatch;
  state: "waiting" | "in_work" | "done";
}

/** The stage; it has the shape that the batcher wants of a sink. */
export class Compressor {
  readonly #options: CompressorOptions;
  readonly #pack: Pack;
  /** In the order of arrival; [0, #started) are in work or done. */
  readonly #queue: Entry[] = [];
  #started = 0;
  #inWork = 0;
  #packed = 0;
  #leftRaw = 0;
  #bytesIn = 0;
  #bytesOut = 0;

  /** @throws ForwarderError `config_invalid` where the codec does not know the level */
  constructor(options: CompressorOptions) {
    this.#options = options;
    this.#pack = options.codec === "gzip" ? gzipWith(options.level) : zstdWith(options.level);
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
      bytesIn: this.#bytesIn,
      bytesOut: this.#bytesOut,
    };
  }

  #begin(): void {
    while (this.#inWork < this.#options.inWorkMax && this.#started < this.#queue.length) {
      const entry = this.#queue[this.#started++]!;
      const { at, end } = entry.batch;
      const records = this.#options.kernel.bytes.subarray(at + batchHeaderBytes, end);
      if (records.length < packBytesMin) {
        this.#leftRaw++;
        entry.state = "done";
        continue;
      }
      entry.state = "in_work";
      this.#inWork++;
      this.#pack(records, (error, packed) => this.#finished(entry, error === null ? packed : undefined));
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

/** One output chunk for most batches, so that nothing is joined. */
const chunkBytes = 256 * 1024;

/** zstd's own default; not every runtime has it among its constants. */
const zstdLevelDefault = 3;

function gzipWith(level: number | undefined): Pack {
  const options = { level: level ?? constants.Z_DEFAULT_COMPRESSION, chunkSize: chunkBytes };
  checkLevel("gzip", level, () => gzipSync(new Uint8Array(0), options));
  return (bytes, done) => gzip(bytes, options, done);
}

function zstdWith(level: number | undefined): Pack {
  const params = { [constants.ZSTD_c_compressionLevel]: level ?? zstdLevelDefault };
  const options = { params, chunkSize: chunkBytes };
  checkLevel("zstd", level, () => zstdCompressSync(new Uint8Array(0), options));
  return (bytes, done) => zstdCompress(bytes, options, done);
}

/** A level that the codec does not know shows at the start, not with the first batch. */
function checkLevel(codec: string, level: number | undefined, tryIt: () => void): void {
  try {
    tryIt();
  } catch (cause) {
    throw new ForwarderError("config_invalid", `Cannot compress with ${codec} at level ${level}`, { cause });
  }
}
