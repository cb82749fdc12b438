/**
 * What consumers are told of a line that is not as it was sent, or that could not be read: one header of its record.
 *
 *     corndog.flags = "truncated"            longer than the listener's `frame_max`; its end is missing
 *                     "split"                the first part of a longer line
 *                     "split continued"      a further part of it
 *                     "unparsed"             no syslog header was found
 *
 * The kernel takes ready headers from a table when it encodes rows by itself; `markHeader` gives the same bytes to
 * whoever encodes a record with parts of its own.
 *
 * @module
 */
import { frameFlag } from "./kernel.ts";

/** Name of the header. */
export const markHeaderName = "corndog.flags";

/** Flags of a row that make a mark. */
export const markFlags: number = frameFlag.truncated | frameFlag.split | frameFlag.continued |
  frameFlag.unparsed;

/** The longest header block; `record.ts` of the assembly has the same. */
export const markHeaderBytesMax = 64;

/** `markHeadersAt` of src/kernel/assembly/memory.ts. */
const tableAt = 62 * 1024;
const combinations = 16;
const entryBytes = 8;

/** Words of the mark, by the bit of the place in the table. */
const words = ["truncated", "split", "continued", "unparsed"];

/** The place in the table: bits 1, 6, 7 and 8 of the flags; the same as in the assembly. */
function markOf(flags: number): number {
  return ((flags >>> 1) & 1) | ((flags >>> 5) & 14);
}

/** The mark in words: "truncated unparsed"; empty without one. */
export function markText(flags: number): string {
  const mark = markOf(flags);
  return words.filter((_, bit) => (mark & (1 << bit)) !== 0).join(" ");
}

/** Writes the table and the headers into the kernel's own memory. */
export function writeMarks(memory: Uint8Array): void {
  const view = new DataView(memory.buffer, memory.byteOffset);
  let at = tableAt + combinations * entryBytes;
  const name = new TextEncoder().encode(markHeaderName);
  for (let mark = 1; mark < combinations; mark++) {
    const flags = ((mark & 1) << 1) | ((mark & 14) << 5);
    const text = new TextEncoder().encode(markText(flags));
    // One header; lengths below 64 are one byte, zigzag.
    const header = [2, 2 * name.length, ...name, 2 * text.length, ...text];
    memory.set(header, at);
    view.setUint32(tableAt + mark * entryBytes, at, true);
    view.setUint32(tableAt + mark * entryBytes + 4, header.length, true);
    at += header.length;
  }
}

/** Where the header block of these flags lies in the kernel's memory. */
export function markHeader(
  words: Uint32Array,
  flags: number,
): { readonly at: number; readonly length: number } {
  const entry = (tableAt + markOf(flags) * entryBytes) / 4;
  return { at: words[entry]!, length: words[entry + 1]! };
}
