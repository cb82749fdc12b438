/**
 * Kafka records of batch format 2 (KIP-98; org.apache.kafka.common.record.DefaultRecord):
 *
 *     length varint
 *     attributes i8          ; 0
 *     timestampDelta varlong
 *     offsetDelta varint
 *     keyLength varint       ; -1 is null
 *     key
 *     valueLength varint
 *     value
 *     headersCount varint    ; then the headers, encoded by the caller
 *
 * All varints are zigzag.
 */
import {
  flagContinued, flagSplit, flagTruncated, flagUnparsed, frameRowBytes, markHeadersAt, rowsAt, setEncodedEnd,
} from "./memory";
import { copyBytes } from "./bytes";

/** What a record needs besides key, value and headers; `recordBytesMax` of the front. */
const overheadBytesMax: usize = 32;

/** Varint of the key length -1. */
const nullKey: u8 = 1;

/** Flags that consumers are told of, in a header of the record. */
const marks: u32 = flagTruncated | flagSplit | flagContinued | flagUnparsed;
/** The longest of those headers; `recordBytesMax` of the front has the same room for it. */
const markHeaderBytesMax: usize = 64;

/** The place of a row's flags in the table of headers: 0 to 15. */
export function markOf(flags: u32): u32 {
  // Bits 1, 6, 7 and 8.
  return ((flags >>> 1) & 1) | ((flags >>> 5) & 14);
}

/** @see Kernel.encodeRows; `part` 0 takes the frame, 1 its message. */
export function encodeRows(
  from: u32, to: u32, part: u32, at: usize, limit: usize, offsetDelta: i32, timestampDelta: f64,
): u32 {
  const timestamp = zigzag64(<i64>timestampDelta);
  const timestampBytes = varlongBytes(timestamp);
  const startAt: usize = part == 0 ? 0 : 12;
  let row = rowsAt + <usize>from * frameRowBytes;
  for (; from < to; from++) {
    const start = <usize>load<u32>(row + startAt);
    const length = load<u32>(row, 4) - <u32>start;
    const flags = load<u32>(row, 8) & marks;
    if (flags) {
      if (at + overheadBytesMax + markHeaderBytesMax + <usize>length > limit) break;
      const mark = markHeadersAt + <usize>markOf(flags) * 8;
      const headers = <usize>load<u32>(mark);
      at = encodeRecord(at, offsetDelta, timestampDelta, 0, -1, start, length, headers, load<u32>(mark, 4));
      offsetDelta++;
      row += frameRowBytes;
      continue;
    }
    if (at + overheadBytesMax + <usize>length > limit) break;

    const offset = zigzag(offsetDelta);
    const lengthWord = zigzag(<i32>length);
    const body = 3 + timestampBytes + varintBytes(offset) + varintBytes(lengthWord) + length;
    at = storeVarint(at, zigzag(<i32>body));
    store<u8>(at, 0);
    at = storeVarlong(at + 1, timestamp);
    at = storeVarint(at, offset);
    store<u8>(at, nullKey);
    at = storeVarint(at + 1, lengthWord);
    copyBytes(at, start, length);
    at += length;
    store<u8>(at, 0);
    at++;
    offsetDelta++;
    row += frameRowBytes;
  }
  setEncodedEnd(at);
  return from;
}

/** @see Kernel.encodeRecord */
export function encodeRecord(
  at: usize, offsetDelta: i32, timestampDelta: f64, keyAt: usize, keyLength: i32, valueAt: usize, valueLength: i32,
  headersAt: usize, headersLength: u32,
): usize {
  const timestamp = zigzag64(<i64>timestampDelta);
  const offset = zigzag(offsetDelta);
  const keyWord = zigzag(keyLength);
  const keyBytes: u32 = keyLength > 0 ? keyLength : 0;
  const valueWord = zigzag(valueLength);
  const body = 1 + varlongBytes(timestamp) + varintBytes(offset) + varintBytes(keyWord) + keyBytes +
    varintBytes(valueWord) + <u32>valueLength + (headersLength == 0 ? 1 : headersLength);

  at = storeVarint(at, zigzag(<i32>body));
  store<u8>(at, 0);
  at = storeVarlong(at + 1, timestamp);
  at = storeVarint(at, offset);
  at = storeVarint(at, keyWord);
  copyBytes(at, keyAt, keyBytes);
  at = storeVarint(at + keyBytes, valueWord);
  copyBytes(at, valueAt, valueLength);
  at += valueLength;
  if (headersLength == 0) {
    store<u8>(at, 0);
    return at + 1;
  }
  copyBytes(at, headersAt, headersLength);
  return at + headersLength;
}

// @ts-ignore: decorator
@inline
function zigzag(value: i32): u32 {
  return (value << 1) ^ (value >> 31);
}

// @ts-ignore: decorator
@inline
function zigzag64(value: i64): u64 {
  return (value << 1) ^ (value >> 63);
}

// @ts-ignore: decorator
@inline
function varintBytes(value: u32): u32 {
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x200000 ? 3 : value < 0x10000000 ? 4 : 5;
}

function varlongBytes(value: u64): u32 {
  let bytes: u32 = 1;
  while (value > 0x7f) {
    value >>= 7;
    bytes++;
  }
  return bytes;
}

// @ts-ignore: decorator
@inline
function storeVarint(at: usize, value: u32): usize {
  while (value > 0x7f) {
    store<u8>(at++, (value & 0x7f) | 0x80);
    value >>= 7;
  }
  store<u8>(at, value);
  return at + 1;
}

// @ts-ignore: decorator
@inline
function storeVarlong(at: usize, value: u64): usize {
  while (value > 0x7f) {
    store<u8>(at++, <u8>(value & 0x7f) | 0x80);
    value >>= 7;
  }
  store<u8>(at, <u8>value);
  return at + 1;
}
