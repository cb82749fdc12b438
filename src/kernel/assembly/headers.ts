/**
 * Header rows: where the parts of a frame's header lie. Nothing is decoded or copied.
 *
 * Tried in this order: RFC 5424, then what RFC 3164 describes and the wild makes of it. A frame with a PRI and
 * neither header is all message behind the PRI (RFC 3164 4.3.3); a frame with nothing known is all message, and
 * `unparsed`. So is one that has the version of RFC 5424 behind its PRI and then no such header: it is damaged.
 */
import {
  flagAscii, flagContinued, flagParsed, flagPriority, flagRfc3164, flagRfc5424, flagSplit, flagTruncated, flagUnparsed,
  frameRowBytes, headerRowBytes, headersAt, rowsAt,
} from "./memory";
import { appnameAt, clearFields, hasField, timestampAt } from "./fields";
import { parseRfc5424, skipVersion } from "./rfc5424";
import { parseRfc3164 } from "./rfc3164";

/** Facility 23, severity 7: the largest PRI (RFC 5424 6.2.1). */
const priorityMax: u32 = 191;

/** What the priority word says without a PRI; `noPriority` of the front. */
const noPriority: u32 = 0xffffffff;

export function parseHeaders(from: u32, to: u32): void {
  let row = rowsAt + <usize>from * frameRowBytes;
  let header = headersAt + <usize>from * headerRowBytes;
  for (let i = from; i < to; i++) {
    parseHeader(row, header);
    row += frameRowBytes;
    header += headerRowBytes;
  }
}

function parseHeader(row: usize, header: usize): void {
  const start = <usize>load<u32>(row);
  const end = <usize>load<u32>(row, 4);
  let flags = (load<u32>(row, 8) & (flagAscii | flagTruncated | flagSplit | flagContinued)) | flagParsed;

  clearFields(header);
  if ((flags & flagContinued) != 0) {
    // The rest of a longer frame: what looks like a header here is none.
    store<u32>(header, noPriority);
    endHeader(row, flags, start);
    return;
  }
  const content = readPriority(start, end, header);
  const hasPriority = content > start;
  if (hasPriority) {
    flags |= flagPriority;
    const message = parseRfc5424(content, end, header);
    if (message) {
      endHeader(row, flags | flagRfc5424, message);
      return;
    }
    clearFields(header);
  }
  const message = parseRfc3164(content, end, hasPriority, header);
  if (hasField(header, timestampAt) || hasField(header, appnameAt)) {
    endHeader(row, flags | flagRfc3164, message);
  } else if (hasPriority && skipVersion(content, end) == 0) {
    endHeader(row, flags | flagRfc3164, message);
  } else {
    endHeader(row, flags | flagUnparsed, hasPriority ? message : start);
  }
}

// @ts-ignore: decorator
@inline
function endHeader(row: usize, flags: u32, message: usize): void {
  store<u32>(row, flags, 8);
  store<u32>(row, <u32>message, 12);
}

/**
 * Reads `"<" 1*3DIGIT ">"` with a value up to 191; returns what follows it, or `p` where there is none.
 *
 * The four bytes behind "<" are one word and the digits are counted without a branch: their number differs from
 * line to line, and a mispredicted branch costs more than all of this.
 */
// @ts-ignore: decorator
@inline
function readPriority(p: usize, end: usize, header: usize): usize {
  store<u32>(header, noPriority);
  if (end - p < 3 || load<u8>(p) != 0x3c) return p;
  const word = load<u32>(p, 1);
  const difference = word ^ 0x3e3e3e3e;
  const brackets = (difference - 0x01010101) & ~difference & 0x80808080;
  const digits = ctz(brackets) >>> 3;
  if (digits == 0 || digits > 3 || p + 1 + <usize>digits >= end) return p;
  // The digits at the top of the word, the last one highest, and "0" below them.
  const text = (word << (32 - 8 * digits)) | (<u32>0x30303030 >>> (8 * digits));
  if ((text & 0xf0f0f0f0) != 0x30303030 || ((text + 0x06060606) & 0xf0f0f0f0) != 0x30303030) return p;
  const priority = (text >>> 24 & 15) + 10 * (text >>> 16 & 15) + 100 * (text >>> 8 & 15);
  if (priority > priorityMax) return p;
  store<u32>(header, priority);
  return p + 2 + <usize>digits;
}
