/**
 * What the bytes of one connection mean: the state machine behind the framer, which brings the bytes into the
 * kernel's input region and keeps what is unfinished.
 *
 * Where octet counting breaks, a frame ends at the next LF or before the next count that is surely one, so that
 * one bad frame costs no other. A sender that leaves out the PRI of some messages breaks nothing: such a frame is
 * believed by what stands at its end (`readBareCount`), which may have to arrive first.
 *
 * Hot path: per piece, nothing per line; only damage is looked at outside the kernel.
 *
 * @module
 */
import { invariant } from "../core/invariant.ts";
import {
  frameFlag,
  frameRowBytes,
  headerRowBytes,
  headerWord,
  type Kernel,
  scanStop,
} from "../kernel/kernel.ts";
import type { FramingMode } from "./framer.ts";
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
 * undecided    auto, and the bytes so far may be a count
 * lines        frames end with the delimiter
 * octets       frames begin with a count
 * doubt        octets, but here is no count with a "<" behind it: it may be one all the same
 * damage       octets, but here is no count: everything up to the next LF or count is one frame
 * skip_line    behind a truncated line: everything up to the next delimiter is dropped
 * skip_octets  behind a truncated frame: `#skipBytes` are dropped
 * skip_damage  behind a truncated damaged frame: everything up to the next LF or count is dropped
 */
type State =
  | "undecided"
  | "lines"
  | "octets"
  | "doubt"
  | "damage"
  | "skip_line"
  | "skip_octets"
  | "skip_damage";

const lf = 0x0a;
const cr = 0x0d;
const nul = 0x00;
const closing = 0x3e;

/** The state of one connection's framing. */
export class FrameScanner {
  readonly #kernel: Kernel;
  readonly #scanLines: (start: number, end: number) => number;
  readonly #delimiter: number;
  #state: State;
  /** What the connection speaks, unless it is undecided. */
  #home: "lines" | "octets";
  /** Whether frames with a count have come: then a count is believed more easily. */
  #hasCounts = false;
  #skipBytes = 0;

  // Results of the last scan.
  #consumed = 0;
  #needMore = false;
  #emptyFrames = 0;
  #damagedFrames = 0;

  // How it was before the last scan, for `takeBack`.
  #rowsState: State = "lines";
  #rowsStart = 0;
  #rowsEmptyFrames = 0;

  constructor(kernel: Kernel, mode: FramingMode) {
    this.#kernel = kernel;
    this.#delimiter = mode === "nul" ? nul : lf;
    this.#scanLines = mode === "nul" ? kernel.scanNul : kernel.scanNewline;
    this.#home = mode === "octet" ? "octets" : "lines";
    this.#state = mode === "auto" ? "undecided" : this.#home;
  }

