/**
 * Decompresses the block format of Snappy (its format_description.txt), which Loki's protocol is wrapped in, and the
 * stream of blocks that Kafka's clients write.
 *
 *     block   = varint length, *element
 *     element = tag, literal or copy:  00 literal   01 copy, 11 bits offset   10 copy, 16 bits   11 copy, 32 bits
 *
 * @module
 */

/** The bytes, or why there are none. */
export type Decompressed =
  | { readonly ok: true; readonly bytes: Uint8Array }
  | { readonly ok: false; readonly reason: "malformed" | "too_large" };

const malformed: Decompressed = { ok: false, reason: "malformed" };

/** Decompresses a block. What says to be larger than `bytesMax` is not begun. */
export function snappyDecompress(block: Uint8Array, bytesMax: number): Decompressed {
  let at = 0;
  let length = 0;
  for (let shift = 0;; shift += 7) {
    if (at >= block.length || shift > 28) return malformed;
    const byte = block[at++]!;
    length += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) break;
  }
  if (length > bytesMax) return { ok: false, reason: "too_large" };
  // The best element makes 64 bytes of three: what announces more is not worth its memory.
  if (length > (block.length - at) * 22) return malformed;
  const out = new Uint8Array(length);
  let to = 0;
  while (at < block.length) {
    const tag = block[at++]!;
    if ((tag & 3) === 0) {
      let size = (tag >>> 2) + 1;
      if (size > 60) {
        const extra = size - 60;
        if (at + extra > block.length) return malformed;
        size = littleEndian(block, at, extra) + 1;
        at += extra;
      }
      if (size > block.length - at || size > length - to) return malformed;
      out.set(block.subarray(at, at + size), to);
      at += size;
      to += size;
      continue;
    }
    const offsetBytes = (tag & 3) === 1 ? 1 : (tag & 3) === 2 ? 2 : 4;
    if (at + offsetBytes > block.length) return malformed;
    const low = littleEndian(block, at, offsetBytes);
    at += offsetBytes;
    const isShort = (tag & 3) === 1;
    const offset = isShort ? (tag >>> 5) * 256 + low : low;
    const size = isShort ? ((tag >>> 2) & 7) + 4 : (tag >>> 2) + 1;
    if (offset === 0 || offset > to || size > length - to) return malformed;
    // Byte by byte: a copy may read what it writes.
    const end = to + size;
    for (; to < end; to++) out[to] = out[to - offset]!;
  }
  return to === length ? { ok: true, bytes: out } : malformed;
}

/** What a stream begins with: 0x82 "SNAPPY" 0x00; two versions follow. */
const streamMagic = [0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0];
const streamHeadBytes = 16;

/**
 * Decompresses blocks, each behind its length (four bytes, big-endian), in the framing of the Java library; bytes
 * without its magic are one block, as other clients of Kafka send it.
 */
export function snappyStreamDecompress(stream: Uint8Array, bytesMax: number): Decompressed {
  if (streamMagic.some((byte, at) => stream[at] !== byte)) return snappyDecompress(stream, bytesMax);
  const view = new DataView(stream.buffer, stream.byteOffset, stream.length);
  const blocks: Uint8Array[] = [];
  let total = 0;
  for (let at = streamHeadBytes; at < stream.length;) {
    if (at + 4 > stream.length) return malformed;
    const length = view.getInt32(at);
    at += 4;
    if (length < 0 || length > stream.length - at) return malformed;
    const block = snappyDecompress(stream.subarray(at, at + length), bytesMax - total);
    if (!block.ok) return block;
    blocks.push(block.bytes);
    total += block.bytes.length;
    at += length;
  }
  const bytes = new Uint8Array(total);
  let at = 0;
  for (const block of blocks) {
    bytes.set(block, at);
    at += block.length;
  }
  return { ok: true, bytes };
}

function littleEndian(bytes: Uint8Array, at: number, length: number): number {
  let value = 0;
  for (let i = length - 1; i >= 0; i--) value = value * 256 + bytes[at + i]!;
  return value;
}
