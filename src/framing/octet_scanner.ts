/**
 * Frames that begin with a count (RFC 6587 3.4.1), found by the kernel, and what to do where no count is.
 *
 * Where octet counting breaks, a frame ends at the next LF or before the next count that is surely one, so that
 * one bad frame costs no other. A sender that leaves out the PRI of some messages breaks nothing: such a frame is
 * believed by what stands at its end (`readBareCount`), which may have to arrive first.
 *
 * Hot path: per piece, nothing per frame; only damage and the parts of split frames are looked at outside the kernel.
 *
 * @module
 */
import { invariant } from "../core/invariant.ts";
import { frameFlag, headerRowBytes, headerWord, type Kernel, scanStop } from "../kernel/kernel.ts";
import type { FrameLimit, FrameScanner } from "./frame_scanner.ts";
import {
  countUndecided,
  findHalfCount,
  findResync,
  frameStart,
  notACount,
  readBareCount,
  readCount,
  readOctetCount,
} from "./octet_count.ts";

/**
 * octets       frames begin with a count
 * doubt        here is no count with a "<" behind it: it may be one all the same
 * damage       here is no count: everything up to the next LF or count is one frame
 * split        behind a part of a frame that is split: `#restBytes` of it are left
 * skip_octets  behind a truncated frame: `#restBytes` are dropped
 * skip_damage  behind a truncated damaged frame: everything up to the next LF or count is dropped
 */
type State = "octets" | "doubt" | "damage" | "split" | "skip_octets" | "skip_damage";

const lf = 0x0a;
const cr = 0x0d;
const closing = 0x3e;
const zero = 0x30;

/** CR LF: a frame that is this much too long may not be too long at all. */
const trailerBytesMax = 2;

/** The state of one connection whose frames are counted. */
export class OctetScanner implements FrameScanner {
  readonly #kernel: Kernel;
  readonly #limit: FrameLimit;
  #state: State = "octets";
  /** Whether frames with a count have come: then a count is believed more easily. */
  #hasCounts = false;
  #restBytes = 0;
  /** In damage: a part of this frame is a row already, and whether it ended with a digit. */
  #continues = false;
  #isAfterDigit = false;
  /**
   * In doubt or damage, how many of the held bytes need no second look: else damage that drips in would cost the
   * square of its length.
   */
  #clearBytes = 0;

  #emptyFrames = 0;
  #damagedFrames = 0;

  // How it was before the last scan, for `takeBack`.
  #rowsState: State = "octets";
  #rowsStart = 0;
  #rowsEmptyFrames = 0;
  #rowsRestBytes = 0;
  #rowsContinues = false;
  #rowsIsAfterDigit = false;

  readonly mode = "octet";
  consumed = 0;
  needMore = false;

  constructor(kernel: Kernel, limit: FrameLimit) {
    this.#kernel = kernel;
    this.#limit = limit;
  }

  get emptyFrames(): number {
    return this.#emptyFrames;
  }

  get damagedFrames(): number {
    return this.#damagedFrames;
  }

  scan(start: number, end: number): number {
    this.#rowsState = this.#state;
    this.#rowsStart = this.consumed = start;
    this.#rowsEmptyFrames = this.#emptyFrames;
    this.#rowsRestBytes = this.#restBytes;
    this.#rowsContinues = this.#continues;
    this.#rowsIsAfterDigit = this.#isAfterDigit;
    this.needMore = false;
    switch (this.#state) {
      case "octets":
        return this.#took(this.#kernel.scanOctets(start, end));
      case "doubt":
        return this.#scanDoubt(start, end);
      case "damage":
        return this.#scanDamage(start, end);
      case "split":
        return this.#scanRest(start, end);
      case "skip_damage":
        this.#skipDamage(start, end);
        return 0;
      case "skip_octets":
        invariant(false, "skipping happens in the chunk, not in the input region");
    }
  }

