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
 *  - the sink holds at most `sinkBytesMax` (and a batch that was being read meanwhile), and one topic not all of it
 *    (sink_places.ts): an outage of any length moves no memory, and a topic that cannot be delivered leaves the others
 *    their place, and gives back what it has (stalled_topics.ts);
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
import { counter } from "../observe/row.ts";
import { HeldBatches, lateMs } from "./held_batches.ts";
import { ReadBack } from "./read_back.ts";
import { SentBatches } from "./sent_batches.ts";
import { SinkPlaces, type TopicBooks } from "./sink_places.ts";
import { SpoolLedger } from "./spool_ledger.ts";
import type { SpoolReport, SpoolStageParts, SpoolStageStats } from "./spool_stage_parts.ts";
import type { Settlement, Spool, SpooledBatch, SpoolEvents } from "../spool/spool.ts";
import { StalledTopics } from "./stalled_topics.ts";

/** Batches in the sink from which on open batches wait to grow, as they do before a sink without a spool. */
const sinkBatchesEager = 64;

/** The spool's place in one worker's pipeline. It has the shape that the batcher and the compressor want of a sink. */
export class SpoolStage {
  /** To be given to `openSpool`. */
  readonly events: SpoolEvents = {
    wants: () => this.#readBack.pump(),
    room: () => {
      this.#passBy();
      this.#parts.wants();
    },
    damaged: (damage) => this.#ledger.damaged(damage),
    adopted: (records) => this.#ledger.found(records),
    log: (level, event, fields) => this.#parts.log(event, fields, level),
  };
  readonly #parts: SpoolStageParts;
  readonly #ledger: SpoolLedger;
  #spool: Spool | undefined;
  readonly #places = new SinkPlaces();
  readonly #readBack: ReadBack;
  /** Batches that wait for their commit, in order. */
  readonly #pending = new Set<SpooledBatch>();
  readonly #inSink = new SentBatches();
  readonly #held = new HeldBatches();
  readonly #stalled: StalledTopics;
  #datagramsAtTick = 0;
  /** Batches whose memory was given back, and whose records are on their way into the dead letter. */
  readonly #leaving = new Map<ClosedBatch, SpooledBatch>();
  #closed = false;
  #wasHungry = true;
  #givenUp = 0;
  #readBackBatches = 0;
  #passedBy = 0;

