/**
 * Lines and rejected batches on their way into the dead letter, with the ledger kept.
 *
 *     line that rules or the gate refused ─┐            ┌─> lane of dead_letter.topic ──> sink ──> delivered
 *                                          ├─> letters ─┤                                  │ rejected
 *     batch that the sink rejected ────────┘            └─> file <─────────────────────────┘
 *
 * The topic takes what Kafka can take. To the file go: everything where there is no topic; while the sink cannot
 * deliver (for more than a moment); for a while after Kafka refused a batch of letters; records that are too large for Kafka; and a line that
 * was to be redacted and could not be, which must not leave this machine. A letter goes from the topic to the file and
 * never back, and no letter passes the rules: there is no loop.
 *
 * A dead-lettered copy is in flight until Kafka has acknowledged it or it is on the disk. A rejected batch keeps its
 * memory until its records are in the lane or in the file. `full` means backpressure: the intake stops reading.
 *
 * @module
 */
import { setImmediate } from "node:timers";
import { openBatch } from "../batch/decode.ts";
import { peerOf } from "../batch/origins.ts";
import { Receipt, settleReceipts } from "../batch/receipt.ts";
import type { BatchOutcome, ClosedBatch } from "../batch/record_batch.ts";
import type { RecordReader } from "../batch/record_reader.ts";
import type { PartWatch } from "../kafka/divider.ts";
import { counter, type CounterRow } from "../observe/row.ts";
import type { DeadLetter, DeadLetterStatus, Letter } from "../sink/dead_letter.ts";
import type { LetterTopic } from "./letter_topic.ts";
import type { WorkerLog } from "./protocol.ts";
import type { TopicCounts } from "./topic_counts.ts";

/** How long letters go to the file after Kafka refused a batch of them, before the topic is tried again. */
const topicPauseMs = 10_000;
/** How old the answer to "can the sink deliver" may be: it costs more than a letter. */
const readyAgeMs = 250;
/** Records of rejected batches that become letters in one turn of the event loop; some milliseconds. */
const recordsPerTurn = 500;
/** A sink that is not ready for no longer than this is about to be: at the start, or while a broker is replaced. */
const readyGraceMs = 3000;
/** A rejected batch that finds no memory for its letters goes to the file, or batches could wait for each other. */
const roomWaitMs = 1000;
/** Different reasons that are counted apart; rules may name their own. */
const reasonsMax = 100;
/** Name of the shared count of the others. */
const otherReasons = "(other)";

/** Reasons for which Kafka would refuse a letter too. */
const onlyFile: ReadonlySet<string> = new Set(["record_too_large"]);

type Rejection = BatchOutcome & { kind: "rejected" };

/** The topic that letters go to, and what tells whether they can. */
export interface LettersTopic {
  readonly lane: LetterTopic;
  /** Whether the sink can deliver now. */
  readonly ready: () => boolean;
  readonly log: WorkerLog;
  readonly nowMs: () => number;
}

/** What the letters join. */
export interface LettersParts {
  readonly deadLetter: DeadLetter;
  /** Missing: everything goes to the file. */
  readonly topic?: LettersTopic | undefined;
  readonly counters: CounterRow;
  readonly topics: TopicCounts;
  /** Gives back the memory of a batch whose records are elsewhere. */
  readonly release: (batch: ClosedBatch) => void;
  /** The records of a batch are where they stay: on the disk, or acknowledged in the topic. Once per batch, after `release`. */
  readonly done?: (batch: ClosedBatch) => void;
}

/** What `/admin/stats` shows of one worker's letters. */
export interface LettersReport {
  readonly file: DeadLetterStatus;
  readonly topic?: { readonly name: string; readonly ready: boolean; readonly problem?: string };
  /** Letters taken, by reason. */
  readonly reasons: Readonly<Record<string, number>>;
}

/** A rejected batch whose records become letters of the topic. */
interface Returning {
  readonly batch: ClosedBatch;
  readonly outcome: Rejection;
  readonly reader: RecordReader;
  /** Waits for the batches of letters that its records go into. */
  readonly receipt: Receipt;
  /** Records that are in the lane. */
  done: number;
  /** Since when it finds no memory. */
  noRoomSinceMs: number | undefined;
}

/** The way into the dead letter of one worker. */
export class Letters {
  readonly #parts: LettersParts;
  readonly #returning: Returning[] = [];
  readonly #reasons = new Map<string, number>();
  readonly #watches = new Map<ClosedBatch, PartWatch>();
  #isPumping = false;
  #pausedUntilMs = -Infinity;
  #refusal: string | undefined;
  /** Since when the sink cannot deliver. */
  #notReadySinceMs: number | undefined;
  #readyAtMs = -Infinity;

  constructor(parts: LettersParts) {
    this.#parts = parts;
  }

  /** Looks at the file, so that trouble shows before the first letter. */
  start(): void {
    this.#parts.deadLetter.start();
  }

