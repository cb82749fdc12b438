/**
 * The line of batches of one partition: which may go out now, in which order, and with which sequence numbers.
 *
 *     queue  batches that have no sequence yet
 *     line   batches that have one, in its order: sent (at most `batchesInFlightMax`), or to be sent again
 *
 * It promises
 *   - batches enter the log in the order in which they came here, whatever fails in between: after any failure
 *     nothing more is sent until everything that is out has come back, then the line is sent again from its head;
 *   - after a failure, and on a partition that knows this producer not yet, one batch at a time goes out until one
 *     is acknowledged. A broker without state of a producer takes any sequence, so a second batch behind a failed
 *     first one would be taken out of order;
 *   - a batch keeps its sequence through every retry, so the broker knows it again. Brokers remember the last five
 *     batches of a producer and partition, no more than that many are out;
 *   - sequences start anew (epoch bumped, KIP-360) only when nothing is out, and then for the whole line;
 *   - a batch that has to be divided keeps its place while its parts take it: nothing behind it goes out before them;
 *   - bytes of a batch are written (sealed) only while no request carries it.
 *
 * The epoch is bumped for one partition alone: brokers keep a producer's epoch per partition, and no other
 * partition needs to stop for it.
 *
 * @module
 */
import type { ClosedBatch } from "../batch/record_batch.ts";
import { invariant } from "../core/invariant.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { ProducerId } from "./carrier.ts";
import { backoffMs, type KafkaClock } from "./clock.ts";
import { Fifo } from "./fifo.ts";

/** Batches of a producer that a broker remembers per partition to tell a retry from a new batch. */
export const batchesInFlightMax = 5;
/** Epochs are 16 bits and signed. */
const epochMax = 32767;
/** Epoch bumps in a row that may fail before a new producer id is asked for. */
const bumpsMax = 3;
/** Failures in a row after which a partition counts as stuck. */
const stuckFailures = 6;
/** Brokers forget a silent producer (`producer.id.expiration.ms`, a day); far before that it counts as unknown again. */
const knownForMs = 600_000;

/** A batch that has its place in the line. */
export interface SequencedBatch {
  readonly batch: ClosedBatch;
  readonly partition: PartitionQueue;
  /** -1 until it goes out for the first time under the identity in force. */
  sequence: number;
  /** A request carries it. */
  sent: boolean;
  /** Answers that were `doubtful`. */
  doubts: number;
  /** It does not go out any more: it holds the place that its parts take. */
  isDivided: boolean;
}

/** A topic's name as text and as it stands in requests; one object per topic, requests compare `nameBytes` by identity. */
export interface TopicName {
  readonly name: string;
  readonly nameBytes: Uint8Array;
  /** Larger batches, header included, are refused by the topic; Infinity while that is not known. */
  readonly batchBytesMax: number;
}

/** What the next sequence numbers stand under. */
type Renewal = "none" | "epoch" | "producer";

/** One partition. */
export class PartitionQueue {
  readonly topic: TopicName;
  readonly id: number;
  /** Broker id, -1 while there is none. */
  leader = -1;
  /** When that last changed. */
  movedAtMs = 0;
  /** What its broker answers instead of taking batches, and since when. */
  refusal: { readonly error: string; readonly sinceMs: number } | undefined;

  readonly #kernel: Kernel;
  readonly #queue = new Fifo<ClosedBatch>();
  /** Those in it that could have gone to any partition, one at most. */
  readonly #assigned = new Set<ClosedBatch>();
  readonly #line: SequencedBatch[] = [];
  #sent = 0;
  #draining = false;
  #careful = true;
  #renewal: Renewal = "none";
  #identity: ProducerId | undefined;
  /** The producer id that was refused; only another one may follow it. */
  #refused: bigint | undefined;
  #nextSequence = 0;
  #heldUntilMs = 0;
  #failures = 0;
  #bumps = 0;
  #deliveredAtMs = 0;
  /** Since when something is out, or goes out again, and nothing was delivered. */
  #waitsSinceMs: number | undefined;

