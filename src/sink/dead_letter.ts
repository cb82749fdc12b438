/**
 * The dead-letter file: NDJSON, append-only, shared by all workers, bounded.
 *
 *     {"time","reason","message","kind","topic"?,"rule"?,"peer"?,"truncated"?,"redacted"?,"undeliverable"?,
 *      "key"?,"headers"?,"value"|"value_b64"}
 *
 * In: lines that rules or the topic gate refused (`write`), and batches that the sink refused (`writeBatch`): of
 * records, or of letters that were meant for the dead-letter topic, which are unfolded again. Out: a callback per line
 * or batch once it is on the disk, in the order in which they came. Lines are copied when they are taken; a batch stays
 * where it is and keeps its memory until its records were taken.
 *
 * Nothing is dropped: at `bytesMax`, and when the disk refuses, lines wait in a bounded queue, and when that is
 * used up `write` takes nothing more (`full`), which stops the intake. Both are tried again until an operator has
 * made room; a file that was moved away is begun anew. The bound is kept by each worker with the size it last saw:
 * together they may be over it by one group of lines each.
 *
 * @module
 */
import { BatchLines } from "./batch_lines.ts";
import { peerOf } from "../batch/origins.ts";
import type { BatchOutcome, ClosedBatch } from "../batch/record_batch.ts";
import { InvariantError } from "../core/invariant.ts";
import { backoffMs, ioProblem } from "../core/io_problem.ts";
import { JsonLines } from "./json_lines.ts";
import { type LetterFields, readLetterHeaders } from "./letter_headers.ts";
import { type OpenAppend, SharedAppend } from "./shared_append.ts";

/** One line that cannot be delivered. */
export interface Letter extends LetterFields {
  /** The whole line; copied before `write` returns. */
  readonly value: Uint8Array;
}

/** A batch that nobody else takes. */
export interface RefusedBatch {
  readonly batch: ClosedBatch;
  readonly reason: string;
  /** For people. */
  readonly message: string;
  /** Records at its beginning that went elsewhere. */
  readonly skip?: number;
  /** Its records are letters: what they say of themselves counts, `reason` is why they are not in their topic. */
  readonly letters?: boolean;
}

/** What a dead letter is made of. */
export interface DeadLetterOptions {
  readonly path: string;
  readonly bytesMax: number;
  /** The kernel's memory, where refused batches lie. */
  readonly memory: Uint8Array;
  /** `full` was true when something was to be written, and is false now. */
  room(): void;
  /** How the file is opened, if not by node:fs. */
  readonly openFile?: OpenAppend;
}

/** One line of `/admin/stats` and `/readyz` about the dead letter. */
export interface DeadLetterStatus {
  readonly path: string;
  readonly ready: boolean;
  readonly full: boolean;
  /** Why nothing can be written, in words for an operator. */
  readonly problem?: string;
  /** Size of the file when it was last looked at. */
  readonly bytes: number;
  readonly bytesMax: number;
  readonly bytesWaiting: number;
  readonly batchesWaiting: number;
}

/** Lines that wait for the disk; one write. */
const queueBytesMax = 1024 * 1024;
const queueBytesStart = 16 * 1024;
/** How often a full file is looked at again. */
const fullCheckMs = 1000;

/** Who is told when the bytes up to `end` of a group are on the disk. */
interface Waiter {
  readonly end: number;
  durable(): void;
}

/** Lines that are taken and not yet written, and who waits for them. */
class Group {
  readonly lines = new JsonLines(queueBytesStart);
  waiters: Waiter[] = [];
}

interface Refused extends RefusedBatch {
  durable(): void;
}

/** The dead letter of one worker. */
export class DeadLetter {
  readonly #options: DeadLetterOptions;
  readonly #file: SharedAppend;
  readonly #batches: BatchLines;
  readonly #refused = new Map<ClosedBatch, Refused>();
  #taken = new Group();
  #writing = new Group();
  #state: "idle" | "writing" | "closed" = "idle";
  #task: Promise<void> = Promise.resolve();
  #endWait: (() => void) | undefined;
  #problem: string | undefined;
  #atBound = false;
  #size = 0;
  /** Somebody was told `full` and wants to hear of room. */
  #roomWanted = false;

