/**
 * The lines of a chunk, by where they lie and which transaction they answer.
 *
 * @module
 */

const lf = 0x0a;
const cr = 0x0d;
const nul = 0x00;

/** Ranges and transactions of a chunk, grown as needed. */
export class LineList {
  ranges: Uint32Array = new Uint32Array(128);
  txnrs: Uint32Array = new Uint32Array(64);
  count = 0;

  add(start: number, end: number, txnr: number): void {
    if (this.count === this.txnrs.length) {
      const [ranges, txnrs] = [this.ranges, this.txnrs];
      this.ranges = new Uint32Array(ranges.length * 2);
      this.ranges.set(ranges);
      this.txnrs = new Uint32Array(txnrs.length * 2);
      this.txnrs.set(txnrs);
    }
    this.ranges[2 * this.count] = start;
    this.ranges[2 * this.count + 1] = end;
    this.txnrs[this.count] = txnr;
    this.count++;
  }
}

/** CR and LF. */
export const trailerBytesMax = 2;

/** Where a line ends without what senders put behind it: one LF with or without CR, or one NUL. */
export function trimmed(bytes: Uint8Array, start: number, end: number): number {
  if (end === start) return end;
  const last = bytes[end - 1];
  if (last === nul) return end - 1;
  if (last !== lf) return end;
  return end - 1 > start && bytes[end - 2] === cr ? end - 2 : end - 1;
}
