/**
 * Frames that end with a delimiter: LF (RFC 6587 3.4.2, with one CR before it) or NUL.
 *
 * The scan takes 64 bytes at a time, each frame from its own start: fewer branches are mispredicted than when one
 * block is searched for many frames (bench/stages.ts). The OR of all bytes tells by its top bits whether a frame
 * is ASCII. Loads may run up to 63 bytes past `end`; a delimiter that they find there does not count.
 *
 * NULs before a line are no part of it: there are senders that end a line with LF NUL.
 *
 * A frame above the limit is cut, or becomes several rows (`splits`). No cut falls into a UTF-8 character.
 */
import {
  continuedFlags, endScan, flagAscii, flagContinued, flagSplit, flagTruncated, frameBytesMax, frameRowBytes, rowsAt,
  rowsEnd, setContinues, splits, stopNeedMore, stopOversize, stopTableFull, storeRow,
} from "./memory";
import { bitmask64, blockBytes, isAscii } from "./bytes";

const lf: u8 = 0x0a;
const cr: u8 = 0x0d;
const nul: u8 = 0;

export function scanNewline(start: usize, end: usize): u32 {
  return scanDelimited(start, end, lf);
}

export function scanNul(start: usize, end: usize): u32 {
  return scanDelimited(start, end, nul);
}

/** Row 0 is [start, end), cut at the frame limit. */
export function rowOf(start: usize, end: usize): void {
  if (<u32>(end - start) > frameBytesMax) storeTruncated(rowsAt, start);
  else storeRow(rowsAt, start, end, isAscii(start, end) ? flagAscii : 0);
}

/** Rows of [start, end): one, or as many as splitting makes of it, the last cut where the table ends. Returns how many. */
export function rowsOf(start: usize, end: usize): u32 {
  let row = rowsAt;
  if (splits && <u32>(end - start) > frameBytesMax) {
    row = storePieces(rowsAt, start, end, 0);
    start = piecesEnd;
    if (row == rowsEnd) return <u32>((row - rowsAt) / frameRowBytes);
    storeRow(row, start, end, flagSplit | flagContinued | (isAscii(start, end) ? flagAscii : 0));
  } else rowOf(start, end);
  return <u32>((row - rowsAt) / frameRowBytes) + 1;
}

/**
 * The end of the first part of a frame that is longer than the limit: there, or before a UTF-8 character that does
 * not fit whole. It depends on no byte behind the limit.
 */
export function cutEnd(start: usize): usize {
  const end = start + <usize>frameBytesMax;
  let lead = end - 1;
  while (lead > start && end - lead < 4 && (load<u8>(lead) & 0xc0) == 0x80) lead--;
  const byte = load<u8>(lead);
  const bytes: usize = byte < 0xc2 || byte > 0xf4 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
  return lead > start && lead + bytes > end ? lead : end;
}

/** The beginning of a longer frame. The ASCII flag is about its bytes alone, wherever the stream was cut. */
export function storeTruncated(row: usize, start: usize): void {
  const end = cutEnd(start);
  storeRow(row, start, end, flagTruncated | (isAscii(start, end) ? flagAscii : 0));
}

/** Where `storePieces` ended. */
let piecesEnd: usize = 0;

/**
 * Rows of the full parts of a frame, without its last: what is left is no longer than the limit, or the table is full
 * (`piecesEnd` is where). Returns the row behind them. `carried` are the flags of the first.
 */
function storePieces(row: usize, start: usize, end: usize, carried: u32): usize {
  while (<u32>(end - start) > frameBytesMax && row < rowsEnd) {
    const cut = cutEnd(start);
    storeRow(row, start, cut, flagSplit | carried | (isAscii(start, cut) ? flagAscii : 0));
    carried = flagContinued;
    row += frameRowBytes;
    start = cut;
  }
  piecesEnd = start;
  return row;
}

