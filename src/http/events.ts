/**
 * The events of one request: frames in one array of bytes with the place of each, and those that are no events, with
 * the reason. Frames lie in the request's body where they stand there, or in memory of their own where they are made.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { type TextBuffer, textBufferOf } from "../core/text_buffer.ts";
import { type Reading, Steps } from "./turns.ts";

/** Rejections that one answer lists; further ones are counted. */
export const rejectionsMax = 100;

/** Why a record of a request is no event. */
export type RejectionReason =
  /** Longer than `frame_max`. */
  | "frame_too_large"
  /** Not what its format says. */
  | "malformed"
  /** An operation that this server does not have. */
  | "not_supported";

/** A record that was not taken. */
export interface Rejection {
  /** Place in the request, counted from 0. */
  readonly index: number;
  readonly reason: RejectionReason;
  readonly detail: string;
}

/** Records of one request. */
export const recordsMax = 1_000_000;
/** Records of one request that are made anew; each is some hundred bytes of memory while it is read. */
export const madeRecordsMax = 131_072;
/**
 * Bytes of a request's events that are made anew. What records share (a resource, labels) is in each of them: a small
 * body may say gigabytes.
 */
export const madeBytesMax = 64 * 1024 * 1024;

/** Thrown in `Events` where a request has more than is taken; who reads bodies answers it with 413. */
export class TooManyEvents extends Error {}

/** What records share (a resource, labels), or what nobody asked for, is too long to be looked at in one go: 413. */
export class PartTooLarge extends Error {
  readonly bytesMax: number;

  constructor(bytesMax: number) {
    super();
    this.bytesMax = bytesMax;
  }
}

/** A record that is longer as it is sent than four times what an event may have becomes none. */
const partsPerFrame = 4;
const partBytesMin = 64 * 1024;

/** Bytes of a body that are looked at in one go, where events may have `frameBytesMax`. */
export function partBytesMaxOf(frameBytesMax: number): number {
  return Math.max(partBytesMin, partsPerFrame * frameBytesMax);
}

/** UTF-8 bytes of one UTF-16 code unit. */
const utf8BytesMax = 3;
const firstBytes = 4 * 1024;
const firstRanges = 256;
const noRanges = new Uint32Array(0);

/** Gathers the events of a request. */
export class Events {
  /** Frames so far. */
  count = 0;
  /** Records so far: frames, and those that are none. */
  records = 0;
  /** Records that are no events. */
  rejectedCount = 0;
  readonly rejections: Rejection[] = [];
  readonly #frameBytesMax: number;
  /** The request's body where frames lie in it. */
  readonly #body: Uint8Array | undefined;
  #made: TextBuffer | undefined;
  #length = 0;
  /** Most requests have one event: the first has no array until somebody asks for it. */
  #firstStart = 0;
  #firstEnd = 0;
  #ranges = noRanges;
  /** The record of each frame, from the first rejection on; before it they are the same. */
  #indexes: number[] | undefined;

  /** With `body`, frames are places in it (`addRange`); without, they are made (`addText`). */
  constructor(frameBytesMax: number, body?: Uint8Array) {
    this.#frameBytesMax = frameBytesMax;
    this.#body = body;
  }

  /** The bytes in which the frames lie. */
  get bytes(): Uint8Array {
    return this.#body ?? this.#made?.subarray(0, this.#length) ?? new Uint8Array(0);
  }

  /** Start and end of each frame. */
  get ranges(): Uint32Array {
    if (this.count > 0 && this.#ranges.length === 0) {
      this.#ranges = Uint32Array.of(this.#firstStart, this.#firstEnd);
    }
    return this.#ranges.subarray(0, 2 * this.count);
  }

