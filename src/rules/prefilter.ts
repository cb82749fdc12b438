/**
 * Which rules are worth trying on a line: one look through its bytes instead of one search per rule.
 *
 * Of each rule's needs (`prefilter_needs.ts`) the clause that tells most is taken. Its texts are looked for all at
 * once: the line's bytes are sampled every `stride` bytes, four at a time, and each text is known by one four-byte
 * gram for each phase of the sampling. A gram that is known leads to the few texts that have it, and these to another
 * gram that must be at its place. So a line costs its length over the stride, and what it really has in it, whatever
 * the number of rules.
 *
 *     line    u s e r = 7   s t a t u s = 5 0 3       stride 4: samples at every fourth byte
 *             |       |       |       |
 *     text                  s t a t u s = 5           at least one whole sample is in a text of 7 bytes
 *
 * Candidates are a superset of the rules that match. Rules without needs, or with texts too short for the stride,
 * are candidates for every line. The work per line is bounded (`entriesPerByteMax`): a line made of what thousands
 * of texts have in common makes candidates of all rules.
 *
 * Hot path: `look` and `next` allocate nothing.
 *
 * @module
 */

import type { LineContext } from "./line_context.ts";
import {
  entryWords,
  foldGram,
  gramBytes,
  hashFactor,
  lastOfSlot,
  type TextIndex,
} from "./prefilter_index.ts";
import type { Needs } from "./prefilter_needs.ts";
import { planOf, type ValueIndex } from "./prefilter_plan.ts";
import type { FrameBytes } from "./program.ts";

/** Entries of the index that a line may meet, for each of its bytes: twenty times what logs do, 2 ms for 64 KiB. */
const entriesPerByteMax = 8;
/** And as many besides, for short lines. */
const entriesMin = 4096;

/** Tells candidates from rules that cannot match. */
export class Prefilter {
  /** The rules that are candidates for every line. */
  readonly unfiltered: readonly number[];
  readonly #count: number;
  readonly #index: TextIndex;
  readonly #slots: Uint32Array;
  readonly #entries: Int32Array;
  readonly #shift: number;
  readonly #stride: number;
  readonly #fromRaw: boolean;
  readonly #values: readonly ValueIndex[];
  /** Candidates of the line at hand, one bit each. */
  readonly #candidates: Int32Array;
  /** The candidates of every line, of every line that is not all ASCII, and all rules. */
  readonly #ascii: Int32Array;
  readonly #beyondAscii: Int32Array;
  readonly #all: Int32Array;
  /** What the candidates of the last line began with, and the words of them that differ from it. */
  #base: Int32Array;
  readonly #touched: Int32Array;
  #touchedCount = 0;
  /** Per text, the number of the last line that has it. */
  readonly #foundOn: Uint32Array;
  #lineNumber = 0;
  #wordsLeft = 0;
  #bytes: Uint8Array = new Uint8Array(0);
  #view: DataView = new DataView(new ArrayBuffer(0));

  /** The needs of each rule, in their order. */
  constructor(needs: readonly Needs[]) {
    const plan = planOf(needs);
    this.#count = needs.length;
    this.#index = plan.index;
    this.#slots = plan.index.slots;
    this.#entries = plan.index.entries;
    this.#shift = plan.index.shift;
    this.#stride = plan.index.stride;
    this.#foundOn = new Uint32Array(plan.index.textCount);
    this.#fromRaw = plan.fromRaw;
    this.#values = plan.values;
    this.unfiltered = plan.unfiltered;
    this.#ascii = bitsOf(plan.unfiltered, needs.length);
    this.#beyondAscii = bitsOf([...plan.unfiltered, ...plan.unfilteredBeyondAscii], needs.length);
    this.#all = bitsOf(needs.keys(), needs.length);
    this.#base = this.#ascii;
    this.#candidates = this.#base.slice();
    this.#touched = new Int32Array(this.#base.length);
  }

