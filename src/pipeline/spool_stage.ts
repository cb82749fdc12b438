/**
 * The stage between batches and Kafka that keeps them on the disk: a closed batch is committed to the spool, then sent
 * from memory; what finds no place in the sink's share of the memory is given up and read back when there is.
 *
 *     batch ──append──> pending ──committed──> in the sink ──settled──> gone
 *                          │                       ▲
 *                          │ no place, or others   │ place
 *                          ▼ of its topic wait     │
 *                        given up ───────────> backlog          (`durability: none`: straight into the sink;
 *                                                                the disk takes what comes while that is away)
 *
 * While the sink is prompt, a batch without a place is held in memory instead (held_batches.ts).
 * Constraints it keeps:
 *  - batches of a topic reach the sink in the order in which they were closed, through outages too;
 *  - the sink holds at most `sinkBytesMax` (and a batch that was being read meanwhile), and one topic not all of it: an outage of any length moves no memory, and
 *    a topic that cannot be delivered leaves the others their place, and gives back what it has;
 *  - one extent is set aside for reading back: a memory full of batches that a full disk does not take still drains;
 *  - while the disk takes nothing and the sink does, batches pass the disk by.
 *
 * In the ledger a batch is in flight while it is in memory, and spooled while the disk alone has it.
 *
 * @module
 */
import { commitReceipts, spoolReceipts } from "../batch/receipt.ts";
import type { ClosedBatch } from "../batch/record_batch.ts";
import { faultPoint } from "../core/fault_point.ts";
import { invariant } from "../core/invariant.ts";
import { counter, type CounterRow } from "../observe/row.ts";
import type { Sink } from "../sink/sink.ts";
import { HeldBatches, lateMs } from "./held_batches.ts";
import type { WorkerLog } from "./protocol.ts";
import type {
  Damage,
  Durability,
  Settlement,
  Spool,
  SpooledBatch,
  SpoolEvents,
  SpoolStats,
} from "../spool/spool.ts";

/** Batches in the sink from which on open batches wait to grow, as they do before a sink without a spool. */
const sinkBatchesEager = 64;

/** A topic of which nothing moves for so long goes to a place of its own in the spool. */
export const parkAfterMs = 10_000;

/** Where the stage finds memory for what it reads back. */
export interface SpoolMemory {
  /** Offset of a batch header with room for so many bytes of records behind it, and the headroom before; 0: none. */
  reserve(recordBytes: number): number;
  /** Gives back what `reserve` or a closed batch holds. */
  free(at: number): void;
  /** Bytes that such a place takes of the memory. */
  bytesOf(at: number): number;
  /** Enough is free that reading back does not take what is received its place. */
  roomy(): boolean;
}

/** What the stage joins. */
export interface SpoolStageParts {
  readonly durability: Durability;
  readonly sink: Sink;
  readonly memory: SpoolMemory;
  readonly counters: CounterRow;
  /** Bytes of memory that the sink's batches may take. */
  readonly sinkBytesMax: () => number;
  /** Bytes of the records of the largest batch that there may ever be. */
  readonly recordBytesMax: () => number;
  /** The stage became able to take more at once. */
  wants(): void;
  /** The disk alone has a batch from now on. */
  gaveUp?(batch: ClosedBatch): void;
  /** Memory was given back, `bytes` of batches. */
  freed(bytes: number): void;
  /** False: no batch is held for a prompt sink. */
  readonly holds?: boolean;
  /** A batch of an earlier session goes to the sink. */
  replayed(batch: ClosedBatch): void;
  readonly log: WorkerLog;
  /** Monotonic milliseconds. */
  nowMs(): number;
}

/** Counts of a stage, for `/admin/stats`. */
export interface SpoolStageStats {
  /** Bytes and batches that the sink holds, of at most so many. */
  readonly sinkBytes: number;
  readonly sinkBytesMax: number;
  readonly sinkBatches: number;
  /** Batches that were given up and read back since the start. */
  readonly givenUp: number;
  readonly readBack: number;
  /** Batches that passed a disk by that took nothing. */
  readonly passedBy: number;
  /** Batches that the disk has and that wait in memory for a place. */
  readonly held: number;
}

