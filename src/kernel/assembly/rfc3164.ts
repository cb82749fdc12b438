/**
 * BSD syslog: what RFC 3164 observed, and what is sent under its name.
 *
 *     [PRI] [":"] [SEQ] [TIMESTAMP [":"] [HOSTNAME]] [TAG] MSG
 *     SEQ = 1*10DIGIT ": "            ; Cisco IOS "service sequence-numbers", only behind a PRI
 *     TAG = NAME ["[" PID "]"] ":"    ; a space behind the colon, unless a PID is there
 *
 * Without a timestamp no hostname is looked for. A tag needs its colon, and none of `" { =`: so JSON and key=value
 * text is never taken for one. One space behind the tag belongs to it. Behind a PRI, or a timestamp where it says so:
 *
 *     HOSTNAME ": " ["*"] TIMESTAMP ":"          Cisco IOS "logging origin-id"
 *     HOSTNAME ": %" LETTER                      the same without a timestamp, and behind one (Cisco ASA); an uptime
 *                                                in its place (`00:00:46`, `1w2d`) is no hostname
 *     [HOSTNAME " "] NODE ":" TIMESTAMP ":"      Cisco IOS XR; a NODE has a "/"
 *     "1 " EPOCH "." FRACTION " " HOSTNAME       Cisco Meraki
 *     "date=" DATE " time=" TIME                 FortiOS; the fields stay in the message, HOSTNAME is devname
 *     TIMESTAMP ["Message f" / "F"] "orwarded from " HOSTNAME ": "     relays of AIX and of the BSDs
 *     TIMESTAMP ["last "] "message repeated "    a syslogd's own note, which has no host
 */
import { areTwoDigits, indexOfByte, isDigit, skipSpaces } from "./bytes";
import { appnameAt, hostnameAt, procidAt, storeField, timestampAt } from "./fields";
import { timestampEnd } from "./timestamp";

const space: u8 = 0x20;
const tab: u8 = 0x09;
const colon: u8 = 0x3a;
const percent: u8 = 0x25;
const slash: u8 = 0x2f;
const quote: u8 = 0x22;
const bracketOpen: u8 = 0x5b;
const bracketClose: u8 = 0x5d;

const sequenceDigitsMax: usize = 10;
/** Letters of a time zone's name behind Cisco's timestamp. */
const zoneLettersMax: usize = 5;
/** `date=2024-03-01 time=18:48:50` */
const fortiStampBytes: usize = 29;

/** Fills the fields that are there and returns where the message starts. */
export function parseRfc3164(p: usize, end: usize, hasPriority: bool, header: usize): usize {
  p = skipSpaces(p, end);
  if (hasPriority) {
    if (p < end && load<u8>(p) == colon) p = skipSpaces(p + 1, end);
    p = skipSequence(p, end);
  }

  const stamp = skipClockMark(p, end);
  const stampEnd = timestampEnd(stamp, end);
  let afterStamp: usize = stampEnd == 0 ? 0 : afterTimestamp(stampEnd, end);
  if (afterStamp == 0) {
    if (!hasPriority) return p;
    const message = takeVendor(p, end, header);
    return message ? message : takeHostTag(p, end, header);
  }
  storeField(header, timestampAt, stamp, stampNamed);

  p = skipSpaces(afterStamp, end);
  if (p < end) {
    const first = load<u8>(p);
    // Notes of a syslogd begin with these letters; all else has one comparison for it.
    if (first == 0x6c || first == 0x6d || first == 0x4d || first == 0x46) {
      if (isRepeatNote(p, end)) return p;
      const host = forwardedFrom(p, end);
      if (host) {
        const hostEnd = indexOfByte(host, end, space) - 1;
        storeField(header, hostnameAt, host, hostEnd);
        return takeTag(skipSpaces(hostEnd + 1, end), end, header);
      }
    }
  }
  const message = takeHostTag(p, end, header);
  if (message != p || p == end) return message;
  const hostEnd = indexOfByte(p, end, space);
  storeField(header, hostnameAt, p, hostEnd);
  p = skipSpaces(hostEnd, end);
  if (isLoneColon(p, end)) p = skipSpaces(p + 1, end);
  return takeTag(p, end, header);
}

/** A tag, or a hostname and its colon in front of Cisco's `%FACILITY`. */
// @ts-ignore: decorator
@inline
function takeHostTag(p: usize, end: usize, header: usize): usize {
  const message = takeTag(p, end, header);
  if (message < p + 3 || !isMnemonic(message, end) || load<u8>(p) == percent) return message;
  if (load<u8>(message - 2) != colon || load<u8>(message - 3) == bracketClose) return message;
  // What was taken for the tag is the host.
  const behind = takeTag(message, end, header);
  if (behind != message && !isUptime(p, message - 2)) storeField(header, hostnameAt, p, message - 2);
  return behind;
}

/** `00:00:46`, `1w2d`: what Cisco IOS writes where it has no clock. */
function isUptime(p: usize, end: usize): bool {
  for (; p < end; p++) {
    const byte = load<u8>(p);
    if (!isDigit(byte) && byte != colon && byte != 0x77 && byte != 0x64 && byte != 0x68 && byte != 0x79) return false;
  }
  return true;
}