  /** The bytes of the first frame; there is one. */
  get first(): Uint8Array {
    const { bytes } = this;
    const asked = this.#ranges.length > 0;
    const start = asked ? this.#ranges[0]! : this.#firstStart;
    const end = asked ? this.#ranges[1]! : this.#firstEnd;
    return start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end);
  }

  /** The record that a frame was, counted from 0. */
  indexOf(frame: number): number {
    return this.#indexes?.[frame] ?? frame;
  }

  /** Whether the record at `index` is no event. */
  isRejected(index: number): boolean {
    if (this.#indexes === undefined) return false;
    let low = 0;
    for (let high = this.count; low < high;) {
      const middle = (low + high) >>> 1;
      if (this.#indexes[middle]! < index) low = middle + 1;
      else high = middle;
    }
    return this.#indexes[low] !== index;
  }

  /** Adds the frame [start, end) of the body. */
  addRange(start: number, end: number): void {
    if (end - start > this.#frameBytesMax) return this.rejectTooLarge(end - start);
    this.#add(start, end);
  }

  /** Adds a frame of its own. */
  addText(text: string): void {
    // What is surely too long is not written first.
    if (text.length > this.#frameBytesMax) return this.rejectTooLarge(text.length);
    const made = this.#room(text.length * utf8BytesMax);
    const start = this.#length;
    const end = start + made.utf8Write(text, start, text.length * utf8BytesMax);
    if (end - start > this.#frameBytesMax) return this.rejectTooLarge(end - start);
    this.#length = end;
    this.#add(start, end);
  }

  /** Adds a frame of a text and bytes behind it. */
  addTextAndBytes(text: string, bytes: Uint8Array): void {
    if (text.length + bytes.length > this.#frameBytesMax) {
      return this.rejectTooLarge(text.length + bytes.length);
    }
    const made = this.#room(text.length * utf8BytesMax + bytes.length);
    const start = this.#length;
    let end = start + made.utf8Write(text, start, text.length * utf8BytesMax);
    made.set(bytes, end);
    end += bytes.length;
    if (end - start > this.#frameBytesMax) return this.rejectTooLarge(end - start);
    this.#length = end;
    this.#add(start, end);
  }

  /** Counts a record that is no event. */
  reject(reason: RejectionReason, detail: string): void {
    if (this.#indexes === undefined) {
      this.#indexes = [];
      for (let frame = 0; frame < this.count; frame++) this.#indexes.push(frame);
    }
    if (this.rejections.length < rejectionsMax) {
      this.rejections.push({ index: this.records, reason, detail });
    }
    this.rejectedCount++;
    this.#count();
  }

  /**
   * Goes over all records again, into `into`: the frames `bad` (ascending) are rejected, the others given to `add`
   * with their place.
   */
  *again(
    into: Events,
    bad: readonly number[],
    detail: string,
    add: (start: number, end: number) => void,
  ): Reading<Events> {
    const { ranges } = this;
    let rejection = 0;
    let nextBad = 0;
    let frame = 0;
    const steps = new Steps();
    for (let record = 0; record < this.records; record++) {
      const next = 2 * Math.min(frame, this.count - 1);
      if (steps.due(next < 0 ? 0 : ranges[next + 1]! - ranges[next]!)) yield;
      const before = this.rejections[rejection];
      if (before?.index === record) {
        into.reject(before.reason, before.detail);
        rejection++;
      } else if (frame < this.count && this.indexOf(frame) === record) {
        if (bad[nextBad] === frame) {
          into.reject("malformed", detail);
          nextBad++;
        } else add(ranges[2 * frame]!, ranges[2 * frame + 1]!);
        frame++;
      } else into.reject("malformed", detail); // One more rejection than are listed.
    }
    return into;
  }

  /** Counts a record of `bytes`, which are more than an event may have. */
  rejectTooLarge(bytes: number): void {
    this.reject("frame_too_large", `An event may have ${this.#frameBytesMax} bytes, this has ${bytes}`);
  }

  #add(start: number, end: number): void {
    if (this.count === 0) {
      this.#firstStart = start;
      this.#firstEnd = end;
    } else this.#addRange(start, end);
    this.#indexes?.push(this.records);
    this.count++;
    this.#count();
  }

  #addRange(start: number, end: number): void {
    if (2 * this.count >= this.#ranges.length) {
      const known = this.ranges;
      this.#ranges = new Uint32Array(Math.max(firstRanges, known.length * 4));
      this.#ranges.set(known);
    }
    this.#ranges[2 * this.count] = start;
    this.#ranges[2 * this.count + 1] = end;
  }

  #count(): void {
    if (++this.records <= (this.#body === undefined ? madeRecordsMax : recordsMax)) return;
    throw new TooManyEvents();
  }

  #room(bytes: number): TextBuffer {
    const made = this.#made;
    if (this.#length + bytes > madeBytesMax) throw new TooManyEvents();
    if (made !== undefined && this.#length + bytes <= made.length) return made;
    const size = Math.max(firstBytes, this.#length + bytes, 2 * (made?.length ?? 0));
    const grown = textBufferOf(Buffer.allocUnsafeSlow(size));
    if (made !== undefined) grown.set(made.subarray(0, this.#length));
    return this.#made = grown;
  }
}
