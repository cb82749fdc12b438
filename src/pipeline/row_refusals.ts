/**
 * Lines that a listener does not forward, and that go to the dead letter before any rule sees them.
 *
 * @module
 */
import { frameFlag, frameRowBytes, type Kernel } from "../kernel/kernel.ts";
import type { LineOptions } from "./line_options.ts";

/** Why a line is refused, for people. */
export const refusalMessages = {
  oversize: "The line is longer than frame_max; this is a part of it",
  unparsed: "The line has no syslog header",
} as const;

/** Why a line is refused. */
export type Refusal = keyof typeof refusalMessages;

/** The refusals of one placer. */
export class RowRefusals {
  readonly #kernel: Kernel;
  #oversize = false;
  #unparsed = false;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  /** What the listener of the rows at hand wants. */
  set listener(lines: LineOptions | undefined) {
    this.#oversize = lines?.refusesOversize === true;
    this.#unparsed = lines?.refusesUnparsed === true;
  }

  /** True if one of the rows [0, rows) is refused. Parses headers where it takes them. */
  any(rows: number): boolean {
    if (this.#unparsed) this.#kernel.parseHeaders(0, rows);
    if (!this.#oversize && !this.#unparsed) return false;
    for (let row = 0; row < rows; row++) if (this.of(row) !== undefined) return true;
    return false;
  }

  /** Why a row is refused; undefined where it is not. */
  of(row: number): Refusal | undefined {
    const { words, rowsAt } = this.#kernel;
    const flags = words[(rowsAt + row * frameRowBytes) / 4 + 2]!;
    if (this.#oversize && (flags & (frameFlag.split | frameFlag.truncated)) !== 0) return "oversize";
    return this.#unparsed && (flags & frameFlag.unparsed) !== 0 ? "unparsed" : undefined;
  }
}