/** What one worker tells about its spool. */
export type SpoolReport = SpoolStats & SpoolStageStats;

/** One topic's batches in this stage. */
interface TopicBooks {
  sinkBytes: number;
  pending: number;
  /** Nothing of it moves while others do: one batch in the sink is enough to see when it goes on. */
  stalls: boolean;
  stallsSinceMs: number;
  /** It stalls for long, and was parked for that. */
  parked: boolean;
}

/** The spool's place in one worker's pipeline. It has the shape that the batcher and the compressor want of a sink. */
export class SpoolStage {
  /** To be given to `openSpool`. */
  readonly events: SpoolEvents = {
    wants: () => this.#pump(),
    room: () => {
      this.#passBy();
      this.#parts.wants();
    },
    damaged: (damage) => this.#damaged(damage),
    adopted: (records) => {
      const { counters } = this.#parts;
      counters.add(counter.replayed, records);
      counters.add(counter.spooled, records);
      counters.publish();
    },
    log: (level, event, fields) => this.#parts.log(event, fields, level),
  };
  readonly #parts: SpoolStageParts;
  #spool: Spool | undefined;
  readonly #topics = new Map<string, TopicBooks>();
  /** Batches that wait for their commit, in order. */
  readonly #pending = new Set<SpooledBatch>();
  /** Batches in the sink, with what the spool knows of them. */
  readonly #inSink = new Map<ClosedBatch, SpooledBatch | undefined>();
  /** When each came there, oldest first. */
  readonly #sentAtMs = new Map<ClosedBatch, number>();
  readonly #held = new HeldBatches();
  #datagramsAtTick = 0;
  /** Batches whose memory was given back, and whose records are on their way into the dead letter. */
  readonly #leaving = new Map<ClosedBatch, SpooledBatch>();
  #sinkBytes = 0;
  /** Of those, what topics hold of which nothing moves, at the last tick. */
  #stalledBytes = 0;
  #sinkBytesMax = 0;
  /** The extent that is set aside, and whether it is in use. */
  #spareAt = 0;
  #spareUsed = false;
  #reading: Promise<void> | undefined;
  #readsOn = true;
  #closed = false;
  #later: ReturnType<typeof setTimeout> | undefined;
  #wasHungry = true;
  #givenUp = 0;
  #readBack = 0;
  #passedBy = 0;

  constructor(parts: SpoolStageParts) {
    this.#parts = parts;
  }

