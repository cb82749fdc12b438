/**
 * One line as the rules see it: a window over a row of the kernel's tables. Hot path.
 *
 * The pipeline moves one object from row to row. Text is decoded only when a rule asks, JSON is parsed at most
 * once per line, and nothing of it outlives the row.
 *
 * @module
 */
import { isUtf8 } from "node:buffer";
import { type TextBuffer, textBufferOf } from "../core/text_buffer.ts";
import { KernelJsonMembers } from "../kernel/json_members.ts";
import { frameFlag, frameRowBytes, jsonFormResult, jsonScan, type Kernel } from "../kernel/kernel.ts";
import type { Edits } from "../rules/edits.ts";
import type { JsonMembers } from "../rules/json_members.ts";
import { parseJsonText } from "../rules/json_text.ts";
import type { FieldName, FrameBytes, Line } from "../rules/program.ts";
import { HeaderReader } from "../syslog/header.ts";
import { readMessageTime } from "../syslog/message_time.ts";
import { type TimeZone, zoneOf } from "../syslog/time_zone.ts";

/** Not yet parsed; `undefined` is an answer. */
const unparsed = Symbol("unparsed");

/** UTF-8 bytes of one UTF-16 code unit. */
const utf8BytesMax = 3;

/** What a time without a year means may change while the clock goes on, not so soon. */
const timeKeptMs = 60_000;

/** Not yet scanned; no node has this address. */
const unscanned = -1;

/** The `Line` of a row. Call `move` before use. */
export class FrameLine implements Line, FrameBytes {
  nowMs = 0;
  peer = "";
  /** Zone of times that name none. */
  zone: TimeZone = zoneOf("local");
  /** Bytes of the message and of the whole frame: offsets in the kernel's memory. */
  messageStart = 0;
  start = 0;
  end = 0;

  /** Where the bytes of the last `splice` lie. */
  splicedStart = 0;
  splicedEnd = 0;
  /** Bytes of the kernel's scratch that hold spliced values of this line: half of it at most. */
  scratchUsed = 0;

  readonly #kernel: Kernel;
  readonly #buffer: TextBuffer;
  readonly #bytes: Uint8Array;
  readonly #words: Uint32Array;
  readonly #rowsWord: number;
  readonly #headers: HeaderReader;
  #row = 0;
  #flags = 0;
  /** The time that was read last: lines of one second have the same. */
  #lastTime: {
    readonly written: string;
    readonly zone: TimeZone;
    readonly readMs: number;
    readonly text: string | undefined;
  } = { written: "", zone: this.zone, readMs: 0, text: undefined };
  #message: string | undefined;
  #json: unknown = unparsed;
  readonly #members: KernelJsonMembers;
  /** What `scanJson` said of the message. */
  #scanned: number = unscanned;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    this.#buffer = textBufferOf(kernel.bytes);
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
    this.scratchUsed = 0;
  }

  /** The row it was moved to. */
  get row(): number {
    return this.#row;
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

  time(): string | undefined {
    const written = this.#headers.field(this.#row, "timestamp");
    if (written === undefined) return undefined;
    const last = this.#lastTime;
    const isLast = last.written === written && last.zone === this.zone &&
      Math.abs(this.nowMs - last.readMs) < timeKeptMs;
    if (isLast) return last.text;
    const text = readMessageTime(written, this.zone, this.nowMs)?.text;
    this.#lastTime = { written, zone: this.zone, readMs: this.nowMs, text };
    return text;
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

  splice(edits: Edits): boolean {
    const kernel = this.#kernel;
    const start = kernel.scratchAt + this.scratchUsed;
    const { messageStart, end: messageEnd } = this;
    let room = (kernel.sizes.scratchBytes >> 1) - this.scratchUsed - (messageEnd - messageStart);
    for (let i = 0; i < edits.count; i++) room -= edits.texts[i]!.length * utf8BytesMax;
    if (room < 0 || !this.#isUtf8()) return false;
    let to = start;
    let from = messageStart;
    for (let i = 0; i < edits.count; i++) {
      const editStart = edits.starts[i]!;
      kernel.copyBytes(to, from, editStart - from);
      to += editStart - from;
      to += this.#buffer.utf8Write(edits.texts[i]!, to, edits.texts[i]!.length * utf8BytesMax);
      from = edits.ends[i]!;
    }
    kernel.copyBytes(to, from, messageEnd - from);
    this.splicedStart = start;
    this.splicedEnd = to + messageEnd - from;
    this.scratchUsed = this.splicedEnd - kernel.scratchAt;
    return true;
  }

  writeJsonForm(time: string | undefined): boolean | "needs_time" {
    const kernel = this.#kernel;
    const { scratchAt, jsonTail } = kernel;
    const limit = scratchAt + (kernel.sizes.scratchBytes >> 1);
    let at = scratchAt + this.scratchUsed;
    const timeAt = at;
    if (time !== undefined) {
      if (time.length * utf8BytesMax > limit - at) return false;
      at += this.#buffer.utf8Write(time, at, time.length * utf8BytesMax);
    }
    jsonTail.set(this.peer);
    if (jsonTail.length === 0) return false;
    const end = kernel.writeJsonForm(this.#row, at, limit, timeAt, at - timeAt, jsonTail.length);
    if (end === jsonFormResult.needsTime) return "needs_time";
    if (end === jsonFormResult.refused) return false;
    this.splicedStart = at;
    this.splicedEnd = end;
    this.scratchUsed = end - scratchAt;
    return true;
  }

  splicedText(start: number, end: number): string {
    return this.#buffer.utf8Slice(start, end);
  }

  #isUtf8(): boolean {
    return (this.#flags & frameFlag.ascii) !== 0 ||
      isUtf8(this.#bytes.subarray(this.messageStart, this.end));
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

  /** Bits of `frameFlag`. */
  get flags(): number {
    return this.#flags;
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