  /** @see Framer.mode */
  get mode(): FramingMode {
    if (this.#state === "undecided") return "auto";
    if (this.#home === "octets") return "octet";
    return this.#delimiter === nul ? "nul" : "newline";
  }

  /** First byte that the last scan did not use up. */
  get consumed(): number {
    return this.#consumed;
  }

  /** Whether what the last scan left can only be told with more bytes behind it. */
  get needMore(): boolean {
    return this.#needMore;
  }

  /** @see Framer.emptyFrames */
  get emptyFrames(): number {
    return this.#emptyFrames;
  }

  /** @see Framer.damagedFrames */
  get damagedFrames(): number {
    return this.#damagedFrames;
  }

  /**
   * One step through [start, end) of the kernel's memory, of which something is there: returns the number of rows.
   * It uses up bytes, changes the state, or needs more bytes.
   */
  scan(start: number, end: number): number {
    this.#rowsState = this.#state;
    this.#rowsStart = this.#consumed = start;
    this.#rowsEmptyFrames = this.#emptyFrames;
    this.#needMore = false;
    switch (this.#state) {
      case "undecided":
        this.#decide(start, end);
        return 0;
      case "lines":
        return this.#took(this.#scanLines(start, end));
      case "octets":
        return this.#took(this.#kernel.scanOctets(start, end));
      case "doubt":
        return this.#scanDoubt(start, end);
      case "damage":
        return this.#scanDamage(start, end);
      case "skip_damage":
        this.#skipDamage(start, end);
        return 0;
      case "skip_line":
      case "skip_octets":
        invariant(false, "skipping happens in the chunk, not in the input region");
    }
  }

  /** Goes back to the beginning of `row` of the last scan, as if it had stopped there; returns that place. */
  takeBack(row: number): number {
    const kernel = this.#kernel;
    const start = this.#rowStart(row);
    this.#emptyFrames = this.#rowsEmptyFrames;
    if (this.#rowsState === "lines") {
      this.#scanLines(this.#rowsStart, start);
      this.#emptyFrames += kernel.emptyFrames;
    } else if (this.#rowsState === "octets") {
      // Of several LF before it the row has the last, which tells that the others are empty frames.
      kernel.scanOctets(this.#rowsStart, kernel.bytes[start] === lf ? start + 1 : start);
      this.#emptyFrames += kernel.emptyFrames;
    }
    this.#state = this.#rowsState;
    this.#skipBytes = 0;
    return start;
  }

  /** Drops what belongs to a truncated frame, without a copy: returns where in the chunk to go on. */
  skip(chunk: Uint8Array, at: number): number {
    if (this.#state === "skip_octets") {
      const skipped = Math.min(this.#skipBytes, chunk.length - at);
      this.#skipBytes -= skipped;
      if (this.#skipBytes === 0) this.#state = "octets";
      return at + skipped;
    }
    if (this.#state !== "skip_line") return at;
    const delimiterAt = chunk.indexOf(this.#delimiter, at);
    if (delimiterAt < 0) return chunk.length;
    this.#state = "lines";
    return delimiterAt + 1;
  }

  /** Whether a scan may come further with the chunk behind the half frame, which needed more bytes. */
  mayFinish(half: Uint8Array, chunk: Uint8Array): boolean {
    const bytes = half.length + chunk.length;
    let count: number;
    switch (this.#state) {
      case "lines":
        return chunk.includes(this.#delimiter);
      case "octets":
        count = readOctetCount(half, half[0] === lf ? 1 : 0, half.length);
        return count <= 0 || bytes >= count;
      case "doubt":
        count = readCount(half, 0, half.length);
        return count <= 0 || bytes >= count || chunk.includes(lf) || chunk.includes(closing);
      case "damage":
        return chunk.includes(lf) || chunk.includes(closing);
      default:
        return true;
    }
  }

  /** Row 0 is what [start, end) holds at the connection's end; returns the number of rows. */
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

  #decide(start: number, end: number): void {
    const count = readOctetCount(this.#kernel.bytes, start, end);
    if (count === countUndecided) {
      this.#needMore = true;
      return;
    }
    this.#home = count === notACount ? "lines" : "octets";
    this.#state = this.#home;
  }

  /** Follows where and why a scan of the kernel stopped. */
  #took(rows: number): number {
    const kernel = this.#kernel;
    this.#consumed = kernel.consumed;
    this.#emptyFrames += kernel.emptyFrames;
    if (rows > 0) this.#hasCounts = true;
    switch (kernel.stop) {
      case scanStop.needMore:
        this.#needMore = true;
        break;
      case scanStop.notACount:
        this.#state = "doubt";
        break;
      case scanStop.oversize:
        this.#skipBytes = kernel.skip;
        this.#state = this.#state === "octets" ? "skip_octets" : "skip_line";
        break;
    }
    return rows;
  }

  /** One frame, if the count without a "<" is one; else this is damage. */
  #scanDoubt(start: number, end: number): number {
    const { bytes } = this.#kernel;
    // The LF behind the frame before.
    const at = bytes[start] === lf ? start + 1 : start;
    this.#consumed = at;
    const frameBytes = this.#hasCounts ? this.#readBareCount(at, end, false) : notACount;
    if (frameBytes === countUndecided) {
      this.#needMore = true;
      return 0;
    }
    if (frameBytes === notACount) {
      this.#setDamage();
      return 0;
    }
    this.#state = "octets";
    this.#consumed = at + frameBytes;
    return this.#rowOfLine(frameStart(bytes, at), this.#consumed);
  }

  #readBareCount(at: number, end: number, ended: boolean): number {
    return readBareCount(this.#kernel.bytes, at, end, this.#kernel.sizes.frameBytesMax, ended);
  }

  #setDamage(): void {
    this.#state = "damage";
    this.#damagedFrames++;
  }

  /** Whatever stands before the next LF or count is one frame. */
  #scanDamage(start: number, end: number): number {
    const { bytes, sizes } = this.#kernel;
    const resync = findResync(bytes, start, end, sizes.frameBytesMax);
    if (resync >= 0) {
      this.#state = "octets";
      this.#consumed = resync;
      return this.#rowOfLine(start, resync);
    }
    const certainEnd = findHalfCount(bytes, start, end);
    // A CR at the limit may be a part of the line's end.
    if (certainEnd - start <= sizes.frameBytesMax + 1) {
      this.#needMore = true;
      return 0;
    }
    this.#state = "skip_damage";
    this.#consumed = certainEnd;
    this.#kernel.rowOf(start, certainEnd);
    return 1;
  }

  /** The beginning of a count at the end stays, so that the rest of it is recognized. */
  #skipDamage(start: number, end: number): void {
    const { bytes, sizes } = this.#kernel;
    const resync = findResync(bytes, start, end, sizes.frameBytesMax);
    if (resync >= 0) this.#state = "octets";
    else this.#needMore = true;
    this.#consumed = resync >= 0 ? resync : findHalfCount(bytes, start, end);
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
    const { words, rowsAt, headersAt } = this.#kernel;
    switch (this.#rowsState) {
      case "lines":
        return words[(rowsAt + row * frameRowBytes) / 4]!;
      case "octets":
        return words[(headersAt + row * headerRowBytes) / 4 + headerWord.frameStart]!;
      default:
        return this.#rowsStart;
    }
  }
}