  takeBack(row: number): number {
    const kernel = this.#kernel;
    const start = this.#rowStart(row);
    this.#emptyFrames = this.#rowsEmptyFrames;
    if (this.#rowsState === "octets") {
      // Of several LF before it the row has the last, which tells that the others are empty frames.
      kernel.scanOctets(this.#rowsStart, kernel.bytes[start] === lf ? start + 1 : start);
      this.#emptyFrames += kernel.emptyFrames;
    }
    this.#state = this.#rowsState;
    this.#restBytes = this.#rowsRestBytes;
    this.#continues = this.#rowsContinues;
    this.#isAfterDigit = this.#rowsIsAfterDigit;
    this.#clearBytes = 0;
    return start;
  }

  skip(chunk: Uint8Array, at: number): number {
    if (this.#state !== "skip_octets") return at;
    const skipped = Math.min(this.#restBytes, chunk.length - at);
    this.#restBytes -= skipped;
    if (this.#restBytes === 0) this.#state = "octets";
    return at + skipped;
  }

  mayFinish(half: Uint8Array, chunk: Uint8Array): boolean {
    const bytes = half.length + chunk.length;
    let count: number;
    switch (this.#state) {
      case "octets":
        count = readOctetCount(half, half[0] === lf ? 1 : 0, half.length);
        return count <= 0 || bytes >= count;
      case "doubt":
        count = readCount(half, 0, half.length);
        return count <= 0 || bytes >= count || chunk.includes(lf) || chunk.includes(closing);
      case "damage":
        return chunk.includes(lf) || chunk.includes(closing);
      case "split":
        return bytes >= this.#partBytes;
      case "skip_octets":
      case "skip_damage":
        return true;
    }
  }

  finish(start: number, end: number): number {
    const { bytes, words, rowsAt } = this.#kernel;
    let frame = start;
    let flags = 0;
    this.consumed = end;
    this.#rowsContinues = this.#continues;
    if (this.#state === "octets") {
      if (frame < end && bytes[frame] === lf) frame++;
      if (readOctetCount(bytes, frame, end) > 0) {
        frame = frameStart(bytes, frame);
        flags = frameFlag.truncated;
      }
    } else if (this.#state === "doubt" && start < end) {
      if (this.#readBareCount(start, end, true) > 0) frame = frameStart(bytes, start);
      else this.#setDamage();
    } else if (this.#state === "split") flags = frameFlag.truncated | frameFlag.split | frameFlag.continued;
    if (frame === end || this.#state === "skip_damage") return 0;
    if (this.#continues) flags |= frameFlag.split | frameFlag.continued;
    // What is held may be longer than a frame by a delimiter that did not come whole.
    this.#continues = this.#kernel.rowsOf(frame, end) > 1;
    if (this.#continues) {
      this.consumed = words[rowsAt / 4 + 1]!;
      flags &= ~frameFlag.truncated;
      if (this.#state === "octets") this.#state = "split";
    }
    words[rowsAt / 4 + 2]! |= flags;
    return 1;
  }

  undoFinish(): void {
    // A first part: the count before it comes again.
    if (this.#continues && !this.#rowsContinues && this.#state === "split") this.#state = "octets";
    this.#continues = this.#rowsContinues;
  }

  /** Follows where and why a scan of the kernel stopped. */
  #took(rows: number): number {
    const kernel = this.#kernel;
    this.consumed = kernel.consumed;
    this.#emptyFrames += kernel.emptyFrames;
    if (rows > 0) this.#hasCounts = true;
    switch (kernel.stop) {
      case scanStop.needMore:
        this.needMore = true;
        break;
      case scanStop.notACount:
        this.#state = "doubt";
        break;
      case scanStop.oversize:
        this.#restBytes = kernel.skip;
        this.#state = this.#limit.splits ? "split" : "skip_octets";
        break;
    }
    return rows;
  }

  /** One frame, if the count without a "<" is one; else this is damage. */
  #scanDoubt(start: number, end: number): number {
    const { bytes } = this.#kernel;
    // The LF behind the frame before.
    const at = bytes[start] === lf ? start + 1 : start;
    this.consumed = at;
    const frameBytes = this.#hasCounts ? this.#readBareCount(at, end, false) : notACount;
    if (frameBytes === countUndecided) {
      this.#clearBytes = findHalfCount(bytes, at, end) - at;
      this.needMore = true;
      return 0;
    }
    this.#clearBytes = 0;
    if (frameBytes === notACount) {
      this.#setDamage();
      return 0;
    }
    this.#state = "octets";
    this.consumed = at + frameBytes;
    return this.#rowOfLine(frameStart(bytes, at), this.consumed);
  }

  #readBareCount(at: number, end: number, ended: boolean): number {
    const { bytes } = this.#kernel;
    return readBareCount(bytes, at, end, this.#limit.frameBytesMax, this.#clearBytes, ended);
  }

  #setDamage(): void {
    this.#state = "damage";
    this.#damagedFrames++;
  }

  /** Bytes of a split frame that must be there before its next part can be told. */
  get #partBytes(): number {
    const { frameBytesMax } = this.#limit;
    return this.#restBytes <= frameBytesMax + trailerBytesMax ? this.#restBytes : frameBytesMax;
  }

  /** The next part of a frame that is split. The LF at its very end is no part of it. */
  #scanRest(start: number, end: number): number {
    const partBytes = this.#partBytes;
    if (end - start < partBytes) {
      this.needMore = true;
      return 0;
    }
    if (partBytes === this.#restBytes) {
      return this.#takePart(start, this.#withoutNewline(start, start + partBytes), true);
    }
    // One byte more says that the frame goes on.
    return this.#takePart(start, start + partBytes + 1, false);
  }

  /** Row 0 is the next part of what is left of a frame, [start, rowEnd) or, where that is too long, its beginning. */
  #takePart(start: number, rowEnd: number, isLast: boolean): number {
    const { words, rowsAt } = this.#kernel;
    if (rowEnd === start) {
      this.consumed = start + this.#restBytes;
      this.#state = "octets";
      return 0;
    }
    // More than one row is asked for where the last part is longer than the limit: the first is taken.
    this.#kernel.rowsOf(start, rowEnd);
    words[rowsAt / 4 + 2]! |= frameFlag.split | frameFlag.continued;
    const taken = words[rowsAt / 4 + 1]! - start;
    if (isLast && start + taken === rowEnd) {
      this.consumed = start + this.#restBytes;
      this.#state = "octets";
    } else {
      this.consumed = start + taken;
      this.#restBytes -= taken;
    }
    return 1;
  }

  /** Whatever stands before the next LF or count is one frame. */
  #scanDamage(start: number, end: number): number {
    const { frameBytesMax } = this.#limit;
    let from = start + this.#clearBytes;
    // Digits that go on from the part before are the end of a number, and no count.
    if (this.#isAfterDigit && this.#clearBytes === 0) from = digitsEnd(this.#kernel.bytes, start, end);
    this.#clearBytes = 0;
    const resync = findResync(this.#kernel.bytes, from, end, frameBytesMax);
    if (resync >= 0) {
      const rowEnd = this.#withoutNewline(start, resync);
      if (this.#limit.splits && rowEnd - start > frameBytesMax) return this.#takeDamagedPart(start, rowEnd);
      this.#state = "octets";
      this.consumed = resync;
      const rows = this.#rowOfLine(start, resync);
      if (this.#continues) {
        this.#kernel.words[this.#kernel.rowsAt / 4 + 2]! |= frameFlag.split | frameFlag.continued;
      }
      this.#continues = this.#isAfterDigit = false;
      return rows;
    }
    const certainEnd = findHalfCount(this.#kernel.bytes, from, end);
    // A CR at the limit may be a part of the line's end.
    if (certainEnd - start <= frameBytesMax + 1) {
      // Of nothing but such digits the end is not known.
      if (from < end) this.#clearBytes = certainEnd - start;
      this.needMore = true;
      return 0;
    }
    if (this.#limit.splits) {
      const rows = this.#takeDamagedPart(start, certainEnd);
      if (from < end && !this.#isAfterDigit) this.#clearBytes = certainEnd - this.consumed;
      return rows;
    }
    this.#state = "skip_damage";
    this.consumed = certainEnd;
    this.#kernel.rowOf(start, certainEnd);
    return 1;
  }

  /** Row 0 is the first part of damage that is longer than the limit. */
  #takeDamagedPart(start: number, end: number): number {
    const { words, rowsAt } = this.#kernel;
    this.#kernel.rowsOf(start, end);
    this.consumed = words[rowsAt / 4 + 1]!;
    this.#isAfterDigit = digitsEnd(this.#kernel.bytes, this.consumed - 1, this.consumed) === this.consumed;
    if (this.#continues) words[rowsAt / 4 + 2]! |= frameFlag.continued;
    this.#continues = true;
    return 1;
  }

  /** The beginning of a count at the end stays, so that the rest of it is recognized. */
  #skipDamage(start: number, end: number): void {
    const { bytes } = this.#kernel;
    const resync = findResync(bytes, start, end, this.#limit.frameBytesMax);
    if (resync >= 0) this.#state = "octets";
    else this.needMore = true;
    this.consumed = resync >= 0 ? resync : findHalfCount(bytes, start, end);
  }

  /** Row 0 is [start, end) without one LF or CR LF; or nothing is left, and it is an empty frame. */
  #rowOfLine(start: number, end: number): number {
    const rowEnd = this.#withoutNewline(start, end);
    if (rowEnd === start) {
      this.#emptyFrames++;
      return 0;
    }
    this.#kernel.rowOf(start, rowEnd);
    return 1;
  }

  /** The end of [start, end) without one LF or CR LF. */
  #withoutNewline(start: number, end: number): number {
    const { bytes } = this.#kernel;
    if (bytes[end - 1] !== lf) return end;
    return end - 1 > start && bytes[end - 2] === cr ? end - 2 : end - 1;
  }

  /** Where a row begins in the input region, its count included. */
  #rowStart(row: number): number {
    if (this.#rowsState !== "octets") return this.#rowsStart;
    const { words, headersAt } = this.#kernel;
    return words[(headersAt + row * headerRowBytes) / 4 + headerWord.frameStart]!;
  }
}

/** The end of the digits that begin at `at`. */
function digitsEnd(bytes: Uint8Array, at: number, end: number): number {
  while (at < end && bytes[at]! >= zero && bytes[at]! <= zero + 9) at++;
  return at;
}
