/**
 * BSD syslog: what RFC 3164 observed, and what is sent under its name.
 *
 *     [PRI] [SEQ] [TIMESTAMP [":"] [HOSTNAME]] [TAG] MSG
 *     SEQ = 1*10DIGIT ": "            ; Cisco IOS "service sequence-numbers", only behind a PRI
 *     TAG = NAME ["[" PID "]"] ":"    ; a space behind the colon, unless a PID is there
 *
 * Without a timestamp no hostname is looked for. A tag needs its colon, and none of `" { =`: so JSON and key=value
 * text is never taken for one. One space behind the tag belongs to it.
 */
import { indexOfByte, isDigit, skipSpaces } from "./bytes";
import { appnameAt, hostnameAt, procidAt, storeField, timestampAt } from "./fields";
import { timestampEnd } from "./timestamp";

const space: u8 = 0x20;
const colon: u8 = 0x3a;
const bracketOpen: u8 = 0x5b;
const bracketClose: u8 = 0x5d;

const sequenceDigitsMax: usize = 10;
/** Letters of a time zone's name behind Cisco's timestamp. */
const zoneLettersMax: usize = 5;

/** Fills the fields that are there and returns where the message starts. */
export function parseRfc3164(p: usize, end: usize, hasPriority: bool, header: usize): usize {
  p = skipSpaces(p, end);
  if (hasPriority) p = skipSequence(p, end);

  const stamp = skipClockMark(p, end);
  const stampEnd = timestampEnd(stamp, end);
  const afterStamp: usize = stampEnd == 0 ? 0 : afterTimestamp(stampEnd, end);
  if (afterStamp == 0) return hasPriority ? takeTag(p, end, header) : p;
  storeField(header, timestampAt, stamp, stampEnd);

  p = skipSpaces(afterStamp, end);
  const message = takeTag(p, end, header);
  if (message != p || p == end) return message;
  const hostEnd = indexOfByte(p, end, space);
  storeField(header, hostnameAt, p, hostEnd);
  p = skipSpaces(hostEnd, end);
  if (isLoneColon(p, end)) p = skipSpaces(p + 1, end);
  return takeTag(p, end, header);
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

/** Skips Cisco's zone (` UTC: %…`) and colon; 0 where the timestamp is not followed by a space or the end. */
function afterTimestamp(p: usize, end: usize): usize {
  p = zoneEnd(p, end);
  if (p < end && load<u8>(p) == colon) p++;
  return p == end || load<u8>(p) == space ? p : 0;
}

/** A zone is believed only in front of `: %`, else it would be the name of a program. */
function zoneEnd(p: usize, end: usize): usize {
  if (p >= end || load<u8>(p) != space) return p;
  let at = p + 1;
  while (at < end && at - p <= zoneLettersMax && load<u8>(at) >= 0x41 && load<u8>(at) <= 0x5a) at++;
  if (at == p + 1 || end - at < 3) return p;
  return load<u8>(at) == colon && load<u8>(at, 1) == space && load<u8>(at, 2) == 0x25 ? at : p;
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
    } else if (byte == space) {
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
