/**
 * The bytes of one connection, as they come, become rows of the kernel's frame table.
 *
 * One framer per connection; all of a worker share one kernel and its input region, one at a time:
 *
 *     framer.begin(chunk);
 *     while ((rows = framer.next()) > 0) {
 *       // rows 0 .. rows-1 of the frame table are whole frames of this connection
 *       if (no room after row k) { framer.suspend(k); connection.pause(); return; }
 *     }
 *     // the chunk is used up; half a frame may be held
 *
 * and after a `suspend`, whenever there is room again, the same loop without `begin`. At the connection's end
 * `finish` gives what was never terminated. Between `begin` or a `next` that returned rows, and the `next` that
 * returns 0 or a `suspend`, nobody else may use the input region.
 *
 * It promises: frames do not depend on where the stream was cut; every byte is a delimiter, a count, a part of a
 * row, or behind the limit of a row that says `truncated`; damage never ends a connection. It holds at most one
 * frame (`heldBytes`) and, while suspended, the reference to the chunk.
 *
 * Where octet counting breaks, a frame ends at the next LF or before the next count that is surely one, so that
 * one bad frame costs no other. A sender that leaves out the PRI of some messages breaks nothing: such a frame is
 * believed by what stands at its end (`readBareCount`), which may have to arrive first.
 *
 * Hot path: per chunk and piece, nothing per line; nothing is allocated unless a frame stays unfinished.
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
import { HalfFrame } from "./half_frame.ts";
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

/** How a listener's streams are framed (`listen[].framing`). `auto` is decided per connection by its first bytes. */
export type FramingMode = "auto" | "newline" | "octet" | "nul";

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
const noBytes = new Uint8Array(0);

/** A half frame may have nine digits and a space before it and nine digits of the next count behind it. */
const halfExtraBytesMax = 19;

/** Framing state of one connection. */
export class Framer {
  readonly #kernel: Kernel;
  readonly #scanLines: (start: number, end: number) => number;
  readonly #delimiter: number;
  readonly #half = new HalfFrame();
  #state: State;
  /** What the connection speaks, unless it is undecided. */
  #home: "lines" | "octets";
  /** Whether frames with a count have come: then a count is believed more easily. */
  #hasCounts = false;
  #skipBytes = 0;

  #chunk: Uint8Array = noBytes;
  /** First byte of the chunk that is not in the input region. */
  #chunkAt = 0;

  // The input region: [inputAt, halfEnd) came before the piece, [halfEnd, regionEnd) is the piece, and
  // everything before scanAt is done.
  #scanAt = 0;
  #halfEnd = 0;
  #regionEnd = 0;
  #needMore = false;

  // How it was before the last scan, for `suspend`.
  #rows = 0;
  #rowsState: State = "lines";
  #rowsStart = 0;
  #rowsEmptyFrames = 0;
  #finishing = false;

  #emptyFrames = 0;
  #damagedFrames = 0;

  constructor(kernel: Kernel, mode: FramingMode) {
    this.#kernel = kernel;
    this.#delimiter = mode === "nul" ? nul : lf;
    this.#scanLines = mode === "nul" ? kernel.scanNul : kernel.scanNewline;
    this.#home = mode === "octet" ? "octets" : "lines";
    this.#state = mode === "auto" ? "undecided" : this.#home;
  }

  /** Bytes of memory that the unfinished frame holds. */
  get heldBytes(): number {
    return this.#half.heldBytes;
  }

  /** True while bytes of the chunk wait for `next`: after `begin`, and after a `suspend`. */
  get pending(): boolean {
    return this.#chunkAt < this.#chunk.length || this.#scanAt < this.#regionEnd;
  }

  /** Frames of no bytes so far. They are no rows. */
  get emptyFrames(): number {
    return this.#emptyFrames;
  }

  /** How often a count was expected and something else came. */
  get damagedFrames(): number {
    return this.#damagedFrames;
  }

