/**
 * The spool of one worker as the pipeline sees it: batches are committed to the disk before they are sent, may be
 * forgotten by the memory, come back from the disk, and leave it when Kafka (or the dead letter) has them.
 *
 *                append                   settle "delivered" | "dead_lettered"
 *     batch ───> pending ──committed──> live ─────────────────────────────────> settled ──> segment removed
 *                   │                   │  ▲
 *                withdraw          giveUp  next            (memory is the pipeline's: the spool only reads it
 *                   ▼                   ▼  │                while pending, and writes it in `next` and `read`)
 *                  gone               backlog <── open: what an earlier process left
 *
 * It promises
 *   - `committed` is called when the batch will survive what `durability` names, and not before: `os` the end of this
 *     process, `fsync` a power cut. `none` writes too, when it is asked, but nobody waits for it;
 *   - what was committed and not settled is found again by the next `openSpool`, whatever happened in between; it
 *     may come twice, never less than once;
 *   - batches of one topic leave `next` in the order in which they were appended, per session;
 *   - a full or failing disk is a state with a reason, never an exception and never a lost batch: pending batches
 *     stay pending, and it goes on by itself when the disk does;
 *   - damage hurts the damaged batch alone.
 *
 * It refuses to choose: what is sent when, and how much memory is used, is the pipeline's decision.
 *
 * @module
 */
import type { ClosedBatch } from "../batch/record_batch.ts";

/** What a committed batch survives. */
export type Durability = "none" | "os" | "fsync";

/** Which goes first: what this session receives, or what earlier sessions left. */
export type ReplayOrder = "live_first" | "ordered";

/** The settings of a spool; those of one process, shared by its workers. */
export interface SpoolSettings {
  /** Absolute. Each worker has a folder in it. */
  readonly dir: string;
  readonly durability: Durability;
  /** All files of all workers. */
  readonly bytesMax: number;
  /** Bytes that stay free on the file system. */
  readonly freeBytesMin: number;
  readonly replay: ReplayOrder;
  /** Bytes of earlier sessions that are read per second while `live_first`, over all workers. */
  readonly replayBytesPerS: number;
  /** Bytes of each parked topic, over all workers. */
  readonly parkedBytesMax: number;
}

/** One batch in the spool. The pipeline holds it from `append` or `next` until `settle`, `giveUp` or `withdraw`. */
export interface SpooledBatch {
  /**
   * The batch as sinks take it. `at` and `end` are true while its memory is: after `giveUp` nobody may use them.
   * Its partition and attributes are those that were written.
   */
  readonly batch: ClosedBatch;
  /** It was left by an earlier session: the ledger counted it as `replayed` when the spool was opened. */
  readonly replayed: boolean;
  /** `live`: committed, and the pipeline has it. */
  readonly state: "pending" | "live" | "backlog" | "settled" | "withdrawn";
}

/** What became of a batch for good. */
export type Settlement = "delivered" | "dead_lettered";

/** Where `next` may put a batch, and which it may choose. */
export interface BacklogWish {
  /** False: batches of this topic wait (it is parked, or has enough in flight). Called per topic, not per batch. */
  mayGo(topic: string): boolean;
  /**
   * Memory for a batch with `recordBytes` of records: the offset of its header, `headroomBytes` behind the beginning
   * of its extent, as the batcher makes them; 0 when there is no room now. The extent is the pipeline's, also when
   * the batch turns out to be damaged (`release`).
   */
  room(recordBytes: number): number;
  /** Gives back what `room` gave: nothing was put there. */
  release(at: number): void;
  /**
   * The bytes lie at [batch.at, batch.end), the batch is `live` again. Called before `next` resolves and in the order
   * of the topic: hand it on at once, from here on `mustWait` does not count it any more.
   */
  take(spooled: SpooledBatch): void;
}

/** What `next` found. */
export type BacklogAnswer =
  /** One was given to `take`. */
  | { readonly kind: "batch" }
  /** Nothing that may go now. `events.wants` is called when there may be. */
  | { readonly kind: "none" }
  /** `room` gave 0. */
  | { readonly kind: "no_room" }
  /** The bound of replay is reached: ask again after `delayMs`. */
  | { readonly kind: "later"; readonly delayMs: number };

/** What came of reading one batch back. */
export type ReadAnswer =
  | { readonly ok: true }
  /** It is damaged and was quarantined: `events.damaged` told the ledger, the handle is settled. */
  | { readonly ok: false; readonly damaged: true }
  /** The disk does not give it now; it is where it was. */
  | { readonly ok: false; readonly damaged: false; readonly message: string };

/** Why something is not in the spool any more though nobody settled it. */
export interface Damage {
  /** A constant name: `crc_mismatch`, `torn`, `crash_loop`, `unreadable_segment`. */
  readonly reason: string;
  readonly batches: number;
  /** Records in them, as far as they are known: they leave `spooled`. */
  readonly records: number;
  /** True if the ledger counted them as `spooled` (or in `opened`): they have to leave it. */
  readonly counted: boolean;
  /** Where the bytes are kept. */
  readonly path: string | undefined;
  readonly message: string;
}

