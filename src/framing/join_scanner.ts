/**
 * Lines that belong together: a line that looks like the continuation of the one before (a stack trace, a wrapped
 * message) becomes a part of its frame, with the LF between them. Opt-in per listener (`listen[].join`).
 *
 *     by: pri      a line continues unless it begins with "<" DIGIT
 *     by: indent   a line continues if it begins with a space or a tab
 *
 * A whole line can only be given when the beginning of the next is there, so the last one is held: until that comes,
 * or `release` is set when it has waited long enough. It is joined only while the frame stays within `bytesMax` and
 * `linesMax`; the line that would be too much begins a frame of its own. A frame above the limit of the listener is
 * cut or split as any other and never joined. None of it depends on where the stream was cut.
 *
 * Empty lines between two that are joined are a part of the frame; others are no frames.
 *
 * @module
 */
import { isAscii } from "node:buffer";
import { frameFlag, frameRowBytes, type Kernel, scanStop } from "../kernel/kernel.ts";
import type { FrameLimit, FrameScanner } from "./frame_scanner.ts";
import { LineScanner } from "./line_scanner.ts";

/** What is joined, and how much of it. */
export interface JoinOptions {
  readonly by: "pri" | "indent";
  /** Longest frame that lines are joined to; at most the listener's `frame_max`. */
  readonly bytesMax: number;
}

const lf = 0x0a;
const cr = 0x0d;
const tab = 0x09;
const space = 0x20;
const opening = 0x3c;
const zero = 0x30;

/** Lines of one frame: what is held is scanned anew with each chunk. */
const joinedLinesMax = 500;

const rowWords = frameRowBytes / 4;
/** Flags of rows that nothing is joined to, and that are joined to nothing. */
const partFlags = frameFlag.truncated | frameFlag.split | frameFlag.continued;

/** Counts before each row of the last scan: one table for all connections of a kernel, as the rows are. */
const countsOf = new WeakMap<Kernel, Uint32Array>();

/** Whether a line continues the one before; undefined where its first bytes are not here yet. */
type Continues = boolean | undefined;

/** The state of one connection whose lines are joined. */
export class JoinScanner implements FrameScanner {
  readonly #kernel: Kernel;
  readonly #limit: FrameLimit;
  readonly #options: JoinOptions;
  readonly #linesMax: number;
  /** Finds the lines; what it says of its rows is told anew here. */
  readonly #lines: LineScanner;
  #emptyFrames = 0;
  #joinedLines = 0;
  /** Whether the held bytes begin with a whole line, and whether the next byte can tell what becomes of it. */
  #holds = false;
  #isUndecided = false;

  // How it was before the last scan, and before each of its rows, for `takeBack`.
  #rowsEmptyFrames = 0;
  #rowsJoinedLines = 0;
  /** Two numbers for each row: empty frames before it, lines joined to rows before it. */
  readonly #before: Uint32Array;

  readonly mode = "newline";
  readonly damagedFrames = 0;
  consumed = 0;
  needMore = false;
  /** Set it where the last whole line has waited for long enough; the next scan gives it. */
  release = false;

