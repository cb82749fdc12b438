/**
 * Frames that end with a delimiter: LF (RFC 6587 3.4.2, with one CR before it) or NUL.
 *
 * The scan takes 64 bytes at a time, each frame from its own start: fewer branches are mispredicted than when one
 * block is searched for many frames (bench/stages.ts). The OR of all bytes tells by its top bits whether a frame
 * is ASCII. Loads may run up to 63 bytes past `end`; a delimiter that they find there does not count.
 */
import {
  endScan, flagAscii, flagTruncated, frameBytesMax, frameRowBytes, rowsAt, rowsEnd, stopNeedMore, stopOversize,
  stopTableFull, storeRow,
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

/** The first `frameBytesMax` bytes of a longer frame. The ASCII flag is about these bytes alone, wherever the stream was cut. */
export function storeTruncated(row: usize, start: usize): void {
  const end = start + <usize>frameBytesMax;
  storeRow(row, start, end, flagTruncated | (isAscii(start, end) ? flagAscii : 0));
}

function scanDelimited(start: usize, end: usize, delimiter: u8): u32 {
  const wanted = i8x16.splat(delimiter);
  let row = rowsAt;
  let frame = start;
  let empty: u32 = 0;
  let p = start;
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
    if (delimiter == lf && at > frame && load<u8>(at - 1) == cr) frameEnd--;
    if (frameEnd == frame) {
      empty++;
    } else {
      if (row == rowsEnd) return endScan(row, frame, stopTableFull, 0, empty);
      if (<u32>(frameEnd - frame) > frameBytesMax) {
        storeTruncated(row, frame);
      } else {
        let top: u64 = i8x16.bitmask(v128.or(seen, block));
        // Rare: the block's bytes behind the delimiter are of other frames.
        if (top) top = <u64>i8x16.bitmask(seen) | (bitmask64(a, b, c, d) & (((<u64>1) << bit) - 1));
        storeRow(row, frame, frameEnd, top == 0 ? flagAscii : 0);
      }
      row += frameRowBytes;
    }
    frame = at + 1;
    p = frame;
    seen = i64x2.splat(0);
  }

  if (!isOversize(frame, end, delimiter)) return endScan(row, frame, stopNeedMore, 0, empty);
  if (row == rowsEnd) return endScan(row, frame, stopTableFull, 0, empty);
  storeTruncated(row, frame);
  return endScan(row + frameRowBytes, end, stopOversize, 0, empty);
}

/** Whether the unfinished frame is certainly too long: a CR at the limit may still be a part of the delimiter. */
function isOversize(frame: usize, end: usize, delimiter: u8): bool {
  const bytes = <u32>(end - frame);
  if (bytes <= frameBytesMax) return false;
  return !(delimiter == lf && bytes == frameBytesMax + 1 && load<u8>(end - 1) == cr);
}
