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
/** The sender in lines that do not count: those of slow readers. */
export const uncountedSender = 0xffff;
/** Senders of one run: four digits, but for that one. */
export const sendersMax = 65_535;
/** What opens a mark; the run's four digits follow. */
export const markOpening = "~!";

const digits = Buffer.from("0123456789abcdef");
/** Two digits of each byte, the first one in the low half. */
const pairs = new Uint16Array(256);
for (let byte = 0; byte < 256; byte++) pairs[byte] = digits[byte >> 4]! | digits[byte & 15]! << 8;

/** The mark with which a message is rendered: the run is in it, the rest is zeros. */
export function blankMark(run: string): string {
  return `${markOpening}${run}.0000.00000000.0000000000000~`;
}

/** Writes sender, sequence and due time into marks of `bytes`. */
export class MarkWriter {
  readonly #view: DataView;
  // The due time as digits: the lines of a bundle may share it.
  #due0 = 0;
  #due1 = 0;
  #due5 = 0;
  #due9 = 0;

  constructor(bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** The due time of the marks that are written from now on. 13 digits: 5 of the high part, 8 of the low one. */
  setDue(dueMicros: number): void {
    const high = Math.floor(dueMicros / 2 ** 32);
    const low = dueMicros >>> 0;
    this.#due0 = digits[high >>> 16 & 15]!;
    this.#due1 = fourDigits(high & 0xffff);
    this.#due5 = fourDigits(low >>> 16);
    this.#due9 = fourDigits(low & 0xffff);
  }

  /** Writes into the mark that begins at `offset`. Four digits at a time: this is most of what a line costs. */
  write(offset: number, sender: number, sequence: number): void {
    const view = this.#view;
    view.setUint32(offset + senderAt, fourDigits(sender), true);
    view.setUint32(offset + sequenceAt, fourDigits(sequence >>> 16), true);
    view.setUint32(offset + sequenceAt + 4, fourDigits(sequence & 0xffff), true);
    view.setUint8(offset + dueAt, this.#due0);
    view.setUint32(offset + dueAt + 1, this.#due1, true);
    view.setUint32(offset + dueAt + 5, this.#due5, true);
    view.setUint32(offset + dueAt + 9, this.#due9, true);
  }
}

/** The four digits of 16 bits, the first one in the low byte. */
function fourDigits(value: number): number {
  return pairs[value >>> 8 & 255]! | pairs[value & 255]! << 16;
}

/** Writes one mark; for those who write few. */
export function writeMark(
  bytes: Uint8Array,
  offset: number,
  sender: number,
  sequence: number,
  dueMicros: number,
): void {
  const writer = new MarkWriter(bytes);
  writer.setDue(dueMicros);
  writer.write(offset, sender, sequence);
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
