/**
 * Frames that end with a delimiter, LF or NUL, found by the kernel. What follows a truncated frame up to its
 * delimiter is dropped in the chunk, before it is copied. Of a frame that is split, whatever is left is scanned on.
 *
 * @module
 */
import { invariant } from "../core/invariant.ts";
import { frameFlag, frameRowBytes, type Kernel, scanStop } from "../kernel/kernel.ts";
import type { FrameLimit, FrameScanner } from "./frame_scanner.ts";

const lf = 0x0a;
const nul = 0x00;

/** The state of one connection whose frames are lines. */
export class LineScanner implements FrameScanner {
  readonly #kernel: Kernel;
  readonly #delimiter: number;
  readonly #scanLines: (start: number, end: number) => number;
  readonly #limit: FrameLimit;
  /** Behind a truncated frame. */
  #skips = false;
  /** Behind a part of a frame that is split. */
  #continues = false;
  #emptyFrames = 0;

  // How it was before the last scan, for `takeBack`.
  #rowsStart = 0;
  #rowsEmptyFrames = 0;
  #rowsContinues = false;

  readonly mode: "newline" | "nul";
  readonly damagedFrames = 0;
  consumed = 0;
  needMore = false;

  constructor(kernel: Kernel, mode: "newline" | "nul", limit: FrameLimit) {
    this.#kernel = kernel;
    this.#limit = limit;
    this.mode = mode;
    this.#delimiter = mode === "nul" ? nul : lf;
    this.#scanLines = mode === "nul" ? kernel.scanNul : kernel.scanNewline;
  }

  get emptyFrames(): number {
    return this.#emptyFrames;
  }

  scan(start: number, end: number): number {
    const kernel = this.#kernel;
    this.#rowsStart = start;
    this.#rowsEmptyFrames = this.#emptyFrames;
    this.#rowsContinues = this.#continues;
    const rows = this.#scan(start, end, this.#continues);
    this.consumed = kernel.consumed;
    this.needMore = kernel.stop === scanStop.needMore;
    this.#skips = kernel.stop === scanStop.oversize;
    this.#emptyFrames += kernel.emptyFrames;
    return rows;
  }

  /** Whether what comes next belongs to a frame of which a part was given. */
  get continues(): boolean {
    return this.#continues;
  }

  /** The next scan begins at a row with these flags. */
  goBackTo(flags: number): void {
    this.#continues = (flags & frameFlag.continued) !== 0;
    this.#skips = false;
  }

  takeBack(row: number): number {
    const { words, rowsAt } = this.#kernel;
    const word = (rowsAt + row * frameRowBytes) / 4;
    const start = words[word]!;
    const flags = words[word + 2]!;
    this.#scan(this.#rowsStart, start, this.#rowsContinues);
    this.#emptyFrames = this.#rowsEmptyFrames + this.#kernel.emptyFrames;
    this.goBackTo(flags);
    return start;
  }

  #scan(start: number, end: number, continues: boolean): number {
    const kernel = this.#kernel;
    if (!this.#limit.splits) return this.#scanLines(start, end);
    kernel.continues = continues;
    const rows = this.#scanLines(start, end);
    this.#continues = kernel.continues;
    return rows;
  }

  skip(chunk: Uint8Array, at: number): number {
    if (!this.#skips) return at;
    const delimiterAt = chunk.indexOf(this.#delimiter, at);
    if (delimiterAt < 0) return chunk.length;
    this.#skips = false;
    return delimiterAt + 1;
  }

  mayFinish(_half: Uint8Array, chunk: Uint8Array): boolean {
    return chunk.includes(this.#delimiter);
  }

  finish(start: number, end: number): number {
    const kernel = this.#kernel;
    const { bytes, words, rowsAt } = kernel;
    this.consumed = end;
    let at = start;
    if (this.#delimiter === lf && !this.#continues) { while (at < end && bytes[at] === nul) at++; }
    if (at === end) return 0;
    const { frameBytesMax, splits } = this.#limit;
    const continues = this.#rowsContinues = this.#continues;
    // The CR of a line that is all there is at its limit.
    this.#continues = splits && kernel.rowsOf(at, end) > 1;
    if (!splits) kernel.rowOf(at, end);
    if (continues) words[rowsAt / 4 + 2]! |= frameFlag.split | frameFlag.continued;
    if (this.#continues) {
      invariant(end - at <= 2 * frameBytesMax, "at most a frame and its delimiter are held");
      this.consumed = words[rowsAt / 4 + 1]!;
    }
    return 1;
  }

  undoFinish(): void {
    this.#continues = this.#rowsContinues;
  }
}
