/**
 * Messages made before the load starts, one behind the other in one buffer, so that a bundle of them is a single
 * write. Sending patches marks and times at known places; nothing else is done per message.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { invariant } from "../../core/invariant.ts";
import { markOpening, MarkWriter } from "./mark.ts";
import { stampPlaceholder, stampText } from "./stamp.ts";

/** Bytes of a pool, unless a single message is longer: it stays in the processor's cache. */
export const poolBytesMax = 256 * 1024;
/** Messages of a pool: enough that a target cannot live of remembering them. */
export const poolMessagesMax = 1024;

/** Kinds of time in a line. */
export type StampKind = "iso" | "bsd";

/** Messages ready to be sent. */
export class Pool {
  readonly bytes: Buffer;
  readonly count: number;
  /** Where message i begins; it ends where i + 1 begins. */
  readonly starts: Int32Array;
  /** Lines of message i: from firstLine[i] to firstLine[i + 1]. */
  readonly #firstLine: Int32Array;
  readonly #writer: MarkWriter;
  /** Place of the mark and of the time of each line, -1 where there is none. */
  readonly #marks: Int32Array;
  readonly #stamps: Int32Array;
  readonly #stampKinds: readonly StampKind[];
  /** Second whose time stands in each line. */
  readonly #stamped: Float64Array;
  #second = -1;
  readonly #stampNow: Record<StampKind, Uint8Array> = { iso: new Uint8Array(0), bsd: new Uint8Array(0) };

  /** @param messages bytes with blank marks and placeholders of times in them */
  constructor(messages: readonly Buffer[], run: string) {
    invariant(messages.length > 0, "a pool has a message");
    this.bytes = Buffer.concat(messages);
    this.#writer = new MarkWriter(this.bytes);
    this.count = messages.length;
    this.starts = new Int32Array(this.count + 1);
    this.#firstLine = new Int32Array(this.count + 1);
    const marks: number[] = [];
    const stamps: number[] = [];
    const kinds: StampKind[] = [];
    const opening = Buffer.from(markOpening + run);
    let start = 0;
    messages.forEach((message, index) => {
      const end = start + message.length;
      this.starts[index + 1] = end;
      const lineMarks = placesOf(this.bytes, opening, start, end);
      const lineStamps = (["iso", "bsd"] as const).flatMap((kind) =>
        placesOf(this.bytes, Buffer.from(stampPlaceholder(kind)), start, end).map((place) => ({
          kind,
          place,
        }))
      );
      for (let line = 0; line < Math.max(lineMarks.length, lineStamps.length); line++) {
        marks.push(lineMarks[line] ?? -1);
        stamps.push(lineStamps[line]?.place ?? -1);
        kinds.push(lineStamps[line]?.kind ?? "iso");
      }
      this.#firstLine[index + 1] = marks.length;
      start = end;
    });
    this.#marks = Int32Array.from(marks);
    this.#stamps = Int32Array.from(stamps);
    this.#stampKinds = kinds;
    this.#stamped = new Float64Array(marks.length).fill(-1);
  }

  /** Whether messages carry marks. */
  get isMarked(): boolean {
    return this.#marks.some((place) => place >= 0);
  }

  /** Whether anything in a message changes when it is sent. */
  get isPatched(): boolean {
    return this.#marks.length > 0;
  }

  /** Marks in one message. */
  linesOf(message: number): number {
    return this.#firstLine[message + 1]! - this.#firstLine[message]!;
  }

  /** When the messages are due that are made ready from now on. */
  setDue(dueMicros: number): void {
    this.#writer.setDue(dueMicros);
    const second = Math.floor(dueMicros / 1e6);
    if (second !== this.#second) this.#turnSecond(second);
  }

  /**
   * Makes message `index` ready to be sent.
   *
   * @param sequence number of its first line; further lines count on
   * @returns lines in it that carry a mark or a time
   */
  prepare(index: number, sender: number, sequence: number): number {
    const from = this.#firstLine[index]!;
    const to = this.#firstLine[index + 1]!;
    for (let line = from; line < to; line++) {
      const mark = this.#marks[line]!;
      if (mark >= 0) this.#writer.write(mark, sender, sequence + line - from);
      const stamp = this.#stamps[line]!;
      if (stamp >= 0 && this.#stamped[line] !== this.#second) this.#writeStamp(line, stamp);
    }
    return to - from;
  }

  #writeStamp(line: number, place: number): void {
    this.#stamped[line] = this.#second;
    this.bytes.set(this.#stampNow[this.#stampKinds[line]!], place);
  }

  #turnSecond(second: number): void {
    this.#second = second;
    this.#stampNow.iso = Buffer.from(stampText("iso", second * 1000));
    this.#stampNow.bsd = Buffer.from(stampText("bsd", second * 1000));
  }
}

/** A search looks at one message only: where most hold nothing, one to the end of the pool takes a second. */
function placesOf(bytes: Buffer, what: Buffer, from: number, to: number): number[] {
  const places: number[] = [];
  const message = bytes.subarray(from, to);
  for (let at = message.indexOf(what); at >= 0; at = message.indexOf(what, at + what.length)) {
    places.push(from + at);
  }
  return places;
}

/** Makes messages until a pool is full. `make` gets the number of the message. */
export function fillPool(make: (index: number) => Buffer, run: string): Pool {
  const messages: Buffer[] = [];
  let bytes = 0;
  while (messages.length < poolMessagesMax) {
    const message = make(messages.length);
    if (messages.length > 0 && bytes + message.length > poolBytesMax) break;
    messages.push(message);
    bytes += message.length;
  }
  return new Pool(messages, run);
}
