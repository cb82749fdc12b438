/**
 * The members of a JSON message, read from the nodes that `kernel.scanJson` left. Nothing is parsed; text is made of
 * the values that are asked for. Hot path.
 *
 * @module
 */
import { type TextBuffer, textBufferOf } from "../core/text_buffer.ts";
import type { JsonKey } from "../core/json_key.ts";
import { jsonFlag, jsonKind, jsonNodeBytes, jsonNodeWord, type Kernel } from "./kernel.ts";

const kindBits = 7;
const nextWord = jsonNodeWord.next;
const fingerprintWord = jsonNodeWord.fingerprint;
const kindWord = jsonNodeWord.kind;

/** Short values come again and again (topics, levels): their texts are kept, `recentTexts` of them. */
const recentTexts = 256;
const recentBytesMax = 48;

/** Reads nodes of one kernel. A node is named by its address; all are void with the next scan. */
export class KernelJsonMembers {
  /** The node of the whole message. */
  root = 0;
  readonly #words: Uint32Array;
  readonly #buffer: TextBuffer;
  readonly #recent: string[] = Array.from({ length: recentTexts }, () => "");

  constructor(kernel: Kernel) {
    this.#words = kernel.words;
    this.#buffer = textBufferOf(kernel.bytes);
  }

  /**
   * The member `key` of the object at `node`, the last of that name as for `JSON.parse`; 0 where it has none. What is
   * no object has no nodes below it.
   */
  member(node: number, key: JsonKey): number {
    const words = this.#words;
    const { fingerprint } = key;
    const end = words[(node >> 2) + nextWord]!;
    let found = 0;
    for (let at = node + jsonNodeBytes; at < end; at = words[(at >> 2) + nextWord]!) {
      const own = words[(at >> 2) + fingerprintWord]!;
      if ((own === fingerprint || own === 0) && this.#isKey(at, own, key.text)) found = at;
    }
    return found;
  }

  isObject(node: number): boolean {
    return (this.#words[(node >> 2) + kindWord]! & kindBits) === jsonKind.object;
  }

  isList(node: number): boolean {
    return (this.#words[(node >> 2) + kindWord]! & kindBits) === jsonKind.list;
  }

  isNull(node: number): boolean {
    return (this.#words[(node >> 2) + kindWord]! & kindBits) === jsonKind.null;
  }

  /** Where the value lies, with its quotes or brackets. */
  start(node: number): number {
    return this.#words[(node >> 2) + jsonNodeWord.start]!;
  }

  /** @see start */
  end(node: number): number {
    return this.#words[(node >> 2) + jsonNodeWord.end]!;
  }

  /** True if the object has no member. */
  isEmpty(node: number): boolean {
    return this.#words[(node >> 2) + nextWord] === node + jsonNodeBytes;
  }

  /** The value as JSON text. */
  json(node: number): string {
    return this.#buffer.utf8Slice(this.start(node), this.end(node));
  }

  /** The text of a string, a number or boolean as JavaScript writes it; "" of what has no text. */
  text(node: number): string {
    const word = this.#words[(node >> 2) + kindWord]!;
    switch (word & kindBits) {
      case jsonKind.string:
        return this.#string(node, word);
      case jsonKind.number:
        return this.#number(node, word);
      case jsonKind.true:
        return "true";
      case jsonKind.false:
        return "false";
      default:
        return "";
    }
  }

  #string(node: number, word: number): string {
    if ((word & jsonFlag.escaped) !== 0) return JSON.parse(this.json(node)) as string;
    const start = this.start(node) + 1;
    const end = this.end(node) - 1;
    if ((word & jsonFlag.high) !== 0) return this.#buffer.utf8Slice(start, end);
    return this.#recentText(start, end);
  }

  #number(node: number, word: number): string {
    const text = this.#recentText(this.start(node), this.end(node));
    return (word & jsonFlag.canonical) !== 0 ? text : String(Number(text));
  }

  /** The ASCII text, the same string as last time where it is kept: its hash is known then, and nothing is made. */
  #recentText(start: number, end: number): string {
    const buffer = this.#buffer;
    const length = end - start;
    if (length === 0) return "";
    if (length > recentBytesMax) return buffer.latin1Slice(start, end);
    const slot = (buffer[start]! + 31 * buffer[end - 1]! + 7 * buffer[start + (length >> 1)]! + length) &
      (recentTexts - 1);
    const known = this.#recent[slot]!;
    if (known.length === length && this.#holds(start, known)) return known;
    const text = buffer.latin1Slice(start, end);
    this.#recent[slot] = text;
    return text;
  }

  #isKey(node: number, fingerprint: number, name: string): boolean {
    const start = this.#words[(node >> 2) + jsonNodeWord.keyStart]!;
    const end = this.#words[(node >> 2) + jsonNodeWord.keyEnd]!;
    if (fingerprint !== 0) return end - start === name.length && this.#holds(start, name);
    return JSON.parse(this.#buffer.utf8Slice(start - 1, end + 1)) === name;
  }

  /** True if the bytes from `start` on are `text`, which is as long as what is compared. */
  #holds(start: number, text: string): boolean {
    const buffer = this.#buffer;
    for (let index = 0; index < text.length; index++) {
      if (buffer[start + index] !== text.charCodeAt(index)) return false;
    }
    return true;
  }
}
