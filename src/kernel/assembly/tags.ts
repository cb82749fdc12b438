/**
 * The tag of BSD syslog, which names the program that sent the message:
 *
 *     TAG = NAME ["[" PID "]"] ":"    ; a space behind the colon, unless a PID is there
 *
 * A tag needs its colon, and none of `" { =`: so JSON and key=value text is never taken for one. One space behind the
 * tag belongs to it.
 */
import { appnameAt, procidAt, storeField } from "./fields";

const space: u8 = 0x20;
const tab: u8 = 0x09;
const colon: u8 = 0x3a;
const bracketOpen: u8 = 0x5b;
const bracketClose: u8 = 0x5d;

/**
 * Takes the tag at `p` and returns where the message behind it starts; `p` where there is no tag. Only the first
 * bracket may open a PID: a word of brackets alone would else cost its square.
 */
export function takeTag(p: usize, end: usize, header: usize): usize {
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
