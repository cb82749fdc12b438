/**
 * RELP frames in the bytes of a connection (rsyslog's RELP 1.0, relp.html).
 *
 *     frame    = txnr SP command SP datalen [SP data] LF
 *     txnr     = 1*9DIGIT           command = 1*32ALPHA          datalen = 1*9DIGIT
 *
 * Data is `datalen` bytes of anything; with 0 there is no space before the LF.
 *
 * Hot path: `next` is called per frame and allocates nothing; what it found is in the fields.
 *
 * @module
 */

const lf = 0x0a;
const space = 0x20;
const zero = 0x30;
const nine = 0x39;

/** Digits of a number (txnr, datalen), and letters of a command. */
const digitsMax = 9;
const commandBytesMax = 32;

/** No header is longer: three fields, three spaces. */
export const headerBytesMax = digitsMax + 1 + commandBytesMax + 1 + digitsMax + 1;

/** What `next` found. */
export type FrameStatus = "frame" | "part" | "damaged";

/** Reads frames from a piece of memory. */
export class FrameReader {
  /** Of the last frame; of a `part` whose header is whole, of the frame that begins. */
  txnr = 0;
  command: "syslog" | "open" | "close" | "other" = "other";
  /** Data is `bytes[dataAt..dataEnd)`; of a `part`, dataEnd is where it will end. */
  dataAt = 0;
  dataEnd = 0;
  /** Behind the frame. */
  nextAt = 0;
  /** True where a `part` has its whole header. */
  headed = false;
  /** Of a damaged frame. */
  problem = "";

  /** Looks for a frame at `at` in `bytes[..end)`. */
  next(bytes: Uint8Array, at: number, end: number): FrameStatus {
    this.headed = false;
    const txnrEnd = this.#number(bytes, at, end);
    if (txnrEnd <= 0) return this.#unfinished(txnrEnd, "its transaction number is none");
    this.txnr = this.#value;
    const commandAt = txnrEnd + 1;
    let commandEnd = commandAt;
    while (commandEnd < end && isLetter(bytes[commandEnd]!)) commandEnd++;
    if (commandEnd - commandAt > commandBytesMax) return this.#damaged("its command is too long");
    if (commandEnd === end) return "part";
    if (commandEnd === commandAt || bytes[commandEnd] !== space) return this.#damaged("it has no command");
    this.command = commandOf(bytes, commandAt, commandEnd);
    const lengthEnd = this.#number(bytes, commandEnd + 1, end);
    if (lengthEnd <= 0) return this.#unfinished(lengthEnd, "its length is none");
    const length = this.#value;
    const delimiter = bytes[lengthEnd];
    if (length === 0 && delimiter === lf) {
      this.dataAt = this.dataEnd = lengthEnd;
      this.nextAt = lengthEnd + 1;
      return "frame";
    }
    if (delimiter !== space) return this.#damaged("there is no space behind its length");
    this.headed = true;
    this.dataAt = lengthEnd + 1;
    this.dataEnd = this.dataAt + length;
    if (this.dataEnd >= end) return "part";
    if (bytes[this.dataEnd] !== lf) return this.#damaged("there is no newline behind its data");
    this.nextAt = this.dataEnd + 1;
    return "frame";
  }

  #value = 0;

  /** Reads a number that a space or LF must follow: where it ends; 0 where more is needed; -1 where it is none. */
  #number(bytes: Uint8Array, at: number, end: number): number {
    let value = 0;
    let place = at;
    while (place < end) {
      const byte = bytes[place]!;
      if (byte < zero || byte > nine) break;
      value = value * 10 + byte - zero;
      place++;
    }
    if (place - at > digitsMax) return -1;
    if (place === end) return 0;
    this.#value = value;
    return place > at && (bytes[place] === space || bytes[place] === lf) ? place : -1;
  }

  #unfinished(place: number, problem: string): FrameStatus {
    return place === 0 ? "part" : this.#damaged(problem);
  }

  #damaged(problem: string): FrameStatus {
    this.problem = problem;
    return "damaged";
  }
}

function isLetter(byte: number): boolean {
  return (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a;
}

function commandOf(bytes: Uint8Array, at: number, end: number): FrameReader["command"] {
  switch (end - at) {
    case 4:
      return matches(bytes, at, "open") ? "open" : "other";
    case 5:
      return matches(bytes, at, "close") ? "close" : "other";
    case 6:
      return matches(bytes, at, "syslog") ? "syslog" : "other";
    default:
      return "other";
  }
}

function matches(bytes: Uint8Array, at: number, word: string): boolean {
  for (let index = 0; index < word.length; index++) {
    if (bytes[at + index] !== word.charCodeAt(index)) return false;
  }
  return true;
}
