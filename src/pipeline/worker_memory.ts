/**
 * What one worker's stages may hold of the memory limit, all of it derived from the configuration.
 *
 * @module
 */
import type { Config } from "../config/config.ts";
import { defaultKernelSizes } from "../kernel/instance.ts";

/**
 * The part of the memory limit that holds batches, over all workers. The rest is the runtime itself, chunks and
 * text on their way, half frames, and what sockets have not sent.
 */
const arenaShare = 1 / 16;
/** The part that half lines may hold, over all workers, before the oldest of them is ended. */
const halfLinesShare = 1 / 8;
/** The part of it that requests may hold while they wait for room, over all workers. */
const submissionsShare = 1 / 16;
/** Five requests of a few full batches in flight, and as much growing behind them. */
const arenaBytesMin = 8 * 1024 * 1024;
/** Addresses in a kernel's memory are 31 bits, and the arena is not all of it. */
const arenaBytesMax = 1024 * 1024 * 1024;

/** The part of the arena that batches may hold which the sink has, where there is a spool; the rest is for what comes. */
const sinkShare = 5 / 8;

/** Keys and rules may choose partitions, each of which has a lane. */
const lanesMin = 4096;

/** Bytes of one worker's arena. Batches and the largest records must fit twice, whatever the limit says. */
export function arenaBytesOf(config: Config): number {
  const share = shareOf(config, arenaShare);
  const recordBytes = config.frameBytesMax + defaultKernelSizes.scratchBytes;
  const least = Math.max(arenaBytesMin, 4 * config.kafka.batchBytesMax, 2 * recordBytes);
  return Math.max(least, Math.min(share, arenaBytesMax));
}

/** Bytes of the arena that batches in the sink may take; the largest batch has `recordBytesMax` bytes of records. */
export function sinkBytesMaxOf(config: Config, recordBytesMax: number): number {
  return Math.floor((arenaBytesOf(config) - recordBytesMax) * sinkShare);
}

/** Bytes that the half lines of all streams may hold. */
export function halfBytesMaxOf(config: Config): number {
  return Math.max(arenaBytesMin, shareOf(config, halfLinesShare));
}

/** Bytes that requests may hold while they wait for room. */
export function waitingBytesMaxOf(config: Config): number {
  return shareOf(config, submissionsShare);
}

/** Lanes: beside those that lines choose, of the default topic and of the dead letters. */
export function lanesMaxOf(config: Config): number {
  return Math.max(lanesMin, config.kafka.topicsMax + 2);
}

function shareOf(config: Config, share: number): number {
  return Math.floor(config.limits.memoryBytes * share / config.workers);
}
