/**
 * The stages of a worker that the configuration may leave out: the spool and the compressor.
 *
 * @module
 */
import type { Batcher } from "../batch/batcher.ts";
import type { CompressorSink } from "../batch/compress.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { flightKind } from "../observe/flight.ts";
import type { CounterRow } from "../observe/row.ts";
import { stage } from "../observe/stage_table.ts";
import type { Sink } from "../sink/sink.ts";
import { openSpool } from "../spool/open_spool.ts";
import { promptDisk } from "../spool/prompt_disk.ts";
import type { BatchEnds } from "./batch_ends.ts";
import type { BatchWaits } from "./batch_waits.ts";
import { slowDisk } from "./chaos.ts";
import { Compression } from "./compression.ts";
import type { SpawnPacker } from "./packer_protocol.ts";
import type { StartMessage, WorkerLog } from "./protocol.ts";
import { SpoolStage } from "./spool_stage.ts";
import type { TopicCounts } from "./topic_counts.ts";
import { sinkBytesMaxOf } from "./worker_memory.ts";

/** What both join. */
export interface StageParts {
  readonly start: StartMessage;
  readonly kernel: Kernel;
  readonly sink: Sink;
  readonly counters: CounterRow;
  readonly batches: BatchWaits;
  readonly topics: TopicCounts;
  readonly ends: BatchEnds;
  /** It is made behind them. */
  batcher(): Batcher;
  readonly log: WorkerLog;
}

/** The place of the spool, not yet open; undefined where nothing is kept on the disk. */
export function createSpoolStage(parts: StageParts): SpoolStage | undefined {
  const { start: { config }, sink, counters, batches, topics, ends, batcher, log } = parts;
  if (config.spool === undefined) return undefined;
  return new SpoolStage({
    durability: config.spool.durability,
    sink,
    memory: {
      reserve: (recordBytes) => batcher().reserve(recordBytes),
      free: (at) => batcher().free(at),
      bytesOf: (at) => batcher().bytesOf(at),
      roomy: () => batcher().roomy,
    },
    counters,
    sinkBytesMax: () => sinkBytesMaxOf(config, batcher().recordBytesMax),
    recordBytesMax: () => batcher().recordBytesMax,
    wants: () => batcher().wants(),
    gaveUp: (batch) => batches.end(batch, flightKind["batch committed"]),
    freed: (bytes) => ends.freed(bytes),
    replayed: (batch) => topics.submitted(batch.topic, batch.count),
    nowMs: () => performance.now(),
    log,
  });
}

/**
 * Takes the spool's folder, with what an earlier process left in it; what is written is there `diskMs` later.
 *
 * @throws ForwarderError
 */
export async function joinSpool(
  stage: SpoolStage | undefined,
  { config, worker, succeeds }: StartMessage,
  memory: Kernel,
  diskMs: number,
): Promise<void> {
  const { spool: settings, workers } = config;
  if (stage === undefined || settings === undefined) return;
  const { events } = stage;
  const disk = slowDisk(promptDisk(), diskMs);
  stage.join(await openSpool({ settings, worker, workers, memory, events, succeeds, disk }));
}

/** The compressor, before the spool or the sink; undefined where nothing is packed. */
export function createCompression(
  parts: StageParts,
  spool: SpoolStage | undefined,
  spawn: SpawnPacker,
): Compression | undefined {
  const { start: { config }, kernel, sink, batches, batcher, log } = parts;
  const { codec } = config.kafka.compression;
  if (codec === "none" || config.sink !== "kafka") return undefined;
  return new Compression({
    config,
    kernel,
    sink: spool === undefined ? sink : spooling(spool, batches),
    spawn,
    log,
    batchBytesMaxOf: (topic) => sink.batchBytesMaxOf?.(topic) ?? Infinity,
    wants: () => batcher().wants(),
    trim: (batch) => batcher().trim(batch),
  }, codec);
}

/** The spool behind the compressor: its batches wait for the disk from here on. */
function spooling(spool: SpoolStage, batches: BatchWaits): CompressorSink {
  return {
    get hungry() {
      return spool.hungry;
    },
    send(batch) {
      batches.begin(batch, stage.spool);
      spool.send(batch);
    },
    status: () => spool.status(),
  };
}