function scanDelimited(start: usize, end: usize, delimiter: u8): u32 {
  const wanted = i8x16.splat(delimiter);
  let row = rowsAt;
  let frame = start;
  let empty: u32 = 0;
  let p = start;
  /** Flags of the frame in work: those of the rest of a frame that was split, or none. */
  let carried: u32 = splits ? continuedFlags() : 0;
  /** OR of the blocks of this frame that held no delimiter. */
  let seen = i64x2.splat(0);

  while (p < end) {
    const a = v128.load(p);
    const b = v128.load(p, 16);
    const c = v128.load(p, 32);
    const d = v128.load(p, 48);
    const hitA = i8x16.eq(a, wanted);
    const hitB = i8x16.eq(b, wanted);
    const hitC = i8x16.eq(c, wanted);
    const hitD = i8x16.eq(d, wanted);
    const block = v128.or(v128.or(a, b), v128.or(c, d));
    if (!v128.any_true(v128.or(v128.or(hitA, hitB), v128.or(hitC, hitD)))) {
      seen = v128.or(seen, block);
      p += blockBytes;
      continue;
    }
    const bit = ctz(bitmask64(hitA, hitB, hitC, hitD));
    const at = p + <usize>bit;
    if (at >= end) break;

    let frameEnd = at;
    if (delimiter == lf) {
      if (at > frame && load<u8>(at - 1) == cr) frameEnd--;
      if (load<u8>(frame) == nul && carried == 0) frame = skipNuls(frame, frameEnd);
    }
    if (frameEnd == frame) {
      empty++;
    } else {
      if (row == rowsEnd) return endSplit(row, frame, stopTableFull, empty, carried);
      if (<u32>(frameEnd - frame) > frameBytesMax) {
        if (splits) {
          row = storePieces(row, frame, frameEnd, carried);
          frame = piecesEnd;
          carried = flagSplit | flagContinued;
          if (row == rowsEnd) return endSplit(row, frame, stopTableFull, empty, carried);
          storeRow(row, frame, frameEnd, carried | (isAscii(frame, frameEnd) ? flagAscii : 0));
        } else storeTruncated(row, frame);
      } else {
        let top: u64 = i8x16.bitmask(v128.or(seen, block));
        // Rare: the block's bytes behind the delimiter are of other frames.
        if (top) top = <u64>i8x16.bitmask(seen) | (bitmask64(a, b, c, d) & (((<u64>1) << bit) - 1));
        storeRow(row, frame, frameEnd, carried | (top == 0 ? flagAscii : 0));
      }
      row += frameRowBytes;
    }
    carried = 0;
    frame = at + 1;
    p = frame;
    seen = i64x2.splat(0);
  }

  if (delimiter == lf && carried == 0 && frame < end && load<u8>(frame) == nul) frame = skipNuls(frame, end);
  if (!isOversize(frame, end, delimiter)) return endSplit(row, frame, stopNeedMore, empty, carried);
  if (row == rowsEnd) return endSplit(row, frame, stopTableFull, empty, carried);
  if (splits) {
    // A CR at the end may be a part of the delimiter, and is never a part by itself.
    const certainEnd = delimiter == lf && load<u8>(end - 1) == cr ? end - 1 : end;
    row = storePieces(row, frame, certainEnd, carried);
    const stop = row == rowsEnd && <u32>(certainEnd - piecesEnd) > frameBytesMax ? stopTableFull : stopNeedMore;
    return endSplit(row, piecesEnd, stop, empty, flagSplit | flagContinued);
  }
  storeTruncated(row, frame);
  return endScan(row + frameRowBytes, end, stopOversize, 0, empty);
}

/** The same as `endScan`, and whether what follows belongs to a frame of which a part is a row. */
function endSplit(row: usize, consumed: usize, stop: u32, empty: u32, carried: u32): u32 {
  if (splits) setContinues(carried);
  return endScan(row, consumed, stop, 0, empty);
}

function skipNuls(frame: usize, end: usize): usize {
  while (frame < end && load<u8>(frame) == nul) frame++;
  return frame;
}

/** Whether the unfinished frame is certainly too long: a CR at the limit may still be a part of the delimiter. */
function isOversize(frame: usize, end: usize, delimiter: u8): bool {
  const bytes = <u32>(end - frame);
  if (bytes <= frameBytesMax) return false;
  return !(delimiter == lf && bytes == frameBytesMax + 1 && load<u8>(end - 1) == cr);
}
