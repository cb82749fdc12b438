/**
 * Octet-counted frames, RFC 6587 3.4.1:
 *
 *     TCP-DATA     = *SYSLOG-FRAME
 *     SYSLOG-FRAME = MSG-LEN SP SYSLOG-MSG
 *     MSG-LEN      = NONZERO-DIGIT *DIGIT
 *
 * A count is believed only with at most nine digits and a "<" behind its space.
 *
 * Senders are used to lines, and their LF stands in one of two places:
 *  - inside the count, as the last byte of the message (rsyslog's RSYSLOG_SyslogProtocol23Format ends with one, and
 *    rsyslog drops it on reception): one LF, with the CR before it, is no part of the row;
 *  - behind the count: one LF between frames is skipped, each further one is an empty frame. `consumed` stays before
 *    the last of them until the frame behind it is taken, so that the place where the stream was cut makes no
 *    difference.
 *
 * A frame above the limit is cut; or, where frames are split, its first part is a row and the scan stops behind it.
 */
import {
  endScan, flagAscii, flagSplit, frameBytesMax, frameRowBytes, headerRowBytes, headersAt, rowsAt, rowsEnd, splits,
  stopNeedMore, stopNotACount, stopOversize, stopTableFull, storeRow,
} from "./memory";
import { isAscii, isDigit } from "./bytes";
import { cutEnd, storeTruncated } from "./frames";

const lf: u8 = 0x0a;
const cr: u8 = 0x0d;

const countDigitsMax: u32 = 9;

/** CR LF: a frame that is this much too long may not be too long at all. */
const trailerBytesMax: u32 = 2;

/** Header row word that keeps where a row's count begins: `headerWord.frameStart` of the front. */
const frameStartAt: usize = 13 * 4;

export function scanOctets(start: usize, end: usize): u32 {
  let row = rowsAt;
  let header = headersAt;
  let boundary = start;
  let empty: u32 = 0;

  while (true) {
    let p = boundary;
    if (p < end && load<u8>(p) == lf) {
      p++;
      while (p < end && load<u8>(p) == lf) {
        boundary = p++;
        empty++;
      }
    }
    let count: u32 = 0;
    let digits: u32 = 0;
    while (p < end && isDigit(load<u8>(p))) {
      count = count * 10 + (load<u8>(p) - 0x30);
      if (count == 0 || ++digits > countDigitsMax) return endScan(row, boundary, stopNotACount, 0, empty);
      p++;
    }
    if (p == end) return endScan(row, boundary, stopNeedMore, 0, empty);
    if (digits == 0 || load<u8>(p) != 0x20) return endScan(row, boundary, stopNotACount, 0, empty);
    if (++p == end) return endScan(row, boundary, stopNeedMore, 0, empty);
    if (load<u8>(p) != 0x3c) return endScan(row, boundary, stopNotACount, 0, empty);

    const available = <u32>(end - p);
    const needed = count <= frameBytesMax + trailerBytesMax ? count : frameBytesMax;
    if (available < needed) return endScan(row, boundary, stopNeedMore, 0, empty);
    if (row == rowsEnd) return endScan(row, boundary, stopTableFull, 0, empty);
    store<u32>(header, <u32>boundary, frameStartAt);
    header += headerRowBytes;
    const frameEnd = count == needed ? withoutNewline(p, p + <usize>count) : p + <usize>count;
    if (<u32>(frameEnd - p) > frameBytesMax) {
      if (splits) {
        const cut = cutEnd(p);
        storeRow(row, p, cut, flagSplit | (isAscii(p, cut) ? flagAscii : 0));
        return endScan(row + frameRowBytes, cut, stopOversize, count - <u32>(cut - p), empty);
      }
      storeTruncated(row, p);
      row += frameRowBytes;
      if (count > available) return endScan(row, end, stopOversize, count - available, empty);
    } else {
      storeRow(row, p, frameEnd, isAscii(p, frameEnd) ? flagAscii : 0);
      row += frameRowBytes;
    }
    boundary = p + <usize>count;
  }
}

/** The end of the frame without one LF or CR LF. The frame begins with "<", so something is left. */
// @ts-ignore: decorator
@inline
function withoutNewline(start: usize, end: usize): usize {
  if (load<u8>(end - 1) != lf) return end;
  end--;
  return end > start && load<u8>(end - 1) == cr ? end - 1 : end;
}