  constructor(topic: TopicName, id: number, kernel: Kernel) {
    this.topic = topic;
    this.id = id;
    this.#kernel = kernel;
  }

  /** Batches that no request carries. */
  get waiting(): number {
    return this.#queue.length + this.#line.length - this.#sent;
  }

  /** Batches that requests carry. */
  get sent(): number {
    return this.#sent;
  }

  /** Adds the batches that no request carries: those wait here, whatever becomes of requests. */
  addHeld(into: Set<ClosedBatch>): void {
    for (const batch of this.#queue) into.add(batch);
    for (const { batch, sent, isDivided } of this.#line) if (!sent || isDivided) into.add(batch);
  }

  /** True if a batch given now could go out at once (with a leader that listens). */
  isOpen(nowMs: number): boolean {
    return this.waiting === 0 && this.#mayPass(nowMs);
  }

  /** True if `take` would give a batch now, were there a producer id. */
  isReady(nowMs: number): boolean {
    return this.waiting > 0 && this.#mayPass(nowMs);
  }

  /** True if it has refused so often in a row that the next try is no better bet: a second of back-off and more. */
  get isStuck(): boolean {
    return this.#failures >= stuckFailures;
  }

  /** True while batches have sequences that brokers may know. */
  get isBound(): boolean {
    return this.#line.length > 0;
  }

  /**
   * Takes out batches that never went out, the newest first, to one that is not wanted: what stays goes out before what
   * comes back. One that could have gone elsewhere stays: later batches went to other partitions meanwhile, and would
   * be before it there. `left` stay in any case.
   */
  giveBack(isWanted: (batch: ClosedBatch) => boolean, left: number): ClosedBatch[] {
    return this.#queue.takeEndWhile((batch) => !this.#assigned.has(batch) && isWanted(batch), left);
  }

  /** When the pause after a failure ends. */
  get heldUntilMs(): number {
    return this.#heldUntilMs;
  }

  /** The producer id that it cannot use any more, if it waits for another one. */
  get refusedProducerId(): bigint | undefined {
    return this.#renewal === "producer" ? this.#refused : undefined;
  }

  /** Puts a batch at the end that is for this partition. */
  push(batch: ClosedBatch): void {
    this.#queue.push(batch);
  }

  /** Puts a batch at the end that is for any partition, when it is open. */
  assign(batch: ClosedBatch): void {
    this.#assigned.add(batch);
    this.#queue.push(batch);
  }

  /** Takes the next batch to send, sealed. undefined if there is none or `producer` is not one that it can use. */
  take(nowMs: number, producer: ProducerId): SequencedBatch | undefined {
    if (this.#sent === 0 && nowMs - this.#deliveredAtMs > knownForMs) this.#careful = true;
    if (this.#line.length === 0) this.#waitsSinceMs = nowMs;
    if (!this.isReady(nowMs) || !this.#renew(producer)) return undefined;
    const again = this.#line.find((entry) => !entry.sent);
    if (again !== undefined) return again.isDivided ? undefined : this.#send(again);
    const batch = this.#takeNext();
    if (batch === undefined) return undefined;
    const entry = this.#entryOf(batch);
    this.#line.push(entry);
    return this.#send(entry);
  }

  /** The next batch in turn, if the topic would refuse it for its size: it is in the line now, to be divided. */
  takeOversized(): SequencedBatch | undefined {
    const next = this.#queue.first;
    if (next === undefined || next.end - next.at <= this.topic.batchBytesMax) return undefined;
    if (this.#line.some((entry) => !entry.sent)) return undefined;
    const entry = this.#entryOf(this.#takeNext()!);
    entry.isDivided = true;
    this.#line.push(entry);
    return entry;
  }

  /** The batch is in the log. */
  delivered(entry: SequencedBatch, nowMs: number): void {
    this.#remove(entry);
    this.#deliveredAtMs = nowMs;
    this.#waitsSinceMs = nowMs;
    this.#careful = this.#draining || this.#renewal !== "none";
    this.#failures = 0;
    this.#bumps = 0;
    this.refusal = undefined;
  }

  /** Its broker refuses batches with an error that may pass. */
  refusedWith(error: string, nowMs: number): void {
    this.refusal = { error, sinceMs: this.refusal?.sinceMs ?? this.#waitsSinceMs ?? nowMs };
  }

  /** The batch has to go out again, after a pause if the failure was its own. */
  failed(entry: SequencedBatch, nowMs: number, clock: KafkaClock): void {
    this.#back(entry);
    this.#hold(nowMs, clock);
  }

  /** The connection broke, or the batch had to fail because one before it did: it goes out again without a pause. */
  returned(entry: SequencedBatch): void {
    this.#back(entry);
  }

  /** The batch is given up. Its sequence was not used, so the others are numbered anew. */
  rejected(entry: SequencedBatch): void {
    this.#remove(entry);
    this.refusal = undefined;
    this.#restart("epoch");
  }

  /** The broker refused the batch for what is in it: it keeps its place until its parts have taken it (`placeBefore`, `divided`). */
  divide(entry: SequencedBatch): void {
    invariant(entry.sent && this.#line.includes(entry), "an answer is for a batch that is out");
    entry.isDivided = true;
    this.#came(entry);
    this.#restart("epoch");
  }

  /** Puts a part before the divided batch, behind the parts that came before. */
  placeBefore(divided: SequencedBatch, part: ClosedBatch): void {
    const index = this.#line.indexOf(divided);
    invariant(index >= 0 && divided.isDivided, "parts take the place of a divided batch");
    this.#line.splice(index, 0, this.#entryOf(part));
  }

  /** All parts of it have their place. */
  divided(entry: SequencedBatch): void {
    const index = this.#line.indexOf(entry);
    invariant(index >= 0 && entry.isDivided, "a batch is divided once");
    this.#line.splice(index, 1);
  }

  /** True while a batch in the line is divided and not all of its parts have their place. */
  get isDividing(): boolean {
    return this.#line.some((entry) => entry.isDivided);
  }

  /**
   * The broker expected another sequence. That is no news behind a batch that failed, and of no weight while the
   * numbers are about to change; else the broker lost what it knew, and the epoch is bumped. Returns true if so.
   */
  sequenceRefused(entry: SequencedBatch, nowMs: number, clock: KafkaClock): boolean {
    const isHead = this.#line[0] === entry;
    this.#back(entry);
    if (!isHead || this.#renewal !== "none") return false;
    this.#bumps++;
    if (this.#bumps > bumpsMax) this.#refuse();
    else this.#restart("epoch");
    this.#hold(nowMs, clock);
    return true;
  }

  /** The broker refuses the producer id or epoch itself. */
  producerRefused(entry: SequencedBatch, nowMs: number, clock: KafkaClock): void {
    this.#back(entry);
    this.#refuse();
    this.#hold(nowMs, clock);
  }

  /** Another broker leads now: what the old one has must come back first; a pause has no reason any more. */
  moved(leader: number, nowMs: number): void {
    this.leader = leader;
    this.movedAtMs = nowMs;
    if (this.#sent > 0) this.#stop();
    this.#heldUntilMs = 0;
  }

  /** Nothing goes out before `untilMs`. */
  holdUntil(untilMs: number): void {
    this.#heldUntilMs = untilMs;
  }

  /** Takes out every batch that no request carries, in order. */
  drop(): ClosedBatch[] {
    const dropped: ClosedBatch[] = [];
    for (let index = 0; index < this.#line.length;) {
      if (this.#line[index].sent || this.#line[index].isDivided) index++;
      else dropped.push(this.#line.splice(index, 1)[0].batch);
    }
    this.#heldUntilMs = 0;
    this.refusal = undefined;
    if (dropped.length > 0) this.#restart("epoch");
    for (let batch = this.#takeNext(); batch !== undefined; batch = this.#takeNext()) dropped.push(batch);
    return dropped;
  }

  #takeNext(): ClosedBatch | undefined {
    const batch = this.#queue.take();
    if (batch !== undefined) this.#assigned.delete(batch);
    return batch;
  }

  #mayPass(nowMs: number): boolean {
    const room = this.#careful || this.#renewal !== "none" ? 1 : batchesInFlightMax;
    return !this.#draining && this.#sent < room && nowMs >= this.#heldUntilMs;
  }

  #entryOf(batch: ClosedBatch): SequencedBatch {
    return { batch, partition: this, sequence: -1, sent: false, doubts: 0, isDivided: false };
  }

  #send(entry: SequencedBatch): SequencedBatch {
    if (entry.sequence < 0) this.#seal(entry);
    entry.sent = true;
    this.#sent++;
    invariant(this.#sent <= batchesInFlightMax, "no more batches are out than a broker remembers");
    return entry;
  }

  /** Gives the line new numbers if that is due and possible; false if it must wait. */
  #renew(producer: ProducerId): boolean {
    if (this.#identity !== undefined && this.#renewal === "none") return true;
    if (this.#sent > 0) return false;
    if (this.#identity !== undefined && this.#renewal === "epoch" && this.#identity.epoch < epochMax) {
      this.#identity = { producerId: this.#identity.producerId, epoch: this.#identity.epoch + 1 };
    } else {
      if (this.#renewal === "epoch") this.#refuse();
      if (producer.producerId === this.#refused) return false;
      this.#identity = producer;
      this.#refused = undefined;
    }
    this.#renewal = "none";
    this.#careful = true;
    this.#nextSequence = 0;
    // Numbered when they go out, in their order: parts may still come in between.
    for (const entry of this.#line) entry.sequence = -1;
    return true;
  }

  #seal(entry: SequencedBatch): void {
    invariant(!entry.sent, "a batch is sealed only while no request carries it");
    invariant(this.#identity !== undefined, "a sequence belongs to a producer id");
    const { batch } = entry;
    entry.sequence = this.#nextSequence;
    this.#nextSequence = sequenceAfter(this.#nextSequence, batch.count);
    this.#kernel.sealBatch(
      batch.at,
      batch.end,
      batch.count,
      batch.baseTimestampMs,
      batch.maxTimestampMs,
      this.#identity.producerId,
      this.#identity.epoch,
      entry.sequence,
      batch.attributes,
      batch.recordsCrc ?? -1,
    );
  }

  #remove(entry: SequencedBatch): void {
    const index = this.#line.indexOf(entry);
    invariant(index >= 0 && entry.sent, "an answer is for a batch that is out");
    this.#line.splice(index, 1);
    if (this.#line.length === 0) this.#heldUntilMs = 0;
    this.#came(entry);
  }

  #back(entry: SequencedBatch): void {
    invariant(entry.sent && this.#line.includes(entry), "an answer is for a batch that is out");
    this.#stop();
    this.#came(entry);
  }

  #came(entry: SequencedBatch): void {
    entry.sent = false;
    this.#sent--;
    if (this.#sent === 0) this.#draining = false;
  }

  #stop(): void {
    this.#draining = true;
    this.#careful = true;
  }

  #restart(renewal: Renewal): void {
    if (this.#identity === undefined) return;
    if (this.#renewal !== "producer") this.#renewal = renewal;
    this.#careful = true;
    this.#draining = this.#sent > 0;
  }

  #refuse(): void {
    if (this.#identity === undefined || this.#renewal === "producer") return;
    this.#refused = this.#identity.producerId;
    this.#restart("producer");
  }

  #hold(nowMs: number, clock: KafkaClock): void {
    this.#heldUntilMs = Math.max(this.#heldUntilMs, nowMs + backoffMs(this.#failures++, clock));
  }
}

/** The sequence that follows `count` records from `sequence`; they are 31 bits and start again at 0. */
export function sequenceAfter(sequence: number, count: number): number {
  return (sequence + count) % 2 ** 31;
}
