/**
 * Frames that begin with a count (RFC 6587 3.4.1), found by the kernel, and what to do where no count is.
 *
 * Where octet counting breaks, a frame ends at the next LF or before the next count that is surely one, so that
 * one bad frame costs no other. A sender that leaves out the PRI of some messages breaks nothing: such a frame is
 * believed by what stands at its end (`readBareCount`), which may have to arrive first.
 *
 * Hot path: per piece, nothing per frame; only damage is looked at outside the kernel.
 *
 * @module
 */
import { invariant } from "../core/invariant.ts";
import { frameFlag, headerRowBytes, headerWord, type Kernel, scanStop } from "../kernel/kernel.ts";
import type { FrameScanner } from "./frame_scanner.ts";
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
 * skip_octets  behind a truncated frame: `#skipBytes` are dropped
 * skip_damage  behind a truncated damaged frame: everything up to the next LF or count is dropped
 */
type State = "octets" | "doubt" | "damage" | "skip_octets" | "skip_damage";

const lf = 0x0a;
const cr = 0x0d;
const closing = 0x3e;

/** The state of one connection whose frames are counted. */
export class OctetScanner implements FrameScanner {
  readonly #kernel: Kernel;
  #state: State = "octets";
  /** Whether frames with a count have come: then a count is believed more easily. */
  #hasCounts = false;
  #skipBytes = 0;
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

  readonly mode = "octet";
  consumed = 0;
  needMore = false;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
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
    this.needMore = false;
    switch (this.#state) {
      case "octets":
        return this.#took(this.#kernel.scanOctets(start, end));
      case "doubt":
        return this.#scanDoubt(start, end);
      case "damage":
        return this.#scanDamage(start, end);
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
    return start;
  }

  skip(chunk: Uint8Array, at: number): number {
    if (this.#state !== "skip_octets") return at;
    const skipped = Math.min(this.#skipBytes, chunk.length - at);
    this.#skipBytes -= skipped;
    if (this.#skipBytes === 0) this.#state = "octets";
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
      case "skip_octets":
      case "skip_damage":
        return true;
    }
  }

  finish(start: number, end: number): number {
    let frame = start;
    let flags = 0;
    if (this.#state === "octets") {
      if (frame < end && this.#kernel.bytes[frame] === lf) frame++;
      if (readOctetCount(this.#kernel.bytes, frame, end) > 0) {
        frame = frameStart(this.#kernel.bytes, frame);
        flags = frameFlag.truncated;
      }
    } else if (this.#state === "doubt" && start < end) {
      if (this.#readBareCount(start, end, true) > 0) frame = frameStart(this.#kernel.bytes, start);
      else this.#setDamage();
    }
    if (frame === end || this.#state === "skip_damage") return 0;
    this.#kernel.rowOf(frame, end);
    this.#kernel.words[this.#kernel.rowsAt / 4 + 2]! |= flags;
    return 1;
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
        this.#skipBytes = kernel.skip;
        this.#state = "skip_octets";
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
    const { bytes, sizes } = this.#kernel;
    return readBareCount(bytes, at, end, sizes.frameBytesMax, this.#clearBytes, ended);
  }

  #setDamage(): void {
    this.#state = "damage";
    this.#damagedFrames++;
  }

  /** Whatever stands before the next LF or count is one frame. */
  #scanDamage(start: number, end: number): number {
    const { bytes, sizes } = this.#kernel;
    const from = start + this.#clearBytes;
    this.#clearBytes = 0;
    const resync = findResync(bytes, from, end, sizes.frameBytesMax);
    if (resync >= 0) {
      this.#state = "octets";
      this.consumed = resync;
      return this.#rowOfLine(start, resync);
    }
    const certainEnd = findHalfCount(bytes, from, end);
    // A CR at the limit may be a part of the line's end.
    if (certainEnd - start <= sizes.frameBytesMax + 1) {
      this.#clearBytes = certainEnd - start;
      this.needMore = true;
      return 0;
    }
    this.#state = "skip_damage";
    this.consumed = certainEnd;
    this.#kernel.rowOf(start, certainEnd);
    return 1;
  }

  /** The beginning of a count at the end stays, so that the rest of it is recognized. */
  #skipDamage(start: number, end: number): void {
    const { bytes, sizes } = this.#kernel;
    const resync = findResync(bytes, start, end, sizes.frameBytesMax);
    if (resync >= 0) this.#state = "octets";
    else this.needMore = true;
    this.consumed = resync >= 0 ? resync : findHalfCount(bytes, start, end);
  }

  /** Row 0 is [start, end) without one LF or CR LF; or nothing is left, and it is an empty frame. */
  #rowOfLine(start: number, end: number): number {
    const { bytes } = this.#kernel;
    let rowEnd = end;
    if (bytes[rowEnd - 1] === lf) {
      rowEnd--;
      if (rowEnd > start && bytes[rowEnd - 1] === cr) rowEnd--;
    }
    if (rowEnd === start) {
      this.#emptyFrames++;
      return 0;
    }
    this.#kernel.rowOf(start, rowEnd);
    return 1;
  }

  /** Where a row begins in the input region, its count included. */
  #rowStart(row: number): number {
    if (this.#rowsState !== "octets") return this.#rowsStart;
    const { words, headersAt } = this.#kernel;
    return words[(headersAt + row * headerRowBytes) / 4 + headerWord.frameStart]!;
  }
}