  /** Begins to work with an open spool, before the first batch comes. */
  join(spool: Spool): void {
    const { counters, memory, recordBytesMax, sinkBytesMax } = this.#parts;
    this.#spool = spool;
    this.#sinkBytesMax = sinkBytesMax();
    this.#spareAt = memory.reserve(recordBytesMax());
    invariant(this.#spareAt !== 0, "the memory holds one batch to read back");
    counters.add(counter.replayed, spool.opened.records);
    counters.add(counter.spooled, spool.opened.records);
    counters.publish();
    this.#pump();
  }

  /** A batch given now would be written at once, and the sink has no lack of work. */
  get hungry(): boolean {
    const { sink } = this.#parts;
    if (this.#closed || this.#pending.size > 0 || this.#held.size > 0) return false;
    return this.#inSink.size < sinkBatchesEager || sink.hungry || !sink.status().ready;
  }

  /** What a batch needs to be kept: the disk, or a sink that takes it. */
  status(): { readonly ready: boolean } {
    return this.#spool?.state.kind === "ready" ? { ready: true } : this.#parts.sink.status();
  }

  /** True while nothing more is to be taken from senders that can be told so. */
  get full(): boolean {
    return this.#spool?.full === true;
  }

  /** True while it is full, and batches do not reach the sink without it. */
  get blocked(): boolean {
    return this.full && !this.#parts.sink.status().ready;
  }

  /** True when nothing is left to do at a drain but what the disk keeps: no commit is awaited, the sink has done what it can. */
  get drained(): boolean {
    const inMemory = this.#inSink.size + this.#held.size;
    return this.#pending.size === 0 && (inMemory === 0 || !this.#parts.sink.status().ready);
  }

  /** True for a batch that an earlier session left: its latency says nothing. */
  isReplayed(batch: ClosedBatch): boolean {
    return this.#inSink.get(batch)?.replayed === true;
  }

  /** Takes a closed batch. */
  send(batch: ClosedBatch): void {
    const books = this.#booksOf(batch.topic);
    if (this.#parts.durability === "none" && this.#goesStraight(batch, books)) {
      this.#toSink(batch, undefined, books);
      return;
    }
    books.pending++;
    this.#pending.add(this.#spool!.append(batch, this.#committed));
    faultPoint("after_append");
    this.#wasHungry = false;
    if (this.full) this.#passBy();
  }

  /** The memory of a batch that the sink is done with is given back. `settled` comes before or after it. */
  released(batch: ClosedBatch): void {
    const spooled = this.#inSink.get(batch);
    invariant(this.#inSink.delete(batch), "the sink had the batch");
    this.#sentAtMs.delete(batch);
    const bytes = this.#bytesOf(batch);
    const books = this.#booksOf(batch.topic);
    this.#sinkBytes -= bytes;
    books.sinkBytes -= bytes;
    this.#forget(batch.topic, books);
    if (spooled?.state === "live") this.#leaving.set(batch, spooled);
    this.#free(batch.at, batch.end - batch.at);
    this.#sendHeld();
    if (this.full) this.#passBy();
    this.#pump();
    this.#tellHungry();
  }

  /** A batch was delivered, or its records are in the dead letter: the spool forgets it. */
  settled(batch: ClosedBatch, settlement: Settlement): void {
    const spooled = this.#inSink.get(batch) ?? this.#leaving.get(batch);
    this.#leaving.delete(batch);
    if (spooled === undefined) return;
    this.#countOnDisk(-batch.count);
    faultPoint("before_settle");
    this.#spool!.settle(spooled, settlement);
    faultPoint("after_settle");
  }

  /** The sink became hungry. */
  sinkWants(): void {
    this.#pump();
    if (this.full) this.#passBy();
    this.#tellHungry();
  }

  /** A topic waits for an operator, or works again: what comes for it meanwhile waits on the disk, apart from the others. */
  parked(topic: string, isParked: boolean): void {
    if (!isParked) return this.#spool?.unpark(topic);
    this.#giveUpHeld(topic);
    this.#spool?.park(topic);
  }

  /** Called now and then: a wake that was missed costs a tick, never a hang. */
  tick(): void {
    if (this.#closed) return;
    if (!this.#sinkIsPrompt()) this.#giveUpHeld();
    this.#datagramsAtTick = this.#parts.counters.value(counter.datagrams);
    this.#reclaim();
    this.#sendHeld();
    if (this.full) this.#passBy();
    this.#pump();
    this.#tellHungry();
  }

  /** Takes back what topics hold in the sink of which nothing moves: others need the place. */
  #reclaim(): void {
    const { sink } = this.#parts;
    if (sink.stalls === undefined || this.#spool === undefined) return;
    this.#stalledBytes = 0;
    for (const [topic, books] of this.#topics) {
      const stalled = books.stalls;
      books.stalls = books.sinkBytes > 0 && sink.stalls(topic);
      if (books.stalls && !stalled) books.stallsSinceMs = this.#parts.nowMs();
      this.#setAside(topic, books);
      if (!books.stalls) continue;
      this.#giveUpHeld(topic);
      const isOnDisk = (batch: ClosedBatch) => this.#inSink.get(batch)?.state === "live";
      for (const batch of sink.giveBack?.(topic, isOnDisk) ?? []) {
        const spooled = this.#inSink.get(batch)!;
        const bytes = this.#bytesOf(batch);
        this.#inSink.delete(batch);
        this.#sentAtMs.delete(batch);
        this.#sinkBytes -= bytes;
        books.sinkBytes -= bytes;
        this.#giveUp(spooled, books);
      }
      this.#stalledBytes += books.sinkBytes;
    }
    this.#parts.counters.publish();
  }

  /** The segments of a topic that stalls for long would stay for its sake, and the disk fill up with what others have done with. */
  #setAside(topic: string, books: TopicBooks): void {
    const { log, nowMs } = this.#parts;
    if (books.stalls && !books.parked && nowMs() - books.stallsSinceMs >= parkAfterMs) {
      books.parked = true;
      this.#spool!.park(topic);
      log("spool_topic_parked", { topic, stalls_s: Math.round((nowMs() - books.stallsSinceMs) / 1000) });
    } else if (books.parked && !books.stalls) {
      books.parked = false;
      this.#spool!.unpark(topic);
      log("spool_topic_unparked", { topic }, "info");
      this.#forget(topic, books);
    }
  }

  /** What `/admin/stats` shows; undefined before `join`. */
  report(): SpoolReport | undefined {
    return this.#spool === undefined ? undefined : { ...this.#spool.stats(), ...this.stats() };
  }

  /** Why the spool keeps nothing; undefined while it does. */
  get problem(): string | undefined {
    const state = this.#spool?.state;
    if (state === undefined || state.kind === "ready") return undefined;
    return "message" in state ? `${state.kind}: ${state.message}` : state.kind;
  }

  stats(): SpoolStageStats {
    return {
      sinkBytes: this.#sinkBytes,
      sinkBytesMax: this.#sinkBytesMax,
      sinkBatches: this.#inSink.size,
      givenUp: this.#givenUp,
      readBack: this.#readBack,
      passedBy: this.#passedBy,
      held: this.#held.size,
    };
  }

  /** Whether folders that processes leave may be taken over. */
  async adoptFolders(isOn: boolean): Promise<void> {
    await this.#spool?.adoptFolders?.(isOn);
  }

  /** Reads nothing back any more: what is on the disk stays there. */
  stopReading(): void {
    this.#readsOn = false;
    if (this.#later !== undefined) clearTimeout(this.#later);
    this.#later = undefined;
  }

  /**
   * Ends, after the sink: what the sink did not settle goes to the disk if it is not there, and what is there is
   * counted as spooled.
   *
   * @returns lines that are neither delivered nor on the disk
   */
  async close(deadlineMs: number): Promise<number> {
    this.stopReading();
    this.#closed = true;
    await this.#reading;
    const { counters } = this.#parts;
    if (this.#spool === undefined) return 0;
    const spool = this.#spool;
    this.#giveUpHeld();
    for (const [batch, spooled] of this.#inSink) {
      if (spooled !== undefined) {
        this.#countOnDisk(-batch.count);
        this.#countSpooled(batch);
      } else spool.append(batch, ({ batch }) => this.#countSpooled(batch));
    }
    this.#inSink.clear();
    this.#sentAtMs.clear();
    faultPoint("before_close");
    const lost = await spool.close(deadlineMs);
    counters.publish();
    return lost.reduce((lines, { batch }) => lines + batch.count, 0);
  }

  readonly #committed = (spooled: SpooledBatch): void => {
    const { batch } = spooled;
    const books = this.#booksOf(batch.topic);
    this.#pending.delete(spooled);
    books.pending--;
    this.#countOnDisk(batch.count);
    faultPoint("after_commit");
    if (this.#parts.durability !== "none") commitReceipts(batch);
    faultPoint("after_receipts");
    if (!this.#closed && this.#mayGo(batch, books)) this.#toSink(batch, spooled, books);
    else if (!this.#closed && this.#mayBeHeld(batch, books)) this.#held.add(spooled);
    else {
      // Older ones of its topic go before it, and from here on from the disk.
      this.#giveUpHeld(batch.topic);
      this.#giveUp(spooled, books);
    }
    faultPoint("after_send");
    this.#parts.counters.publish();
    this.#tellHungry();
  };

  /** Whether a batch without a place waits for one in memory. What comes behind others of its topic on the disk does not. */
  #mayBeHeld(batch: ClosedBatch, books: TopicBooks): boolean {
    const { counters, durability, holds, memory } = this.#parts;
    if (holds === false || durability === "none") return false;
    // Datagrams cannot wait for room.
    if (counters.value(counter.datagrams) !== this.#datagramsAtTick && !memory.roomy()) return false;
    if (books.stalls || this.#spool!.mustWait(batch.topic)) return false;
    return this.#parts.sink.status().ready && this.#sinkIsPrompt();
  }

  /** The oldest batch in the sink is not late. */
  #sinkIsPrompt(): boolean {
    const [sentAtMs] = this.#sentAtMs.values();
    return sentAtMs === undefined || this.#parts.nowMs() - sentAtMs < lateMs;
  }

  /** Held batches go where there is place for them by now, each topic's in order. */
  #sendHeld(): void {
    if (this.#held.size === 0 || this.#closed) return;
    let waiting: Set<string> | undefined;
    for (const spooled of this.#held) {
      const { batch } = spooled;
      if (waiting?.has(batch.topic) === true) continue;
      const books = this.#booksOf(batch.topic);
      if (this.#hasPlace(this.#bytesOf(batch), books)) {
        this.#held.delete(spooled);
        this.#toSink(batch, spooled, books);
      } else (waiting ??= new Set()).add(batch.topic);
    }
  }

  /** The disk alone has held batches from now on: those of a topic, or all. */
  #giveUpHeld(topic?: string): void {
    if (topic === undefined ? this.#held.size === 0 : this.#held.of(topic) === 0) return;
    for (const spooled of this.#held) {
      if (topic !== undefined && spooled.batch.topic !== topic) continue;
      this.#held.delete(spooled);
      this.#giveUp(spooled, this.#booksOf(spooled.batch.topic));
    }
  }

  /** The disk alone has it from now on. */
  #giveUp(spooled: SpooledBatch, books: TopicBooks): void {
    const { batch } = spooled;
    const { at } = batch;
    this.#countOnDisk(-batch.count);
    this.#countSpooled(batch);
    this.#givenUp++;
    this.#parts.gaveUp?.(batch);
    this.#forget(batch.topic, books);
    this.#spool!.giveUp(spooled);
    spoolReceipts(batch, batch.committed ? "disk" : "memory");
    faultPoint("after_give_up");
    this.#free(at, batch.end - at);
  }

  #countOnDisk(lines: number): void {
    this.#parts.counters.add(counter.in_flight_on_disk, lines);
  }

  #countSpooled(batch: ClosedBatch): void {
    const { counters } = this.#parts;
    counters.add(counter.in_flight, -batch.count);
    counters.add(counter.spooled, batch.count);
  }

  #toSink(batch: ClosedBatch, spooled: SpooledBatch | undefined, books: TopicBooks): void {
    const bytes = this.#bytesOf(batch);
    this.#inSink.set(batch, spooled);
    this.#sentAtMs.set(batch, this.#parts.nowMs());
    this.#sinkBytes += bytes;
    books.sinkBytes += bytes;
    this.#parts.sink.send(batch);
  }

  /** With `durability: none` the disk is asked only while the sink is away; one that is slow slows the senders. */
  #goesStraight(batch: ClosedBatch, books: TopicBooks): boolean {
    if (books.pending > 0 || this.#spool!.mustWait(batch.topic)) return false;
    return this.#hasPlace(this.#bytesOf(batch), books) || this.#parts.sink.status().ready;
  }

  /** Whether the sink has a place for the batch, and nothing of its topic has to go before it. */
  #mayGo(batch: ClosedBatch, books: TopicBooks): boolean {
    if (this.#held.of(batch.topic) > 0) return false;
    return this.#hasPlace(this.#bytesOf(batch), books) && !this.#spool!.mustWait(batch.topic);
  }

  /** A topic may have as much as is left for the others; whoever has nothing may have one batch, while there is place. */
  #hasPlace(bytes: number, books: TopicBooks): boolean {
    if (this.#sinkBytes === 0) return true;
    if (books.stalls && books.sinkBytes > 0) return false;
    const left = this.#sinkBytesMax - this.#sinkBytes - bytes;
    return left >= 0 && (books.sinkBytes === 0 || books.sinkBytes + bytes <= left);
  }

  /** What a batch takes of the memory that others need. */
  #bytesOf({ at }: ClosedBatch): number {
    return at === this.#spareAt ? 0 : this.#parts.memory.bytesOf(at);
  }

  /** Reads batches back while there is place for them. One at a time; whoever makes place calls it again. */
  #pump(): void {
    if (
      this.#reading !== undefined || !this.#readsOn || this.#later !== undefined || this.#spool === undefined
    ) {
      return;
    }
    if ((this.#sinkBytes - this.#stalledBytes) * 2 > this.#sinkBytesMax - this.#stalledBytes) return;
    this.#reading = this.#readOne().then((again) => {
      this.#reading = undefined;
      if (again) this.#pump();
    });
  }

  /** True if there may be more to read at once. */
  async #readOne(): Promise<boolean> {
    const answer = await this.#spool!.next({
      mayGo: (topic) => this.#hasPlaceFor(topic),
      room: (recordBytes) => this.#room(recordBytes),
      release: (at) => this.#free(at, 0),
      take: (spooled) => this.#take(spooled),
    });
    switch (answer.kind) {
      case "none":
      case "no_room":
        return false;
      case "later":
        this.#later = setTimeout(() => {
          this.#later = undefined;
          this.#pump();
        }, answer.delayMs);
        return false;
      case "batch":
        return true;
    }
  }

  /** A batch was read back. */
  #take(spooled: SpooledBatch): void {
    const { batch } = spooled;
    if (this.#closed) {
      // It was read while the end came.
      this.#spool!.giveUp(spooled);
      return;
    }
    const { counters } = this.#parts;
    counters.add(counter.spooled, -batch.count);
    counters.add(counter.in_flight, batch.count);
    this.#countOnDisk(batch.count);
    counters.publish();
    this.#readBack++;
    faultPoint("after_read_back");
    if (spooled.replayed) this.#parts.replayed(batch);
    this.#toSink(batch, spooled, this.#booksOf(batch.topic));
  }

  #hasPlaceFor(topic: string): boolean {
    const books = this.#topics.get(topic);
    return books === undefined || this.#hasPlace(0, books);
  }

  #room(recordBytes: number): number {
    const { memory, recordBytesMax } = this.#parts;
    const at = memory.roomy() ? memory.reserve(recordBytes) : 0;
    if (at !== 0 || this.#spareUsed) return at;
    invariant(recordBytes <= recordBytesMax(), "a batch in the spool is no larger than one may be");
    this.#spareUsed = true;
    return this.#spareAt;
  }

  #free(at: number, bytes: number): void {
    if (at === this.#spareAt) this.#spareUsed = false;
    else this.#parts.memory.free(at);
    this.#parts.freed(bytes);
  }

  /** The disk takes nothing: pending batches that nothing has to precede go to the sink without it. */
  #passBy(): void {
    if (this.#closed || this.#pending.size === 0 || !this.#parts.sink.status().ready) return;
    const held = new Set<string>();
    for (const spooled of this.#pending) {
      const { batch } = spooled;
      const books = this.#booksOf(batch.topic);
      if (held.has(batch.topic)) continue;
      if (!this.#mayGo(batch, books) || !this.#spool!.withdraw(spooled)) {
        held.add(batch.topic);
        continue;
      }
      this.#pending.delete(spooled);
      books.pending--;
      this.#passedBy++;
      this.#toSink(batch, undefined, books);
    }
  }

  #tellHungry(): void {
    const { hungry } = this;
    const turned = hungry && !this.#wasHungry;
    this.#wasHungry = hungry;
    if (turned) this.#parts.wants();
  }

  #damaged({ counted, records, reason, batches, path, message }: Damage): void {
    const { counters, log } = this.#parts;
    const kept = path === undefined ? {} : { path };
    // The end of a file that a crash cut off was never committed.
    const level = reason === "torn" ? "info" : "error";
    log("spool_damaged", { reason, batches, records, message, ...kept }, level);
    if (!counted) return;
    counters.add(counter.spooled, -records);
    counters.add(counter.dropped_spool_damaged, records);
    counters.publish();
  }

  #booksOf(topic: string): TopicBooks {
    let books = this.#topics.get(topic);
    if (books === undefined) {
      this.#topics.set(
        topic,
        books = { sinkBytes: 0, pending: 0, stalls: false, stallsSinceMs: 0, parked: false },
      );
    }
    return books;
  }

  #forget(topic: string, books: TopicBooks): void {
    const rests = books.sinkBytes === 0 && books.pending === 0 && this.#held.of(topic) === 0;
    if (rests && !books.parked) this.#topics.delete(topic);
  }
}
