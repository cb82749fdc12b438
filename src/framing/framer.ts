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
 * `finish`, called until it returns 0, gives what was never terminated. Between `begin` or a `next` that returned rows, and the `next` that
 * returns 0 or a `suspend`, nobody else may use the input region.
 *
 * It promises: frames do not depend on where the stream was cut; every byte is a delimiter, a count, a part of a
 * row, or behind the limit of a row that says `truncated` (none does where frames are split); damage never ends a
 * connection. It holds at most one
 * frame (`heldBytes`) and, while suspended, the reference to the chunk.
 *
 * Where lines are joined, the last whole one is held (`holds`) until the next begins. After `flush` the same loop
 * gives it.
 *
 * A chunk that lies in the receive region of the kernel's memory is scanned where it lies: the half frame before it is
 * copied in front of it, and nothing else is. Any other chunk goes through the input region piece by piece.
 *
 * What the bytes mean is the scanner's matter; here is where they lie.
 *
 * Hot path: per chunk and piece, nothing per line; nothing is allocated unless a frame stays unfinished.
 *
 * @module
 */
import { invariant } from "../core/invariant.ts";
import { type Kernel, receiveHeadBytes } from "../kernel/kernel.ts";
import { HalfFrame } from "./half_frame.ts";
import type { FrameLimit, FrameScanner } from "./frame_scanner.ts";
import { type JoinOptions, JoinScanner } from "./join_scanner.ts";
import { LineScanner } from "./line_scanner.ts";
import { OctetScanner } from "./octet_scanner.ts";
import { decideScanner, type Decision, mayDecide } from "./decide.ts";

/** How a listener's streams are framed (`listen[].framing`). `auto` is decided per connection by its first bytes. */
export type FramingMode = "auto" | "newline" | "octet" | "nul";

/** How one listener's streams are framed. */
export interface FramingOptions {
  readonly mode: FramingMode;
  /** At most what the kernel was made for. */
  readonly frameBytesMax: number;
  /** A longer frame is cut, or becomes several rows. */
  readonly oversize: "truncate" | "split";
  /** Lines that are told apart by LF are joined where they belong together. */
  readonly join?: JoinOptions | undefined;
}

const noBytes = new Uint8Array(0);
const nul = 0x00;

/** A half frame may have nine digits and a space before it and nine digits of the next count behind it. */
const halfExtraBytesMax = 19;

/** Framing state of one connection. */
export class Framer {
  readonly #kernel: Kernel;
  readonly #limit: FrameLimit;
  /** Undefined while the first bytes do not tell. */
  #scanner: FrameScanner | undefined;
  /** The same scanner, if it joins lines. */
  #joiner: JoinScanner | undefined;
  readonly #join: JoinOptions | undefined;
  /** What is held is to be given. */
  #flushes = false;
  /** While they do not: what is certain so far. */
  #decision: Decision = "undecided";
  readonly #half = new HalfFrame();
  /** Whether the half was scanned to its end; after a `suspend` there may be whole frames in it. */
  #halfIsScanned = false;

  #chunk: Uint8Array = noBytes;
  /** First byte of the chunk that is not in the input region. */
  #chunkAt = 0;
  /** The chunk lies in the receive region. */
  #inPlace = false;

  // The region in work: [inputAt, halfEnd) came before the piece, [halfEnd, regionEnd) is the piece, and
  // everything before scanAt is done.
  #scanAt = 0;
  #halfEnd = 0;
  #regionEnd = 0;

  /** Rows of the last `next` or `finish`. */
  #rows = 0;
  #needMore = false;
  #finishing = false;
  /** Where the last `finish` began. */
  #finishedFrom = 0;

  /** A mode alone stands for frames as long as the kernel was made for, cut above that. */
  constructor(kernel: Kernel, options: FramingMode | FramingOptions) {
    this.#kernel = kernel;
    const { mode, frameBytesMax, oversize, join }: FramingOptions = typeof options === "string"
      ? { mode: options, frameBytesMax: kernel.sizes.frameBytesMax, oversize: "truncate" }
      : options;
    invariant(frameBytesMax <= kernel.sizes.frameBytesMax, "the kernel has room for a listener's frames");
    this.#limit = { frameBytesMax, splits: oversize === "split" };
    this.#join = join;
    if (mode !== "auto") this.#scanner = this.#scannerOf(mode);
  }