  /** What this connection turned out to speak; "auto" while its first bytes do not tell. */
  get mode(): FramingMode {
    if (this.#state === "undecided") return "auto";
    if (this.#home === "octets") return "octet";
    return this.#delimiter === nul ? "nul" : "newline";
  }

  /** Takes the next chunk of the connection. It must stay unchanged until `next` returned 0. */
  begin(chunk: Uint8Array): void {
    invariant(!this.pending, "the chunk before is used up");
    this.#chunk = chunk;
    this.#chunkAt = 0;
  }

  /** Scans on: returns how many rows of the frame table are whole frames, 0 where the chunk is used up. */
  next(): number {
    for (;;) {
      if (this.#scanAt < this.#regionEnd && !this.#needMore) {
        this.#rows = this.#scan();
        if (this.#rows > 0) return this.#rows;
      } else if (!this.#load()) {
        this.#rows = 0;
        return 0;
      }
    }
  }

  /**
   * Stops with row `fromRow` of the last `next` (or `finish`) and all behind it not taken; `fromRow` equal to the
   * number of rows stops behind them. The input region is free for others; `next` (or `finish`) gives the same
   * frames again.
   */
  suspend(fromRow: number): void {
    invariant(fromRow >= 0 && fromRow <= this.#rows, "rows are suspended that were given");
    if (this.#finishing) {
      this.#finishing = false;
      if (fromRow < this.#rows) this.#half.keep(this.#kernel.bytes, this.#rowsStart, this.#regionEnd);
      this.#emptyRegion();
      return;
    }
    if (fromRow < this.#rows) this.#takeBack(fromRow);
    // What lies in the piece is still in the chunk; only what came before it must be copied.
    const keepEnd = Math.max(this.#scanAt, this.#halfEnd);
    this.#chunkAt -= this.#regionEnd - keepEnd;
    this.#half.keep(this.#kernel.bytes, this.#scanAt, keepEnd);
    this.#emptyRegion();
  }

  /**
   * The connection ended: returns 1 and row 0 where a frame was left without its end, else 0. Of an octet-counted
   * frame what has come is a row with the flag `truncated`.
   */
  finish(): number {
    invariant(this.#finishing || !this.pending, "the last chunk is used up");
    const { bytes, inputAt, words, rowsAt } = this.#kernel;
    this.#finishing = true;
    this.#rows = 0;
    this.#rowsStart = inputAt;
    const end = inputAt + this.#half.release(bytes, inputAt);
    if (end === inputAt || this.#state === "skip_damage") return 0;
    let start = inputAt;
    let flags = 0;
    if (this.#state === "octets") {
      if (bytes[start] === lf) start++;
      if (readOctetCount(bytes, start, end) > 0) {
        start = frameStart(bytes, start);
        flags = frameFlag.truncated;
      }
    } else if (this.#state === "doubt") {
      if (this.#readBareCount(start, end) > 0) start = frameStart(bytes, start);
      else this.#setDamage();
    }
    if (start === end) return 0;
    this.#kernel.rowOf(start, end);
    words[rowsAt / 4 + 2]! |= flags;
    this.#scanAt = this.#halfEnd = this.#regionEnd = end;
    this.#rows = 1;
    return 1;
  }

  #scan(): number {
    this.#rowsState = this.#state;
    this.#rowsStart = this.#scanAt;
    this.#rowsEmptyFrames = this.#emptyFrames;
    switch (this.#state) {
      case "undecided":
        this.#decide();
        return 0;
      case "lines":
        return this.#took(this.#scanLines(this.#scanAt, this.#regionEnd));
      case "octets":
        return this.#took(this.#kernel.scanOctets(this.#scanAt, this.#regionEnd));
      case "doubt":
        return this.#scanDoubt();
      case "damage":
        return this.#scanDamage();
      case "skip_damage":
        this.#skipDamage();
        return 0;
      case "skip_line":
      case "skip_octets":
        invariant(false, "skipping happens in the chunk, not in the input region");
    }
  }

  #decide(): void {
    const count = readOctetCount(this.#kernel.bytes, this.#scanAt, this.#regionEnd);
    if (count === countUndecided) {
      this.#needMore = true;
      return;
    }
    this.#home = count === notACount ? "lines" : "octets";
    this.#state = this.#home;
  }

  /** One frame, if the count without a "<" is one; else this is damage. */
  #scanDoubt(): number {
    const { bytes } = this.#kernel;
    // The LF behind the frame before.
    if (bytes[this.#scanAt] === lf) this.#scanAt++;
    const frameBytes = this.#hasCounts ? this.#readBareCount(this.#scanAt, this.#regionEnd) : notACount;
    if (frameBytes === countUndecided) {
      this.#needMore = true;
      return 0;
    }
    if (frameBytes === notACount) {
      this.#setDamage();
      return 0;
    }
    this.#state = "octets";
    const start = frameStart(bytes, this.#scanAt);
    this.#scanAt += frameBytes;
    return this.#rowOfLine(start, this.#scanAt);
  }

  #readBareCount(at: number, end: number): number {
    const { bytes, sizes } = this.#kernel;
    return readBareCount(bytes, at, end, sizes.frameBytesMax, this.#finishing);
  }

  #setDamage(): void {
    this.#state = "damage";
    this.#damagedFrames++;
  }

  /** Whatever stands before the next LF or count is one frame. */
  #scanDamage(): number {
    const { bytes, sizes } = this.#kernel;
    const start = this.#scanAt;
    const resync = findResync(bytes, start, this.#regionEnd);
    if (resync >= 0) {
      this.#state = "octets";
      this.#scanAt = resync;
      return this.#rowOfLine(start, resync);
    }
    const certainEnd = findHalfCount(bytes, start, this.#regionEnd);
    // A CR at the limit may be a part of the line's end.
    if (certainEnd - start <= sizes.frameBytesMax + 1) {
      this.#needMore = true;
      return 0;
    }
    this.#state = "skip_damage";
    this.#scanAt = certainEnd;
    this.#kernel.rowOf(start, certainEnd);
    return 1;
  }

  #skipDamage(): void {
    const { bytes } = this.#kernel;
    const resync = findResync(bytes, this.#scanAt, this.#regionEnd);
    if (resync >= 0) {
      this.#state = "octets";
      this.#scanAt = resync;
      return;
    }
    this.#scanAt = findHalfCount(bytes, this.#scanAt, this.#regionEnd);
    this.#needMore = true;
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

  /** Follows where and why a scan stopped. */
  #took(rows: number): number {
    const kernel = this.#kernel;
    this.#scanAt = kernel.consumed;
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

  /** Puts the next piece of the chunk behind what is unfinished; false where the chunk is used up. */
  #load(): boolean {
    const { bytes, inputAt, inputBytes, sizes } = this.#kernel;
    if (this.#state === "skip_line" || this.#state === "skip_octets") this.#skip();
    if (this.#chunkAt === this.#chunk.length || this.#appendToHalf()) {
      this.#half.keep(bytes, this.#scanAt, this.#regionEnd);
      this.#emptyRegion();
      this.#chunk = noBytes;
      this.#chunkAt = 0;
      return false;
    }
    let halfBytes = this.#regionEnd - this.#scanAt;
    if (halfBytes === 0) halfBytes = this.#half.release(bytes, inputAt);
    else if (this.#scanAt > inputAt) bytes.copyWithin(inputAt, this.#scanAt, this.#regionEnd);

    const left = this.#chunk.length - this.#chunkAt;
    const pieceBytes = Math.min(left, sizes.pieceBytes, inputBytes - halfBytes);
    invariant(pieceBytes > 0, "half a frame leaves room for a piece");
    const whole = pieceBytes === this.#chunk.length;
    bytes.set(
      whole ? this.#chunk : this.#chunk.subarray(this.#chunkAt, this.#chunkAt + pieceBytes),
      inputAt + halfBytes,
    );
    this.#chunkAt += pieceBytes;
    this.#scanAt = inputAt;
    this.#halfEnd = inputAt + halfBytes;
    this.#regionEnd = this.#halfEnd + pieceBytes;
    this.#needMore = false;
    return true;
  }

  /** Drops what belongs to a truncated frame, without a copy. The input region is empty then. */
  #skip(): void {
    if (this.#state === "skip_octets") {
      const skipped = Math.min(this.#skipBytes, this.#chunk.length - this.#chunkAt);
      this.#chunkAt += skipped;
      this.#skipBytes -= skipped;
      if (this.#skipBytes === 0) this.#state = "octets";
      return;
    }
    const delimiterAt = this.#chunk.indexOf(this.#delimiter, this.#chunkAt);
    this.#chunkAt = delimiterAt < 0 ? this.#chunk.length : delimiterAt + 1;
    if (delimiterAt >= 0) this.#state = "lines";
  }

  /** Takes a small chunk that does not finish the held frame, without the kernel. True where it did. */
  #appendToHalf(): boolean {
    if (this.#half.length === 0 || this.#chunkAt > 0) return false;
    const bytes = this.#half.length + this.#chunk.length;
    const frameBytesMax = this.#kernel.sizes.frameBytesMax;
    if (bytes > frameBytesMax) return false;
    if (this.#tellsMore(bytes)) return false;
    this.#half.append(this.#chunk, frameBytesMax + halfExtraBytesMax);
    return true;
  }

  /** Whether with the chunk behind the held frame, `bytes` in all, a scan may come further. */
  #tellsMore(bytes: number): boolean {
    const half = this.#half.bytes;
    let count: number;
    switch (this.#state) {
      case "lines":
        return this.#chunk.includes(this.#delimiter);
      case "octets":
        count = readOctetCount(half, half[0] === lf ? 1 : 0, half.length);
        return count <= 0 || bytes >= count;
      case "doubt":
        count = readCount(half, 0, half.length);
        return count <= 0 || bytes >= count || this.#chunk.includes(lf) || this.#chunk.includes(closing);
      case "damage":
        return this.#chunk.includes(lf) || this.#chunk.includes(closing);
      default:
        return true;
    }
  }

  /** Goes back to the beginning of `row`, as if the last scan had stopped there. */
  #takeBack(row: number): void {
    const kernel = this.#kernel;
    let start = this.#rowsStart;
    this.#emptyFrames = this.#rowsEmptyFrames;
    if (this.#rowsState === "lines") {
      start = this.#rowStart(row);
      this.#scanLines(this.#rowsStart, start);
      this.#emptyFrames += kernel.emptyFrames;
    } else if (this.#rowsState === "octets") {
      start = this.#rowStart(row);
      // Of several LF before it the row has the last, which tells that the others are empty frames.
      kernel.scanOctets(this.#rowsStart, kernel.bytes[start] === lf ? start + 1 : start);
      this.#emptyFrames += kernel.emptyFrames;
    }
    this.#state = this.#rowsState;
    this.#skipBytes = 0;
    this.#scanAt = start;
  }

  /** Where a row begins in the input region, its count included. */
  #rowStart(row: number): number {
    const { words, rowsAt, headersAt } = this.#kernel;
    if (this.#rowsState !== "octets") return words[(rowsAt + row * frameRowBytes) / 4]!;
    return words[(headersAt + row * headerRowBytes) / 4 + headerWord.frameStart]!;
  }

  #emptyRegion(): void {
    this.#rows = 0;
    this.#scanAt = this.#halfEnd = this.#regionEnd = this.#kernel.inputAt;
    this.#needMore = false;
  }
}
