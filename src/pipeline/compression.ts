/**
 * Joins the compressor with who packs for it and, for `compression: auto`, who says whether to.
 *
 * @module
 */
import { CompressionNeed, type NeedView } from "../batch/compression_need.ts";
import { Compressor, type CompressorSink, type CompressorStats } from "../batch/compress.ts";
import { checkPacking, type Pack, type Packing, packWithZlib } from "../batch/pack.ts";
import type { ClosedBatch } from "../batch/record_batch.ts";
import type { PackingNeed } from "../batch/compress.ts";
import type { Config } from "../config/config.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { runtime } from "../runtime/current.ts";
import { busyShareOf, usableCores } from "./busy_share.ts";
import { Packer } from "./packer.ts";
import type { SpawnPacker } from "./packer_protocol.ts";
import type { WorkerLog } from "./protocol.ts";

/** What a worker tells of its compression. */
export interface CompressionReport extends CompressorStats {
  readonly codec: string;
  /** Undefined unless the codec is chosen by need. */
  readonly need?: NeedView;
}

/** What it is made of. */
export interface CompressionParts {
  readonly config: Config;
  readonly kernel: Kernel;
  readonly sink: CompressorSink;
  readonly spawn: SpawnPacker;
  readonly log: WorkerLog;
  /** The largest batch that the topic takes, bytes; Infinity where nobody knows. */
  batchBytesMaxOf(topic: string): number;
  wants(): void;
  trim(batch: ClosedBatch): void;
}

/** Batches compressed at a time per worker. */
const compressionsMax = 2;
/** `auto` takes zstd at its fastest: at this level it costs as much as lz4 and makes half of what that does. */
const autoPacking: Packing = { codec: "zstd", level: 1 };

/** While the thread that packs begins, batches do not wait for it: whether to pack is ours to say. */
function neededWhenReady(need: CompressionNeed, packer: Packer | undefined): PackingNeed {
  if (packer === undefined) return need;
  return {
    wants: (rawBytes, sinkHungry) => need.wants(rawBytes, sinkHungry) && packer.ready,
    packed: (rawBytes, ms) => need.packed(rawBytes, ms),
  };
}

/** One worker's compression. */
export class Compression {
  readonly compressor: Compressor;
  readonly #codec: string;
  readonly #need: CompressionNeed | undefined;
  readonly #packer: Packer | undefined;

  /** @throws ForwarderError `config_invalid` where the codec does not know the level */
  constructor(parts: CompressionParts, written: Exclude<Config["kafka"]["compression"]["codec"], "none">) {
    const { config, kernel, sink, wants, trim, batchBytesMaxOf } = parts;
    const packing: Packing = written === "auto"
      ? autoPacking
      : { codec: written, level: config.kafka.compression.level };
    checkPacking(packing);
    this.#codec = packing.codec;
    const nowMs = () => performance.now();
    if (written === "auto") {
      const cores = usableCores();
      this.#need = new CompressionNeed({
        nowMs,
        busyShare: busyShareOf(cores),
        cores,
        workers: config.workers,
      });
    }
    let pack: Pack;
    if ((packing.codec === "gzip" || packing.codec === "zstd") && runtime.zlibThreads) {
      pack = packWithZlib({ codec: packing.codec, level: packing.level });
    } else {
      const lost = (problem: string) =>
        parts.log("compression_lost", { codec: packing.codec, problem }, "error");
      this.#packer = new Packer(packing, parts.spawn, lost);
      this.#packer.start();
      pack = this.#packer.pack;
    }
    const need = this.#need === undefined ? {} : { need: neededWhenReady(this.#need, this.#packer) };
    this.compressor = new Compressor({
      kernel,
      codec: packing.codec,
      pack,
      ...need,
      // Else it would be a matter of the processors whether a large record is delivered.
      mustPack: ({ topic, at, end }) => end - at > batchBytesMaxOf(topic),
      nowMs,
      inWorkMax: compressionsMax,
      sink,
      wants,
      trim,
    });
  }

  report(): CompressionReport {
    const need = this.#need?.view();
    return { codec: this.#codec, ...this.compressor.stats(), ...(need === undefined ? {} : { need }) };
  }

  /** Ends its thread, when nothing is inside any more. */
  close(): void {
    this.#packer?.close();
  }
}
