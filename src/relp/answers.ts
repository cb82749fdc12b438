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
const digitsMax = 9;

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