  constructor(options: DeadLetterOptions) {
    this.#options = options;
    this.#file = new SharedAppend(options.path, options.openFile);
    this.#batches = new BatchLines(options.memory, (lines, reader, batch) => {
      const { reason, message, letters } = this.#refused.get(batch)!;
      const letter = letters === true ? readLetterHeaders(reader.headers()) : undefined;
      if (letter !== undefined) {
        openLetter(lines, letter.fields);
        lines.addText("undeliverable", reason);
      } else {
        openLetter(lines, {
          timeMs: reader.timestampMs,
          reason,
          message,
          kind: "record",
          topic: batch.topic,
          peer: peerOf(batch.origins, reader.offsetDelta),
        });
      }
      lines.addRecordParts(reader, letter?.own);
      lines.closeLine();
    });
  }

  /** True while `write` takes nothing: stop reading. */
  get full(): boolean {
    return this.#atBound || this.#taken.lines.length >= queueBytesMax;
  }

  /** Looks at the file, so that trouble shows before the first letter. */
  start(): void {
    this.#begin();
  }

  /** Takes a line; `durable` is called when it is on the disk. False: full, nothing was taken, `room` will be called. */
  write(letter: Letter, durable: () => void): boolean {
    if (this.full) {
      this.#roomWanted = true;
      return false;
    }
    const { lines, waiters } = this.#taken;
    addLetter(lines, letter);
    waiters.push({ end: lines.length, durable });
    this.#begin();
    return true;
  }

  /** Takes a batch that the sink refused. Always taken; its memory may be given back when `durable` is called. */
  writeBatch(refused: RefusedBatch, durable: () => void): void {
    this.#refused.set(refused.batch, { ...refused, durable });
    this.#batches.push(refused.batch, refused.skip);
    this.#begin();
  }

  status(): DeadLetterStatus {
    return {
      path: this.#options.path,
      ready: this.#problem === undefined,
      full: this.full,
      ...(this.#problem === undefined ? {} : { problem: this.#problem }),
      bytes: this.#size,
      bytesMax: this.#options.bytesMax,
      bytesWaiting: this.#taken.lines.length + this.#writing.lines.length,
      batchesWaiting: this.#batches.length,
    };
  }

  /** Tries once more to write what waits, then closes the file. What is not on the disk by then is not called durable. */
  async close(): Promise<void> {
    this.#state = "closed";
    this.#endWait?.();
    await this.#task;
    await this.#file.close();
  }

  #begin(): void {
    if (this.#state !== "idle") return;
    this.#state = "writing";
    this.#task = this.#drain();
  }

  /** Writes until nothing waits. */
  async #drain(): Promise<void> {
    let attempts = 0;
    for (;;) {
      this.#takeBatches();
      if (this.#writing.lines.length === 0) [this.#writing, this.#taken] = [this.#taken, this.#writing];
      const failure = await this.#tryWrite();
      this.#tellRoom();
      if (failure === undefined && !this.#atBound) {
        attempts = 0;
        if (!this.#waiting()) break;
      } else {
        if (this.#state === "closed") return;
        await this.#wait(this.#atBound ? fullCheckMs : backoffMs(attempts++));
      }
    }
    if (this.#state === "writing") this.#state = "idle";
  }

  #waiting(): boolean {
    return this.#writing.lines.length > 0 || this.#taken.lines.length > 0 || this.#batches.length > 0;
  }

  /** Makes lines of refused batches, as far as the queue has room. */
  #takeBatches(): void {
    const { lines, waiters } = this.#taken;
    if (this.#batches.length === 0 || lines.length >= queueBytesMax) return;
    this.#batches.fill(lines, queueBytesMax);
    this.#batches.commit((batch, outcome) => {
      const refused = this.#refused.get(batch)!;
      this.#refused.delete(batch);
      if (outcome.kind === "rejected") addLetter(lines, this.#unreadable(batch, refused, outcome));
      waiters.push({ end: lines.length, durable: refused.durable });
    });
  }

  /** A batch whose records cannot be read back goes as one letter, with all its bytes. */
  #unreadable(
    batch: ClosedBatch,
    refused: Refused,
    outcome: BatchOutcome & { kind: "rejected" },
  ): Letter {
    return {
      timeMs: batch.baseTimestampMs,
      reason: outcome.reason,
      message: `${refused.message}; ${outcome.message}`,
      kind: "record",
      topic: batch.topic,
      value: this.#options.memory.subarray(batch.at, batch.end),
    };
  }

  /** Writes as many lines of the group in work as the bound allows. Returns what the system refused. */
  async #tryWrite(): Promise<unknown> {
    const { lines } = this.#writing;
    try {
      this.#size = await this.#file.ready();
      const bytes = this.#allowed(lines.bytes);
      this.#atBound = bytes.length === 0 && lines.length > 0;
      this.#problem = this.#atBound ? this.#fullProblem() : undefined;
      if (bytes.length === 0) return undefined;
      const written = await this.#file.append(bytes);
      this.#size += written;
      this.#written(written);
      return undefined;
    } catch (error) {
      if (error instanceof InvariantError) throw error;
      this.#problem = ioProblem("write", this.#options.path, error);
      await this.#file.close();
      return error ?? new Error("unknown");
    }
  }

  /** The lines that fit below the bound; at least one where the file is empty, or nothing would ever go on. */
  #allowed(bytes: Uint8Array): Uint8Array {
    const left = this.#options.bytesMax - this.#size;
    if (bytes.length <= left) return bytes;
    const fit = left <= 0 ? 0 : bytes.subarray(0, left).lastIndexOf(10) + 1;
    if (fit > 0 || this.#size > 0) return bytes.subarray(0, fit);
    return bytes.subarray(0, bytes.indexOf(10) + 1);
  }

  /** The first `bytes` of the group in work are on the disk. */
  #written(bytes: number): void {
    const group = this.#writing;
    const done = group.waiters.filter((waiter) => waiter.end <= bytes);
    if (bytes === group.lines.length) {
      group.waiters = [];
      group.lines.cut(0);
    } else {
      group.waiters = group.waiters.slice(done.length).map(({ end, durable }) => ({
        end: end - bytes,
        durable,
      }));
      group.lines.shift(bytes);
    }
    for (const { durable } of done) durable();
  }

  #tellRoom(): void {
    if (!this.#roomWanted || this.full) return;
    this.#roomWanted = false;
    this.#options.room();
  }

  #fullProblem(): string {
    const { path, bytesMax } = this.#options;
    return `Cannot write "${path}": it holds ${this.#size} bytes, ${bytesMax} are allowed; move it away to go on`;
  }

  /** Waits, but not past `close`. */
  #wait(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, delayMs);
      this.#endWait = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** Begins a line with what a letter says of itself. */
function openLetter(lines: JsonLines, letter: LetterFields): void {
  lines.openLine(letter.timeMs);
  lines.addText("reason", letter.reason);
  lines.addText("message", letter.message);
  lines.addText("kind", letter.kind);
  if (letter.topic !== undefined) lines.addText("topic", letter.topic);
  if (letter.rule !== undefined) lines.addText("rule", letter.rule);
  if (letter.peer !== undefined) lines.addText("peer", letter.peer);
  if (letter.truncated === true) lines.addJson("truncated", true);
  if (letter.redacted !== undefined) lines.addJson("redacted", letter.redacted === "done" ? true : "failed");
}

function addLetter(lines: JsonLines, letter: Letter): void {
  openLetter(lines, letter);
  lines.addBytes("value", letter.value, 0, letter.value.length);
  lines.closeLine();
}
