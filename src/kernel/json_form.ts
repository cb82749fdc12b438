/**
 * What the kernel needs to write frames as JSON objects: the slots with keys and names, and the end of the object,
 * which tells the peer and is the same for all lines of a connection. The object itself is described in
 * src/kernel/assembly/json_form.ts.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { facilityNames, severityNames } from "../core/syslog_names.ts";

/** Bytes of a slot; the last one is the length of its text. The same as in the assembly. */
const slotBytes = 32;

const texts: readonly string[] = [
  '"timestamp":"',
  '"hostname":"',
  '"appname":"',
  '"procid":"',
  '"msgid":"',
  '"sd":',
  '"msg":"',
  ...severityNames.map((name) => `"severity":"${name}",`),
  ...facilityNames.map((name) => `"facility":"${name}",`),
];

/** Bytes of all slots. */
export const jsonTextsBytes: number = texts.length * slotBytes;

/** Room for the end of the object. Names of peers are addresses; what is longer is left to the writer of text. */
export const jsonTailBytesMax = 1024;

/** Fills the slots at `at`. */
export function writeJsonTexts(memory: Uint8Array, at: number): void {
  for (const text of texts) {
    const bytes = Buffer.from(text, "latin1");
    memory.set(bytes, at);
    memory[at + slotBytes - 1] = bytes.length;
    at += slotBytes;
  }
}

/** The end of the object for one peer after the other. */
export class JsonTail {
  /** Its length, or 0 where the kernel cannot write it. */
  length = 0;
  readonly #memory: Uint8Array;
  readonly #at: number;
  #peer: string | undefined;

  constructor(memory: Uint8Array, at: number) {
    this.#memory = memory;
    this.#at = at;
  }

  /** Costs a comparison where the peer is that of the line before. */
  set(peer: string): void {
    if (peer === this.#peer) return;
    this.#peer = peer;
    const bytes = Buffer.from(`"peer":${JSON.stringify(peer)}}`);
    this.length = bytes.length > jsonTailBytesMax ? 0 : bytes.length;
    this.#memory.set(bytes.subarray(0, this.length), this.#at);
  }
}
