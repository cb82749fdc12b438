/**
 * Reads DER (X.690) as far as certificates and revocation lists need it: elements one behind the other, each a tag, a
 * length and its content. Bounds are checked; what does not fit is undefined.
 *
 * @module
 */

/** One element: `bytes[start..end)` with its head, content from `contentAt`. */
export interface Element {
  readonly tag: number;
  readonly start: number;
  readonly contentAt: number;
  readonly end: number;
}

/** Tags that are looked for. */
export const derTag = {
  integer: 0x02,
  sequence: 0x30,
  utcTime: 0x17,
  generalizedTime: 0x18,
  version: 0xa0,
} as const;

/** The element at `at`, which must end at or before `end`. */
export function readElement(bytes: Uint8Array, at: number, end: number): Element | undefined {
  if (at + 2 > end) return undefined;
  const tag = bytes[at]!;
  const first = bytes[at + 1]!;
  if (first < 0x80) return element(tag, at, at + 2, first, end);
  const lengthBytes = first & 0x7f;
  // Indefinite lengths are not DER, and five bytes are more than any file.
  if (lengthBytes === 0 || lengthBytes > 4 || at + 2 + lengthBytes > end) return undefined;
  let length = 0;
  for (let index = 0; index < lengthBytes; index++) length = length * 256 + bytes[at + 2 + index]!;
  return element(tag, at, at + 2 + lengthBytes, length, end);
}

function element(
  tag: number,
  start: number,
  contentAt: number,
  length: number,
  end: number,
): Element | undefined {
  return contentAt + length > end ? undefined : { tag, start, contentAt, end: contentAt + length };
}

/** The elements inside `parent`; undefined where its content is not whole elements. */
export function childrenOf(bytes: Uint8Array, parent: Element): Element[] | undefined {
  const children: Element[] = [];
  for (let at = parent.contentAt; at < parent.end;) {
    const child = readElement(bytes, at, parent.end);
    if (child === undefined) return undefined;
    children.push(child);
    at = child.end;
  }
  return children;
}

/** Lower-case hexadecimal of a part of `bytes`. */
export function hexOf(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  for (let at = start; at < end; at++) text += bytes[at]!.toString(16).padStart(2, "0");
  return text;
}
