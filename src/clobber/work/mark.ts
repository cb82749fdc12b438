/**
 * The mark in a line: who sent it, which one it is, and when it was due. It lets the other end of a forwarder tell
 * latency, loss, duplicates and order without understanding the line.
 *
 *     ~!RRRR.SSSS.QQQQQQQQ.TTTTTTTTTTTTT~
 *       run  sender sequence  microseconds since 1970 at which it was due; all hex, lower case
 *
 * Its place in a message is fixed, so that sending one more line means writing 21 digits. Hot path.
 *
 * @module
 */
import { Buffer } from "node:buffer";

/** Bytes of a mark. */
export const markBytes = 35;
/** Where the parts begin. */
const senderAt = 7;
const sequenceAt = 12;
const dueAt = 21;
/** Senders of one run: four digits. */
export const sendersMax = 65_536;
/** What opens a mark; the run's four digits follow. */
export const markOpening = "~!";

const digits = Buffer.from("0123456789abcdef");
/** Two digits of each byte. */
const pairs = new Uint8Array(512);
for (let byte = 0; byte < 256; byte++) {
  pairs[2 * byte] = digits[byte >> 4]!;
  pairs[2 * byte + 1] = digits[byte & 15]!;
}

/** The mark with which a message is rendered: the run is in it, the rest is zeros. */
export function blankMark(run: string): string {
  return `${markOpening}${run}.0000.00000000.0000000000000~`;
}

/** Writes sender, sequence and due time into the mark that begins at `offset`. */
export function writeMark(
  bytes: Uint8Array,
  offset: number,
  sender: number,
  sequence: number,
  dueMicros: number,
): void {
  writeByte(bytes, offset + senderAt, sender >>> 8 & 255);
  writeByte(bytes, offset + senderAt + 2, sender & 255);
  writeWord(bytes, offset + sequenceAt, sequence >>> 0);
  // 13 digits: 5 of the high part, 8 of the low one.
  const high = Math.floor(dueMicros / 2 ** 32);
  bytes[offset + dueAt] = digits[high >>> 16 & 15]!;
  writeByte(bytes, offset + dueAt + 1, high >>> 8 & 255);
  writeByte(bytes, offset + dueAt + 3, high & 255);
  writeWord(bytes, offset + dueAt + 5, dueMicros >>> 0);
}

function writeByte(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = pairs[2 * value]!;
  bytes[offset + 1] = pairs[2 * value + 1]!;
}

function writeWord(bytes: Uint8Array, offset: number, value: number): void {
  writeByte(bytes, offset, value >>> 24);
  writeByte(bytes, offset + 2, value >>> 16 & 255);
  writeByte(bytes, offset + 4, value >>> 8 & 255);
  writeByte(bytes, offset + 6, value & 255);
}

/** Value of each hex digit by its byte; 255 for all others. */
const values = new Uint8Array(256).fill(255);
for (let value = 0; value < 16; value++) values[digits[value]!] = value;

/** Takes what `scanMarks` finds. */
export type MarkTaker = (sender: number, sequence: number, dueMicros: number) => void;

/**
 * Finds the marks of a run in bytes, whatever stands around them; gives each to `take`.
 *
 * @returns how many there were
 */
export function scanMarks(bytes: Buffer, opening: Buffer, take: MarkTaker): number {
  let found = 0;
  for (let at = bytes.indexOf(opening); at >= 0; at = bytes.indexOf(opening, at)) {
    if (at + markBytes > bytes.length) break;
    const sender = readHex(bytes, at + senderAt, 4);
    const sequence = readHex(bytes, at + sequenceAt, 8);
    const due = readHex(bytes, at + dueAt, 13);
    if (sender >= 0 && sequence >= 0 && due >= 0 && bytes[at + markBytes - 1] === 0x7e) {
      found++;
      take(sender, sequence, due);
      at += markBytes;
    } else {
      at += opening.length;
    }
  }
  return found;
}

function readHex(bytes: Uint8Array, from: number, count: number): number {
  let value = 0;
  for (let index = from; index < from + count; index++) {
    const digit = values[bytes[index]!]!;
    if (digit === 255) return -1;
    value = value * 16 + digit;
  }
  return value;
}
