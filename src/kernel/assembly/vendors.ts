/**
 * Headers of BSD syslog that do not begin with a timestamp, behind a PRI:
 *
 *     HOSTNAME ": " [SEQ] ["*"] TIMESTAMP ":"          Cisco IOS "logging origin-id"
 *     HOSTNAME ": *" TASK ": " TIMESTAMP ":"           Cisco's wireless controllers
 *     [HOSTNAME " "] NODE ":" TIMESTAMP ":"            Cisco IOS XR; a NODE has a "/"
 *     "1 " EPOCH "." FRACTION " " HOSTNAME             Cisco Meraki
 *     "date=" DATE " time=" TIME                       FortiOS; the fields stay in the message, HOSTNAME is devname
 *
 * and what Cisco writes around timestamps: sequence numbers, marks of the clock, the name of the zone, a colon.
 */
import { areTwoDigits, indexOfByte, isDigit, skipSpaces } from "./bytes";
import { hostnameAt, storeField, timestampAt } from "./fields";
import { takeTag } from "./tags";
import { timestampEnd } from "./timestamp";

const space: u8 = 0x20;
const colon: u8 = 0x3a;
const percent: u8 = 0x25;
const slash: u8 = 0x2f;
const quote: u8 = 0x22;
const bracketOpen: u8 = 0x5b;

const sequenceDigitsMax: usize = 10;
/** Letters of a time zone's name behind Cisco's timestamp. */
const zoneLettersMax: usize = 5;
/** Bytes of the name of a controller's task. */
const taskBytesMax: usize = 64;
/** `date=2024-03-01 time=18:48:50` */
const fortiStampBytes: usize = 29;

/** Headers that do not begin with a timestamp. Fills the fields and returns where the message starts, or 0. */
export function takeVendor(p: usize, end: usize, header: usize): usize {
  if (end - p < fortiStampBytes) return 0;
  if (load<u16>(p) == 0x2031 && isDigit(load<u8>(p, 2))) return takeMeraki(p + 2, end, header);
  if (load<u32>(p) == 0x65746164 && load<u8>(p, 4) == 0x3d) return takeForti(p, end, header);
  return takeOrigin(p, end, header);
}

/** `EPOCH "." FRACTION SP HOSTNAME SP MSG` */
function takeMeraki(p: usize, end: usize, header: usize): usize {
  const start = p;
  while (p < end && isDigit(load<u8>(p))) p++;
  if (p != start + 10 || p == end || load<u8>(p) != 0x2e) return 0;
  const stampEnd = indexOfByte(p, end, space);
  for (let at = p + 1; at < stampEnd; at++) if (!isDigit(load<u8>(at))) return 0;
  const hostEnd = indexOfByte(stampEnd + 1, end, space);
  if (stampEnd == p + 1 || hostEnd >= end || hostEnd == stampEnd + 1) return 0;
  storeField(header, timestampAt, start, stampEnd);
  storeField(header, hostnameAt, stampEnd + 1, hostEnd);
  return hostEnd + 1;
}

/** `date=2024-03-01 time=18:48:50 devname="FG100" …` */
function takeForti(p: usize, end: usize, header: usize): usize {
  // " time=" at 15, the punctuation of date and time around it.
  if (load<u8>(p, 15) != space || load<u32>(p, 16) != 0x656d6974 || load<u8>(p, 20) != 0x3d) return 0;
  if (!areTwoDigits(p + 5) || !areTwoDigits(p + 7) || load<u8>(p, 9) != 0x2d || load<u8>(p, 12) != 0x2d) return 0;
  if (!areTwoDigits(p + 10) || !areTwoDigits(p + 13) || !areTwoDigits(p + 21) || !areTwoDigits(p + 24)) return 0;
  if (load<u8>(p, 23) != colon || load<u8>(p, 26) != colon || !areTwoDigits(p + 27)) return 0;
  storeField(header, timestampAt, p, p + fortiStampBytes);
  let name = p + fortiStampBytes;
  // " devname="
  if (end - name > 10 && load<u64>(name) == 0x656d616e76656420 && load<u8>(name, 8) == 0x3d) {
    name += 9;
    const isQuoted = load<u8>(name) == quote;
    if (isQuoted) name++;
    const nameEnd = indexOfByte(name, end, isQuoted ? quote : space);
    if (nameEnd > name && nameEnd < end) storeField(header, hostnameAt, name, nameEnd);
  }
  return p;
}