  /** Bytes of memory that the unfinished frame holds. */
  get heldBytes(): number {
    return this.#half.heldBytes;
  }

  /** True while bytes wait for `next`: after `begin`, after `flush`, and after a `suspend`. */
  get pending(): boolean {
    return this.#flushes || this.#chunkAt < this.#chunk.length || this.#scanAt < this.#regionEnd;
  }

  /** Frames of no bytes so far. They are no rows. */
  get emptyFrames(): number {
    return this.#scanner?.emptyFrames ?? 0;
  }

  /** Lines that became parts of other lines' frames so far. */
  get joinedLines(): number {
    return this.#joiner?.joinedLines ?? 0;
  }

  /** True if a whole line is held because the next may belong to it. */
  get holds(): boolean {
    return this.#joiner?.holds === true;
  }

  /** How often a count was expected and something else came. */
  get damagedFrames(): number {
    return this.#scanner?.damagedFrames ?? 0;
  }

  /** What this connection turned out to speak; "auto" while its first bytes do not tell. */
  get mode(): FramingMode {
    return this.#scanner?.mode ?? "auto";
  }

  /** Takes the next chunk of the connection. It must stay unchanged until `next` returned 0. */
  begin(chunk: Uint8Array): void {
    invariant(!this.pending, "the chunk before is used up");
    this.#chunk = chunk;
    this.#chunkAt = 0;
    // To ask a small chunk of Bun's for its buffer moves it: the offset is asked first.
    this.#inPlace = chunk.byteOffset >= this.#kernel.receiveAt &&
      chunk.buffer === this.#kernel.bytes.buffer;
  }

  /** The line that is held has waited for long enough: `next` gives it. */
  flush(): void {
    invariant(!this.pending, "the chunk before is used up");
    if (!this.holds) return;
    this.#flushes = true;
  }

