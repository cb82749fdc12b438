/**
 * The sink `file`: NDJSON, one folder per topic, files per worker that rotate by size.
 *
 * In: closed batches. Out: `DIR/TOPIC/w0-00000001.ndjson`, one line per record. A batch is delivered when its last
 * line is written. At most `writesMax` files are written at a time and each by one write, in the order of its
 * batches, off the loop. Whatever goes wrong (no space, no permission, a file in the way) is tried again for ever
 * and said in `status()`; a topic that fails waits by itself while the others are written.
 *
 *     waiting -> writing -> idle | waiting | failing -(back-off)-> waiting
 *
 * @module
 */
import { access, constants, mkdir } from "node:fs/promises";
import type { BatchOutcome, ClosedBatch } from "../batch/record_batch.ts";
import { InvariantError } from "../core/invariant.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { BatchLines } from "./batch_lines.ts";
import { backoffMs, ioProblem } from "../core/io_problem.ts";
import { JsonLines } from "./json_lines.ts";
import type { Sink, SinkEvents, SinkStatus } from "./sink.ts";
import { type OpenFile, TopicFile } from "./topic_file.ts";

/** What a file sink is made of. */
export interface FileSinkOptions {
  readonly kernel: Kernel;
  readonly events: SinkEvents;
  readonly dir: string;
  /** A file grows to this size, or by one line beyond it if that line alone is larger. */
  readonly rotateBytes: number;
  /** Newest files per topic and worker that stay; 0 keeps all. */
  readonly keep: number;
  readonly worker: number;
  /** How a file is opened, if not by node:fs. */
  readonly openFile?: OpenFile;
}

/** Threads of the runtimes' pools for files. */
const writesMax = 4;
/** About a millisecond of work for the loop. */
const pieceBytesMax = 256 * 1024;
/** Far below the 1024 descriptors that a process may have by default. */
const openFilesMax = 256;
/** What Kafka allows; "." and ".." are refused besides. */
const topicName = /^[A-Za-z0-9._-]{1,249}$/;

interface Topic {
  readonly name: string;
  readonly file: TopicFile;
  readonly queue: BatchLines;
  state: "idle" | "waiting" | "writing" | "failing";
  attempts: number;
  failingSinceMs: number;
  problem: string | undefined;
  timer: ReturnType<typeof setTimeout> | undefined;
}

/** Makes the sink `file`; `start` prepares its directory. */
export function createFileSink(options: FileSinkOptions): Sink {
  return new FileSink(options);
}

class FileSink implements Sink {
  readonly name = "file";
  readonly #options: FileSinkOptions;
  readonly #topics = new Map<string, Topic>();
  readonly #waiting: Topic[] = [];
  /** Topics with an open file, the one unused for longest first. */
  readonly #open = new Set<Topic>();
  readonly #failing = new Set<Topic>();
  readonly #running = new Set<Promise<void>>();
  /** Buffers that no write uses. */
  readonly #spare: JsonLines[] = [];
  #state: "new" | "preparing" | "ready" | "closed" = "new";
  #problem: string | undefined;
  #prepareTimer: ReturnType<typeof setTimeout> | undefined;
  #prepareAttempts = 0;
  #wasHungry = false;
  #lastSuccessMs = 0;
  #batches = 0;
  #bytes = 0;
  #bytesWritten = 0;

  constructor(options: FileSinkOptions) {
    this.#options = options;
  }

  get hungry(): boolean {
    return this.#state === "ready" && this.#waiting.length === 0 && this.#running.size < writesMax &&
      !this.#stuck();
  }

