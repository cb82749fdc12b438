/**
 * Makes records for the dead-letter topic and puts them into its lane: on from there they go the way of every record,
 * through batcher, compressor and sink.
 *
 * Bytes that lie in the kernel's memory are copied once, into the batch. Others (text that a rule redacted, records
 * that were compressed) and the headers pass through the upper half of the scratch: its lower half may hold what
 * rules wrote for the line at hand, whose other copies are still to be placed.
 *
 * @module
 */
import type { Batcher } from "../batch/batcher.ts";
import type { Receipt } from "../batch/receipt.ts";
import type { RecordHeader, RecordReader } from "../batch/record_reader.ts";
import { type Kernel, recordBytesMax } from "../kernel/kernel.ts";
import type { Letter } from "../sink/dead_letter.ts";
import { encodeLetterHeaders, type LetterFields } from "../sink/letter_headers.ts";

/** `no_room`: try again when memory came back. `unfit`: larger than a batch can carry. */
export type TopicAnswer = "taken" | "no_room" | "unfit";

/** The lane of the dead-letter topic of one worker. */
export class LetterTopic {
  readonly topic: string;
  readonly #kernel: Kernel;
  readonly #batcher: Batcher;
  readonly #scratchAt: number;
  readonly #scratchBytes: number;
  readonly #recordBytesMax: number;
  #used = 0;

  constructor(topic: string, kernel: Kernel, batcher: Batcher) {
    const { scratchBytes, frameBytesMax } = kernel.sizes;
    this.topic = topic;
    this.#kernel = kernel;
    this.#batcher = batcher;
    this.#scratchAt = kernel.scratchAt + (scratchBytes >> 1);
    this.#scratchBytes = scratchBytes - (scratchBytes >> 1);
    this.#recordBytesMax = recordBytesMax(0, frameBytesMax, scratchBytes);
  }

  /** The memory in which batches lie. */
  get memory(): Uint8Array {
    return this.#kernel.bytes;
  }

  /** Takes a line; its bytes are copied. */
  line(letter: Letter): TopicAnswer {
    return this.#append(letter, [], undefined, letter.value);
  }

  /** Takes the current record of `reader`, which Kafka refused; `receipt` hears when the batch it is in now is settled. */
  record(fields: LetterFields, reader: RecordReader, receipt: Receipt): TopicAnswer {
    const value = reader.value();
    if (value === null) return "unfit";
    this.#batcher.receipt = receipt;
    const answer = this.#append(fields, reader.headerCount > 0 ? reader.headers() : [], reader.key(), value);
    this.#batcher.receipt = undefined;
    return answer;
  }

  #append(
    fields: LetterFields,
    own: readonly RecordHeader[],
    key: Uint8Array | null | undefined,
    value: Uint8Array,
  ): TopicAnswer {
    const headers = encodeLetterHeaders(fields, own);
    const keyLength = key?.length ?? -1;
    if (recordBytesMax(keyLength, value.length, headers.length) > this.#recordBytesMax) return "unfit";
    this.#used = 0;
    const headersAt = this.#place(headers);
    const keyAt = key ? this.#place(key) : 0;
    const valueAt = this.#place(value);
    if (headersAt < 0 || keyAt < 0 || valueAt < 0) return "unfit";
    const lane = this.#batcher.lane(this.topic);
    const taken = this.#batcher.append(
      lane,
      Date.now(),
      keyAt,
      keyLength,
      valueAt,
      value.length,
      headersAt,
      headers.length,
    );
    return taken ? "taken" : "no_room";
  }

  /** Offset of the bytes in the kernel's memory, copied to the scratch if they lie elsewhere; -1 where that has no room. */
  #place(bytes: Uint8Array): number {
    const { bytes: memory } = this.#kernel;
    if (bytes.buffer === memory.buffer) return bytes.byteOffset - memory.byteOffset;
    if (bytes.length > this.#scratchBytes - this.#used) return -1;
    const at = this.#scratchAt + this.#used;
    memory.set(bytes, at);
    this.#used += bytes.length;
    return at;
  }
}
