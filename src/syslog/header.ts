/**
 * Parts of a parsed row as text and numbers. Read-only, and lazy: nothing is decoded unless it is asked for.
 *
 * Rows must have passed `kernel.parseHeaders`. Text is decoded as UTF-8 (invalid bytes become U+FFFD), by the
 * cheaper latin1 where the row's flag says that all of the frame is ASCII.
 *
 * Hot path: called per line by rules that look at fields (bench/stages.ts has what decoding costs).
 *
 * @module
 */
import { Buffer } from "node:buffer";
import {
  frameFlag,
  frameRowBytes,
  headerRowBytes,
  headerWord,
  type Kernel,
  noPriority,
} from "../kernel/kernel.ts";
import {
  facilityNames,
  facilityOfPriority,
  severityNames,
  severityOfPriority,
} from "../core/syslog_names.ts";
import { findParameter } from "./structured_data.ts";

/** Fields of a header that are text. */
export type HeaderField = Exclude<keyof typeof headerWord, "priority" | "frameStart">;

const frameRowWords = frameRowBytes / 4;
const headerRowWords = headerRowBytes / 4;

/** Reads the tables of one kernel. One per worker is enough: rows are named by their index. */
export class HeaderReader {
  readonly #words: Uint32Array;
  readonly #memory: Buffer;
  readonly #rowsWord: number;
  readonly #headersWord: number;

  constructor(kernel: Kernel) {
    this.#words = kernel.words;
    this.#memory = Buffer.from(kernel.bytes.buffer);
    this.#rowsWord = kernel.rowsAt / 4;
    this.#headersWord = kernel.headersAt / 4;
  }

  /** The whole frame. */
  raw(row: number): string {
    const word = this.#rowsWord + row * frameRowWords;
    return this.#decode(row, this.#words[word]!, this.#words[word + 1]!);
  }

  /** The message; the whole frame where there is no header. */
  message(row: number): string {
    const word = this.#rowsWord + row * frameRowWords;
    return this.#decode(row, this.#words[word + 3]!, this.#words[word + 1]!);
  }

  /** A field as it was written, or undefined where it is absent or nil. */
  field(row: number, field: HeaderField): string | undefined {
    const word = this.#headersWord + row * headerRowWords + headerWord[field];
    const start = this.#words[word]!;
    return start === 0 ? undefined : this.#decode(row, start, this.#words[word + 1]!);
  }

  /** A structured data parameter, unescaped. */
  structured(row: number, id: string, parameter: string): string | undefined {
    const data = this.field(row, "structuredData");
    return data === undefined ? undefined : findParameter(data, id, parameter);
  }

  /** 0 to 7, or -1 without a PRI. */
  severity(row: number): number {
    const priority = this.#priority(row);
    return priority === noPriority ? -1 : severityOfPriority(priority);
  }

  /** 0 to 23, or -1 without a PRI. */
  facility(row: number): number {
    const priority = this.#priority(row);
    return priority === noPriority ? -1 : facilityOfPriority(priority);
  }

  /** "err", or undefined without a PRI. */
  severityName(row: number): string | undefined {
    return severityNames[this.severity(row)];
  }

  /** "local0", or undefined without a PRI. */
  facilityName(row: number): string | undefined {
    return facilityNames[this.facility(row)];
  }

  #priority(row: number): number {
    return this.#words[this.#headersWord + row * headerRowWords + headerWord.priority]!;
  }

  #decode(row: number, start: number, end: number): string {
    const flags = this.#words[this.#rowsWord + row * frameRowWords + 2]!;
    return this.#memory.toString((flags & frameFlag.ascii) !== 0 ? "latin1" : "utf8", start, end);
  }
}
