/**
 * Frames that end with a delimiter, LF or NUL, found by the kernel. What follows a truncated frame up to its
 * delimiter is dropped in the chunk, before it is copied.
 *
 * @module
 */
import { frameRowBytes, type Kernel, scanStop } from "../kernel/kernel.ts";
import type { FrameScanner } from "./frame_scanner.ts";

const lf = 0x0a;
const nul = 0x00;

/** The state of one connection whose frames are lines. */
export class LineScanner implements FrameScanner {
  readonly #kernel: Kernel;
  readonly #delimiter: number;
  readonly #scanLines: (start: number, end: number) => number;
  /** Behind a truncated frame. */
  #skips = false;
  #emptyFrames = 0;

  // How it was before the last scan, for `takeBack`.
  #rowsStart = 0;
  #rowsEmptyFrames = 0;

  readonly mode: "newline" | "nul";
  readonly damagedFrames = 0;
  consumed = 0;
  needMore = false;

  constructor(kernel: Kernel, mode: "newline" | "nul") {
    this.#kernel = kernel;
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
    const rows = this.#scanLines(start, end);
    this.consumed = kernel.consumed;
    this.needMore = kernel.stop === scanStop.needMore;
    this.#skips = kernel.stop === scanStop.oversize;
    this.#emptyFrames += kernel.emptyFrames;
    return rows;
  }

  takeBack(row: number): number {
    const { words, rowsAt } = this.#kernel;
    const start = words[(rowsAt + row * frameRowBytes) / 4]!;
    this.#scanLines(this.#rowsStart, start);
    this.#emptyFrames = this.#rowsEmptyFrames + this.#kernel.emptyFrames;
    this.#skips = false;
    return start;
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
    if (start === end) return 0;
    this.#kernel.rowOf(start, end);
    return 1;
  }
}
