/**
 * One line as the rules see it: a window over a row of the kernel's tables. Hot path.
 *
 * The pipeline moves one object from row to row. Text is decoded only when a rule asks, JSON is parsed at most
 * once per line, and nothing of it outlives the row.
 *
 * @module
 */
import { type TextBuffer, textBufferOf } from "../core/text_buffer.ts";
import { frameFlag, frameRowBytes, headerRowBytes, headerWord, type Kernel } from "../kernel/kernel.ts";
import type { FieldName, Line } from "../rules/program.ts";
import { facilityName, severityName } from "../syslog/severity.ts";
import { structuredParameter } from "../syslog/header.ts";

const headerWordOf: Partial<Record<FieldName, number>> = {
  timestamp: headerWord.timestamp,
  hostname: headerWord.hostname,
  appname: headerWord.appname,
  procid: headerWord.procid,
  msgid: headerWord.msgid,
};

/** Not yet parsed; `undefined` is an answer. */
const unparsed = Symbol("unparsed");

/** The `Line` of a row. Call `move` before use. */
export class FrameLine implements Line {
  nowMs = 0;
  peer = "";
  /** Bytes of the message and of the whole frame: offsets in the kernel's memory. */
  messageStart = 0;
  start = 0;
  end = 0;

  readonly #words: Uint32Array;
  readonly #buffer: TextBuffer;
  readonly #rowsWord: number;
  readonly #headersWord: number;
  #header = 0;
  #flags = 0;
  #message: string | undefined;
  #json: unknown = unparsed;

  constructor(kernel: Kernel) {
    this.#words = kernel.words;
    this.#buffer = textBufferOf(kernel.bytes);
    this.#rowsWord = kernel.rowsAt / 4;
    this.#headersWord = kernel.headersAt / 4;
  }

  /** Points it at row `row` of the frame table. */
  move(row: number): void {
    const word = this.#rowsWord + row * (frameRowBytes / 4);
    this.start = this.#words[word]!;
    this.end = this.#words[word + 1]!;
    this.#flags = this.#words[word + 2]!;
    this.messageStart = this.#words[word + 3]!;
    this.#header = this.#headersWord + row * (headerRowBytes / 4);
    this.#message = undefined;
    this.#json = unparsed;
  }

  text(field: FieldName): string | undefined {
    if (field === "msg") return this.#message ??= this.#decode(this.messageStart, this.end);
    if (field === "raw") return this.#decode(this.start, this.end);
    if (field === "peer") return this.peer;
    if (field === "severity") return severityName(this.severity());
    if (field === "facility") return facilityName(this.facility());
    const word = this.#header + headerWordOf[field]!;
    const start = this.#words[word]!;
    return start === 0 ? undefined : this.#decode(start, this.#words[word + 1]!);
  }

  severity(): number {
    return (this.#flags & frameFlag.priority) === 0 ? -1 : this.#words[this.#header]! & 7;
  }

  facility(): number {
    return (this.#flags & frameFlag.priority) === 0 ? -1 : this.#words[this.#header]! >>> 3;
  }

  structured(id: string, param: string): string | undefined {
    const word = this.#header + headerWord.structuredData;
    const start = this.#words[word]!;
    return start === 0
      ? undefined
      : structuredParameter(this.#decode(start, this.#words[word + 1]!), id, param);
  }

  json(): unknown {
    if (this.#json === unparsed) this.#json = this.#parse();
    return this.#json;
  }

  /** Bytes of the whole frame, valid until the next row. */
  get raw(): Uint8Array {
    return this.#buffer.subarray(this.start, this.end);
  }

  get truncated(): boolean {
    return (this.#flags & frameFlag.truncated) !== 0;
  }

  #parse(): unknown {
    // Text that cannot be a JSON container is not worth an exception: scalars carry no members to look at.
    const first = this.#buffer[this.messageStart];
    if (
      this.messageStart === this.end ||
      !(first === 0x7b || first === 0x5b || first === 0x20 || first === 0x09)
    ) {
      return undefined;
    }
    try {
      return JSON.parse(this.text("msg")!);
    } catch {
      return undefined;
    }
  }

  #decode(start: number, end: number): string {
    return (this.#flags & frameFlag.ascii) !== 0
      ? this.#buffer.latin1Slice(start, end)
      : this.#buffer.utf8Slice(start, end);
  }
}
