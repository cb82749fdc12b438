/**
 * Sends letters straight to the topics that were meant, through the producer of corndog: what Kafka refuses again goes
 * to a file of its own, in the form of the dead-letter file, and not back to where it came from.
 *
 * @module
 */
import { setImmediate } from "node:timers";
import { Batcher } from "../batch/batcher.ts";
import type { Config } from "../config/config.ts";
import { ForwarderError } from "../core/errors.ts";
import { createKafkaSink, type KafkaSink } from "../kafka/kafka_sink.ts";
import { createKernel } from "../kernel/instance.ts";
import { type Kernel, recordBytesMax } from "../kernel/kernel.ts";
import { DeadLetter } from "../sink/dead_letter.ts";
import { encodeHeaders } from "../sink/letter_headers.ts";
import type { StoredLetter } from "./stored_letter.ts";

const arenaBytesMin = 16 * 1024 * 1024;
/** The file of refused letters is bounded by what is replayed. */
const refusedBytesMax = Number.MAX_SAFE_INTEGER;
/** How often it is looked whether everything is settled. */
const pollMs = 5;

/** One producer; `close` it. */
export class TopicTarget {
  /** Letters that Kafka refused again. */
  refused = 0;
  /** Where they are. */
  readonly refusedPath: string;
  readonly #kernel: Kernel;
  readonly #sink: KafkaSink;
  readonly #batcher: Batcher;
  readonly #deadLetter: DeadLetter;
  readonly #recordBytesMax: number;
  #underWay = 0;

  /** Refused letters go to `refusedPath`. */
  constructor(config: Config, refusedPath: string) {
    const { batchBytesMax } = config.kafka;
    const kernel = this.#kernel = createKernel({
      frameBytesMax: config.frameBytesMax,
      arenaBytes: Math.max(arenaBytesMin, 4 * batchBytesMax),
    });
    this.refusedPath = refusedPath;
    this.#recordBytesMax = recordBytesMax(0, config.frameBytesMax, kernel.sizes.scratchBytes);
    this.#deadLetter = new DeadLetter({
      path: refusedPath,
      bytesMax: refusedBytesMax,
      memory: kernel.bytes,
      room: () => {},
    });
    this.#sink = createKafkaSink({
      kernel,
      config: config.kafka,
      events: {
        settled: (batch, outcome) => {
          if (outcome.kind === "delivered") {
            this.#underWay -= batch.count - (outcome.refused ?? 0);
            this.#batcher.release(batch);
            return;
          }
          this.refused += batch.count;
          this.#deadLetter.writeBatch({ batch, ...outcome }, () => {
            this.#underWay -= batch.count;
            this.#batcher.release(batch);
          });
        },
        refused: (part, outcome, watch) => {
          this.refused += part.count;
          this.#deadLetter.writeBatch({ batch: part, ...outcome }, () => {
            this.#underWay -= part.count;
            watch.released();
            watch.settled();
          });
        },
        wants: () => this.#batcher.wants(),
      },
    });
    this.#batcher = new Batcher({
      kernel,
      batchBytesMax,
      lingerMs: 1000,
      lanesMax: config.kafka.topicsMax + 2,
      sink: this.#sink,
      timers: {
        nowMs: () => performance.now(),
        set: setTimeout,
        clear: (timer) => clearTimeout(timer as number),
      },
      emit: (batch) => this.#sink.send(batch),
    });
    this.#sink.start();
  }

  /** Why nothing goes out now, in words for an operator. */
  get problem(): string | undefined {
    const { ready, problem } = this.#sink.status();
    return ready ? undefined : problem;
  }

  /** True if the letter is no larger than a batch can carry. */
  fits({ key, value, headers }: StoredLetter): boolean {
    const headerBytes = headers.length === 0 ? 0 : encodeHeaders(headers).length;
    const inScratch = (key?.length ?? 0) + value.length + headerBytes;
    return inScratch <= this.#kernel.sizes.scratchBytes &&
      recordBytesMax(key?.length ?? -1, value.length, headerBytes) <= this.#recordBytesMax;
  }

  /** Sends letters that have a topic and fit; resolves when Kafka has them, or the file has what it refused. */
  async send(letters: readonly StoredLetter[]): Promise<void> {
    for (const letter of letters) {
      while (!this.#append(letter)) {
        this.#batcher.closeAll();
        await new Promise<void>((resolve) => setImmediate(resolve));
      }
      this.#underWay++;
    }
    this.#batcher.closeAll();
    while (this.#underWay > 0) {
      const { problem } = this.#deadLetter.status();
      if (problem !== undefined) throw new ForwarderError("disk_failed", problem);
      await new Promise((resolve) => setTimeout(resolve, pollMs));
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.#sink.close(), this.#deadLetter.close()]);
  }

  /** The record as it was to be sent; its time is when the line was received. False: no room now. */
  #append({ topic, key, headers, value, timeMs }: StoredLetter): boolean {
    const { bytes, scratchAt } = this.#kernel;
    const encoded = headers.length === 0 ? undefined : encodeHeaders(headers);
    let at = scratchAt;
    const put = (part: Uint8Array): number => {
      bytes.set(part, at);
      at += part.length;
      return at - part.length;
    };
    return this.#batcher.append(
      this.#batcher.lane(topic!),
      timeMs === 0 ? Date.now() : timeMs,
      key === null ? 0 : put(key),
      key?.length ?? -1,
      put(value),
      value.length,
      encoded === undefined ? 0 : put(encoded),
      encoded?.length ?? 0,
    );
  }
}
