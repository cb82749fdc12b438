/**
 * Decompresses LZ4's frame format (lz4_Frame_format.md), as Kafka's clients and brokers write it. Checksums are not
 * looked at: a record batch has its own.
 *
 *     frame    = magic u32 0x184d2204, flags u8, block size u8, [content size u64], [dictionary u32], checksum u8,
 *                *block, end mark u32 0, [checksum u32]                                       all little-endian
 *     block    = length u32 (top bit: not compressed), bytes, [checksum u32]
 *
 * @module
 */
import type { Decompressed } from "./snappy.ts";

const malformed: Decompressed = { ok: false, reason: "malformed" };
const tooLarge: Decompressed = { ok: false, reason: "too_large" };

const magic = 0x184d2204;
const flag = { dictionary: 1, contentSize: 8, blockChecksum: 16 } as const;
/** Four bytes of magic, two of descriptor, its checksum. */
const headBytesMin = 7;
/** The best sequence makes 255 bytes of one. */
const ratioMax = 256;

/** Decompresses a frame, to `bytesMax` at most. */
export function lz4Decompress(frame: Uint8Array, bytesMax: number): Decompressed {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
  if (frame.length < headBytesMin || view.getUint32(0, true) !== magic) return malformed;
  const flags = frame[4]!;
  let at = headBytesMin + ((flags & flag.contentSize) !== 0 ? 8 : 0) +
    ((flags & flag.dictionary) !== 0 ? 4 : 0);
  const out = new Output(frame.length, bytesMax);
  for (;;) {
    if (at + 4 > frame.length) return malformed;
    const word = view.getUint32(at, true);
    at += 4;
    if (word === 0) return { ok: true, bytes: out.taken() };
    const length = word & 0x7fff_ffff;
    if (length > frame.length - at) return malformed;
    const fault = word >>> 31 === 1
      ? out.literals(frame, at, at + length)
      : readBlock(frame, at, at + length, out);
    if (fault !== undefined) return fault;
    at += length + ((flags & flag.blockChecksum) !== 0 ? 4 : 0);
  }
}

/** Sequences in [at, end); undefined where all is well. */
function readBlock(bytes: Uint8Array, at: number, end: number, out: Output): Decompressed | undefined {
  const more = (length: number): number => {
    for (let byte = 255; byte === 255 && at < end;) length += byte = bytes[at++]!;
    return length;
  };
  while (at < end) {
    const token = bytes[at++]!;
    const literals = token >>> 4 === 15 ? more(15) : token >>> 4;
    if (literals > end - at) return malformed;
    const fault = out.literals(bytes, at, at + literals);
    if (fault !== undefined) return fault;
    at += literals;
    if (at === end) return undefined;
    if (at + 2 > end) return malformed;
    const distance = bytes[at]! | bytes[at + 1]! << 8;
    at += 2;
    const matched = ((token & 15) === 15 ? more(15) : token & 15) + 4;
    const wrong = out.copy(distance, matched);
    if (wrong !== undefined) return wrong;
  }
  return undefined;
}

/** What comes out; it grows to the bound. */
class Output {
  readonly #bytesMax: number;
  #bytes: Uint8Array;
  #length = 0;

  constructor(packedBytes: number, bytesMax: number) {
    this.#bytesMax = Math.min(bytesMax, packedBytes * ratioMax);
    this.#bytes = new Uint8Array(Math.min(this.#bytesMax, packedBytes * 4));
  }

  literals(from: Uint8Array, at: number, end: number): Decompressed | undefined {
    if (!this.#reserve(end - at)) return tooLarge;
    this.#bytes.set(from.subarray(at, end), this.#length);
    this.#length += end - at;
    return undefined;
  }

  /** Byte by byte: a copy may read what it writes. */
  copy(distance: number, length: number): Decompressed | undefined {
    if (distance === 0 || distance > this.#length) return malformed;
    if (!this.#reserve(length)) return tooLarge;
    const bytes = this.#bytes;
    let to = this.#length;
    for (const end = to + length; to < end; to++) bytes[to] = bytes[to - distance]!;
    this.#length = to;
    return undefined;
  }

  taken(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  #reserve(more: number): boolean {
    const wanted = this.#length + more;
    if (wanted > this.#bytesMax) return false;
    if (wanted > this.#bytes.length) {
      const larger = new Uint8Array(Math.min(this.#bytesMax, Math.max(wanted, this.#bytes.length * 2)));
      larger.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = larger;
    }
    return true;
  }
}