/** What a spool tells the pipeline. Never throws. */
export interface SpoolEvents {
  /** `next` may find something that it did not find before. */
  wants(): void;
  /** `full` was true and is false now: go on reading. */
  room(): void;
  damaged(damage: Damage): void;
  /** A folder was taken over while this session runs, with so many records: they are in the backlog from now on. */
  adopted?(records: number): void;
  /** One line per noteworthy event, rate limited. */
  log?(level: "debug" | "info" | "warn" | "error", event: string, fields: Record<string, unknown>): void;
}

/** How a spool is, for `/readyz` and people. */
export type SpoolState =
  | { readonly kind: "ready" }
  /** `spool.bytes_max` or `spool.free_min` is reached. */
  | { readonly kind: "full"; readonly message: string }
  /** The disk refuses; tried again for ever. */
  | { readonly kind: "failing"; readonly message: string }
  | { readonly kind: "closed" };

/** One line of `/admin/stats`. JSON-safe. */
export interface SpoolStats {
  readonly dir: string;
  readonly durability: Durability;
  readonly state: SpoolState["kind"];
  /** Why it is not ready, in words for an operator. */
  readonly problem?: string;
  /** Bytes of files on the disk, and their bound for this worker. */
  readonly bytes: number;
  readonly bytesMax: number;
  readonly segments: number;
  /** Batches and records that are committed and not settled. */
  readonly batches: number;
  readonly records: number;
  /** Of these, what is on the disk alone. */
  readonly backlogBatches: number;
  readonly backlogRecords: number;
  /** Of these, what earlier sessions left. */
  readonly replayBatches: number;
  readonly replayRecords: number;
  /** Batches that wait for their commit. */
  readonly pendingBatches: number;
  readonly pendingBytes: number;
  /** Age of the oldest batch that is not settled, by its receive time; 0 where there is none. */
  readonly oldestAgeMs: number;
  readonly parked: readonly {
    readonly topic: string;
    readonly batches: number;
    readonly records: number;
    readonly bytes: number;
    readonly full: boolean;
  }[];
  /** From `append` to `committed`. */
  readonly commitMs: {
    readonly p50: number;
    readonly p99: number;
    readonly p999: number;
    readonly max: number;
  };
  readonly commits: number;
  readonly batchesCommitted: number;
  readonly bytesCommitted: number;
  readonly damagedBatches: number;
  readonly quarantinedBatches: number;
}

/** What the spool held when it was opened: the ledger adds it to `replayed` and to `spooled`. */
export interface Opened {
  readonly batches: number;
  readonly records: number;
  /** The former process closed the spool; false after a crash or kill. */
  readonly clean: boolean;
  /** Folders of workers that are no more, taken over. */
  readonly adopted: readonly string[];
}

/** The spool of one worker. Single-threaded; no method throws but on a broken invariant. */
export interface Spool {
  readonly opened: Opened;
  readonly state: SpoolState;
  /** True while `bytes_max` or the free-space floor is reached or the disk fails: stop reading. `events.room` says when to go on. */
  readonly full: boolean;

  /**
   * Takes a batch; `committed` is called once when it is on the disk. Its bytes and the headroom before them must not
   * change or move until then: the record's head is written into the headroom and the header's place. Always taken.
   */
  append(batch: ClosedBatch, committed: (spooled: SpooledBatch) => void): SpooledBatch;
  /**
   * Takes a pending batch out again, so that it may be sent without the disk. False when it is being written or is
   * committed: then `committed` is called as ever.
   */
  withdraw(spooled: SpooledBatch): boolean;
  /** A live batch is done with. Its record of it becomes durable later, which at worst means a duplicate. */
  settle(spooled: SpooledBatch, settlement: Settlement): void;
  /**
   * The memory of a live batch is wanted elsewhere: it comes again through `next`, in its place. Only for batches
   * that no sink has, or that a sink gave back; the newest of a topic first, or their order is lost.
   */
  giveUp(spooled: SpooledBatch): void;
  /**
   * True if batches of `topic` lie on the disk that have to go before a new one: give up the new one, it will come
   * through `next` in its turn.
   */
  mustWait(topic: string): boolean;

  /** Brings the next batch of the backlog into memory. One call at a time. */
  next(wish: BacklogWish): Promise<BacklogAnswer>;
  /** Reads a live batch again into memory at `at`, laid out as `BacklogWish.room` says. */
  read(spooled: SpooledBatch, at: number): Promise<ReadAnswer>;

  /**
   * Batches of `topic` move to a place of their own: those that are live (they stay so), then the backlog, and those
   * that come. What is there and in the backlog waits for `unpark`.
   */
  park(topic: string): void;
  /** The topic goes again: what was parked comes through `next`, before what is newer. */
  unpark(topic: string): void;
  readonly parked: ReadonlySet<string>;

  /**
   * Whether folders that another process leaves are taken over while this session runs, as at the beginning. Resolves
   * when none is being taken over against that.
   */
  adoptFolders?(isOn: boolean): Promise<void>;

  stats(): SpoolStats;
  /**
   * Commits what is pending, as long as `deadlineMs` and the disk allow, records what was settled, and lets go of the
   * folder. Returns the batches that are not committed: they are lost unless the pipeline has another way.
   */
  close(deadlineMs: number): Promise<readonly SpooledBatch[]>;
}
