/**
 * The map of the linear memory, as the kernel's own code sees it. The typed front (`src/kernel/instance.ts`) lays
 * out the regions and passes them in through `configure`; everything below `ownBytes` belongs to the kernel.
 *
 *     0      control words: results of the last call
 *     1024   CRC tables, then the folding window
 *     36864  open containers of a JSON scan, then its nodes
 *     63488  Kafka headers that tell of a row's flags: a table of 16 x [address u32][length u32], then the headers
 *     65536  the regions of src/kernel/kernel.ts
 */

/** Control words, read by the front as `words[n]`. */
const consumedAt: usize = 0;
const stopAt: usize = 4;
const skipAt: usize = 8;
const emptyFramesAt: usize = 12;
const encodedEndAt: usize = 16;
/** Written by the front before a scan, and by the scan: 1 if the next bytes belong to a frame that was split. */
const continuesAt: usize = 20;
/** Written by `encodeJsonRows`: 1 if it stopped at a row that it leaves to others, 0 if for want of room. */
const refusedAt: usize = 24;

export const crcTablesAt: usize = 1024;

/** One word for each container that is open: nesting deeper than this is not indexed. */
export const jsonStackAt: usize = 36 * 1024;
export const jsonStackEnd: usize = jsonStackAt + 256 * 4;
/** One node for each member: 768 of them. */
export const jsonNodesAt: usize = 38 * 1024;
export const jsonNodesEnd: usize = jsonNodesAt + 768 * 32;

/** By `markOf` of a row's flags; filled by the front. */
export const markHeadersAt: usize = 62 * 1024;

export const frameRowBytes: usize = 16;
export const headerRowBytes: usize = 64;

/** Bits of a frame's flags; the same as `frameFlag` of the front. */
export const flagAscii: u32 = 1;
export const flagTruncated: u32 = 2;
export const flagPriority: u32 = 4;
export const flagRfc5424: u32 = 8;
export const flagRfc3164: u32 = 16;
export const flagParsed: u32 = 32;
export const flagSplit: u32 = 64;
export const flagContinued: u32 = 128;
export const flagUnparsed: u32 = 256;

/** Why a scan stopped; the same as `scanStop` of the front. */
export const stopNeedMore: u32 = 0;
export const stopTableFull: u32 = 1;
export const stopNotACount: u32 = 2;
export const stopOversize: u32 = 3;

export let rowsAt: usize = 0;
export let rowsEnd: usize = 0;
export let headersAt: usize = 0;
/** Slots with keys and names, and behind them what ends the JSON form of a frame. */
export let jsonTextsAt: usize = 0;
export let jsonTailAt: usize = 0;
export let scratchAt: usize = 0;
export let scratchEnd: usize = 0;
export let frameBytesMax: u32 = 0;
/** Whether a longer frame becomes several rows; else it is cut. */
export let splits: bool = false;

/** Called once, before anything else. */
export function configure(rows: usize, rowsMax: u32, headers: usize, frameMax: u32): void {
  rowsAt = rows;
  rowsEnd = rows + <usize>rowsMax * frameRowBytes;
  headersAt = headers;
  frameBytesMax = frameMax;
}

/** Where the JSON form of frames is written, and what it is made of. Called once. */
export function configureJsonForm(texts: usize, tail: usize, scratch: usize, scratchBytes: u32): void {
  jsonTextsAt = texts;
  jsonTailAt = tail;
  scratchAt = scratch;
  scratchEnd = scratch + <usize>scratchBytes;
}

/** What holds for the next scans: listeners differ in it. */
export function limitFrames(frameMax: u32, split: bool): void {
  frameBytesMax = frameMax;
  splits = split;
}

/** Flags of a row that the next scan finds first. */
export function continuedFlags(): u32 {
  return load<u32>(continuesAt) ? flagSplit | flagContinued : 0;
}

export function setContinues(flags: u32): void {
  store<u32>(continuesAt, flags ? 1 : 0);
}

/** Leaves the results of a scan where the front reads them; returns the number of rows below `row`. */
export function endScan(row: usize, consumed: usize, stop: u32, skip: u32, emptyFrames: u32): u32 {
  store<u32>(consumedAt, <u32>consumed);
  store<u32>(stopAt, stop);
  store<u32>(skipAt, skip);
  store<u32>(emptyFramesAt, emptyFrames);
  return <u32>((row - rowsAt) / frameRowBytes);
}

export function setRefused(refused: u32): void {
  store<u32>(refusedAt, refused);
}

export function setEncodedEnd(at: usize): void {
  store<u32>(encodedEndAt, <u32>at);
}

/** One row; its message starts where the frame starts until a header is found. */
// @ts-ignore: decorator
@inline
export function storeRow(row: usize, start: usize, end: usize, flags: u32): void {
  store<u32>(row, <u32>start);
  store<u32>(row, <u32>end, 4);
  store<u32>(row, flags, 8);
  store<u32>(row, <u32>start, 12);
}