  constructor(parts: SpoolStageParts) {
    this.#parts = parts;
    this.#ledger = new SpoolLedger(parts.counters, parts.log);
    this.#readBack = new ReadBack({
      memory: parts.memory,
      places: this.#places,
      recordBytesMax: parts.recordBytesMax,
      take: (spooled) => this.#take(spooled),
      freed: (bytes) => parts.freed(bytes),
    });
    this.#stalled = new StalledTopics({
      sink: parts.sink,
      places: this.#places,
      nowMs: () => parts.nowMs(),
      log: parts.log,
      isOnDisk: (batch) => this.#inSink.spooledOf(batch)?.state === "live",
      giveUpHeld: (topic) => this.#giveUpHeld(topic),
      takeBack: (batch, books) => this.#takeBack(batch, books),
      park: (topic) => this.#spool!.park(topic),
      unpark: (topic, books) => {
        this.#spool!.unpark(topic);
        this.#places.forget(topic, books, this.#held.of(topic));
      },
    });
  }

  /** Begins to work with an open spool, before the first batch comes. */
  join(spool: Spool): void {
    this.#spool = spool;
    this.#places.bytesMax = this.#parts.sinkBytesMax();
    this.#ledger.found(spool.opened.records);
    this.#readBack.join(spool);
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

  /** True while the disk is asked for a batch: its answer is not to wait. */
  get readsBack(): boolean {
    return this.#readBack.isReading;
  }

  /** True when nothing is left to do at a drain but what the disk keeps: no commit is awaited, the sink has done what it can. */
  get drained(): boolean {
    const inMemory = this.#inSink.size + this.#held.size;
    return this.#pending.size === 0 && (inMemory === 0 || !this.#parts.sink.status().ready);
  }

  /** True for a batch that an earlier session left: its latency says nothing. */
  isReplayed(batch: ClosedBatch): boolean {
    return this.#inSink.spooledOf(batch)?.replayed === true;
  }

  /** Takes a closed batch. */
  send(batch: ClosedBatch): void {
    const books = this.#places.of(batch.topic);
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
    const spooled = this.#inSink.spooledOf(batch);
    invariant(this.#inSink.delete(batch), "the sink had the batch");
    const books = this.#places.of(batch.topic);
    this.#places.add(books, -this.#readBack.bytesOf(batch.at));
    this.#places.forget(batch.topic, books, this.#held.of(batch.topic));
    if (spooled?.state === "live") this.#leaving.set(batch, spooled);
    this.#readBack.free(batch.at, batch.end - batch.at);
    this.#sendHeld();
    if (this.full) this.#passBy();
    this.#readBack.pump();
    this.#tellHungry();
  }

  /** A batch was delivered, or its records are in the dead letter: the spool forgets it. */
  settled(batch: ClosedBatch, settlement: Settlement): void {
    const spooled = this.#inSink.spooledOf(batch) ?? this.#leaving.get(batch);
    this.#leaving.delete(batch);
    if (spooled === undefined) return;
    this.#ledger.settled(batch);
    faultPoint("before_settle");
    this.#spool!.settle(spooled, settlement);
    faultPoint("after_settle");
  }

  /** The sink became hungry. */
  sinkWants(): void {
    this.#readBack.pump();
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
    if (this.#spool !== undefined) this.#stalled.look();
    if (!this.#sinkIsPrompt()) this.#giveUpHeld();
    this.#datagramsAtTick = this.#parts.counters.value(counter.datagrams);
    this.#parts.counters.publish();
    this.#sendHeld();
    if (this.full) this.#passBy();
    this.#readBack.pump();
    this.#tellHungry();
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
      sinkBytes: this.#places.bytes,
      sinkBytesMax: this.#places.bytesMax,
      sinkBatches: this.#inSink.size,
      givenUp: this.#givenUp,
      readBack: this.#readBackBatches,
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
    this.#readBack.stop();
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
    await this.#readBack.rest();
    const { counters } = this.#parts;
    if (this.#spool === undefined) return 0;
    const spool = this.#spool;
    this.#giveUpHeld();
    this.#parts.sink.restore?.();
    for (const [batch, spooled] of this.#inSink.takeAll()) {
      if (spooled !== undefined) this.#ledger.gaveUp(batch);
      else spool.append(batch, ({ batch }) => this.#ledger.spooled(batch));
    }
    faultPoint("before_close");
    const lost = await spool.close(deadlineMs);
    counters.publish();
    return lost.reduce((lines, { batch }) => lines + batch.count, 0);
  }

  readonly #committed = (spooled: SpooledBatch): void => {
    const { batch } = spooled;
    const books = this.#places.of(batch.topic);
    this.#pending.delete(spooled);
    books.pending--;
    this.#ledger.committed(batch);
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

  /** The oldest batch in the sink is not late, but for topics of which nothing moves: others do not wait for them. */
  #sinkIsPrompt(): boolean {
    const oldestMs = this.#inSink.oldestMs((topic) => this.#places.of(topic).stalls);
    return oldestMs === undefined || this.#parts.nowMs() - oldestMs < lateMs;
  }

  /** Held batches go where there is place for them by now, each topic's in order. */
  #sendHeld(): void {
    if (this.#held.size === 0 || this.#closed) return;
    let waiting: Set<string> | undefined;
    for (const spooled of this.#held) {
      const { batch } = spooled;
      if (waiting?.has(batch.topic) === true) continue;
      const books = this.#places.of(batch.topic);
      if (this.#places.has(this.#readBack.bytesOf(batch.at), books)) {
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
      this.#giveUp(spooled, this.#places.of(spooled.batch.topic));
    }
  }

  /** The sink gave back a batch that the disk has. */
  #takeBack(batch: ClosedBatch, books: TopicBooks): void {
    const spooled = this.#inSink.spooledOf(batch)!;
    this.#inSink.delete(batch);
    this.#places.add(books, -this.#readBack.bytesOf(batch.at));
    this.#giveUp(spooled, books);
  }

  /** The disk alone has it from now on. */
  #giveUp(spooled: SpooledBatch, books: TopicBooks): void {
    const { batch } = spooled;
    const { at } = batch;
    this.#ledger.gaveUp(batch);
    this.#givenUp++;
    this.#parts.gaveUp?.(batch);
    this.#places.forget(batch.topic, books, this.#held.of(batch.topic));
    this.#spool!.giveUp(spooled);
    spoolReceipts(batch, batch.committed ? "disk" : "memory");
    faultPoint("after_give_up");
    this.#readBack.free(at, batch.end - at);
  }

  #toSink(batch: ClosedBatch, spooled: SpooledBatch | undefined, books: TopicBooks): void {
    this.#inSink.add(batch, spooled, this.#parts.nowMs());
    this.#places.add(books, this.#readBack.bytesOf(batch.at));
    this.#parts.sink.send(batch);
  }

  /** With `durability: none` the disk is asked only while the sink is away; one that is slow slows the senders. */
  #goesStraight(batch: ClosedBatch, books: TopicBooks): boolean {
    if (books.pending > 0 || this.#spool!.mustWait(batch.topic)) return false;
    return this.#places.has(this.#readBack.bytesOf(batch.at), books) || this.#parts.sink.status().ready;
  }

  /** Whether the sink has a place for the batch, and nothing of its topic has to go before it. */
  #mayGo(batch: ClosedBatch, books: TopicBooks): boolean {
    if (this.#held.of(batch.topic) > 0) return false;
    return this.#places.has(this.#readBack.bytesOf(batch.at), books) && !this.#spool!.mustWait(batch.topic);
  }

  /** A batch was read back. */
  #take(spooled: SpooledBatch): void {
    const { batch } = spooled;
    if (this.#closed) {
      // It was read while the end came.
      this.#spool!.giveUp(spooled);
      return;
    }
    this.#ledger.readBack(batch);
    this.#readBackBatches++;
    faultPoint("after_read_back");
    if (spooled.replayed) this.#parts.replayed(batch);
    this.#toSink(batch, spooled, this.#places.of(batch.topic));
  }

  /** The disk takes nothing: pending batches that nothing has to precede go to the sink without it. */
  #passBy(): void {
    if (this.#closed || this.#pending.size === 0 || !this.#parts.sink.status().ready) return;
    const held = new Set<string>();
    for (const spooled of this.#pending) {
      const { batch } = spooled;
      const books = this.#places.of(batch.topic);
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
}
