/**
 * What a RELP server says: answers to frames, and that it closes.
 *
 *     rsp = txnr SP "rsp" SP datalen SP code SP text LF
 *
 * @module
 */

const encoder = new TextEncoder();
/** Behind the transaction number of a line that was taken. */
const okTail = encoder.encode(" rsp 6 200 OK\n");
const notSupported = "500 command is not supported";
const notSupportedTail = encoder.encode(` rsp ${notSupported.length} ${notSupported}\n`);
const digitsMax = 9;
/** First memory of a list. */
const listBytesMin = 256;

/** Tells that the server closes; it is asked for by nobody, hence transaction 0. */
export const serverClose: Uint8Array = encoder.encode("0 serverclose 0\n");

/** `200 OK` to each of the first `count` transactions, in one piece. */
export function okAnswers(txnrs: Uint32Array, count: number): Uint8Array {
  const bytes = new Uint8Array(count * (digitsMax + 1 + okTail.length));
  let at = 0;
  for (let index = 0; index < count; index++) {
    at = writeNumber(bytes, at, txnrs[index]!);
    bytes.set(okTail, at);
    at += okTail.length;
  }
  return bytes.subarray(0, at);
}

/** Answers to the frames of a chunk that are answered at once, to be sent in one piece. */
export class AnswerList {
  #bytes: Uint8Array = new Uint8Array(0);
  #length = 0;

  /** An empty line was taken. */
  ok(txnr: number): void {
    this.#add(txnr, okTail);
  }

  /** The command is none of ours. */
  notSupported(txnr: number): void {
    this.#add(txnr, notSupportedTail);
  }

  /** What is to be sent; nothing of it is here any more. Undefined where there is nothing. */
  take(): Uint8Array | undefined {
    if (this.#length === 0) return undefined;
    const bytes = this.#bytes.subarray(0, this.#length);
    this.#bytes = new Uint8Array(0);
    this.#length = 0;
    return bytes;
  }

  #add(txnr: number, tail: Uint8Array): void {
    const need = this.#length + digitsMax + tail.length;
    if (need > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(2 * need, listBytesMin));
      grown.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = grown;
    }
    const at = writeNumber(this.#bytes, this.#length, txnr);
    this.#bytes.set(tail, at);
    this.#length = at + tail.length;
  }
}

/** One answer with a text, which may have several lines. */
export function answer(txnr: number, text: string): Uint8Array {
  const data = encoder.encode(text);
  const head = encoder.encode(data.length === 0 ? `${txnr} rsp 0` : `${txnr} rsp ${data.length} `);
  const bytes = new Uint8Array(head.length + data.length + 1);
  bytes.set(head);
  bytes.set(data, head.length);
  bytes[bytes.length - 1] = 0x0a;
  return bytes;
}

function writeNumber(bytes: Uint8Array, at: number, value: number): number {
  let digits = 1;
  for (let rest = value; rest >= 10; rest = Math.trunc(rest / 10)) digits++;
  let rest = value;
  for (let place = at + digits - 1; place >= at; place--) {
    bytes[place] = 0x30 + rest % 10;
    rest = Math.trunc(rest / 10);
  }
  return at + digits;
}
