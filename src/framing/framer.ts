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
 * What the bytes mean is the scanner's matter; here is where they lie.
 *
 * Hot path: per chunk and piece, nothing per line; nothing is allocated unless a frame stays unfinished.
 *
 * @module
 */
import { invariant } from "../core/invariant.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { HalfFrame } from "./half_frame.ts";
import type { FrameScanner } from "./frame_scanner.ts";
import { LineScanner } from "./line_scanner.ts";
import { OctetScanner } from "./octet_scanner.ts";
import { countUndecided, notACount, readOctetCount } from "./octet_count.ts";

/** How a listener's streams are framed (`listen[].framing`). `auto` is decided per connection by its first bytes. */
export type FramingMode = "auto" | "newline" | "octet" | "nul";

const noBytes = new Uint8Array(0);

/** A half frame may have nine digits and a space before it and nine digits of the next count behind it. */
const halfExtraBytesMax = 19;

/** Framing state of one connection. */
export class Framer {
  readonly #kernel: Kernel;
  /** Undefined while the first bytes do not tell. */
  #scanner: FrameScanner | undefined;
  readonly #half = new HalfFrame();

  #chunk: Uint8Array = noBytes;
  /** First byte of the chunk that is not in the input region. */
  #chunkAt = 0;

  // The input region: [inputAt, halfEnd) came before the piece, [halfEnd, regionEnd) is the piece, and
  // everything before scanAt is done.
  #scanAt = 0;
  #halfEnd = 0;
  #regionEnd = 0;

  /** Rows of the last `next` or `finish`. */
  #rows = 0;
  #needMore = false;
  #finishing = false;

  constructor(kernel: Kernel, mode: FramingMode) {
    this.#kernel = kernel;
    if (mode === "octet") this.#scanner = new OctetScanner(kernel);
    else if (mode !== "auto") this.#scanner = new LineScanner(kernel, mode);
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
    return this.#scanner?.emptyFrames ?? 0;
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
      if (fromRow < this.#rows) this.#half.keep(this.#kernel.bytes, this.#kernel.inputAt, this.#regionEnd);
      this.#emptyRegion();
      return;
    }
    if (fromRow < this.#rows) this.#scanAt = this.#scanner!.takeBack(fromRow);
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
    const { bytes, inputAt } = this.#kernel;
    this.#finishing = true;
    const end = inputAt + this.#half.release(bytes, inputAt);
    this.#scanAt = this.#halfEnd = this.#regionEnd = end;
    this.#scanner ??= new LineScanner(this.#kernel, "newline");
    this.#rows = this.#scanner.finish(inputAt, end);
    return this.#rows;
  }

  #scan(): number {
    this.#scanner ??= this.#decide();
    if (this.#scanner === undefined) {
      this.#needMore = true;
      return 0;
    }
    const rows = this.#scanner.scan(this.#scanAt, this.#regionEnd);
    this.#scanAt = this.#scanner.consumed;
    this.#needMore = this.#scanner.needMore;
    return rows;
  }

  /** A connection that begins with a count is octet-counted. */
  #decide(): FrameScanner | undefined {
    const count = readOctetCount(this.#kernel.bytes, this.#scanAt, this.#regionEnd);
    if (count === countUndecided) return undefined;
    return count === notACount ? new LineScanner(this.#kernel, "newline") : new OctetScanner(this.#kernel);
  }

  /** Puts the next piece of the chunk behind what is unfinished; false where the chunk is used up. */
  #load(): boolean {
    const { bytes, inputAt, inputBytes, sizes } = this.#kernel;
    if (this.#scanner !== undefined) this.#chunkAt = this.#scanner.skip(this.#chunk, this.#chunkAt);
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

  /** Takes a small chunk that does not finish the held frame, without the kernel. True where it did. */
  #appendToHalf(): boolean {
    if (this.#scanner === undefined || this.#half.length === 0 || this.#chunkAt > 0) return false;
    const { frameBytesMax } = this.#kernel.sizes;
    if (this.#half.length + this.#chunk.length > frameBytesMax) return false;
    if (this.#scanner.mayFinish(this.#half.bytes, this.#chunk)) return false;
    this.#half.append(this.#chunk, frameBytesMax + halfExtraBytesMax);
    return true;
  }

  #emptyRegion(): void {
    this.#rows = 0;
    this.#scanAt = this.#halfEnd = this.#regionEnd = this.#kernel.inputAt;
    this.#needMore = false;
  }
}
