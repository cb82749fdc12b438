/**
 * How much a row of the frame table takes as a record: asked where a batch has to be opened or grows, not per row.
 *
 * @module
 */
import { framePart, frameRowBytes, jsonFormResult, type Kernel, recordBytesMax } from "../kernel/kernel.ts";
import { markFlags, markHeaderBytesMax } from "../kernel/marks.ts";

/** Upper bound of a row's record (value = `part`). */
export function rowBytesMax({ words, rowsAt }: Kernel, row: number, part: number): number {
  const at = (rowsAt + row * frameRowBytes) >>> 2;
  const start = words[part === framePart.message ? at + 3 : at]!;
  return recordBytesMax(
    -1,
    words[at + 1]! - start,
    (words[at + 2]! & markFlags) === 0 ? 0 : markHeaderBytesMax,
  );
}

/**
 * The same with the JSON form as value, which is written into the scratch to know it; -1 where the kernel leaves the
 * row to the writer of text.
 */
export function jsonRowBytesMax(kernel: Kernel, row: number, tailLength: number): number {
  const { scratchAt, sizes, words, rowsAt } = kernel;
  const end = kernel.writeJsonForm(row, scratchAt, scratchAt + sizes.scratchBytes, 0, 0, tailLength);
  if (end === jsonFormResult.refused || end === jsonFormResult.needsTime) return -1;
  const flags = words[((rowsAt + row * frameRowBytes) >>> 2) + 2]!;
  const headersBytes = (flags & markFlags) === 0 ? 0 : markHeaderBytesMax;
  return recordBytesMax(-1, end - scratchAt, headersBytes);
}
