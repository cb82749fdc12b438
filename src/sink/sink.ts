/**
 * Where closed batches go. `kafka`, `file`, `stdout` and `blackhole` all have this shape.
 *
 * A sink never throws at the pipeline and never forgets a batch: it retries what may be retried for ever and
 * reports every batch exactly once through `events.settled`. It reads kernel memory, it never frees it.
 *
 * @module
 */
import type { BatchOutcome, ClosedBatch } from "../batch/record_batch.ts";

/** What a sink tells the pipeline. */
export interface SinkEvents {
  /** Called once per batch, in any order between batches; the extent may be reused when it returns. */
  settled(batch: ClosedBatch, outcome: BatchOutcome): void;
  /** The sink became able to take more (`hungry` turned true). */
  wants(): void;
}

/** One line of `/admin/stats` and `/readyz` about a sink. */
export interface SinkStatus {
  readonly name: string;
  /** False while nothing can be delivered; `problem` then says why, in words for an operator. */
  readonly ready: boolean;
  readonly problem?: string;
  /** Batches and bytes that were sent and not settled. */
  readonly batchesInFlight: number;
  readonly bytesInFlight: number;
  /** Sink-specific details (brokers, topics, files), JSON-safe. */
  readonly details: Record<string, unknown>;
}

/** What holds up a part of what a sink has. */
export interface SinkTroubles {
  /** In words for an operator. */
  readonly texts: readonly string[];
  /** True while it has batches and none of them can be delivered. */
  readonly stalled: boolean;
}

/** A destination of batches; one per worker. */
export interface Sink {
  readonly name: string;
  /** Begins to connect; resolves at once, problems show in `status()`. A sink that is down is not an error at the start. */
  start(): void;
  /** True while a batch given now would go out at once; open batches may wait to grow while it is false. */
  readonly hungry: boolean;
  /** Takes a batch. Always accepted: the arena bounds what can be given. */
  send(batch: ClosedBatch): void;
  status(): SinkStatus;
  /** What holds up a part of it while it is ready; missing where there are no parts. */
  troubles?(): SinkTroubles;
  /** How many partitions a topic has, 0 while that is not known; missing where records have no partitions. */
  partitionsOf?(topic: string): number;
  /** Larger batches, header included, are refused by the topic; Infinity while that is not known. */
  batchBytesMaxOf?(topic: string): number;
  /** True while nothing of the topic can be delivered though the sink is ready: its batches hold room and nothing moves. */
  stalls?(topic: string): boolean;
  /**
   * Gives back batches of a topic that never went out, those that `isWanted` takes and all but one, the newest first:
   * they are the caller's again, unsettled.
   */
  giveBack?(topic: string, isWanted: (batch: ClosedBatch) => boolean): ClosedBatch[];
  /** Every batch that it will still settle; missing where it cannot tell. */
  held?(): ReadonlySet<ClosedBatch>;
  /** The broker that leads the batch's partition, `host:port`. */
  brokerOf?(batch: ClosedBatch): string | undefined;
  /** Ends connections and files. Batches that are not settled by then stay unsettled and are reported lost by the pipeline. */
  close(): Promise<void>;
  /**
   * Makes unsettled batches lie in memory as they were given, for whoever keeps them. Called after `close`, when what
   * took refused records is closed too; missing where nothing writes over them.
   */
  restore?(): void;
}
