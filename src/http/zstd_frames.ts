/**
 * Whether bytes are whole zstd frames (RFC 8878, section 3.1). The runtimes' decompressors give what they have where
 * a frame is cut off, and read over what is behind it: half of a body would pass for all of it.
 *
 *     frame     = magic, descriptor, window?, dictionary id?, content size?, 1*block, checksum?
 *     block     = 3 bytes: last (1 bit), type (2 bits), size (21 bits), then its content
 *     skippable = magic, 4 bytes size, content
 *
 * @module
 */

const frameMagic = 0xfd2fb528;
const skippableMagic = 0x184d2a50;
const dictionaryIdBytes = [0, 1, 2, 4] as const;
const contentSizeBytes = [0, 2, 4, 8] as const;

/** Type of a block that holds one byte, whatever its size says. */
const runLengthBlock = 1;
const reservedBlock = 3;

/** True if `bytes` are one or more whole frames and nothing else. */
export function isWholeZstd(bytes: Uint8Array): boolean {
  let at = 0;
  while (at < bytes.length) {
    at = endOfFrame(bytes, at);
    if (at < 0) return false;
  }
  return bytes.length > 0;
}

/** End of the frame at `at`, -1 where it is none. */
function endOfFrame(bytes: Uint8Array, at: number): number {
  if (at + 5 > bytes.length) return -1;
  const magic = word(bytes, at);
  if ((magic & 0xfffffff0) >>> 0 === skippableMagic) {
    if (at + 8 > bytes.length) return -1;
    const end = at + 8 + word(bytes, at + 4);
    return end <= bytes.length ? end : -1;
  }
  if (magic !== frameMagic) return -1;
  const descriptor = bytes[at + 4]!;
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const sizeFlag = descriptor >>> 6;
  const sizeBytes = sizeFlag === 0 && isSingleSegment ? 1 : contentSizeBytes[sizeFlag]!;
  at += 5 + (isSingleSegment ? 0 : 1) + dictionaryIdBytes[descriptor & 3]! + sizeBytes;
  for (;;) {
    if (at + 3 > bytes.length) return -1;
    const header = bytes[at]! | bytes[at + 1]! << 8 | bytes[at + 2]! << 16;
    const type = header >>> 1 & 3;
    if (type === reservedBlock) return -1;
    at += 3 + (type === runLengthBlock ? 1 : header >>> 3);
    if (at > bytes.length) return -1;
    if ((header & 1) !== 0) break;
  }
  if ((descriptor & 4) !== 0) at += 4;
  return at <= bytes.length ? at : -1;
}

function word(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | bytes[at + 1]! << 8 | bytes[at + 2]! << 16 | bytes[at + 3]! << 24) >>> 0;
}
