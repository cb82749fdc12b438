/**
 * Names of JSON members as something that can be compared with bytes: prepared once where the name is known at load.
 *
 * @module
 */

/** A name that is looked for. */
export interface JsonKey {
  readonly text: string;
  /**
   * What the kernel writes beside a key without escapes that is ASCII alone: the first four bytes and the length,
   * never 0. Of another name it is 0, which is also what the kernel writes beside a key that has to be decoded.
   */
  readonly fingerprint: number;
}

/** Prepares a name. */
export function jsonKeyOf(text: string): JsonKey {
  return { text, fingerprint: fingerprintOf(text) };
}

function fingerprintOf(text: string): number {
  let word = 0;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    // What JSON writes only as an escape is never in a key without one.
    if (code > 0x7f || code < 0x20 || code === 0x22 || code === 0x5c) return 0;
    if (index < 4) word |= code << (8 * index);
  }
  return ((word ^ (text.length << 24)) | 0x80) >>> 0;
}
