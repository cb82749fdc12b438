/**
 * Brings one batch after the other from the backlog into memory.
 *
 * A batch that is damaged is lost to `losses.ts`, one that was out at crashes in a row as well. One that the disk
 * refuses is tried a few times, then passed over for a minute: it stays where it is, and is not lost.
 *
 * @module
 */
import { invariant } from "../core/invariant.ts";
import { ioProblem } from "../core/io_problem.ts";
import type { Accounts, LiveBatches } from "./accounts.ts";
import type { Backlog, Candidate } from "./backlog.ts";
import type { Folders } from "./folders.ts";
import { HeldBatch } from "./held_batch.ts";
import type { KeptOrigins } from "./kept_origins.ts";
import type { Losses } from "./losses.ts";
import { type BatchReader, closedBatchOf } from "./reader.ts";
import { batchState } from "./segment.ts";
import type { BacklogAnswer, BacklogWish } from "./spool.ts";
import { crashesMax } from "./suspects.ts";

/** Refusals after which a batch is passed over. */
const refusalsMax = 5;
/** After a refusal. */
const retryMs = 200;
/** Then it is tried again. */
const passOverMs = 60_000;

/** What a replay works with. */
export interface ReplayOptions {
  readonly folders: Folders;
  readonly backlog: Backlog;
  readonly reader: BatchReader;
  readonly losses: Losses;
  /** Batches of this session in the backlog. */
  readonly waiting: Accounts;
  /** Batches that the pipeline has. */
  readonly live: LiveBatches;
  /** Who sent the records of batches of this session. */
  readonly origins: KeptOrigins;
  mayGo(topic: string): boolean;
  /** A batch came back into the backlog by itself. */
  returned(candidate: Candidate): void;
}

/** The reading end of one worker. */
export class Replay {
  readonly #options: ReplayOptions;
  readonly #refusals = new Map<string, number>();
  /** Timers of batches that are passed over. */
  readonly #passedOver = new Set<unknown>();
  #reading: Candidate | undefined;

  constructor(options: ReplayOptions) {
    this.#options = options;
  }

  /** True while a batch of an earlier session is being read. */
  get readsEarlier(): boolean {
    return this.#reading?.segment.earlier === true;
  }

  /** @see Spool.next */
  async next(wish: BacklogWish): Promise<BacklogAnswer> {
    invariant(this.#reading === undefined, "one batch is read at a time");
    const { backlog, mayGo } = this.#options;
    for (;;) {
      const found = await backlog.find((topic) => mayGo(topic) && wish.mayGo(topic));
      if (found === "none") return { kind: "none" };
      if ("delayMs" in found) return { kind: "later", delayMs: found.delayMs };
      if (found.segment.stateOf(found.batch) !== batchState.backlog) continue;
      const answer = await this.#fetch(found, wish);
      if (answer !== undefined) return answer;
    }
  }

  /** Tries nothing again. */
  close(): void {
    for (const timer of this.#passedOver) this.#options.folders.clock.clear(timer);
    this.#passedOver.clear();
  }

  /** Reads what was found. Undefined: look for another one. */
  async #fetch(found: Candidate, wish: BacklogWish): Promise<BacklogAnswer | undefined> {
    const { folders, reader, losses } = this.#options;
    const { home, segment, batch, count, recordBytes } = found;
    const notes = segment.earlier ? folders.notesOf(home) : undefined;
    if (notes !== undefined) {
      if (notes.crashesOf(segment.id, batch) >= crashesMax) {
        await this.#setAside(found);
        return undefined;
      }
      // `folders.acquitted` says when to ask again, and so does each settled batch.
      if (!notes.mayGo(segment.id, batch)) return { kind: "none" };
    }
    const at = wish.room(recordBytes);
    if (at === 0) return { kind: "no_room" };
    this.#reading = found;
    segment.move(batch, batchState.live, count);
    const outcome = await reader.read(found, at);
    if (outcome.kind === "read" && notes !== undefined) {
      await notes.note(segment.id, batch).catch((error) => {
        folders.problem(ioProblem("write", home.folder, error));
      });
    }
    this.#reading = undefined;
    switch (outcome.kind) {
      case "read":
        this.#left(found);
        wish.take(this.#held(found, {
          ...closedBatchOf(outcome.head, at, folders.clock.monoMs()),
          origins: this.#options.origins.take(segment.id, batch),
        }));
        return { kind: "batch" };
      case "damaged":
        this.#left(found);
        await losses.quarantine(found, count, "crc_mismatch", outcome.bytes);
        wish.release(at);
        return undefined;
      case "failed":
        wish.release(at);
        return this.#refused(found, outcome.error);
    }
  }

  #held({ home, segment, batch }: Candidate, closed: HeldBatch["batch"]): HeldBatch {
    const held = new HeldBatch(closed, { home, segment, batch }, segment.earlier);
    if (this.#options.folders.shared.includes(home)) this.#options.live.add(held);
    return held;
  }

  /** A batch is no longer in the backlog. */
  #left(found: Candidate): void {
    this.#refusals.delete(nameOf(found));
    this.#options.backlog.took(found);
    if (!found.segment.earlier) this.#options.waiting.remove(found.topic);
  }

  /** The disk does not give a batch now. */
  #refused(found: Candidate, error: unknown): BacklogAnswer | undefined {
    const { folders, returned } = this.#options;
    const { home, segment, batch, count } = found;
    const refusals = (this.#refusals.get(nameOf(found)) ?? 0) + 1;
    this.#refusals.set(nameOf(found), refusals);
    folders.problem(ioProblem("read", home.folder, error));
    const goBack = (): void => {
      segment.move(batch, batchState.backlog, count);
      returned(found);
    };
    if (refusals < refusalsMax) {
      goBack();
      return { kind: "later", delayMs: retryMs };
    }
    // It counts as live meanwhile, so that nobody takes or removes it.
    this.#refusals.delete(nameOf(found));
    const timer = folders.clock.set(() => {
      this.#passedOver.delete(timer);
      goBack();
    }, passOverMs);
    this.#passedOver.add(timer);
    return undefined;
  }

  /** A batch that was out at crashes in a row. */
  async #setAside(found: Candidate): Promise<void> {
    const { segment, batch, count, offset, headBytes, recordBytes, home } = found;
    segment.move(batch, batchState.live, count);
    const bytes = new Uint8Array(headBytes + recordBytes);
    await home.read(segment, offset, bytes).catch(() => false);
    await this.#options.losses.quarantine(found, count, "crash_loop", bytes);
  }
}

function nameOf({ segment, batch }: Candidate): string {
  return `${segment.id}/${batch}`;
}