/** Cisco's hostname or node in front of the timestamp. */
function takeOrigin(p: usize, end: usize, header: usize): usize {
  let host = p;
  let wordEnd = p;
  let hasSlash = false;
  while (wordEnd < end && load<u8>(wordEnd) != space && load<u8>(wordEnd) != colon) {
    hasSlash = hasSlash || load<u8>(wordEnd) == slash;
    wordEnd++;
  }
  if (wordEnd == p || end - wordEnd < 16) return 0;
  const hostEnd = wordEnd;
  let stamp: usize;
  if (load<u8>(wordEnd) == space) {
    // HOSTNAME SP NODE ":"
    const node = wordEnd + 1;
    wordEnd = node;
    while (wordEnd < end && load<u8>(wordEnd) != space && load<u8>(wordEnd) != colon) {
      hasSlash = hasSlash || load<u8>(wordEnd) == slash;
      wordEnd++;
    }
    if (wordEnd == end || load<u8>(wordEnd) != colon || !hasSlash) return 0;
    stamp = wordEnd + 1;
  } else if (load<u8>(wordEnd, 1) == space) {
    stamp = skipTask(skipSequence(skipSpaces(wordEnd + 1, end), end), end);
  } else {
    if (!hasSlash) return 0;
    host = hostEnd;
    stamp = wordEnd + 1;
  }
  const stampEnd = timestampEnd(stamp, end);
  if (stampEnd == 0) return 0;
  const message = afterTimestamp(stampEnd, end);
  // Only Cisco has a colon behind the timestamp.
  if (message == 0 || load<u8>(message - 1) != colon) return 0;
  storeField(header, timestampAt, stamp, stampNamed);
  if (hostEnd > host) storeField(header, hostnameAt, host, hostEnd);
  p = skipSpaces(message, end);
  return takeTag(p, end, header);
}

export function skipSequence(p: usize, end: usize): usize {
  const start = p;
  while (p < end && p - start < sequenceDigitsMax && isDigit(load<u8>(p))) p++;
  if (p == start || end - p < 2 || load<u8>(p) != colon || load<u8>(p, 1) != space) return start;
  return skipSpaces(p + 2, end);
}

/** Cisco marks a clock that is not set by "*", one that lost its source by ".". */
export function skipClockMark(p: usize, end: usize): usize {
  return p < end && (load<u8>(p) == 0x2a || load<u8>(p) == 0x2e) ? p + 1 : p;
}

/** The mark, or `*spamApTask4: `. */
function skipTask(p: usize, end: usize): usize {
  const stamp = skipClockMark(p, end);
  if (stamp == p || load<u8>(p) != 0x2a || stamp >= end || load<u8>(stamp) < 0x41) return stamp;
  const task = indexOfByte(stamp, min(end, stamp + taskBytesMax), space);
  return task < end && load<u8>(task) == space && load<u8>(task - 1) == colon ? task + 1 : stamp;
}

/** The end of the timestamp with the name of its zone, after `afterTimestamp`. */
export let stampNamed: usize = 0;

/** Skips Cisco's zone (` UTC: %…`, ` UTC : %…`) and colon; 0 where the timestamp is not followed by a space or the end. */
export function afterTimestamp(p: usize, end: usize): usize {
  p = stampNamed = zoneEnd(p, end);
  if (p < end && load<u8>(p) == colon) p++;
  else if (end - p > 2 && load<u16>(p) == 0x3a20 && load<u8>(p, 2) == space) p += 2;
  return p == end || load<u8>(p) == space ? p : 0;
}

/** A zone is believed only in front of `: %` or `: NAME[`, else it would be the name of a program. */
function zoneEnd(p: usize, end: usize): usize {
  if (p >= end || load<u8>(p) != space) return p;
  let at = p + 1;
  while (at < end && at - p <= zoneLettersMax && load<u8>(at) >= 0x41 && load<u8>(at) <= 0x5a) at++;
  if (at == p + 1 || end - at < 3) return p;
  if (load<u16>(at) == 0x3a20 && load<u8>(at, 2) == space) {
    // Cisco's communications managers have a space in front of the colon.
    const word = skipSpaces(at + 3, end);
    return word < end && load<u8>(word) == percent ? at : p;
  }
  if (load<u8>(at) != colon || load<u8>(at, 1) != space) return p;
  if (load<u8>(at, 2) == percent) return at;
  const word = indexOfByte(at + 2, end, space);
  const bracket = indexOfByte(at + 2, word, bracketOpen);
  return bracket > at + 2 && bracket < word && load<u8>(word - 1) == colon ? at : p;
}
