/**
 * The frames of a request whose boundaries are known: rows are written from them, nothing is searched. It has the
 * shape that the intake asks of a connection's framer.
 *
 * @module
 */
import { isAscii } from "node:buffer";
import { invariant } from "../core/invariant.ts";
import type { Framer } from "../framing/framer.ts";
import { frameFlag, frameRowBytes, type Kernel } from "../kernel/kernel.ts";

/** What the intake asks of frames; see `Framer`. */
export type FrameSource =
  & Pick<Framer, "begin" | "next" | "suspend" | "finish" | "pending" | "heldBytes" | "emptyFrames">
  & Partial<Pick<Framer, "damagedFrames" | "joinedLines" | "holds" | "flush">>;

/** The frames of one request, none of them empty or longer than a frame may be, in ascending order. */
export class RequestFrames implements FrameSource {
  readonly heldBytes = 0;
  readonly emptyFrames = 0;
  readonly #kernel: Kernel;
  /** Start and end of each frame; undefined: all bytes are one frame. */
  readonly #ranges: Uint32Array | undefined;
  readonly #count: number;
  #bytes: Uint8Array | undefined;
  /** Rows before this frame are given and were not taken back. */
  #at = 0;
  #rows = 0;

  constructor(kernel: Kernel, ranges: Uint32Array | undefined, count: number) {
    this.#kernel = kernel;
    this.#ranges = ranges;
    this.#count = count;
  }

  /** True while frames are left. */
  get pending(): boolean {
    return this.#at < this.#count;
  }

  begin(bytes: Uint8Array): void {
    this.#bytes = bytes;
  }

  next(): number {
    this.#rows = this.#at >= this.#count
      ? 0
      : this.#ranges === undefined
      ? this.#one()
      : this.#some(this.#ranges);
    this.#at += this.#rows;
    return this.#rows;
  }

  suspend(fromRow: number): void {
    this.#at -= this.#rows - fromRow;
    this.#rows = fromRow;
  }

  finish(): number {
    return 0;
  }

  #one(): number {
    const { bytes, inputAt } = this.#kernel;
    bytes.set(this.#bytes!, inputAt);
    this.#kernel.limitFrames(this.#kernel.sizes.frameBytesMax, false);
    this.#kernel.rowOf(inputAt, inputAt + this.#bytes!.length);
    return 1;
  }

  /** As many as the input region and the frame table hold; what lies between them is copied along. */
  #some(ranges: Uint32Array): number {
    const { bytes, words, inputAt, inputBytes, rowsAt, sizes } = this.#kernel;
    const first = this.#at;
    const base = ranges[2 * first]!;
    const last = Math.min(this.#count, first + sizes.rowsMax);
    let to = first;
    let end = base;
    while (to < last && ranges[2 * to + 1]! - base <= inputBytes) end = ranges[2 * to++ + 1]!;
    invariant(to > first, "a frame fits the input region");
    const piece = this.#bytes!.subarray(base, end);
    const flags = isAscii(piece) ? frameFlag.ascii : 0;
    bytes.set(piece, inputAt);
    let word = rowsAt / 4;
    for (let frame = first; frame < to; frame++, word += frameRowBytes / 4) {
      const start = inputAt + ranges[2 * frame]! - base;
      words[word] = words[word + 3] = start;
      words[word + 1] = inputAt + ranges[2 * frame + 1]! - base;
      words[word + 2] = flags;
    }
    return to - first;
  }
}
