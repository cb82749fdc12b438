/**
 * What a connection speaks whose listener says `framing: auto`, by its first bytes:
 *
 *     a believable count (`readOctetCount`) and "<" DIGIT          octet counting
 *     NUL "<" DIGIT before the first LF, in the first frame_max    frames end with NUL
 *     anything else                                                lines
 *
 * A NUL alone says nothing, it may stand in a line; one with a PRI behind it ends a frame. Nobody waits longer for
 * the decision than for the end of the first line, which takes it at the latest.
 *
 * @module
 */
import { countUndecided, frameStart, notACount, readOctetCount } from "./octet_count.ts";

/** "lines": newline or nul, the first LF or NUL will tell. */
export type Decision = "undecided" | "lines" | "newline" | "octet" | "nul";

const lf = 0x0a;
const nul = 0x00;
const opening = 0x3c;
const zero = 0x30;

/** Decides by [start, end), the first bytes of a connection. */
export function decideScanner(
  bytes: Uint8Array,
  start: number,
  end: number,
  frameBytesMax: number,
): Decision {
  const count = readOctetCount(bytes, start, end);
  if (count === countUndecided) return "undecided";
  if (count !== notACount) {
    const digit = frameStart(bytes, start) + 1;
    if (digit >= end) return "undecided";
    if (isDigit(bytes[digit])) return "octet";
  }
  const window = bytes.subarray(start, Math.min(end, start + frameBytesMax));
  const newline = window.indexOf(lf);
  const line = newline < 0 ? window : window.subarray(0, newline);
  for (let at = line.indexOf(nul); at >= 0; at = line.indexOf(nul, at + 1)) {
    if (line[at + 1] === opening && isDigit(line[at + 2])) return "nul";
  }
  return newline >= 0 || end - start >= frameBytesMax ? "newline" : "lines";
}

/** Whether the chunk behind what is held can change what `decideScanner` says. */
export function mayDecide(half: Uint8Array, chunk: Uint8Array): boolean {
  if (half.includes(nul, Math.max(0, half.length - 2))) return true;
  return chunk.includes(lf) || chunk.includes(nul);
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte - zero >= 0 && byte - zero <= 9;
}
