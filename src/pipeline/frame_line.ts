/**
 * One line as the rules see it: a window over a row of the kernel's tables. Hot path.
 *
 * The pipeline moves one object from row to row. Text is decoded only when a rule asks, JSON is parsed at most
 * once per line, and nothing of it outlives the row.
 *
 * @module
 */
import { KernelJsonMembers } from "../kernel/json_members.ts";
import { frameFlag, frameRowBytes, jsonScan, type Kernel } from "../kernel/kernel.ts";
import type { JsonMembers } from "../rules/json_members.ts";
import { parseJsonText } from "../rules/json_text.ts";
import type { FieldName, FrameBytes, Line } from "../rules/program.ts";
import { HeaderReader } from "../syslog/header.ts";

/** Not yet parsed; `undefined` is an answer. */
const unparsed = Symbol("unparsed");

/** Not yet scanned; no node has this address. */
const unscanned = -1;

/** The `Line` of a row. Call `move` before use. */
export class FrameLine implements Line, FrameBytes {
  nowMs = 0;
  peer = "";
  /** Bytes of the message and of the whole frame: offsets in the kernel's memory. */
  messageStart = 0;
  start = 0;
  end = 0;

  readonly #kernel: Kernel;
  readonly #bytes: Uint8Array;
  readonly #words: Uint32Array;
  readonly #rowsWord: number;
  readonly #headers: HeaderReader;
  #row = 0;
  #flags = 0;
  #message: string | undefined;
  #json: unknown = unparsed;
  readonly #members: KernelJsonMembers;
  /** What `scanJson` said of the message. */
  #scanned: number = unscanned;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    this.#members = new KernelJsonMembers(kernel);
    this.#bytes = kernel.bytes;
    this.#words = kernel.words;
    this.#rowsWord = kernel.rowsAt / 4;
    this.#headers = new HeaderReader(kernel);
  }

  /** Points it at row `row` of the frame table. */
  move(row: number): void {
    const word = this.#rowsWord + row * (frameRowBytes / 4);
    this.#row = row;
    this.start = this.#words[word]!;
    this.end = this.#words[word + 1]!;
    this.#flags = this.#words[word + 2]!;
    this.messageStart = this.#words[word + 3]!;
    this.#message = undefined;
    this.#json = unparsed;
    this.#scanned = unscanned;
  }

  text(field: FieldName): string | undefined {
    switch (field) {
      case "msg":
        return this.#message ??= this.#headers.message(this.#row);
      case "raw":
        return this.#headers.raw(this.#row);
      case "peer":
        return this.peer;
      case "severity":
        return this.#headers.severityName(this.#row);
      case "facility":
        return this.#headers.facilityName(this.#row);
      default:
        return this.#headers.field(this.#row, field);
    }
  }

  startsWith(field: "msg" | "raw", prefix: string): boolean {
    const bytes = this.#bytes;
    let at = field === "msg" ? this.messageStart : this.start;
    if (this.end - at < prefix.length) return false;
    for (let index = 0; index < prefix.length; index++) {
      if (bytes[at++] !== prefix.charCodeAt(index)) return false;
    }
    return true;
  }

  severity(): number {
    return this.#headers.severity(this.#row);
  }

  facility(): number {
    return this.#headers.facility(this.#row);
  }

  structured(id: string, param: string): string | undefined {
    return this.#headers.structured(this.#row, id, param);
  }

  structuredData(): string | undefined {
    return this.#headers.field(this.#row, "structuredData");
  }

  json(): unknown {
    if (this.#json === unparsed) this.#json = this.#parse();
    return this.#json;
  }

  members(): JsonMembers | undefined {
    if (this.#json !== unparsed) return undefined;
    if (this.#scanned === unscanned) {
      this.#scanned = this.#kernel.scanJson(this.messageStart, this.end);
      this.#members.root = this.#scanned;
    }
    return this.#scanned > jsonScan.tooLarge ? this.#members : undefined;
  }

  get frame(): FrameBytes {
    return this;
  }

  get bytes(): Uint8Array {
    return this.#bytes;
  }

  get isAscii(): boolean {
    return (this.#flags & frameFlag.ascii) !== 0;
  }

  /** Bytes of the whole frame, valid until the next row. */
  get raw(): Uint8Array {
    return this.#bytes.subarray(this.start, this.end);
  }

  get truncated(): boolean {
    return (this.#flags & frameFlag.truncated) !== 0;
  }

  /** Text that cannot be a JSON container is not worth decoding: scalars carry no members to look at. */
  #parse(): unknown {
    if (this.messageStart === this.end) return undefined;
    const first = this.#bytes[this.messageStart]!;
    // A scan that found no object has read it as strictly as the parser would.
    if (first === 0x7b && this.#scanned === jsonScan.noObject) return undefined;
    return first === 0x7b || first === 0x5b || first <= 0x20 ? parseJsonText(this.text("msg")!) : undefined;
  }
}
