/**
 * Octet-counted frames, RFC 6587 3.4.1:
 *
 *     TCP-DATA     = *SYSLOG-FRAME
 *     SYSLOG-FRAME = MSG-LEN SP SYSLOG-MSG
 *     MSG-LEN      = NONZERO-DIGIT *DIGIT
 *
 * A count is believed only with at most nine digits and a "<" behind its space. One LF between frames is skipped:
 * some senders write it besides the count. `consumed` stays before that LF until the frame behind it is taken, so
 * that the place where the stream was cut makes no difference.
 */
import {
  endScan, flagAscii, frameBytesMax, frameRowBytes, headerRowBytes, headersAt, rowsAt, rowsEnd, stopNeedMore,
  stopNotACount, stopOversize, stopTableFull, storeRow,
} from "./memory";
import { isAscii, isDigit } from "./bytes";
import { storeTruncated } from "./frames";

const countDigitsMax: u32 = 9;

/** Header row word that keeps where a row's count begins: `headerWord.frameStart` of the front. */
const frameStartAt: usize = 13 * 4;

export function scanOctets(start: usize, end: usize): u32 {
  let row = rowsAt;
  let header = headersAt;
  let boundary = start;

  while (true) {
    let p = boundary;
    if (p < end && load<u8>(p) == 0x0a) p++;
    let count: u32 = 0;
    let digits: u32 = 0;
    while (p < end && isDigit(load<u8>(p))) {
      count = count * 10 + (load<u8>(p) - 0x30);
      if (count == 0 || ++digits > countDigitsMax) return endScan(row, boundary, stopNotACount, 0, 0);
      p++;
    }
    if (p == end) return endScan(row, boundary, stopNeedMore, 0, 0);
    if (digits == 0 || load<u8>(p) != 0x20) return endScan(row, boundary, stopNotACount, 0, 0);
    if (++p == end) return endScan(row, boundary, stopNeedMore, 0, 0);
    if (load<u8>(p) != 0x3c) return endScan(row, boundary, stopNotACount, 0, 0);

    const available = <u32>(end - p);
    if (available < min(count, frameBytesMax)) return endScan(row, boundary, stopNeedMore, 0, 0);
    if (row == rowsEnd) return endScan(row, boundary, stopTableFull, 0, 0);
    store<u32>(header, <u32>boundary, frameStartAt);
    header += headerRowBytes;
    if (count > frameBytesMax) {
      storeTruncated(row, p);
      row += frameRowBytes;
      if (count > available) return endScan(row, end, stopOversize, count - available, 0);
    } else {
      storeRow(row, p, p + <usize>count, isAscii(p, p + <usize>count) ? flagAscii : 0);
      row += frameRowBytes;
    }
    boundary = p + <usize>count;
  }
}
