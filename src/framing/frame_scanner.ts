/**
 * What the bytes of one connection mean: the state machine behind the framer, which brings the bytes into the
 * kernel's input region and keeps what is unfinished. One for each way of framing.
 *
 * @module
 */

/** The state of one connection's framing. */
export interface FrameScanner {
  /** What the connection speaks. */
  readonly mode: "newline" | "octet" | "nul";
  /** Frames of no bytes so far. They are no rows. */
  readonly emptyFrames: number;
  /** How often a count was expected and something else came. */
  readonly damagedFrames: number;
  /** First byte that the last scan did not use up. */
  readonly consumed: number;
  /** Whether what the last scan left can only be told with more bytes behind it. */
  readonly needMore: boolean;

  /**
   * One step through [start, end) of the kernel's memory, of which something is there: returns the number of rows.
   * It uses up bytes, changes the state, or needs more bytes.
   */
  scan(start: number, end: number): number;
  /** Goes back to the beginning of `row` of the last scan, as if it had stopped there; returns that place. */
  takeBack(row: number): number;
  /** Drops what belongs to a truncated frame and was not copied yet: returns where in the chunk to go on. */
  skip(chunk: Uint8Array, at: number): number;
  /** Whether a scan may come further with the chunk behind the half frame, which needed more bytes. */
  mayFinish(half: Uint8Array, chunk: Uint8Array): boolean;
  /**
   * One step through what [start, end) holds at the connection's end: row 0 where there is a frame. Returns the number
   * of rows, 0 or 1; `consumed` is where to go on.
   */
  finish(start: number, end: number): number;
  /** The row of the last `finish` was not taken: the same bytes will come again. */
  undoFinish(): void;
}

/** How long the frames of a connection may be, and what becomes of longer ones. */
export interface FrameLimit {
  /** At most what the kernel was made for. */
  readonly frameBytesMax: number;
  /** A longer frame becomes several rows; else it is cut, and what follows up to its end is dropped. */
  readonly splits: boolean;
}