  start(): void {
    if (this.#state !== "new") return;
    this.#state = "preparing";
    this.#run(this.#prepare());
  }

  send(batch: ClosedBatch): void {
    this.#batches++;
    this.#bytes += batch.end - batch.at;
    if (!topicName.test(batch.topic) || batch.topic === "." || batch.topic === "..") {
      const message = `Topic "${batch.topic}" cannot be the name of a folder`;
      queueMicrotask(() => this.#settle(batch, { kind: "rejected", reason: "topic_illegal", message }));
      return;
    }
    const topic = this.#topics.get(batch.topic) ?? this.#addTopic(batch.topic);
    topic.queue.push(batch);
    if (topic.state === "idle") this.#wait(topic);
    this.#next();
  }

  status(): SinkStatus {
    const failing = [...this.#failing];
    const problem = this.#problem ?? failing[0]?.problem;
    return {
      name: this.name,
      ready: this.#state === "ready" && !this.#stuck(),
      ...(problem === undefined ? {} : { problem }),
      batchesInFlight: this.#batches,
      bytesInFlight: this.#bytes,
      details: {
        dir: this.#options.dir,
        topics: this.#topics.size,
        topics_failing: failing.map((topic) => topic.name),
        files_open: this.#open.size,
        bytes_written: this.#bytesWritten,
      },
    };
  }

  async close(): Promise<void> {
    this.#state = "closed";
    clearTimeout(this.#prepareTimer);
    for (const topic of this.#topics.values()) clearTimeout(topic.timer);
    while (this.#running.size > 0) await Promise.all(this.#running);
    for (const { file } of this.#topics.values()) await file.abandon();
    this.#open.clear();
  }

  /** Topics that fail hurt only themselves: as long as another was written since, something can be delivered. */
  #stuck(): boolean {
    for (const topic of this.#failing) if (topic.failingSinceMs >= this.#lastSuccessMs) return true;
    return false;
  }

  /** Makes the directory, so that trouble shows at the start and not with the first line. */
  async #prepare(): Promise<void> {
    const { dir } = this.#options;
    try {
      await mkdir(dir, { recursive: true });
      await access(dir, constants.W_OK | constants.X_OK);
    } catch (error) {
      this.#problem = ioProblem("write into", dir, error);
      if (this.#state === "closed") return;
      this.#prepareTimer = setTimeout(() => this.#run(this.#prepare()), backoffMs(this.#prepareAttempts++));
      return;
    }
    this.#problem = undefined;
    if (this.#state === "preparing") this.#state = "ready";
  }

  #addTopic(name: string): Topic {
    const { dir, worker, keep, openFile, kernel } = this.#options;
    const topic: Topic = {
      name,
      file: new TopicFile({ dir, topic: name, worker, keep, openFile }),
      queue: new BatchLines(kernel.bytes, (lines, reader) => lines.addRecord(reader, undefined)),
      state: "idle",
      attempts: 0,
      failingSinceMs: 0,
      problem: undefined,
      timer: undefined,
    };
    this.#topics.set(name, topic);
    return topic;
  }

  #wait(topic: Topic): void {
    topic.state = "waiting";
    this.#waiting.push(topic);
  }

  /** Owns a task until it ended, then looks for more to do. */
  #run(task: Promise<void>): void {
    const owned = task.then(() => {
      this.#running.delete(owned);
      this.#next();
    });
    this.#running.add(owned);
  }

  /** Begins as many writes as may be, and says when there is nothing to wait for. */
  #next(): void {
    while (this.#state === "ready" && this.#running.size < writesMax && this.#waiting.length > 0) {
      this.#run(this.#writePiece(this.#waiting.shift()!));
    }
    const { hungry } = this;
    const became = hungry && !this.#wasHungry;
    this.#wasHungry = hungry;
    if (became) this.#options.events.wants();
  }

  /** One piece of a topic's lines; then it is the next topic's turn. */
  async #writePiece(topic: Topic): Promise<void> {
    topic.state = "writing";
    const lines = this.#spare.pop() ?? new JsonLines(pieceBytesMax);
    const failure = await this.#tryWrite(topic, lines);
    const written = lines.length;
    lines.cut(0);
    this.#spare.push(lines);
    if (failure !== undefined) return this.#failed(topic, failure);
    this.#bytesWritten += written;
    this.#lastSuccessMs = performance.now();
    this.#failing.delete(topic);
    topic.attempts = 0;
    topic.problem = undefined;
    topic.state = "idle";
    topic.queue.commit((batch, outcome) => this.#settle(batch, outcome));
    if (topic.queue.length > 0 && topic.state === "idle") this.#wait(topic);
  }

  /** Returns what the system refused. */
  async #tryWrite(topic: Topic, lines: JsonLines): Promise<unknown> {
    const { file, queue } = topic;
    const { rotateBytes } = this.#options;
    try {
      await file.ready(performance.now());
      await this.#touch(topic);
      queue.fill(lines, Math.min(pieceBytesMax, Math.max(0, rotateBytes - file.size)));
      if (lines.length > 0 && file.size > 0 && file.size + lines.length > rotateBytes) {
        queue.reset();
        lines.cut(0);
        await file.rotate();
        queue.fill(lines, Math.min(pieceBytesMax, rotateBytes));
      }
      await file.write(lines.bytes);
      return undefined;
    } catch (error) {
      if (error instanceof InvariantError) throw error;
      queue.reset();
      await file.abandon();
      this.#open.delete(topic);
      return error ?? new Error("unknown");
    }
  }

  #failed(topic: Topic, failure: unknown): void {
    topic.state = "failing";
    topic.problem = ioProblem("write", topic.file.path, failure);
    if (!this.#failing.has(topic)) topic.failingSinceMs = performance.now();
    this.#failing.add(topic);
    if (this.#state === "closed") return;
    topic.timer = setTimeout(() => {
      this.#wait(topic);
      this.#next();
    }, backoffMs(topic.attempts++));
  }

  /** Marks a topic's file as just used, and closes the one unused for longest if too many are open. */
  async #touch(topic: Topic): Promise<void> {
    this.#open.delete(topic);
    this.#open.add(topic);
    if (this.#open.size <= openFilesMax) return;
    for (const other of this.#open) {
      if (other.state !== "idle") continue;
      this.#open.delete(other);
      await other.file.close();
      return;
    }
  }

  #settle(batch: ClosedBatch, outcome: BatchOutcome): void {
    this.#batches--;
    this.#bytes -= batch.end - batch.at;
    this.#options.events.settled(batch, outcome);
  }
}