  constructor(kernel: Kernel, limit: FrameLimit, options: JoinOptions) {
    this.#kernel = kernel;
    this.#limit = limit;
    this.#options = options;
    this.#linesMax = Math.min(joinedLinesMax, kernel.sizes.rowsMax - 1);
    this.#lines = new LineScanner(kernel, "newline", limit);
    this.#before = countsOf.get(kernel) ?? new Uint32Array(2 * kernel.sizes.rowsMax);
    countsOf.set(kernel, this.#before);
  }

  get emptyFrames(): number {
    return this.#emptyFrames;
  }

  /** Lines that became parts of other lines' frames, empty ones included. */
  get joinedLines(): number {
    return this.#joinedLines;
  }

  /** Whether a whole line waits for what comes behind it. */
  get holds(): boolean {
    return this.#holds;
  }

  scan(start: number, end: number): number {
    this.#rowsEmptyFrames = this.#emptyFrames;
    this.#rowsJoinedLines = this.#joinedLines;
    const rows = this.#lines.scan(start, end);
    const lineEnd = this.#lines.consumed;
    this.needMore = this.#lines.needMore;
    this.consumed = lineEnd;
    this.#holds = this.#isUndecided = false;
    const joined = this.#join(rows, start, lineEnd);
    if (joined === 0 || this.release || !this.#mayGoOn(joined - 1, lineEnd, end)) return joined;
    // The last row is not told yet: what stands before it is.
    const last = joined - 1;
    this.#holds = true;
    this.consumed = this.#kernel.words[this.#kernel.rowsAt / 4 + last * rowWords]!;
    this.#emptyFrames = this.#rowsEmptyFrames + this.#before[2 * last]!;
    this.#joinedLines = this.#rowsJoinedLines + this.#before[2 * last + 1]!;
    return last;
  }

  takeBack(row: number): number {
    const { words, rowsAt } = this.#kernel;
    const word = rowsAt / 4 + row * rowWords;
    this.#emptyFrames = this.#rowsEmptyFrames + this.#before[2 * row]!;
    this.#joinedLines = this.#rowsJoinedLines + this.#before[2 * row + 1]!;
    this.#lines.goBackTo(words[word + 2]!);
    this.#holds = false;
    return words[word]!;
  }

  skip(chunk: Uint8Array, at: number): number {
    return this.#lines.skip(chunk, at);
  }

  mayFinish(half: Uint8Array, chunk: Uint8Array): boolean {
    if (chunk.includes(lf)) return true;
    return this.#holds && (this.#isUndecided || half.length + chunk.length > this.#options.bytesMax);
  }

  finish(start: number, end: number): number {
    const { words, rowsAt, bytes, sizes } = this.#kernel;
    this.#rowsEmptyFrames = this.#emptyFrames;
    this.#rowsJoinedLines = this.#joinedLines;
    this.#holds = false;
    let rows = this.#lines.scan(start, end);
    this.consumed = this.#lines.consumed;
    if (rows === 0) {
      this.#emptyFrames += this.#linesIn(start, this.consumed);
      const rest = this.#lines.finish(this.consumed, end);
      this.consumed = this.#lines.consumed;
      return rest;
    }
    // The line without its end, as one more row.
    const rest = this.consumed;
    if (
      rest < end && end - rest <= this.#limit.frameBytesMax && rows < sizes.rowsMax && !this.#lines.continues
    ) {
      const word = rowsAt / 4 + rows++ * rowWords;
      words[word] = words[word + 3] = rest;
      words[word + 1] = this.consumed = end;
      words[word + 2] = isAscii(bytes.subarray(rest, end)) ? frameFlag.ascii : 0;
    }
    const joined = this.#join(rows, start, this.consumed);
    if (joined > 1) {
      this.consumed = words[rowsAt / 4 + rowWords]!;
      this.#emptyFrames = this.#rowsEmptyFrames + this.#before[2]!;
      this.#joinedLines = this.#rowsJoinedLines + this.#before[3]!;
      this.#lines.goBackTo(words[rowsAt / 4 + rowWords + 2]!);
    }
    return 1;
  }

  undoFinish(): void {
    this.#emptyFrames = this.#rowsEmptyFrames;
    this.#joinedLines = this.#rowsJoinedLines;
    this.#lines.undoFinish();
  }

  /** Makes one row of rows that belong together; counts what stands in and between them. Returns how many are left. */
  #join(rows: number, start: number, end: number): number {
    const { words, rowsAt } = this.#kernel;
    const { bytesMax } = this.#options;
    const first = rowsAt / 4;
    let joined = 0;
    let lines = 0;
    let empty = 0;
    let joinedLines = 0;
    let before = start;
    for (let row = 0; row < rows; row++) {
      const from = first + row * rowWords;
      const to = first + (joined - 1) * rowWords;
      const flags = words[from + 2]!;
      const ends = this.#linesIn(before, words[from]!);
      before = words[from + 1]!;
      const isPart = ((flags | (joined > 0 ? words[to + 2]! : 0)) & partFlags) !== 0;
      if (
        joined > 0 && !isPart && lines < this.#linesMax && before - words[to]! <= bytesMax &&
        // "<" or CR is all of the line: more will not tell.
        (this.#continues(words[from]!, before) ?? this.#options.by === "pri")
      ) {
        words[to + 1] = before;
        words[to + 2]! &= flags;
        joinedLines += ends;
        lines++;
        continue;
      }
      // Behind the first row the first LF ends the row before.
      empty += Math.max(0, row === 0 ? ends : ends - 1);
      this.#before[2 * joined] = empty;
      this.#before[2 * joined + 1] = joinedLines;
      words.copyWithin(first + joined * rowWords, from, from + rowWords);
      joined++;
      lines = 1;
    }
    empty += Math.max(0, this.#linesIn(before, end) - (rows === 0 ? 0 : 1));
    this.#emptyFrames = this.#rowsEmptyFrames + empty;
    this.#joinedLines = this.#rowsJoinedLines + joinedLines;
    this.#lastLines = lines;
    return joined;
  }

  /** Lines of the last row of `#join`. */
  #lastLines = 0;

  /** Whether what stands or comes at `at` may belong to this row. */
  #mayGoOn(row: number, at: number, end: number): boolean {
    const { words, rowsAt, bytes, stop } = this.#kernel;
    const word = rowsAt / 4 + row * rowWords;
    if ((words[word + 2]! & partFlags) !== 0 || this.#lastLines >= this.#linesMax) return false;
    if (this.#lines.continues || stop === scanStop.oversize) return false;
    // Where the table was full a whole line stands there, as long as it may be.
    const known = stop === scanStop.tableFull ? at : end;
    const room = this.#options.bytesMax + (known > at && bytes[known - 1] === cr ? 1 : 0);
    if (known - words[word]! > room) return false;
    const continues = this.#continues(at, end);
    this.#isUndecided = continues === undefined;
    return continues !== false;
  }

  #continues(at: number, end: number): Continues {
    const { bytes } = this.#kernel;
    if (at === end) return undefined;
    const byte = bytes[at]!;
    // It may be an empty line's.
    if (byte === cr && at + 1 === end) return undefined;
    if (this.#options.by === "indent") return byte === space || byte === tab;
    if (byte !== opening) return true;
    if (at + 1 === end) return undefined;
    return bytes[at + 1]! < zero || bytes[at + 1]! > zero + 9;
  }

  /** How many LF stand in [start, end). */
  #linesIn(start: number, end: number): number {
    const { bytes } = this.#kernel;
    let lines = 0;
    for (let at = start; at < end; at++) if (bytes[at] === lf) lines++;
    return lines;
  }
}