  /** Scans on: returns how many rows of the frame table are whole frames, 0 where the chunk is used up. */
  next(): number {
    for (;;) {
      if (this.#scanAt < this.#regionEnd && !this.#needMore) {
        this.#rows = this.#scan();
        if (this.#rows > 0) return this.#rows;
      } else if (this.#flushes && this.#chunk.length === 0 && this.#half.length > 0) {
        this.#loadHalf();
      } else if (!this.#load()) {
        this.#flushes = false;
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
      const isTaken = fromRow === this.#rows;
      if (!isTaken) this.#scanner!.undoFinish();
      this.#half.keep(this.#kernel.bytes, isTaken ? this.#scanAt : this.#finishedFrom, this.#regionEnd);
      this.#emptyRegion();
      return;
    }
    if (fromRow < this.#rows) this.#scanAt = this.#scanner!.takeBack(fromRow);
    this.#halfIsScanned = false;
    // What lies in the piece is still in the chunk; only what came before it must be copied.
    const keepEnd = Math.max(this.#scanAt, this.#halfEnd);
    this.#chunkAt -= this.#regionEnd - keepEnd;
    this.#half.keep(this.#kernel.bytes, this.#scanAt, keepEnd);
    this.#emptyRegion();
  }

  /**
   * The connection ended: returns 1 and row 0 as long as a frame is left without its end, then 0. Of an octet-counted
   * frame what has come is a row with the flag `truncated`.
   */
  finish(): number {
    invariant(this.#finishing || !this.pending, "the last chunk is used up");
    if (!this.#finishing) {
      this.#loadHalf();
      this.#finishing = true;
      this.#scanner ??= this.#scannerAtEnd();
    }
    this.#finishedFrom = this.#scanAt;
    this.#kernel.limitFrames(this.#limit.frameBytesMax, this.#limit.splits);
    this.#rows = this.#scanner!.finish(this.#scanAt, this.#regionEnd);
    this.#scanAt = this.#scanner!.consumed;
    if (this.#rows === 0) this.#finishing = false;
    return this.#rows;
  }

  #scan(): number {
    this.#kernel.limitFrames(this.#limit.frameBytesMax, this.#limit.splits);
    this.#scanner ??= this.#decide();
    if (this.#scanner === undefined) {
      this.#needMore = true;
      return 0;
    }
    if (this.#joiner !== undefined) this.#joiner.release = this.#flushes;
    const rows = this.#scanner.scan(this.#scanAt, this.#regionEnd);
    this.#scanAt = this.#scanner.consumed;
    this.#needMore = this.#scanner.needMore;
    return rows;
  }

  #scannerOf(mode: "newline" | "octet" | "nul"): FrameScanner {
    if (mode === "octet") return new OctetScanner(this.#kernel, this.#limit);
    if (mode === "nul" || this.#join === undefined) return new LineScanner(this.#kernel, mode, this.#limit);
    return this.#joiner = new JoinScanner(this.#kernel, this.#limit, this.#join);
  }

  #decide(): FrameScanner | undefined {
    this.#decision = decideScanner(
      this.#kernel.bytes,
      this.#scanAt,
      this.#regionEnd,
      this.#limit.frameBytesMax,
    );
    if (this.#decision === "undecided" || this.#decision === "lines") return undefined;
    return this.#scannerOf(this.#decision);
  }

  /** The first bytes were all; a NUL at their end is the end of the frame. */
  #scannerAtEnd(): FrameScanner {
    if (this.#regionEnd > this.#scanAt && this.#kernel.bytes[this.#regionEnd - 1] === nul) this.#regionEnd--;
    return this.#scannerOf("newline");
  }

  /** Puts the next piece of the chunk behind what is unfinished; false where the chunk is used up. */
  #load(): boolean {
    const { bytes, inputAt, inputBytes, sizes } = this.#kernel;
    if (this.#scanner !== undefined) this.#chunkAt = this.#scanner.skip(this.#chunk, this.#chunkAt);
    if (this.#chunkAt === this.#chunk.length || this.#appendToHalf()) {
      this.#half.keep(bytes, this.#scanAt, this.#regionEnd);
      if (this.#scanAt < this.#regionEnd) this.#halfIsScanned = true;
      this.#emptyRegion();
      this.#chunk = noBytes;
      this.#chunkAt = 0;
      return false;
    }
    let halfBytes = this.#regionEnd - this.#scanAt;
    if (this.#inPlace && halfBytes === 0 && this.#half.length <= receiveHeadBytes) {
      this.#loadInPlace();
      return true;
    }
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

  /** All that is left of the chunk becomes the region, with what is held in front of it. */
  #loadInPlace(): void {
    const at = this.#chunk.byteOffset + this.#chunkAt;
    this.#scanAt = at - this.#half.length;
    this.#half.release(this.#kernel.bytes, this.#scanAt);
    this.#halfEnd = at;
    this.#regionEnd = this.#chunk.byteOffset + this.#chunk.length;
    this.#chunkAt = this.#chunk.length;
    this.#needMore = false;
  }

  /** What is held becomes the region. */
  #loadHalf(): void {
    const { bytes, inputAt } = this.#kernel;
    this.#scanAt = inputAt;
    this.#halfEnd = this.#regionEnd = inputAt + this.#half.release(bytes, inputAt);
    this.#needMore = false;
  }

  /** Takes a small chunk that does not finish the held frame, without the kernel. True where it did. */
  #appendToHalf(): boolean {
    if (this.#half.length === 0 || !this.#halfIsScanned || this.#chunkAt > 0) return false;
    const { frameBytesMax } = this.#limit;
    if (this.#half.length + this.#chunk.length > frameBytesMax) return false;
    if (this.#scanner === undefined) {
      if (this.#decision !== "lines" || mayDecide(this.#half.bytes, this.#chunk)) return false;
    } else if (this.#scanner.mayFinish(this.#half.bytes, this.#chunk)) return false;
    this.#half.append(this.#chunk, frameBytesMax + halfExtraBytesMax);
    return true;
  }

  #emptyRegion(): void {
    this.#rows = 0;
    this.#scanAt = this.#halfEnd = this.#regionEnd = this.#kernel.inputAt;
    this.#needMore = false;
  }
}