function isMnemonic(p: usize, end: usize): bool {
  return end - p > 2 && load<u8>(p) == percent && load<u8>(p, 1) >= 0x41 && load<u8>(p, 1) <= 0x5a;
}

/** Headers that do not begin with a timestamp. Fills the fields and returns where the message starts, or 0. */
function takeVendor(p: usize, end: usize, header: usize): usize {
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
    stamp = skipClockMark(skipSpaces(wordEnd + 1, end), end);
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

/** `last message repeated 3 times`, `message repeated 3 times: [ … ]` */
function isRepeatNote(p: usize, end: usize): bool {
  // "last "
  if (end - p > 22 && load<u32>(p) == 0x7473616c && load<u8>(p, 4) == space) p += 5;
  // "message repeated "
  return end - p > 17 && load<u64>(p) == 0x206567617373656d && load<u64>(p, 8) == 0x6465746165706572 &&
    load<u8>(p, 16) == space;
}

/** Where the name begins behind `Message forwarded from ` or `Forwarded from `, if a colon and a space end it; or 0. */
function forwardedFrom(p: usize, end: usize): usize {
  // "Message " and "forwarded from ", whose first letter may be large without the former.
  if (end - p > 24 && load<u64>(p) == 0x206567617373654d) p += 8;
  if (end - p < 18 || (load<u8>(p) | 0x20) != 0x66) return 0;
  // "orwarded" and " from "
  if (load<u64>(p, 1) != 0x646564726177726f || load<u32>(p, 9) != 0x6f726620 || load<u16>(p, 13) != 0x206d) return 0;
  const host = p + 15;
  const hostEnd = indexOfByte(host, end, space);
  return hostEnd < end && hostEnd > host + 1 && load<u8>(hostEnd - 1) == colon ? host : 0;
}

function skipSequence(p: usize, end: usize): usize {
  const start = p;
  while (p < end && p - start < sequenceDigitsMax && isDigit(load<u8>(p))) p++;
  if (p == start || end - p < 2 || load<u8>(p) != colon || load<u8>(p, 1) != space) return start;
  return skipSpaces(p + 2, end);
}

/** Cisco marks a clock that is not set by "*", one that lost its source by ".". */
function skipClockMark(p: usize, end: usize): usize {
  return p < end && (load<u8>(p) == 0x2a || load<u8>(p) == 0x2e) ? p + 1 : p;
}

/** The end of the timestamp with the name of its zone, after `afterTimestamp`. */
let stampNamed: usize = 0;

/** Skips Cisco's zone (` UTC: %…`) and colon; 0 where the timestamp is not followed by a space or the end. */
function afterTimestamp(p: usize, end: usize): usize {
  p = stampNamed = zoneEnd(p, end);
  if (p < end && load<u8>(p) == colon) p++;
  return p == end || load<u8>(p) == space ? p : 0;
}

/** A zone is believed only in front of `: %` or `: NAME[`, else it would be the name of a program. */
function zoneEnd(p: usize, end: usize): usize {
  if (p >= end || load<u8>(p) != space) return p;
  let at = p + 1;
  while (at < end && at - p <= zoneLettersMax && load<u8>(at) >= 0x41 && load<u8>(at) <= 0x5a) at++;
  if (at == p + 1 || end - at < 3) return p;
  if (load<u8>(at) != colon || load<u8>(at, 1) != space) return p;
  if (load<u8>(at, 2) == percent) return at;
  const word = indexOfByte(at + 2, end, space);
  const bracket = indexOfByte(at + 2, word, bracketOpen);
  return bracket > at + 2 && bracket < word && load<u8>(word - 1) == colon ? at : p;
}

function isLoneColon(p: usize, end: usize): bool {
  return p < end && load<u8>(p) == colon && (end - p == 1 || load<u8>(p, 1) == space);
}

/**
 * Takes the tag at `p` and returns where the message behind it starts; `p` where there is no tag. Only the first
 * bracket may open a PID: a word of brackets alone would else cost its square.
 */
function takeTag(p: usize, end: usize, header: usize): usize {
  let at = p;
  let bracketSeen = false;
  while (at < end) {
    const byte = load<u8>(at);
    if (byte == bracketOpen && !bracketSeen) {
      bracketSeen = true;
      const message = takePid(p, at, end, header);
      if (message) return message;
    } else if (byte == space || byte == tab) {
      break;
    } else if (byte == 0x22 || byte == 0x7b || byte == 0x3d) {
      return p;
    }
    at++;
  }
  if (at < p + 2 || load<u8>(at - 1) != colon) return p;
  storeField(header, appnameAt, p, at - 1);
  return at < end ? at + 1 : end;
}

/** `NAME "[" PID "]:"` with the bracket at `open`; returns where the message starts, or 0. */
function takePid(p: usize, open: usize, end: usize, header: usize): usize {
  if (open == p) return 0;
  let close = open + 1;
  while (close < end && load<u8>(close) != bracketClose && load<u8>(close) != space) close++;
  if (end - close < 2 || load<u8>(close) != bracketClose || load<u8>(close, 1) != colon) return 0;
  storeField(header, appnameAt, p, open);
  if (close > open + 1) storeField(header, procidAt, open + 1, close);
  const message = close + 2;
  return message < end && load<u8>(message) == space ? message + 1 : message;
}
