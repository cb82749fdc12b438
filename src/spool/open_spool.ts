/**
 * Opens the spool of a worker: takes its folders, reads what they hold, and says what is wrong with them.
 *
 * @module
 */
import { randomBytes } from "node:crypto";
import { ForwarderError } from "../core/errors.ts";
import { ioProblem } from "../core/io_problem.ts";
import { type SpoolClock, systemClock } from "./clock.ts";
import { type Disk, nodeDisk } from "./disk.ts";
import { Folders } from "./folders.ts";
import type { Home } from "./home.ts";
import { Losses } from "./losses.ts";
import { type Processes, systemProcesses } from "./lock.ts";
import { regionFileName } from "./quarantine.ts";
import type { SpoolMemory } from "./reader.ts";
import type { SegmentDamage } from "./recover.ts";
import type { Spool, SpoolEvents, SpoolSettings } from "./spool.ts";
import { recordsOf } from "./sums.ts";
import { WorkerSpool } from "./worker_spool.ts";

/** A segment is at most this large, and at most a sixteenth of what the worker may keep. */
const segmentBytesMost = 64 * 1024 * 1024;
const segmentShare = 1 / 16;
const segmentBytesLeast = 1024 * 1024;
/** Bytes of a damaged stretch that are kept. */
const regionBytesMax = 8 * 1024 * 1024;

/** What a spool is opened with. */
export interface OpenSpoolOptions {
  readonly settings: SpoolSettings;
  readonly worker: number;
  readonly workers: number;
  /** The kernel in whose memory batches lie. */
  readonly memory: SpoolMemory;
  readonly events: SpoolEvents;
  /**
   * A process that this one succeeds still uses its folders: this one begins another, and takes those over as they
   * become free.
   */
  readonly succeeds?: boolean;
  /** The machine's by default. */
  readonly disk?: Disk;
  readonly clock?: SpoolClock;
  readonly processes?: Processes;
  readonly newId?: () => number;
  /** By default what suits the bounds. */
  readonly segmentBytesMax?: number;
}

/**
 * Opens the spool of one worker, with what earlier processes left there. Damage is told through `events.damaged`
 * before this resolves.
 *
 * @throws ForwarderError `spool_locked` while another process uses it; `disk_failed` if its folder cannot be had
 */
export async function openSpool(options: OpenSpoolOptions): Promise<Spool> {
  const { settings, worker, workers, memory, events } = options;
  const bytesMax = Math.floor(settings.bytesMax / workers);
  const folders = await openFolders(options, bytesMax);
  const { batches, records } = folders.sums();
  const losses = new Losses(folders, events);
  const spool = new WorkerSpool({
    settings,
    bytesMax,
    parkedBytesMax: Math.floor(settings.parkedBytesMax / workers),
    replayBytesPerS: settings.replayBytesPerS / workers,
    memory,
    folders,
    losses,
    events,
    opened: {
      batches,
      records,
      clean: folders.all.every((home) => home.clean),
      adopted: folders.adopted,
    },
  });
  for (const home of [...folders.all]) await reportDamages(losses, folders, home);
  folders.adoptedLater = async (name, homes) => {
    for (const home of homes) await reportDamages(losses, folders, home);
    const records = homes.reduce((sum, home) => sum + recordsOf(home), 0);
    events.log?.("info", "spool_adopted", { worker, folder: name, records });
  };
  const scanned = folders.all.reduce((sum, home) => sum + home.recovered.scanned, 0);
  events.log?.("info", "spool_opened", { worker, batches, records, scanned, adopted: folders.adopted });
  return spool;
}

async function openFolders(options: OpenSpoolOptions, bytesMax: number): Promise<Folders> {
  const { settings, worker, workers, events } = options;
  const share = Math.max(segmentBytesLeast, Math.floor(bytesMax * segmentShare));
  try {
    return await Folders.open({
      disk: options.disk ?? nodeDisk,
      clock: options.clock ?? systemClock,
      processes: options.processes ?? systemProcesses(),
      dir: settings.dir,
      worker,
      workers,
      succeeds: options.succeeds ?? false,
      sync: settings.durability === "fsync",
      segmentBytesMax: options.segmentBytesMax ?? Math.min(segmentBytesMost, share),
      newId: options.newId ?? randomId,
      log: (level, event, fields) => events.log?.(level, event, fields),
    });
  } catch (cause) {
    if (cause instanceof ForwarderError) throw cause;
    throw new ForwarderError("disk_failed", ioProblem("open the spool in", settings.dir, cause), { cause });
  }
}

async function reportDamages(losses: Losses, folders: Folders, home: Home): Promise<void> {
  for (const name of home.cursorDamaged) {
    losses.report({
      reason: "cursor_damaged",
      batches: 0,
      records: 0,
      counted: false,
      path: `${home.folder}/${name}`,
      message: `"${home.folder}/${name}" is damaged; batches that were sent may come again`,
    });
  }
  for (const damage of home.recovered.damages) {
    const path = await keepRegion(folders, home, damage);
    losses.report({
      reason: damage.reason,
      batches: damage.region?.batches ?? 0,
      records: damage.region?.records ?? 0,
      counted: false,
      path,
      message: damage.message,
    });
  }
}

/** Damaged bytes that had been acknowledged are kept for a person to look at. */
async function keepRegion(folders: Folders, home: Home, damage: SegmentDamage): Promise<string | undefined> {
  const { region, file: name } = damage;
  if (region === undefined || !region.acknowledged) return undefined;
  const bytes = new Uint8Array(Math.min(region.to - region.from, regionBytesMax));
  try {
    const file = await folders.disk.open(`${home.folder}/${name}`, "read");
    try {
      await file.read(bytes, region.from);
    } finally {
      await file.close();
    }
  } catch (error) {
    folders.problem(ioProblem("read", `${home.folder}/${name}`, error));
    return undefined;
  }
  return await folders.quarantineOf(home).keep(regionFileName(Number(name.slice(0, 10)), region.from), bytes);
}

/** Random, and not 0, which is no id. */
function randomId(): number {
  return randomBytes(4).readUInt32LE() || 1;
}
