/**
 * A plain Snappy compressor for tests: finds repeats of four bytes by a table, as the format's own does.
 *
 * @module
 */

/** Compresses to a block. */
export function snappyCompress(input: Uint8Array): Uint8Array {
  const out: number[] = [];
  for (let length = input.length;; length = Math.floor(length / 128)) {
    if (length < 128) {
      out.push(length);
      break;
    }
    out.push(length % 128 | 128);
  }
  const seen = new Map<number, number>();
  let literalFrom = 0;
  let at = 0;
  while (at + 4 <= input.length) {
    const word = (input[at]! | input[at + 1]! << 8 | input[at + 2]! << 16 | input[at + 3]! << 24) >>> 0;
    const before = seen.get(word);
    seen.set(word, at);
    if (before === undefined) {
      at++;
      continue;
    }
    literal(out, input.subarray(literalFrom, at));
    let length = 4;
    while (length < 64 && at + length < input.length && input[before + length] === input[at + length]) {
      length++;
    }
    copy(out, at - before, length);
    at += length;
    literalFrom = at;
  }
  literal(out, input.subarray(literalFrom));
  return Uint8Array.from(out);
}

function literal(out: number[], bytes: Uint8Array): void {
  if (bytes.length === 0) return;
  const size = bytes.length - 1;
  if (size < 60) out.push(size << 2);
  else if (size < 256) out.push(60 << 2, size);
  else if (size < 65_536) out.push(61 << 2, size & 255, size >> 8);
  else out.push(62 << 2, size & 255, size >> 8 & 255, size >> 16);
  for (const byte of bytes) out.push(byte);
}

function copy(out: number[], offset: number, length: number): void {
  if (length < 12 && offset < 2048) out.push(offset >> 8 << 5 | length - 4 << 2 | 1, offset & 255);
  else if (offset < 65_536) out.push(length - 1 << 2 | 2, offset & 255, offset >> 8);
  else out.push(length - 1 << 2 | 3, offset & 255, offset >> 8 & 255, offset >> 16 & 255, offset >>> 24);
}
