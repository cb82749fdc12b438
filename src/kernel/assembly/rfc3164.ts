/**
 * BSD syslog: what RFC 3164 observed, and what is sent under its name.
 *
 *     [PRI] [":"] [SEQ [SEQ]] [TIMESTAMP [":"] [HOSTNAME]] [TAG] MSG
 *     SEQ = 1*10DIGIT ": "            ; Cisco IOS "service sequence-numbers", only behind a PRI
 *
 * Without a timestamp no hostname is looked for. Headers that begin with something else are in vendors.ts. Behind a PRI,
 * or a timestamp where it says so:
 *
 *     HOSTNAME ": %" LETTER                      Cisco without a timestamp, and behind one (ASA); an uptime in its place
 *                                                (`00:00:46`, `1w2d`) is no hostname
 *     MODEL "," MAC "," VERSION ": " TAG         UniFi: the device is the hostname, where no other is
 *     TIMESTAMP HOSTNAME LEVEL " " TAG           F5 BIG-IP; a tag with its PID
 *     TIMESTAMP ["Message f" / "F"] "orwarded from " HOSTNAME ": "     relays of AIX and of the BSDs
 *     TIMESTAMP ["last "] "message repeated "    a syslogd's own note, which has no host
 */
import { indexOfByte, isDigit, skipSpaces } from "./bytes";
import { appnameAt, hasField, hostnameAt, procidAt, storeField, timestampAt } from "./fields";
import { takeTag } from "./tags";
import { timestampEnd } from "./timestamp";
import { afterTimestamp, skipClockMark, skipSequence, stampNamed, takeVendor } from "./vendors";

const space: u8 = 0x20;
const comma: u8 = 0x2c;
const colon: u8 = 0x3a;
const percent: u8 = 0x25;
const bracketClose: u8 = 0x5d;

/** Fills the fields that are there and returns where the message starts. */
export function parseRfc3164(p: usize, end: usize, hasPriority: bool, header: usize): usize {
  p = skipSpaces(p, end);
  if (hasPriority) {
    if (p < end && load<u8>(p) == colon) p = skipSpaces(p + 1, end);
    p = skipSequence(skipSequence(p, end), end);
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

  p = skipLoneColon(skipSpaces(afterStamp, end), end);
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
  return takeProgram(skipLoneColon(skipSpaces(hostEnd, end), end), end, header);
}

/** The tag behind a hostname, and behind what some devices write in front of it. */
// @ts-ignore: decorator
@inline
function takeProgram(p: usize, end: usize, header: usize): usize {
  const message = takeTag(p, end, header);
  if (message != p) return isDeviceTag(p, message) ? takeInner(p, message, end, header) : message;
  const behind = levelEnd(p, end);
  if (behind == 0) return p;
  const inner = takeTag(behind, end, header);
  if (hasField(header, procidAt)) return inner;
  storeField(header, appnameAt, 0, 0);
  return p;
}

/** A tag, or a hostname and its colon in front of Cisco's `%FACILITY`. */
// @ts-ignore: decorator
@inline
function takeHostTag(p: usize, end: usize, header: usize): usize {
  const message = takeTag(p, end, header);
  if (message < p + 3) return message;
  if (load<u8>(p) == percent || !isMnemonic(message, end) && !isDeviceTag(p, message)) return message;
  if (load<u8>(message - 2) != colon || load<u8>(message - 3) == bracketClose) return message;
  // What was taken for the tag is the host.
  const behind = takeInner(p, message, end, header);
  if (behind != message && !isUptime(p, message - 2)) storeField(header, hostnameAt, p, message - 2);
  return behind;
}

/** `U7PG2,f09fc2aabbcc,v4.3.28.11361: ` in front of `message`. */
// @ts-ignore: decorator
@inline
function isDeviceTag(p: usize, message: usize): bool {
  return message > p + 16 && isDigit(load<u8>(message - 3)) && load<u8>(message - 2) == colon &&
    load<u8>(message - 1) != colon && isDevice(p, message - 2);
}

/** A model, twelve digits of an address and a version, with commas between. */
function isDevice(p: usize, end: usize): bool {
  const address = indexOfByte(p, end, comma) + 1;
  return address + 12 < end && load<u8>(address, 12) == comma && indexOfByte(address, end, comma) == address + 12;
}

/** Behind `notice `, or another level, or 0. */
function levelEnd(p: usize, end: usize): usize {
  if (end - p < 8) return 0;
  let length: usize = 0;
  switch (load<u32>(p)) {
    case 0x20727265: // "err "
      return p + 4;
    case 0x74697263: // crit
    case 0x6f666e69: // info
      length = 4;
      break;
    case 0x72656d65: // emer g
    case 0x75626564: // debu g
      length = load<u8>(p, 4) == 0x67 ? 5 : 0;
      break;
    case 0x72656c61: // aler t
      length = load<u8>(p, 4) == 0x74 ? 5 : 0;
      break;
    case 0x69746f6e: // noti ce
      length = load<u16>(p, 4) == 0x6563 ? 6 : 0;
      break;
    case 0x6e726177: // warn ing
      length = load<u16>(p, 4) == 0x6e69 && load<u8>(p, 6) == 0x67 ? 7 : 0;
      break;
  }
  return length > 0 && load<u8>(p + length) == space ? p + length + 1 : 0;
}

/** The tag at `message`, in place of the one at `p` that ends there; that one stays where there is no other. */
function takeInner(p: usize, message: usize, end: usize, header: usize): usize {
  storeField(header, appnameAt, 0, 0);
  const behind = takeTag(message, end, header);
  if (behind == message) storeField(header, appnameAt, p, message - 2);
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

function skipLoneColon(p: usize, end: usize): usize {
  if (p == end || load<u8>(p) != colon || end - p > 1 && load<u8>(p, 1) != space) return p;
  return skipSpaces(p + 1, end);
}