  /** True while the file can take nothing more. */
  get full(): boolean {
    return this.#parts.deadLetter.full;
  }

  /** Why nothing can be written, in words for an operator. */
  get problem(): string | undefined {
    return this.#parts.deadLetter.status().problem;
  }

  /** True while nothing is on its way into the file or back into the topic's lane. */
  get idle(): boolean {
    const { bytesWaiting, batchesWaiting } = this.#parts.deadLetter.status();
    return this.#returning.length === 0 && bytesWaiting === 0 && batchesWaiting === 0;
  }

  /** True while rejected batches wait for memory. */
  get waiting(): boolean {
    return this.#returning.length > 0;
  }

  /**
   * Takes one line (a copy of it), for which an answer may wait; else says what it waits for: memory for the topic's
   * lane, or the file. A batch of letters carries the batcher's receipt as any batch does.
   */
  write(letter: Letter, receipt?: Receipt): "room" | "letters" | undefined {
    if (letter.redacted !== "failed" && !onlyFile.has(letter.reason) && this.#topicTakes()) {
      const answer = this.#parts.topic!.lane.line(letter);
      if (answer === "no_room") return "room";
      if (answer === "taken") {
        this.#parts.counters.add(counter.in_flight, 1);
        this.#taken(letter.reason, letter.topic, 1);
        return undefined;
      }
    }
    const taken = this.#parts.deadLetter.write(letter, () => {
      this.#settled(1, counter.dead_lettered_file);
      receipt?.settled(false);
    });
    if (!taken) return "letters";
    receipt?.attached();
    this.#parts.counters.add(counter.in_flight, 1);
    this.#taken(letter.reason, letter.topic, 1);
    return undefined;
  }

  /** Takes a settled batch if it is one of letters, or if the sink rejected it; false: it was delivered. */
  settled(batch: ClosedBatch, outcome: BatchOutcome): boolean {
    const isOfLetters = batch.topic === this.#parts.topic?.lane.topic;
    if (isOfLetters && outcome.kind === "delivered") {
      const delivered = batch.count - (outcome.refused ?? 0);
      this.#settled(delivered, counter.dead_lettered_topic);
      this.#parts.topics.delivered(batch.topic, delivered);
      this.#parts.release(batch);
      this.#done(batch, outcome);
    } else if (isOfLetters && outcome.kind === "rejected") {
      this.#pause(outcome);
      this.#toFile(batch, outcome);
    } else if (outcome.kind === "rejected") {
      this.#taken(outcome.reason, batch.topic, batch.count);
      this.#takeBatch(batch, outcome);
    } else return false;
    return true;
  }

  /** Takes records that the sink took out of a batch because Kafka will never take them. */
  takePart(part: ClosedBatch, outcome: Rejection, watch: PartWatch): void {
    this.#watches.set(part, watch);
    // A letter was counted when it became one.
    if (part.topic === this.#parts.topic?.lane.topic) this.#toFile(part, outcome);
    else {
      this.#taken(outcome.reason, part.topic, part.count);
      this.#takeBatch(part, outcome);
    }
  }

  /** Memory may have come back: rejected batches that wait for it go on. Called now and then in any case. */
  wake(): void {
    this.#look();
    this.#pumpSoon();
  }

  report(): LettersReport {
    const { topic, deadLetter } = this.#parts;
    const reasons = Object.fromEntries(this.#reasons);
    if (topic === undefined) return { file: deadLetter.status(), reasons };
    const problem = this.#isPaused() ? this.#refusal : undefined;
    const ready = problem === undefined && topic.ready();
    return {
      file: deadLetter.status(),
      topic: { name: topic.lane.topic, ready, ...(problem === undefined ? {} : { problem }) },
      reasons,
    };
  }

  /** Gives what waits for the topic to the file, and ends. */
  async close(): Promise<void> {
    while (this.#returning.length > 0) this.#end(this.#returning[0]!, "file");
    await this.#parts.deadLetter.close();
  }

  /** A rejected batch: its records to the topic one by one, or all of it to the file. */
  #takeBatch(batch: ClosedBatch, outcome: Rejection): void {
    const { topic } = this.#parts;
    if (topic === undefined || onlyFile.has(outcome.reason) || !this.#topicTakes()) {
      this.#toFile(batch, outcome);
      return;
    }
    const opened = openBatch(topic.lane.memory, batch);
    if (!opened.ok) return this.#toFile(batch, outcome);
    const receipt = new Receipt("kafka", () => this.#done(batch, outcome));
    this.#returning.push({
      batch,
      outcome,
      reader: opened.records,
      receipt,
      done: 0,
      noRoomSinceMs: undefined,
    });
    this.#pumpSoon();
  }

  /** Not at once: a batch may be rejected from inside `append`, which must not be entered twice. */
  #pumpSoon(): void {
    if (this.#isPumping || this.#returning.length === 0) return;
    this.#isPumping = true;
    setImmediate(() => {
      this.#isPumping = false;
      this.#pump();
    });
  }

  #pump(): void {
    for (let left = recordsPerTurn; left > 0;) {
      const first = this.#returning[0];
      if (first === undefined) return;
      if (!this.#topicTakes()) {
        this.#end(first, "file");
        continue;
      }
      const before = first.done;
      const state = this.#move(first, left);
      left -= Math.max(1, first.done - before);
      if (state === "stuck") {
        const { nowMs } = this.#parts.topic!;
        first.noRoomSinceMs ??= nowMs();
        if (nowMs() - first.noRoomSinceMs < roomWaitMs) return;
        this.#end(first, "file");
      } else if (state !== "more") this.#end(first, state);
    }
    this.#pumpSoon();
  }

  /** Puts at most `max` records into the lane. */
  #move(returning: Returning, max: number): "more" | "stuck" | "lane" | "file" {
    const { reader, receipt, batch, outcome } = returning;
    const { lane } = this.#parts.topic!;
    const { reason, message } = outcome;
    for (let moved = 0; moved < max; moved++) {
      if (!reader.next()) return reader.fault === undefined ? "lane" : "file";
      const fields = {
        timeMs: reader.timestampMs,
        reason,
        message,
        kind: "record",
        topic: batch.topic,
        peer: peerOf(batch.origins, reader.offsetDelta),
      } as const;
      const answer = lane.record(fields, reader, receipt);
      if (answer === "unfit") return "file";
      if (answer === "no_room") {
        reader.unread();
        return "stuck";
      }
      returning.done++;
      returning.noRoomSinceMs = undefined;
    }
    return "more";
  }

  /** The first returning batch is done with: all of it is in the lane, or the rest goes to the file. */
  #end({ batch, outcome, receipt, done }: Returning, where: "lane" | "file"): void {
    this.#returning.shift();
    if (where === "lane") this.#release(batch);
    else {
      receipt.attached();
      this.#writeRest(batch, outcome, done, () => receipt.settled(false));
    }
    receipt.placed();
  }

  /** All of a batch, of records or of letters, to the file. */
  #toFile(batch: ClosedBatch, outcome: Rejection): void {
    this.#writeRest(batch, outcome, 0, () => this.#done(batch, outcome));
  }

  #writeRest(batch: ClosedBatch, { reason, message }: Rejection, skip: number, durable: () => void): void {
    const letters = batch.topic === this.#parts.topic?.lane.topic;
    this.#parts.deadLetter.writeBatch({ batch, reason, message, skip, letters }, () => {
      this.#settled(batch.count - skip, counter.dead_lettered_file);
      this.#release(batch);
      durable();
    });
  }

  /** The records of the batch are where they stay: who waits for it hears of that. */
  #done(batch: ClosedBatch, outcome: BatchOutcome): void {
    const watch = this.#watches.get(batch);
    if (watch !== undefined) {
      this.#watches.delete(batch);
      watch.settled();
      return;
    }
    settleReceipts(batch, outcome);
    this.#parts.done?.(batch);
  }

  #release(batch: ClosedBatch): void {
    const watch = this.#watches.get(batch);
    if (watch === undefined) this.#parts.release(batch);
    else watch.released();
  }

  /** Whether a letter given now should go to the topic. */
  #topicTakes(): boolean {
    const { topic } = this.#parts;
    if (topic === undefined || this.#isPaused()) return false;
    this.#look();
    return this.#notReadySinceMs === undefined || topic.nowMs() - this.#notReadySinceMs < readyGraceMs;
  }

  /** Looks whether the sink can deliver, if the last look is old. */
  #look(): void {
    const { topic } = this.#parts;
    const nowMs = topic?.nowMs() ?? 0;
    if (topic === undefined || nowMs - this.#readyAtMs < readyAgeMs) return;
    this.#notReadySinceMs = topic.ready() ? undefined : this.#notReadySinceMs ?? nowMs;
    this.#readyAtMs = nowMs;
  }

  #isPaused(): boolean {
    const { topic } = this.#parts;
    return topic !== undefined && topic.nowMs() < this.#pausedUntilMs;
  }

  #pause({ reason, message }: Rejection): void {
    const { lane, nowMs, log } = this.#parts.topic!;
    if (!this.#isPaused()) log("dead_letter_topic_refused", { topic: lane.topic, reason, message });
    this.#refusal = message;
    this.#pausedUntilMs = nowMs() + topicPauseMs;
  }

  #taken(reason: string, topic: string | undefined, lines: number): void {
    const name = this.#reasons.has(reason) || this.#reasons.size < reasonsMax ? reason : otherReasons;
    this.#reasons.set(name, (this.#reasons.get(name) ?? 0) + lines);
    if (topic !== undefined) this.#parts.topics.deadLettered(topic, lines);
  }

  #settled(lines: number, place: number): void {
    const { counters } = this.#parts;
    counters.add(counter.in_flight, -lines);
    counters.add(counter.dead_lettered, lines);
    counters.add(place, lines);
    counters.publish();
  }
}