  /** Finds the candidates for the line at hand, whose bytes are `frame`. */
  look(context: LineContext, frame: FrameBytes): void {
    this.#begin(frame.isAscii ? this.#ascii : this.#beyondAscii);
    for (let i = 0; i < this.#values.length; i++) {
      const { read, rules } = this.#values[i];
      const text = read(context);
      const found = text === undefined ? undefined : rules.get(text);
      if (found !== undefined) this.#addAll(found, 0, found.length);
    }
    if (this.#foundOn.length === 0) return;
    const { bytes, start, messageStart, end } = frame;
    if (bytes !== this.#bytes) {
      this.#bytes = bytes;
      this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    }
    this.#scan(this.#fromRaw ? start : messageStart, end);
  }

  /** The first candidate from `rule` on, or the number of rules. */
  next(rule: number): number {
    const candidates = this.#candidates;
    let word = rule >>> 5;
    if (word >= candidates.length) return this.#count;
    let bits = candidates[word] & (-1 << (rule & 31));
    while (bits === 0) {
      if (++word === candidates.length) return this.#count;
      bits = candidates[word];
    }
    return (word << 5) + 31 - Math.clz32(bits & -bits);
  }

  #begin(base: Int32Array): void {
    if (base === this.#base) {
      for (let i = 0; i < this.#touchedCount; i++) {
        this.#candidates[this.#touched[i]] = base[this.#touched[i]];
      }
    } else {
      this.#candidates.set(base);
      this.#base = base;
    }
    this.#touchedCount = 0;
  }

  #scan(start: number, end: number): void {
    this.#lineNumber = (this.#lineNumber + 1) >>> 0;
    this.#wordsLeft = (entriesMin + (end - start) * entriesPerByteMax) * entryWords;
    const view = this.#view;
    const slots = this.#slots;
    const shift = this.#shift;
    const stride = this.#stride;
    const last = end - gramBytes;
    for (let at = start; at <= last; at += stride) {
      const gram = view.getInt32(at, true) | foldGram;
      const entry = slots[Math.imul(gram, hashFactor) >>> shift];
      if (entry !== 0 && !this.#meet(entry, gram, at, start, last)) {
        this.#begin(this.#all);
        return;
      }
    }
  }

  /** Takes the texts that have `gram`, which stands at `at`, and their other gram. False when the line has met too many. */
  #meet(word: number, gram: number, at: number, start: number, last: number): boolean {
    const entries = this.#entries;
    const view = this.#view;
    const first = word;
    for (;; word += entryWords) {
      if (entries[word] === gram) {
        const other = at + entries[word + 2];
        if (
          other >= start && other <= last && (view.getInt32(other, true) | foldGram) === entries[word + 1]
        ) {
          this.#found(entries[word + 3] & ~lastOfSlot);
        }
      }
      if (entries[word + 3] < 0) return (this.#wordsLeft -= word - first + entryWords) >= 0;
    }
  }

  #found(text: number): void {
    if (this.#foundOn[text] === this.#lineNumber) return;
    this.#foundOn[text] = this.#lineNumber;
    const { rules, rulesAt } = this.#index;
    this.#addAll(rules, rulesAt[text], rulesAt[text + 1]);
  }

  #addAll(rules: Int32Array, from: number, to: number): void {
    const candidates = this.#candidates;
    for (let i = from; i < to; i++) {
      const word = rules[i] >>> 5;
      const before = candidates[word];
      const after = before | (1 << (rules[i] & 31));
      if (after === before) continue;
      if (before === this.#base[word]) this.#touched[this.#touchedCount++] = word;
      candidates[word] = after;
    }
  }
}

/** One bit per rule. */
function bitsOf(rules: Iterable<number>, count: number): Int32Array {
  const bits = new Int32Array((count + 31) >>> 5);
  for (const rule of rules) bits[rule >>> 5] |= 1 << (rule & 31);
  return bits;
}
