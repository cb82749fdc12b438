/**
 * Timestamps in front of BSD syslog messages:
 *
 *     Mmm dd hh:mm:ss        RFC 3164; the day with one or two places
 *     Mmm dd yyyy hh:mm:ss   Cisco ASA
 *     Mmm dd hh:mm:ss yyyy   Cisco IOS, "show-timezone" and others
 *     yyyy Mmm dd hh:mm:ss   Cisco NX-OS
 *     yyyy-mm-ddThh:mm:ss    rsyslog's and syslog-ng's "ISO" formats; a space for the T; Z or an offset, which may
 *                            stand apart, as UTC and GMT do
 *
 * Huawei writes an offset behind the others too. Each with a fraction behind "." or ",". Shapes only: whether there is a 31st of February is nobody's matter here.
 */
import { areTwoDigits, isDigit } from "./bytes";

const space: u8 = 0x20;
const colon: u8 = 0x3a;

/** hh:mm:ss */
const timeBytes: usize = 8;

/** The end of the timestamp that starts at `p`, or 0 where none does. */
export function timestampEnd(p: usize, end: usize): usize {
  if (p >= end) return 0;
  if (!isDigit(load<u8>(p))) return bsdEnd(p, end, false);
  // A year and a month's name.
  if (end - p >= 19 && load<u8>(p, 4) == space && areFourDigits(p)) return bsdEnd(p + 5, end, true);
  return isoEnd(p, end);
}

function isoEnd(p: usize, end: usize): usize {
  if (end - p < 19 || !areFourDigits(p) || load<u8>(p, 4) != 0x2d || !areTwoDigits(p + 5)) return 0;
  if (load<u8>(p, 7) != 0x2d || !areTwoDigits(p + 8)) return 0;
  const separator = load<u8>(p, 10);
  if ((separator | 0x20) != 0x74 && separator != space) return 0;
  p = timeEnd(p + 11, end);
  if (p == 0) return 0;
  const stampEnd = offsetEnd(p, end);
  return stampEnd == p ? zoneApart(p, end) : stampEnd;
}

/** Behind ` +hh:mm`, ` UTC` or ` GMT` and in front of a space, or `p`. */
function zoneApart(p: usize, end: usize): usize {
  if (end - p < 4 || load<u8>(p) != space) return p;
  let stampEnd = p;
  const word = load<u32>(p);
  if (word == 0x43545520 || word == 0x544d4720) stampEnd = p + 4;
  else if (load<u8>(p, 1) == 0x2b || load<u8>(p, 1) == 0x2d) stampEnd = offsetEnd(p + 1, end);
  return stampEnd > p + 1 && (stampEnd == end || load<u8>(stampEnd) == space) ? stampEnd : p;
}

/** Behind `Z`, `+hh:mm` or `+hhmm`, or `p` where no offset is. */
function offsetEnd(p: usize, end: usize): usize {
  if (p >= end) return p;
  const sign = load<u8>(p);
  if ((sign | 0x20) == 0x7a) return p + 1;
  if ((sign != 0x2b && sign != 0x2d) || end - p < 5 || !areTwoDigits(p + 1)) return p;
  const minutes = load<u8>(p, 3) == colon ? p + 4 : p + 3;
  return end - minutes >= 2 && areTwoDigits(minutes) ? minutes + 2 : p;
}

function bsdEnd(p: usize, end: usize, hasYear: bool): usize {
  if (end - p < 14 || !isMonth(load<u32>(p))) return 0;
  p += 4;
  if (load<u8>(p) == space) p++;
  if (!isDigit(load<u8>(p))) return 0;
  p++;
  if (isDigit(load<u8>(p))) p++;
  if (load<u8>(p) != space) return 0;
  p++;
  if (hasYear) return timeEnd(p, end);
  const yearBetween = end - p >= 5 + timeBytes && areFourDigits(p) && load<u8>(p, 4) == space;
  p = timeEnd(yearBetween ? p + 5 : p, end);
  if (p == 0) return 0;
  const stampEnd = offsetEnd(p, end);
  return stampEnd > p || yearBetween ? stampEnd : yearEnd(p, end);
}

/** Behind ` 19yy` or ` 20yy`, or `p` where no year is: it ends the frame, or a space or Cisco's colon follows. */
function yearEnd(p: usize, end: usize): usize {
  if (end - p < 5 || load<u8>(p) != space || !areFourDigits(p + 1)) return p;
  const century = load<u16>(p, 1);
  if (century != 0x3931 && century != 0x3032) return p;
  let next = p + 5;
  if (next < end && load<u8>(next) == colon) next++;
  return next == end || load<u8>(next) == space ? p + 5 : p;
}

/** Behind `hh:mm:ss` and its fraction, or 0. */
function timeEnd(p: usize, end: usize): usize {
  if (end < p + timeBytes || !areTwoDigits(p) || load<u8>(p, 2) != colon) return 0;
  if (!areTwoDigits(p + 3) || load<u8>(p, 5) != colon || !areTwoDigits(p + 6)) return 0;
  p += timeBytes;
  if (end - p < 2 || (load<u8>(p) != 0x2e && load<u8>(p) != 0x2c) || !isDigit(load<u8>(p, 1))) return p;
  p += 2;
  while (p < end && isDigit(load<u8>(p))) p++;
  return p;
}

function areFourDigits(p: usize): bool {
  return areTwoDigits(p) && areTwoDigits(p + 2);
}

/** Three letters and a space, as a little-endian word. */
function isMonth(word: u32): bool {
  switch (word) {
    case 0x206e614a: // Jan
    case 0x20626546: // Feb
    case 0x2072614d: // Mar
    case 0x20727041: // Apr
    case 0x2079614d: // May
    case 0x206e754a: // Jun
    case 0x206c754a: // Jul
    case 0x20677541: // Aug
    case 0x20706553: // Sep
    case 0x2074634f: // Oct
    case 0x20766f4e: // Nov
    case 0x20636544: // Dec
      return true;
    default:
      return false;
  }
}
